"""Reads people from CSV, as spreadsheets write it. Every bad row is reported with its line."""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from shared.documents.forms import GROUP, MAX_GROUPS, NO_CONTROL_CHARACTERS
from shared.documents.paths import can_be_document_id
from shared.rules.audit import CONSOLE, ERASED, SYSTEM
from shared.rules.user import Role, normal_group

MAX_ROWS = 10_000
COLUMNS = ("email", "uid", "role", "is_active", "groups")
NO_GROUPS = "-"
"""Written into ``groups``, it takes a person out of all groups."""

_DELIMITERS = ",;\t"
_MAX_EMAIL_LENGTH = 320
_MAX_UID_LENGTH = 128
_BETWEEN_GROUPS = re.compile(r"[\s,;|]+")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_IS_ACTIVE: Mapping[str, bool] = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A person. ``None``: the row says nothing about it. An address is in small letters, as accounts have it."""

    line: int
    user_id: str | None
    email: str | None
    role: Role | None
    is_active: bool | None
    groups: tuple[str, ...] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class BadRow:
    """What is wrong with a row."""

    line: int
    problem: str


def read_people(text: str) -> tuple[list[Row], list[BadRow]]:
    """Read the rows behind the line of column names. Empty rows are left out."""
    names_line, _, _ = text.partition("\n")
    # The csv module's Sniffer guesses from the values, and takes a letter for the delimiter of a single column. The
    # names of our columns hold no delimiter, so it is the one between them.
    delimiter = max(_DELIMITERS, key=names_line.count)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
    rows: list[Row] = []
    bad: list[BadRow] = []
    try:
        names = [each.strip().lower() for each in next(reader, [])]
        if wrong := _wrong_names(names):
            return [], [BadRow(line=1, problem=wrong)]
        next_line = reader.line_num + 1
        for cells in reader:
            line, next_line = next_line, reader.line_num + 1
            given = [each.strip() for each in cells]
            if not any(given):
                continue
            match _row(line, names, given):
                case Row() as row:
                    rows.append(row)
                case BadRow() as row:
                    bad.append(row)
            if len(rows) + len(bad) > MAX_ROWS:
                return [], [BadRow(line=line, problem=f"more than {MAX_ROWS} people: split the file")]
    except csv.Error as error:
        bad.append(BadRow(line=reader.line_num, problem=f"not CSV: {error}"))
    return rows, [*bad, *_repeated(rows)]


def _wrong_names(names: Sequence[str]) -> str:
    known = f"Write these, with commas, semicolons or tabs between them: {', '.join(COLUMNS)}"
    if unknown := [each for each in names if each not in COLUMNS]:
        return f"unknown columns: {', '.join(map(repr, unknown))}. {known}"
    if len(set(names)) < len(names):
        return f"a column stands there twice. {known}"
    if not {"email", "uid"} & set(names):
        return f"neither a column email nor uid. {known}"
    return ""


def _row(line: int, names: Sequence[str], cells: Sequence[str]) -> Row | BadRow:
    if len(cells) != len(names):
        return BadRow(line=line, problem=f"{len(cells)} values for {len(names)} columns")
    given = dict(zip(names, cells, strict=True))
    user_id, email = given.get("uid") or None, (given.get("email") or "").lower() or None
    role, is_active = given.get("role") or None, given.get("is_active") or None
    if problem := _wrong_person(user_id, email):
        return BadRow(line=line, problem=problem)
    if role is not None and role.lower() not in set(Role):
        return BadRow(line=line, problem=f"role {role!r}: write one of {', '.join(Role)}, or nothing")
    groups = _groups(given.get("groups") or "")
    if isinstance(groups, str):
        return BadRow(line=line, problem=groups)
    if is_active is not None and is_active.lower() not in _IS_ACTIVE:
        return BadRow(line=line, problem=f"is_active {is_active!r}: write true or false, or nothing")
    return Row(
        line=line,
        user_id=user_id,
        email=email,
        role=None if role is None else Role(role),
        is_active=None if is_active is None else _IS_ACTIVE[is_active.lower()],
        groups=groups,
    )


def _groups(written: str) -> tuple[str, ...] | str | None:
    """The groups in their order, ``None`` if the cell is empty, or what is wrong with it."""
    if not written:
        return None
    if written == NO_GROUPS:
        return ()
    groups = tuple(dict.fromkeys(normal_group(each) for each in _BETWEEN_GROUPS.split(written) if each))
    if wrong := [each for each in groups if GROUP.fullmatch(each) is None]:
        return f"group {wrong[0]!r}: write letters, digits, hyphens and underscores, and blanks between groups"
    if len(groups) > MAX_GROUPS:
        return f"{len(groups)} groups: write at most {MAX_GROUPS}"
    return groups


def _wrong_person(user_id: str | None, email: str | None) -> str:
    if user_id is None and email is None:
        return "neither email nor uid"
    if user_id is not None and not (_is_id(user_id) and len(user_id) <= _MAX_UID_LENGTH):
        return f"uid {user_id!r}: no account has such a UID"
    if user_id in {CONSOLE, ERASED, SYSTEM}:
        return f"uid {user_id!r}: audit events use this word as an actor"
    if email is not None and not (_EMAIL.fullmatch(email) and _is_id(email) and len(email) <= _MAX_EMAIL_LENGTH):
        return f"email {email!r}: not an e-mail address"
    return ""


def _is_id(text: str) -> bool:
    return can_be_document_id(text) and re.fullmatch(NO_CONTROL_CHARACTERS, text) is not None


def _repeated(rows: Sequence[Row]) -> Iterator[BadRow]:
    first: dict[str, int] = {}
    for row in rows:
        for name in {row.user_id, row.email} - {None}:
            before = first.setdefault(str(name), row.line)
            if before != row.line:
                yield BadRow(line=row.line, problem=f"{name} stands in line {before} already")

"""``import``: people of an organization from CSV. Without ``--apply`` nothing is written.

A second run with the same file changes nothing. An address that leads to no account is left out. A document under an
address would open nothing, its events would name the address, and ``reconcile`` would look at it every 15 minutes. One
that an admin wrote is moved to the UID as soon as there is one.
"""

import asyncio
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from infra.admin.account import AccountError, accounts_with, end_unless_both_are_emulators
from infra.admin.erasure import UnfinishedError, pages
from infra.admin.people_file import BadRow, Row, read_people
from infra.doctor.database import EmulatorOption, end, opened
from infra.doctor.options import DatabaseOption, Environment, EnvironmentOption, ProjectOption
from shared.admin.review_record import BOOKKEEPING
from shared.documents import queries
from shared.documents.paths import OrganizationPaths, can_be_document_id
from shared.firestore.client import Document, Firestore
from shared.firestore.errors import Conflict, StoreUnavailable
from shared.firestore.retry import READ_WITHIN, read_with_retry, retry_until
from shared.firestore.values import Plain, is_opaque
from shared.firestore.writes import Create, Delete, Update, Write
from shared.rules.claims import OtherAccount
from shared.rules.user import Role, normal_group

_PAGE = 1_000


@dataclass(frozen=True, kw_only=True, slots=True)
class _Change:
    """What becomes of one person's document, in words and in writes. No writes: it is as the row says."""

    line: int
    path: str
    words: str
    writes: Sequence[Write]

    @property
    def is_new(self) -> bool:
        return any(isinstance(each, Create) for each in self.writes)


def import_people(
    people: Annotated[
        Path, typer.Argument(metavar="FILE", help="A CSV file with the columns email, uid, role, is_active, groups.")
    ],
    *,
    project: ProjectOption,
    organization: Annotated[str, typer.Option(metavar="ID", help="The organization's id.")],
    environment: EnvironmentOption = Environment.PRODUCTION,
    database: DatabaseOption = None,
    apply: Annotated[bool, typer.Option("--apply", help="Write. Without it nothing is written.")] = False,
    per_second: Annotated[int, typer.Option(min=1, max=200, help="The most people that are written a second.")] = 50,
    emulator_host: EmulatorOption = None,
) -> None:
    """Import people of an organization from CSV. Without --apply, only print what would be written."""
    if not can_be_document_id(organization):
        end(f"not a valid organization id: {organization!r}")
    rows = _rows_of(people)
    paths = OrganizationPaths(organization)
    emails = [row.email for row in rows if row.email is not None and row.user_id is None]
    if emails:
        end_unless_both_are_emulators(emulator_host)
    with opened(project=project, environment=environment, database=database, emulator_host=emulator_host) as firestore:
        users = asyncio.run(_users(firestore, paths))
        if users is None:
            end(f"there is no organization {organization} in {project}")
        try:
            accounts = accounts_with(emails, project=project) if emails else {}
        except AccountError as error:
            end(str(error))
        planned = _Plan(paths, users, accounts)
        changes, bad = planned.changes_of(rows)
        if bad:
            _end_with(bad)
        _tell(changes, left_out=planned.left_out)
        to_write = [change for change in changes if change.writes]
        if not to_write:
            sys.stdout.write("Nothing is to be changed.\n")
        elif not apply:
            sys.stdout.write("Nothing was changed. To write it: --apply\n")
        else:
            try:
                asyncio.run(_write(firestore, to_write, per_second=per_second))
            except UnfinishedError as error:
                end(str(error), status=1)
            sys.stdout.write("Written. In a minute, 'problems' says what is wrong with these documents.\n")
    if planned.left_out:
        raise typer.Exit(1)


def _rows_of(file: Path) -> Sequence[Row]:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        end(f"could not read {file}: {error.strerror}")
    except UnicodeDecodeError:
        end(f"{file} is not UTF-8: save it again, in Excel as 'CSV UTF-8'")
    rows, bad = read_people(text)
    if bad:
        _end_with(bad)
    if not rows:
        end(f"there is nobody in {file}")
    return rows


def _end_with(bad: Iterable[BadRow]) -> NoReturn:
    told = [f"line {each.line}: {each.problem}" for each in sorted(bad, key=lambda each: each.line)]
    end("\n".join([*told, "Nothing was written. Mend these rows, and run the same command again."]), status=1)


async def _users(firestore: Firestore, paths: OrganizationPaths) -> Mapping[str, Document] | None:
    """Read every user of an organization, by id; ``None`` if there is no organization."""
    stored = (await read_with_retry(partial(firestore.read, [paths.organization]))).documents
    if stored[paths.organization] is None:
        return None
    query = queries.all_documents("users", everywhere=False, limit=_PAGE)
    return {document.document_id: document async for page in pages(firestore, paths, query) for document in page}


class _Plan:
    """Which document is whose, and what each row changes in it.

    ``left_out`` are the rows whose address leads to no account.
    """

    def __init__(
        self, paths: OrganizationPaths, users: Mapping[str, Document], accounts: Mapping[str, OtherAccount]
    ) -> None:
        self.left_out: list[Row] = []
        self._paths, self._users, self._accounts = paths, users, accounts
        self._with_email: dict[str, list[str]] = {}
        for user_id, document in users.items():
            email = _in_small_letters(document.fields.get("email"))
            if email is not None and user_id.lower() != email:
                self._with_email.setdefault(email, []).append(user_id)

    def changes_of(self, rows: Sequence[Row]) -> tuple[list[_Change], list[BadRow]]:
        changes: list[_Change] = []
        bad: list[BadRow] = []
        line_of: dict[str, int] = {}
        for row in rows:
            user_id = self._user_id(row)
            if user_id is None:
                self.left_out.append(row)
                continue
            if isinstance(user_id, BadRow):
                bad.append(user_id)
                continue
            before = line_of.setdefault(user_id, row.line)
            if before != row.line:
                bad.append(BadRow(line=row.line, problem=f"the user {user_id} stands in line {before} already"))
                continue
            change = self._change(row, user_id)
            if isinstance(change, BadRow):
                bad.append(change)
            else:
                changes.append(change)
        return changes, bad

    def _user_id(self, row: Row) -> str | BadRow | None:
        """The id of the person's document. An address alone leads to it as an admin would look for it."""
        if row.user_id is not None:
            return row.user_id
        email = row.email or ""
        match self._with_email.get(email, []):
            case [user_id]:
                return user_id
            case [_, *_] as several:
                problem = f"{email} is the address of several users: {', '.join(several)}. Write the uid too"
                return BadRow(line=row.line, problem=problem)
        account = self._accounts.get(email)
        if account is None:
            return email if email in self._users else None
        if not account.is_verified:
            problem = (
                f"nobody verified that {email} belongs to its account, so anybody may have made it. "
                f"If it is this person's account, write the uid too: {account.user_id}"
            )
            return BadRow(line=row.line, problem=problem)
        return account.user_id

    def _change(self, row: Row, user_id: str) -> _Change | BadRow:
        path, stored = self._paths.user(user_id), self._users.get(user_id)
        if stored is not None:
            fields = _said(row, stored.fields, with_email=row.user_id is not None)
            writes = [Update(path=path, fields=fields, unchanged_since=stored.update_time)] if fields else []
            words = ", ".join(_edit(name, stored.fields, value) for name, value in fields.items())
            return _Change(line=row.line, path=path, words=words, writes=writes)
        kept: Mapping[str, Plain] = {}
        under_address = None if row.email is None else self._users.get(row.email)
        if under_address is not None:
            kept = {name: value for name, value in under_address.fields.items() if name not in BOOKKEEPING}
            if any(map(is_opaque, kept.values())):
                problem = f"{under_address.path} holds a value that cannot be copied to {path}: do it by hand"
                return BadRow(line=row.line, problem=problem)
        fields = {**kept, **_said(row, kept, with_email=True)}
        words = ", ".join(["new", *(f"{name} {_shown(value)}" for name, value in fields.items())])
        created: list[Write] = [Create(path=path, fields=fields)]
        if under_address is not None:
            words += f", in place of {under_address.document_id}"
            created.append(Delete(path=under_address.path, unchanged_since=under_address.update_time))
        return _Change(line=row.line, path=path, words=words, writes=created)


def _said(row: Row, present: Mapping[str, object], *, with_email: bool) -> dict[str, Plain]:
    """The fields that the row says otherwise. What it leaves out stays as an admin set it."""
    fields: dict[str, Plain] = {}
    if with_email and row.email is not None and _in_small_letters(present.get("email")) != row.email:
        fields["email"] = row.email
    if row.role is not None and _role(present.get("role")) is not row.role:
        fields["role"] = row.role.value
    if row.is_active is not None and present.get("is_active") is not row.is_active:
        fields["is_active"] = row.is_active
    if row.groups is not None and _groups(present.get("groups", [])) != [*row.groups]:
        fields["groups"] = [*row.groups]
    return fields


def _groups(value: object) -> object:
    return [normal_group(str(each)) for each in value] if isinstance(value, list) else value


def _in_small_letters(value: object) -> str | None:
    return value.strip().lower() if isinstance(value, str) else None


def _role(value: object) -> Role | None:
    try:
        return Role(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _edit(name: str, before: Mapping[str, object], value: Plain) -> str:
    instead = f"instead of {_shown(before[name])}" if name in before else "where it was left out"
    return f"{name} {_shown(value)} {instead}"


def _shown(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _tell(changes: Sequence[_Change], *, left_out: Sequence[Row]) -> None:
    for each in changes:
        if each.writes:
            sys.stdout.write(f"line {each.line}: {each.path}: {each.words}\n")
    for row in left_out:
        sys.stdout.write(f"line {row.line}: {row.email}: left out, because no account has this address\n")
    new = sum(each.is_new for each in changes)
    unchanged = sum(not each.writes for each in changes)
    changed = len(changes) - new - unchanged
    sys.stdout.write(f"New: {new}. Changed: {changed}. Unchanged: {unchanged}. Left out: {len(left_out)}\n")


async def _write(firestore: Firestore, changes: Sequence[_Change], *, per_second: int) -> None:
    """Write the people, ``per_second`` in a commit.

    Raises:
        UnfinishedError: some are not written. Running it again goes on.
    """
    for begin in range(0, len(changes), per_second):
        commit = partial(
            firestore.commit, [write for each in changes[begin : begin + per_second] for write in each.writes]
        )
        try:
            await retry_until(commit, StoreUnavailable, within=READ_WITHIN, otherwise="Firestore did not answer")
        except (Conflict, StoreUnavailable) as error:
            message = (
                f"Written: {begin} of {len(changes)}. An admin edited a document meanwhile, or Firestore did not "
                f"answer. Run the same command again: it goes on. ({error})"
            )
            raise UnfinishedError(message) from error
        # Each write calls a function. Firestore delivers the events at its own pace, so this only spreads them.
        await asyncio.sleep(1 if begin + per_second < len(changes) else 0)

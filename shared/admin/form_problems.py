"""Finds the fields of a document that do not have its form, and says in plain words what they should hold."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import cache
from itertools import chain
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from shared.documents.forms import MAX_FEATURES_BYTES, Form, LicenseDocument, OrganizationDocument, UserDocument
from shared.firestore.values import Opaque
from shared.rules.review import Level, Problem

_LONGEST_QUOTE = 60
_ALIKE = 0.8
"""How similar an unknown name must be to a field's name to count as a misspelling of it, from 0 to 1."""

_SHORTEST_WORD = 3
_OTHER_WORDS: Mapping[str, Sequence[str]] = {
    "expires_at": ("end", "ends", "expire", "expiry", "expiration", "until", "due", "valid to"),
    "is_active": ("enabled", "disabled", "suspended", "blocked", "status", "state"),
    "license_key": ("serial",),
    "name": ("title", "label"),
    "role": ("admin", "owner", "member", "guest"),
    "email": ("mail",),
    "starts_at": ("start", "starts", "begin", "begins", "valid from", "active from", "effective", "not before"),
    "features": ("feature", "entitlement", "entitlements", "module", "modules", "edition", "plan", "tier"),
    "subscription_tier": ("subscription", "plan", "tier"),
    "max_borrowed_seats": ("borrow seats", "borrow limit", "borrow count", "roaming seats", "roaming limit"),
    "max_borrow_seconds": ("borrow", "borrowed", "borrowing", "roam", "roaming", "commuter", "checkout", "check out"),
    "max_instances_per_seat": ("instance", "instances", "replica", "replicas", "processes", "copies"),
    "kept_out": ("ban", "banned", "keep out", "locked out"),
    "overdraft_seats": ("overdraft", "overage", "burst", "soft limit"),
    "reservations": ("reserved", "reserve", "reservation", "dedicated"),
    "max_devices_per_user": ("per user", "per person", "devices", "device limit", "machines", "machine limit"),
    "allowed_groups": ("allowed", "group", "groups", "team", "teams", "department", "departments", "include"),
    "email_domains": ("domain", "domains"),
    "sso_providers": ("sso", "saml", "oidc", "provider", "providers", "identity provider", "idp"),
    "groups": ("group", "team", "teams", "department", "departments"),
    "lease_seconds": ("lease", "heartbeat"),
    "idle_seconds": ("idle", "inactive", "inactivity", "timeout"),
    "grace_seconds": ("grace", "offline"),
    "max_concurrent_seats": ("limit", "cap", "quota", "capacity", "quantity", "users", "floating"),
}
"""Words that other products have for our fields, the specific ones first. Of several words a name must have all."""

_SAYS_TOO_LITTLE = frozenset({"user", "per"})
"""Words of a field's name that do not say which field is meant."""

_NOT_OFFERED: Mapping[str, str] = {
    "trial": "no field is a trial. Set expires_at of a license to its end",
    "exclude": "no field keeps a group out. Name the others in allowed_groups of a license",
    "excluded groups": "no field keeps a group out. Name the others in allowed_groups of a license",
    "group limit": "no field limits the seats of a group. reservations of a license keep seats for the others",
    "named user": "no field names users. Give them a group, and name it in allowed_groups of a license",
    "named users": "no field names users. Give them a group, and name it in allowed_groups of a license",
    "node locked": "no field ties a license to a device",
    "queue": "no field makes a line. Users wait in one for each license if their program asks for that",
}
"""What no field does, by the words of a field's name in other products."""

_OWNERS: Mapping[type[Form], str] = {
    LicenseDocument: "a license",
    UserDocument: "a user",
    OrganizationDocument: "an organization",
}

_KINDS = {
    "bytes_value": "bytes",
    "geo_point_value": "a geopoint",
    "reference_value": "a reference to a document",
}


_GROUP_FORM = (
    "A group is small letters, digits, hyphens and underscores, at most 64 characters. Capitals count as small letters"
)


@cache
def expectations(form: type[Form]) -> Mapping[str, str]:
    """Say for each field of a form what it should hold."""
    schema = form.model_json_schema()
    definitions = schema.get("$defs", {})
    return {name: _expected(field, definitions) for name, field in schema["properties"].items()}


def form_problems(form: type[Form], fields: Mapping[str, Any], *, written_by_us: Collection[str]) -> list[Problem]:
    """List the fields whose value does not have the form, and the fields that nothing reads.

    A missing field is no problem.
    """
    return [*_of_wrong_form(form, fields), *_unknown(form, fields, written_by_us)]


def _of_wrong_form(form: type[Form], fields: Mapping[str, Any]) -> Iterator[Problem]:
    try:
        form.model_validate(fields)
    except ValidationError as error:
        wrong: dict[str, list[ErrorDetails]] = {}
        for each in error.errors():
            wrong.setdefault(str(each["loc"][0]) if each["loc"] else "", []).append(each)
        for name, errors in wrong.items():
            if name in fields:
                default = ". Or remove the field: its default counts then" if fields[name] is None else ""
                expected = f"{expectations(form)[name]}{default}"
                yield Problem(field=name, level=Level.ERROR, found=_misfit(fields[name], errors), expected=expected)


def _misfit(value: object, errors: Sequence[ErrorDetails]) -> str:
    """The value in words. Of a map or an array it is the first entry that does not fit, or what is wrong with all."""
    if not isinstance(value, Mapping | list):
        return found(value)
    entries = list(dict.fromkeys(each["loc"][1] for each in errors if len(each["loc"]) > 1))
    more = f", and {len(entries) - 1} more" if len(entries) > 1 else ""
    match value, entries:
        case Mapping(), [str(name), *_]:
            return f"the entry {quoted(name)} with {found(value[name])}{more}"
        case list(), [int(index), *_]:
            return f"the entry {found(value[index])}{more}"
    match errors:
        case [{"type": "too_long"}, *_]:
            return f"{found(value)} with {len(value)} entries"
        case [{"type": "value_error", "ctx": {"error": reason}}, *_]:
            return f"{found(value)} with {reason}"
        case _:
            return found(value)


def _unknown(form: type[Form], fields: Mapping[str, Any], written_by_us: Collection[str]) -> Iterator[Problem]:
    known = [*form.model_fields, *written_by_us]
    for name in sorted(fields.keys() - set(known)):
        shown = f"the field {quoted(name)}, which nothing reads"
        yield Problem(field=name, level=Level.NOTICE, found=shown, expected=_advice(form, _words(name), known))


def _advice(form: type[Form], words: Sequence[str], known: Collection[str]) -> str:
    """What to do with an unknown field. A name that is nearly a field's comes first."""
    meant = _misspelled(words, known)
    lacking = next((told for phrase, told in _NOT_OFFERED.items() if _holds(words, phrase)), None)
    if meant is None and lacking is not None:
        return f"nothing: {lacking}"
    meant = meant or _named_otherwise(words, known)
    if meant is not None:
        return f"{meant}, if you meant that field. If not, leave it: it does no harm"
    elsewhere = _elsewhere(form, words)
    if elsewhere is not None:
        return f"nothing here: {elsewhere}. If you meant something else, leave it: it does no harm"
    return "nothing, or a note of your own: it does no harm"


def _elsewhere(form: type[Form], words: Sequence[str]) -> str | None:
    """The field of another kind of document that is meant. A user's name is a note, and no field of another kind."""
    others = {owner: [*other.model_fields.keys() - {"name"}] for other, owner in _OWNERS.items() if other is not form}
    for look in (_misspelled, _named_otherwise):
        for owner, known in others.items():
            if (meant := look(words, known)) is not None:
                return f"{meant} is a field of {owner}"
    return None


def _misspelled(words: Sequence[str], known: Collection[str]) -> str | None:
    written = {"_".join(_words(each)): each for each in known}
    close = get_close_matches("_".join(words), written, n=1, cutoff=_ALIKE)
    return written[close[0]] if close else None


def _named_otherwise(words: Sequence[str], known: Collection[str]) -> str | None:
    if sum(map(len, words)) < _SHORTEST_WORD:
        return None
    spoken = (field for field, phrases in _OTHER_WORDS.items() if any(_holds(words, each) for each in phrases))
    other = (field for field in spoken if field in known)
    # "seats", or "maxSeats": each of its words is one of the field's.
    meant = (field for field in known if set(words) <= set(_words(field)) and not _SAYS_TOO_LITTLE.issuperset(words))
    return next(chain(other, meant), None)


def _holds(words: Sequence[str], phrase: str) -> bool:
    return set(phrase.split()) <= set(words)


def _words(name: str) -> list[str]:
    return re.findall(r"[a-z]+|\d+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower())


def found(value: object) -> str:  # noqa: PLR0911 a line for each kind of value
    """The value of a field in words."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return f"the number {value}"
        case str():
            return f"the text {quoted(value)}"
        case datetime():
            return f"the time {value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
        case Opaque(kind=kind):
            return _KINDS.get(kind, "a value of another type")
        case Mapping():
            return "a map"
        case _:
            return "an array"


def quoted(text: str) -> str:
    """The text in quotes, shortened to 60 characters."""
    return f'"{text}"' if len(text) <= _LONGEST_QUOTE else f'"{text[:_LONGEST_QUOTE]}…"'


def _expected_entries(schema: Mapping[str, Any]) -> str:
    match schema:
        case {"type": "array", "maxItems": most, "items": {"pattern": _}}:
            return f"a list of at most {most} groups (type array). {_GROUP_FORM}"
        case {"type": "array", "maxItems": most, "items": {"type": "string"}}:
            return f"a list of at most {most} texts (type array)"
        case {"type": "object", "additionalProperties": {"format": "date-time"}}:
            return "a map of license ids to times from 1970 to 2199 (type map)"
        case {"type": "object", "maxProperties": most, "patternProperties": _}:
            return f"at most {most} groups, each with a whole number of seats, 1 or more (type map). {_GROUP_FORM}"
        case {"type": "object", "maxProperties": most}:
            values = "each with a text, a number, true or false as its value"
            return f"at most {most} names, {values}, at most {MAX_FEATURES_BYTES} bytes as JSON (type map)"
        case _:
            return "a list"


def _expected(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:  # noqa: C901, PLR0911 a line for each kind of field
    match schema:
        case {"anyOf": [one, {"type": "null"}]}:
            holds, stop, more = _expected(one, definitions).partition(". ")
            return f"{holds}, or null{stop}{more}"
        case {"$ref": reference}:
            values = definitions[str(reference).rpartition("/")[2]]["enum"]
            return f"one of {', '.join(values)} (type string)"
        case {"type": "array" | "object"}:
            return _expected_entries(schema)
        case {"type": "boolean"}:
            return "true or false (type boolean)"
        case {"type": "integer", "minimum": least, "maximum": most}:
            return f"a whole number from {least} to {most} (type number)"
        case {"type": "integer", "minimum": least}:
            return f"a whole number, {least} or more (type number)"
        case {"type": "string", "format": "date-time"}:
            return "a time from 1970 to 2199 (type timestamp)"
        case {"type": "string", "minLength": least, "maxLength": most, "pattern": _}:
            return f"one line of text, {least} to {most} characters, without tabs or invisible characters (type string)"
        case {"type": "string", "maxLength": most}:
            return f"text of at most {most} characters (type string)"
        case {"type": "string"}:
            return "text (type string)"
        case _:
            message = f"no words for {schema}"
            raise ValueError(message)

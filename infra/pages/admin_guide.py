"""Writes the tables of the admin's guide, from the forms of documents and the code that finds problems in them.

``python -m infra.pages.admin_guide`` writes them. A test checks that the page is up to date.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from infra.build.stage import ROOT
from infra.pages.marked_sections import replaced
from shared.admin.form_problems import expectations, form_problems
from shared.admin.resync import id_with_blank
from shared.admin.review_record import BOOKKEEPING, CREATED_AT, PROBLEMS, UPDATED_AT
from shared.documents.forms import Form, LicenseDocument, OrganizationDocument, SessionDocument, UserDocument
from shared.rules.claims import Membership, OtherAccount, email_not_verified, user_problems
from shared.rules.license import License
from shared.rules.organization import Organization
from shared.rules.review import (
    Problem,
    domain_problems,
    key_elsewhere,
    license_problems,
    organization_problems,
    provider_problems,
    slug_problems,
    without_owner,
)
from shared.rules.seat_use import SeatUse
from shared.rules.user import Role, User

PAGE = ROOT / "infra/docs/admin-guide.md"

_NOW = datetime(2026, 1, 31, tzinfo=UTC)
"""The time of the examples."""

_A_TIME = "a time (type timestamp)"
_CREATED = (CREATED_AT, _A_TIME, "When the document was created.")
_UPDATED = (UPDATED_AT, _A_TIME, "When an admin last edited it by hand.")
_WRONG = (PROBLEMS, "a list", "What is wrong with the document. Empty if nothing is wrong.")
FORMS: Mapping[str, tuple[type[Form], Sequence[tuple[str, str, str]]]] = {
    "organizations": (OrganizationDocument, [_CREATED, _UPDATED, _WRONG]),
    "users": (UserDocument, [_CREATED, _WRONG]),
    "licenses": (LicenseDocument, [_CREATED, _UPDATED, _WRONG]),
    "sessions": (
        SessionDocument,
        [
            ("expiry_shard", "a whole number", "Helps the functions find sessions whose lease has run out."),
            (
                "purge_at",
                f"{_A_TIME}, or null",
                "When Firestore may delete the document, long after the session ended.",
            ),
        ],
    ),
}
"""For each collection that admins see: the form of its documents, and the fields that only the functions write."""

_LEFT_OUT: Mapping[str, str] = {
    "slug": "made from the name",
    "license_key": "a new key",
    "email": "the account's, if it is verified",
    "kept_out": "not filled in",
    "lease_seconds": "not filled in",
    "grace_seconds": "not filled in",
    "max_instances_per_seat": "not filled in",
    "groups": "none, not filled in",
    "email_domains": "none, not filled in",
    "sso_providers": "none, not filled in",
    "starts_at": "not filled in",
    "features": "none, not filled in",
    "allowed_groups": "not filled in",
    "reservations": "none, not filled in",
    "max_devices_per_user": "not filled in",
    "overdraft_seats": "0, not filled in",
    "max_borrow_seconds": "0, not filled in",
    "max_borrowed_seats": "not filled in",
    "idle_seconds": "not filled in",
}
"""What is filled into fields that have no default of their own, or whose default is not filled in."""


class NotOneProblemError(Exception):
    """An example does not make exactly one problem. The message names the example."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """A problem as an admin sees it, made by the code of the functions, and what the admin does about it."""

    where: str
    problem: Problem
    to_do: str


def page(before: str) -> str:
    after = before
    for name in FORMS:
        after = replaced(after, name, _field_table(name))
    return replaced(after, "problems", _problem_table())


def examples() -> Iterator[Example]:
    """Make one of each kind of problem."""
    key = {"license_key": "7K3QF-9XW2M-QZP4T-H0RGA-5VNBE"}
    yield _example(
        "license",
        form_problems(LicenseDocument, {**key, "max_concurrent_seats": "20"}, written_by_us=BOOKKEEPING),
        "Edit the field. Choose the expected type and enter the value again.",
    )
    yield _example(
        "license",
        form_problems(LicenseDocument, {**key, "expires_at": "31 January 2027"}, written_by_us=BOOKKEEPING),
        "Edit the field. Choose type timestamp, then day and time.",
    )
    yield _example(
        "organization",
        form_problems(OrganizationDocument, {"is_active": "yes"}, written_by_us=BOOKKEEPING),
        "Edit the field. Choose type boolean.",
    )
    yield _example(
        "user",
        form_problems(UserDocument, {"role": "Manager"}, written_by_us=BOOKKEEPING),
        "Enter one of the expected words.",
    )
    yield _example(
        "any",
        form_problems(LicenseDocument, {**key, "seats": 20}, written_by_us=BOOKKEEPING),
        "If you meant the expected field, add it with this value and delete this one. If it is your own note, leave "
        "it.",
    )
    yield _example(
        "license",
        form_problems(LicenseDocument, {**key, "features": {"export": None}}, written_by_us=BOOKKEEPING),
        "Edit the entry, or delete it.",
    )
    yield _example(
        "license",
        form_problems(LicenseDocument, {**key, "features": {"terms": "x" * 5000}}, written_by_us=BOOKKEEPING),
        "Make it smaller. What is long belongs into your program, under a name that the license gives.",
    )
    yield _example(
        "license",
        form_problems(LicenseDocument, {**key, "reservations": {"Design Team": 3}}, written_by_us=BOOKKEEPING),
        "Write the group without blanks, such as `design-team`, in the user's document too.",
    )
    yield _example(
        "license",
        form_problems(LicenseDocument, {**key, "overdraft_seats": None}, written_by_us=BOOKKEEPING),
        "Delete the field, or enter a number.",
    )
    yield _example(
        "any",
        form_problems(LicenseDocument, {**key, "trial": True}, written_by_us=BOOKKEEPING),
        "Seatlease does nothing with it. Delete the field, or leave it as your own note.",
    )
    yield _example(
        "any",
        form_problems(OrganizationDocument, {"expires_at": None}, written_by_us=BOOKKEEPING),
        "Add the field to the document that it belongs to, and delete it here. If it is your own note, leave it.",
    )
    yield _example(
        "any",
        form_problems(LicenseDocument, {**key, "crm_number": 2}, written_by_us=BOOKKEEPING),
        "Nothing, if it is your own note. Otherwise look up the name in the tables below.",
    )
    organization = Organization(organization_id="harbor-studio", name="", max_concurrent_seats=3, is_active=True)
    yield _example(
        "organization or license",
        organization_problems(organization, use=SeatUse(by_license={"design-studio": 5})),
        "Nothing. The notice stays until the document is checked again: at its next edit, or when you delete "
        "`problems`.",
    )
    yield _example(
        "organization",
        organization_problems(organization, use=SeatUse(), is_cap_filled_in=True),
        "Write the number that you sold, or null. The notice stays until the number is another one.",
    )
    yield _example(
        "organization",
        form_problems(OrganizationDocument, {"email_domains": "acme.example"}, written_by_us=BOOKKEEPING),
        "Edit the field. Choose type array, and add each domain as an entry of type string.",
    )
    yield _example(
        "organization",
        domain_problems(["acme"], taken=()),
        "Enter the part behind the @ of the people's addresses.",
    )
    yield _example(
        "organization",
        domain_problems(["gmail.com"], taken=()),
        "Remove the entry. Owners and admins of the organization invite its people one by one.",
    )
    yield _example(
        "organization",
        domain_problems(["acme.example"], taken=["acme.example"]),
        "Find out whose domain it is, and remove it from the other organization.",
    )
    yield _example(
        "organization",
        provider_problems(["acme"], taken=()),
        "Copy the id of the provider from Firebase Authentication.",
    )
    yield _example(
        "organization",
        provider_problems(["saml.acme"], taken=["saml.acme"]),
        "Find out whose provider it is, and remove it from the other organization.",
    )
    yield _example("organization", slug_problems("Harbor Studio", is_taken=False), "Edit the field.")
    yield _example(
        "organization",
        slug_problems("harbor-studio", is_taken=True),
        "Choose another one. Both organizations work meanwhile.",
    )
    yield _example(
        "license",
        license_problems(
            replace(_license(seats=3), expires_at=_NOW), organization=organization, use=SeatUse(), same_key=(), now=_NOW
        ),
        "Look at the year. If the contract has ended, leave it.",
    )
    yield _example(
        "license",
        [key_elsewhere()],
        "If you copied the license, delete `license_key`: a new key is made. Otherwise leave it: each organization "
        "finds its own license.",
    )
    yield _example(
        "license",
        license_problems(_license(seats=20), organization=organization, use=SeatUse(), same_key=(), now=_NOW),
        "Raise the organization's cap or make it null. If you leave it, it decides.",
    )
    yield _example(
        "license",
        license_problems(
            _license(seats=3), organization=organization, use=SeatUse(), same_key=["render-farm"], now=_NOW
        ),
        "Decide which license keeps the key. In the other one delete `license_key` (a new key is made) or write "
        "another key.",
    )
    yield _example(
        "license",
        license_problems(
            replace(_license(seats=3), grace_for=timedelta(days=30)),
            organization=organization,
            use=SeatUse(),
            same_key=(),
            now=_NOW,
        ),
        "Lower the number. Or leave it: the notice stops nothing.",
    )
    yield from _examples_of_terms(organization)
    yield _example(
        "any",
        [id_with_blank()],
        "Add the document again with an id that you type, and delete this one.",
    )
    listed = [Membership(organization_id="harbor-studio", user=_user())]
    yield _example(
        "user",
        user_problems("harbor-studio", listed, has_account=False),
        "Copy the User UID from Authentication > Users. Add a document with that id and delete this one. If the user "
        "has no account yet, add the account first.",
    )
    yield _example(
        "user",
        user_problems("harbor-studio", listed, has_account=False, other=_other(is_verified=True)),
        "First make sure that the account with this address belongs to this user. Then add a document with that id "
        "and delete this one.",
    )
    yield _example(
        "user",
        user_problems("harbor-studio", listed, has_account=False, other=_other(is_verified=False)),
        "If you made that account in the console, add a document with that id and delete this one. Otherwise ask the "
        "user first.",
    )
    yield _example(
        "user",
        [without_owner(replace(_user(), role=Role.OWNER, is_active=False))],
        "Make another user owner, if the customer is to see and end sessions.",
    )
    elsewhere = Membership(organization_id="elsewhere", user=_user())
    yield _example(
        "user",
        user_problems("harbor-studio", [elsewhere, *listed], has_account=True),
        "Deactivate or delete the user in the other organization. This document is then checked again automatically. "
        "Or give the user a second account with another address.",
    )
    yield _example(
        "user",
        user_problems("harbor-studio", listed, has_account=True, has_room=False),
        "Create the organization again with a shorter document id.",
    )
    yield _example(
        "user",
        [email_not_verified()],
        "Write the address, or leave it. Or let the user verify it, then delete `problems`: it is filled in.",
    )


def _examples_of_terms(organization: Organization) -> Iterator[Example]:
    """Make one of each kind of problem of a license's start, groups, overdraft and idle time."""
    begins, day = replace(_license(seats=3), starts_at=_NOW), timedelta(days=1)
    cases: Sequence[tuple[License, datetime, str]] = [
        (replace(begins, expires_at=_NOW), _NOW - day, "Look at both times. Perhaps the two are exchanged."),
        (begins, _NOW - day, "Nothing, if you mean it. The notice goes at the next edit after that day."),
        (replace(_license(seats=3), allowed_groups=frozenset()), _NOW, "Name a group, or delete the field."),
        (
            replace(_license(seats=3), reservations={"design": 3, "render": 2}),
            _NOW,
            "Lower the reservations, or raise `max_concurrent_seats`.",
        ),
        (
            replace(_license(seats=3), reservations={"design": 2}, allowed_groups=frozenset({"render"})),
            _NOW,
            "Add the group to `allowed_groups`, or take its seats out of `reservations`.",
        ),
        (
            replace(_license(seats=3), overdraft_seats=2),
            _NOW,
            "Raise the organization's cap or make it null. If you leave it, it decides.",
        ),
        (
            replace(_license(seats=3), idle_for=timedelta(minutes=1)),
            _NOW,
            "Enter a longer time, or leave it: idle users lose the seat a little later.",
        ),
        (
            replace(_license(seats=3), max_borrowed_seats=2),
            _NOW,
            "Add `max_borrow_seconds`, or delete the field.",
        ),
        (
            replace(_license(seats=3), borrow_for=timedelta(days=7), max_borrowed_seats=4),
            _NOW,
            "Enter fewer, or delete the field: then all seats may be away.",
        ),
        (
            replace(_license(seats=3), borrow_for=timedelta(days=60)),
            _NOW,
            "Enter fewer days, or leave it if users are away for so long.",
        ),
    ]
    for license_, now, to_do in cases:
        problems = license_problems(license_, organization=organization, use=SeatUse(), same_key=(), now=now)
        yield _example("license", problems, to_do)
    yield _example(
        "license",
        license_problems(
            replace(_license(seats=3), reservations={"desing": 2}),
            organization=organization,
            use=SeatUse(),
            same_key=(),
            unused_groups=["desing"],
            now=_NOW,
        ),
        "Compare the spelling with `groups` of the users. If they get the group later, the notice stays until the next "
        "edit of the license, or until you delete `problems`.",
    )


def main() -> None:
    PAGE.write_text(page(PAGE.read_text()))


def _example(where: str, problems: Sequence[Problem], to_do: str) -> Example:
    if len(problems) != 1:
        message = f"the example {to_do!r} must make exactly one problem, but made {problems}"
        raise NotOneProblemError(message)
    return Example(where=where, problem=problems[0], to_do=to_do)


def _user() -> User:
    return User(user_id="ada", email=None, role=Role.MEMBER, is_active=True)


def _other(*, is_verified: bool) -> OtherAccount:
    return OtherAccount(user_id="Zt4vPq0mXeWc1d2R8sYbKJh7uLf3", is_verified=is_verified)


def _license(*, seats: int) -> License:
    return License(
        license_id="design-studio",
        license_key="7K3QF-9XW2M-QZP4T-H0RGA-5VNBE",
        name="Design Studio",
        max_concurrent_seats=seats,
        expires_at=None,
        is_active=True,
        lease_for=timedelta(minutes=6),
        grace_for=timedelta(0),
    )


def _field_table(name: str) -> str:
    form, ours = FORMS[name]
    edited = name != "sessions"
    rows = [("field", "what it holds", *(["when left out"] if edited else []), "what it means")]
    for field, expected in expectations(form).items():
        info = form.model_fields[field]
        if info.description is None:
            message = f"{form.__name__}.{field} needs a description for the admin"
            raise ValueError(message)
        left_out = _LEFT_OUT.get(field) or _shown(info.get_default(call_default_factory=True))
        rows.append((f"`{field}`", expected, *([left_out] if edited else []), info.description))
    for field, holds, meaning in ours:
        rows.append((f"`{field}`", holds, *(["filled in"] if edited else []), f"Written by the functions. {meaning}"))
    return _table(rows)


def _problem_table() -> str:
    rows = [("document", "`field`", "`level`", "`found`", "`expected`", "what to do")]
    for each in examples():
        problem = each.problem
        rows.append((each.where, problem.field, problem.level, problem.found, problem.expected, each.to_do))
    return _table(rows)


def _table(rows: Sequence[Sequence[str]]) -> str:
    head, *body = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([head, f"|{'---|' * len(rows[0])}", *body])


def _shown(default: Any) -> str:  # noqa: ANN401 the forms' defaults are of any type
    match default:
        case None:
            return "null"
        case bool():
            return "true" if default else "false"
        case "":
            return "empty"
        case _:
            return str(default)


if __name__ == "__main__":
    main()

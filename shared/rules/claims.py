"""The claim ``org_id``: which organization a user's ID tokens name.

A user belongs to one organization at a time. If two list the user, the one with the older document keeps the user.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.rules.refusal import Unusable
from shared.rules.review import Level, Problem
from shared.rules.user import User

DOCUMENT_ID = "(document id)"
"""The ``field`` of a problem with the document's id."""


ORGANIZATION_ID = "(document id of the organization)"
"""The ``field`` of a problem with the id of the organization's document."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Membership:
    """An organization that has a document of the user."""

    organization_id: str
    user: User | Unusable


@dataclass(frozen=True, kw_only=True, slots=True)
class OtherAccount:
    """An account with the e-mail address of a document whose id is no account's."""

    user_id: str
    is_verified: bool


def active_membership(listings: Sequence[Membership]) -> Membership | None:
    """Find the organization that a user belongs to. ``listings`` are those that list the user, oldest document first.

    A document that cannot be used keeps its place, so that a typing error cannot move the user elsewhere.
    """
    return next((each for each in listings if isinstance(each.user, Unusable) or each.user.is_active), None)


def organization_claim(listings: Sequence[Membership], *, present: str | None) -> str | None:
    """The organization that a user's tokens should name; ``None``: no claim.

    While the document cannot be used, the claim stays if it names its organization. Otherwise there is none.
    """
    held_by = active_membership(listings)
    if held_by is None:
        return None
    if isinstance(held_by.user, Unusable):
        return present if present == held_by.organization_id else None
    return held_by.organization_id


def user_problems(
    organization_id: str,
    listings: Sequence[Membership],
    *,
    has_account: bool,
    has_room: bool = True,
    other: OtherAccount | None = None,
) -> list[Problem]:
    """Compare a user's document in one organization with those in others, and with Firebase Authentication.

    ``has_room`` is false when the claims are too long for the account. ``other`` is another account, the one with
    the document's e-mail address.
    """
    problems = []
    own = next((each for each in listings if each.organization_id == organization_id), None)
    if own is None or (isinstance(own.user, User) and not own.user.is_active):
        return []
    if not has_account:
        wanted = "the User UID that Firebase Authentication shows for this user"
        if other is not None:
            wanted = f'"{other.user_id}", the User UID of the account with this e-mail address'
        if other is not None and not other.is_verified:
            wanted += ", if that account is this user's: nobody verified its address, so anybody may have made it"
        expected = f"{wanted}. Add a document with that id and delete this one"
        found = "no user of Firebase Authentication has this UID, so this user cannot sign in"
        problems.append(Problem(field=DOCUMENT_ID, level=Level.ERROR, found=found, expected=expected))
    if own is not active_membership(listings):
        problems.append(in_another_organization())
    elif not has_room:
        found = "a document id that is too long for the user's token"
        expected = "an organization with a shorter document id"
        problems.append(Problem(field=ORGANIZATION_ID, level=Level.ERROR, found=found, expected=expected))
    return problems


def in_another_organization() -> Problem:
    """Say that the user belongs elsewhere, without naming where: admins of this organization may not know of it."""
    found = "this user already belongs to another organization"
    expected = "a user of one organization only. Deactivate or delete the user there, or use another account"
    return Problem(field=DOCUMENT_ID, level=Level.ERROR, found=found, expected=expected)


def email_not_verified() -> Problem:
    """Say why the e-mail address is not filled in, without repeating it: anybody can sign up with another person's."""
    found = "nothing, because the e-mail address of the account is not verified"
    expected = "an address that you know to be this user's, or null"
    return Problem(field="email", level=Level.NOTICE, found=found, expected=expected)

"""Claims: which organization a user's ID tokens name, and with which role.

A user belongs to one organization at a time. Listed in two, the first keeps them: the one that has listed them longest.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.rules.refusal import Unusable
from shared.rules.review import Level, Problem
from shared.rules.user import Role, User

DOCUMENT_ID = "(document id)"
"""What stands in a problem's place of a field when the id of the document is meant."""


ORGANIZATION_ID = "(document id of the organization)"
"""The same for the id of the organization's document."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Membership:
    """An organization that has a document of the user."""

    organization_id: str
    user: User | Unusable


@dataclass(frozen=True, kw_only=True, slots=True)
class Claims:
    """What ID tokens say of a user: the claims ``org_id`` and ``role``."""

    organization_id: str | None = None
    role: Role | str | None = None


def active_membership(listings: Sequence[Membership]) -> Membership | None:
    """Find the organization that a user belongs to, of those that list the user, longest first.

    A document that cannot be used keeps its place: a slip must not hand a user over to another organization.
    """
    return next((each for each in listings if isinstance(each.user, Unusable) or each.user.is_active), None)


def claims_for(listings: Sequence[Membership], *, present: Claims) -> Claims:
    """Say what a user's claims should be. While the document cannot be used, they stay what they are, or are none."""
    held_by = active_membership(listings)
    if held_by is None:
        return Claims()
    if isinstance(held_by.user, Unusable):
        return present if present.organization_id == held_by.organization_id else Claims()
    return Claims(organization_id=held_by.organization_id, role=held_by.user.role)


def user_problems(
    organization_id: str,
    listings: Sequence[Membership],
    *,
    has_account: bool,
    has_room: bool = True,
    other_id: str | None = None,
) -> list[Problem]:
    """Look at a user's document of one organization beside the others, and beside Firebase Authentication.

    ``has_room`` says whether the claims fit into the account's; ``other_id`` is the uid of the account that has the
    document's e-mail address, when that is another one.
    """
    problems = []
    own = next((each for each in listings if each.organization_id == organization_id), None)
    if own is None or (isinstance(own.user, User) and not own.user.is_active):
        return []
    if not has_account:
        wanted = "the User UID that Firebase Authentication shows for this person"
        if other_id is not None:
            wanted = f'"{other_id}", the User UID of the account with this e-mail address'
        expected = f"{wanted}: make a document with that id, and delete this one"
        found = "no user of Firebase Authentication has this UID, so nobody can sign in as this user"
        problems.append(Problem(field=DOCUMENT_ID, level=Level.ERROR, found=found, expected=expected))
    if own is not active_membership(listings):
        # Not which one: what other organizations there are is nobody's business here.
        found = "this user belongs to another organization, which listed them first"
        expected = "a user of one organization only: deactivate or delete the user there, or take another account"
        problems.append(Problem(field=DOCUMENT_ID, level=Level.ERROR, found=found, expected=expected))
    elif not has_room:
        found = "a document id so long that the user's tokens have no room for it"
        expected = "an organization with a shorter document id"
        problems.append(Problem(field=ORGANIZATION_ID, level=Level.ERROR, found=found, expected=expected))
    return problems

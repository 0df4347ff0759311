"""Join: who becomes a user of an organization by themselves."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from shared.rules.admission import Invitation, Joined, JoinedBy
from shared.rules.domains import PUBLIC_MAIL_DOMAINS, domain_of
from shared.rules.organization import Organization, is_sso
from shared.rules.person import SignedIn
from shared.rules.refusal import InAnotherOrganization, NoInvitation, Unusable
from shared.rules.user import Role, User


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """An organization that a person may want to join, with what it holds about the person.

    ``domains`` and ``providers`` are those that this organization has for itself. ``inviter`` is the sender of the
    invitation, as the organization lists them now. ``is_deactivated``: a deactivated user of it has the person's
    address, under whatever account.
    """

    organization_id: str
    organization: Organization | Unusable | None
    user: User | Unusable | None = None
    invitation: Invitation | None = None
    inviter: User | Unusable | None = None
    is_deactivated: bool = False
    domains: Collection[str] = ()
    providers: Collection[str] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class AlreadyJoined:
    """The person is a user of the organization already. Nothing changes."""

    organization: Organization
    user: User


JoinOutcome = Joined | AlreadyJoined | NoInvitation | InAnotherOrganization


def join(
    person: SignedIn,
    *,
    asked: str | None,
    places: Sequence[Place],
    belongs_to: str | None,
    now: datetime,
) -> JoinOutcome:
    """Decide whether a person joins an organization: the one that is ``asked`` for, or any that is open to them.

    ``belongs_to`` is the organization that the person's tokens name, or soon will. A user who was deactivated does not
    come back by joining.
    """
    if belongs_to is not None and asked in {None, belongs_to}:
        return _already(next((place for place in places if place.organization_id == belongs_to), None))
    wanted = [place for place in places if asked in {None, place.organization_id}]
    if any(isinstance(place.user, User) and place.user.is_active for place in wanted):
        return InAnotherOrganization()
    ways = [way for place in wanted if (way := _way_in(person, place, now=now)) is not None]
    if not ways:
        return NoInvitation()
    return InAnotherOrganization() if belongs_to is not None else min(ways, key=_first)


def _already(place: Place | None) -> AlreadyJoined | NoInvitation:
    if place is None or not isinstance(place.user, User) or not _is_active(place.organization):
        return NoInvitation()
    assert isinstance(place.organization, Organization)  # noqa: S101 it is active; for the type checker
    return AlreadyJoined(organization=place.organization, user=place.user)


def _is_active(organization: Organization | Unusable | None) -> bool:
    return isinstance(organization, Organization) and organization.is_active


def _way_in(person: SignedIn, place: Place, *, now: datetime) -> Joined | None:
    """How the person gets into an organization that does not list them; ``None`` if they do not."""
    organization, address = place.organization, person.proven_address
    if not isinstance(organization, Organization) or not organization.is_active:
        return None
    if place.user is not None or place.is_deactivated:
        return None
    user = User(user_id=person.user_id, email=address, role=Role.MEMBER, is_active=True)
    if is_sso(person.provider) and person.provider in place.providers:
        return Joined(organization=organization, user=user, by=JoinedBy.PROVIDER, provider=person.provider)
    if address is None:
        return None
    invitation = place.invitation
    if invitation is not None and invitation.email == address and _counts(invitation, place.inviter, now=now):
        invited = replace(user, role=invitation.role, groups=invitation.groups)
        return Joined(organization=organization, user=invited, by=JoinedBy.INVITATION, invitation=invitation)
    domain = domain_of(address)
    if domain is None or domain in PUBLIC_MAIL_DOMAINS or domain not in place.domains:
        return None
    return Joined(organization=organization, user=user, by=JoinedBy.DOMAIN, domain=domain)


def _counts(invitation: Invitation, inviter: User | Unusable | None, *, now: datetime) -> bool:
    """Whether an invitation lets a person in: it is open, and its sender may still invite with this role."""
    if not isinstance(inviter, User) or not inviter.may_manage_people:
        return False
    return inviter.may_give(invitation.role) and invitation.is_open(now=now)


def _first(way: Joined) -> tuple[bool, float, str]:
    """Put invitations before all else, the latest first."""
    invited_at = 0.0 if way.invitation is None else way.invitation.created_at.timestamp()
    return way.invitation is None, -invited_at, way.organization.organization_id

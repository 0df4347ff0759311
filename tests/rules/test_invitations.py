"""Who may invite whom, and take an invitation back."""

from dataclasses import replace
from hashlib import sha256

import pytest

from shared.rules.admission import MAX_INVITATIONS, OPEN_FOR, invitation_id_of
from shared.rules.invitations import Invited, InviteOutcome, Inviting, Withdrawn, invite, withdraw
from shared.rules.refusal import (
    AlreadyAMember,
    Misconfigured,
    OrganizationInactive,
    RoleNotAllowed,
    TooManyInvitations,
    Unusable,
    UserInactive,
    UserMissing,
)
from shared.rules.user import Role, User
from tests.rules.make import INSTANT, NOW, UNUSABLE, a_user, an_invitation, an_organization


def _standing(role: Role = Role.ADMIN) -> Inviting:
    return Inviting(organization=an_organization(), caller=a_user("adam", role=role), present=None)


def _invite(standing: Inviting, role: Role = Role.MEMBER) -> InviteOutcome:
    return invite(standing, email="Ann@Acme.Example", role=role, groups=["design"], now=NOW)


ALLOWED = {
    Role.OWNER: {*Role},
    Role.ADMIN: {Role.ADMIN, Role.MEMBER, Role.GUEST},
    Role.MEMBER: set(),
    Role.GUEST: set(),
}


@pytest.mark.parametrize("caller", Role)
@pytest.mark.parametrize("role", Role)
def test_owners_invite_everybody_and_admins_everybody_but_owners(caller: Role, role: Role) -> None:
    outcome = _invite(_standing(caller), role)

    assert isinstance(outcome, Invited if role in ALLOWED[caller] else RoleNotAllowed)


def test_an_invitation_is_for_the_address_in_small_letters_and_open_for_two_weeks() -> None:
    outcome = _invite(_standing())

    assert isinstance(outcome, Invited)
    invitation = outcome.invitation
    assert invitation == an_invitation(groups=["design"]) or invitation.invited_by == "adam"
    assert (invitation.email, invitation.role, invitation.groups) == ("ann@acme.example", Role.MEMBER, ("design",))
    assert invitation.invitation_id == sha256(b"ann@acme.example").hexdigest() == invitation_id_of(" ANN@acme.example")
    assert [invitation.is_open(now=at) for at in (NOW + OPEN_FOR - INSTANT, NOW + OPEN_FOR)] == [True, False]
    assert not outcome.is_renewed


@pytest.mark.parametrize(
    ("caller", "refusal"),
    [(None, UserMissing), (UNUSABLE, Misconfigured), (replace(a_user(role=Role.OWNER), is_active=False), UserInactive)],
)
def test_only_an_active_user_invites(caller: User | Unusable | None, refusal: type) -> None:
    assert isinstance(_invite(replace(_standing(), caller=caller)), refusal)


def test_nobody_is_invited_into_an_organization_that_is_deactivated() -> None:
    standing = replace(_standing(), organization=replace(an_organization(), is_active=False))

    assert isinstance(_invite(standing), OrganizationInactive)


def test_an_address_of_a_user_is_not_invited() -> None:
    assert isinstance(_invite(replace(_standing(), is_member=True)), AlreadyAMember)


def test_an_organization_has_at_most_so_many_open_invitations_and_a_renewal_is_none_more() -> None:
    full = replace(_standing(), open_invitations=MAX_INVITATIONS)

    refused = _invite(full)
    renewed = _invite(replace(full, present=an_invitation()))
    lapsed = _invite(replace(full, present=an_invitation(age=OPEN_FOR)))
    last = _invite(replace(full, open_invitations=MAX_INVITATIONS - 1))

    assert isinstance(refused, TooManyInvitations)
    assert isinstance(renewed, Invited)
    assert renewed.is_renewed
    assert isinstance(lapsed, TooManyInvitations)
    assert isinstance(last, Invited)


def test_an_admin_changes_no_open_invitation_of_an_owner_and_takes_none_back() -> None:
    standing = replace(_standing(), present=an_invitation(role=Role.OWNER))
    owner = replace(standing, caller=a_user("olivia", role=Role.OWNER))

    outcomes = [_invite(standing), withdraw(standing), _invite(owner), withdraw(owner)]

    assert [type(each) for each in outcomes] == [RoleNotAllowed, RoleNotAllowed, Invited, Withdrawn]


@pytest.mark.parametrize("caller", Role)
def test_owners_and_admins_take_an_invitation_back(caller: Role) -> None:
    outcome = withdraw(replace(_standing(caller), present=an_invitation()))

    assert isinstance(outcome, Withdrawn if ALLOWED[caller] else RoleNotAllowed)


def test_to_take_back_what_is_not_there_changes_nothing() -> None:
    assert withdraw(_standing()) == Withdrawn(invitation=None)

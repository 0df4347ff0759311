"""Who may change which user."""

from dataclasses import replace

import pytest

from shared.rules.members import Changed, ChangeOutcome, Changing, MemberChange, change
from shared.rules.refusal import LastOwner, Misconfigured, RoleNotAllowed, UserInactive, UserNotFound
from shared.rules.user import Role, User
from tests.rules.make import UNUSABLE, a_user, an_organization

OLIVIA, ADAM = a_user("olivia", role=Role.OWNER), a_user("adam", role=Role.ADMIN)


def _change(caller: User, user: User | None, *, has_other_owner: bool = True, wanted: MemberChange) -> ChangeOutcome:
    standing = Changing(organization=an_organization(), caller=caller, user=user, has_other_owner=has_other_owner)
    return change(standing, wanted)


@pytest.mark.parametrize("caller", Role)
@pytest.mark.parametrize("before", Role)
@pytest.mark.parametrize("after", Role)
def test_only_owners_and_admins_change_users_and_only_owners_touch_owners(
    caller: Role, before: Role, after: Role
) -> None:
    outcome = _change(a_user("caller", role=caller), a_user(role=before), wanted=MemberChange(role=after))

    allowed = caller is Role.OWNER or (caller is Role.ADMIN and Role.OWNER not in {before, after})
    assert isinstance(outcome, Changed if allowed else RoleNotAllowed)
    assert not isinstance(outcome, Changed) or outcome.user == replace(a_user(), role=after)


@pytest.mark.parametrize(
    "wanted", [MemberChange(is_active=False), MemberChange(role=Role.MEMBER), MemberChange(groups=("design",))]
)
def test_an_admin_changes_nothing_about_an_owner(wanted: MemberChange) -> None:
    assert isinstance(_change(ADAM, OLIVIA, wanted=wanted), RoleNotAllowed)


@pytest.mark.parametrize("wanted", [MemberChange(is_active=False), MemberChange(role=Role.ADMIN)])
def test_the_last_active_owner_stays_one(wanted: MemberChange) -> None:
    outcomes = [_change(OLIVIA, OLIVIA, has_other_owner=each, wanted=wanted) for each in (False, True)]

    assert isinstance(outcomes[0], LastOwner)
    assert isinstance(outcomes[1], Changed)
    assert outcomes[1].took_owner


def test_what_leaves_the_last_owner_an_owner_is_allowed() -> None:
    outcome = _change(
        OLIVIA, OLIVIA, has_other_owner=False, wanted=MemberChange(groups=("design",), role=Role.OWNER, is_active=True)
    )

    assert isinstance(outcome, Changed)
    assert not outcome.took_owner


def test_what_is_left_out_stays() -> None:
    user = a_user(groups=["design"])

    wanted = [MemberChange(), MemberChange(groups=()), MemberChange(is_active=False)]
    outcomes = [_change(ADAM, user, wanted=each) for each in wanted]

    users = [outcome.user for outcome in outcomes if isinstance(outcome, Changed)]
    assert users == [user, replace(user, groups=()), replace(user, is_active=False)]


def test_a_user_who_was_deactivated_changes_nobody_and_can_be_activated() -> None:
    gone = replace(ADAM, is_active=False)

    assert isinstance(_change(gone, a_user(), wanted=MemberChange()), UserInactive)
    assert isinstance(_change(OLIVIA, gone, wanted=MemberChange(is_active=True)), Changed)


def test_a_user_who_is_not_there_or_cannot_be_used_is_not_changed() -> None:
    broken = Changing(organization=an_organization(), caller=OLIVIA, user=UNUSABLE, has_other_owner=True)

    assert isinstance(_change(OLIVIA, None, wanted=MemberChange()), UserNotFound)
    assert isinstance(change(broken, MemberChange(role=Role.GUEST)), Misconfigured)

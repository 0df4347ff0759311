"""Claims: the organization that has listed a user longest keeps the user, and a slip hands nobody over."""

from dataclasses import replace

import pytest

from shared.rules.claims import Membership, OtherAccount, active_membership, organization_claim, user_problems
from shared.rules.refusal import Unusable
from shared.rules.review import Level
from shared.rules.user import Role, User
from tests.rules.make import UNUSABLE, a_user


def listing(organization_id: str, user: User | Unusable | None = None) -> Membership:
    return Membership(organization_id=organization_id, user=user or a_user())


def inactive(organization_id: str) -> Membership:
    return listing(organization_id, replace(a_user(), is_active=False))


@pytest.mark.parametrize("role", Role)
def test_a_user_has_the_organization_of_the_document_whatever_the_role(role: Role) -> None:
    claim = organization_claim([listing("acme", a_user(role=role))], present=None)

    assert claim == "acme"


def test_a_user_without_a_document_has_no_claims() -> None:
    claim = organization_claim([], present="acme")

    assert claim is None


def test_a_deactivated_user_has_no_claims() -> None:
    claim = organization_claim([inactive("acme")], present="acme")

    assert claim is None


def test_of_two_organizations_the_one_that_listed_the_user_first_keeps_them() -> None:
    listings = [listing("acme"), listing("globex", a_user(role=Role.OWNER))]

    claim = organization_claim(listings, present="globex")

    assert claim == "acme"


def test_an_organization_where_the_user_is_deactivated_does_not_stand_in_the_way_of_the_next() -> None:
    claim = organization_claim([inactive("acme"), listing("globex")], present="acme")

    assert claim == "globex"


def test_while_the_document_cannot_be_used_the_claims_stay_what_they_are() -> None:
    present = "acme"

    claim = organization_claim([listing("acme", UNUSABLE)], present=present)

    assert claim == present


def test_a_document_that_cannot_be_used_gives_no_claims_to_who_has_none() -> None:
    claim = organization_claim([listing("acme", UNUSABLE)], present=None)

    assert claim is None


def test_a_slip_in_the_first_organization_does_not_hand_the_user_over_to_the_second() -> None:
    listings = [listing("acme", UNUSABLE), listing("globex")]

    claim = [organization_claim(listings, present=present) for present in ("acme", None)]

    assert claim == ["acme", None]


def test_claims_of_an_organization_that_does_not_hold_the_user_do_not_outlive_a_slip() -> None:
    claim = organization_claim([listing("acme", UNUSABLE)], present="globex")

    assert claim is None


def test_nobody_holds_a_user_who_is_deactivated_everywhere() -> None:
    assert active_membership([inactive("acme"), inactive("globex")]) is None


# What is told


def test_a_user_with_an_account_and_one_organization_is_told_nothing() -> None:
    assert user_problems("acme", [listing("acme")], has_account=True) == []


def test_the_second_organization_is_told_and_not_which_the_first_one_is() -> None:
    listings = [listing("acme"), listing("globex")]

    told = {name: user_problems(name, listings, has_account=True) for name in ("acme", "globex")}

    assert told["acme"] == []
    (problem,) = told["globex"]
    assert (problem.field, problem.level) == ("(document id)", Level.ERROR)
    assert "acme" not in problem.found + problem.expected


def test_a_deactivated_document_is_told_nothing_of_others() -> None:
    listings = [listing("acme"), inactive("globex")]

    assert user_problems("globex", listings, has_account=False) == []


def test_a_uid_that_nobody_has_is_an_error() -> None:
    (problem,) = user_problems("acme", [listing("acme")], has_account=False)

    assert (problem.field, problem.level) == ("(document id)", Level.ERROR)
    assert "User UID that Firebase Authentication shows" in problem.expected


def test_claims_that_no_token_has_room_for_are_an_error() -> None:
    (problem,) = user_problems("acme", [listing("acme")], has_account=True, has_room=False)

    assert (problem.field, problem.level) == ("(document id of the organization)", Level.ERROR)


def test_the_uid_that_was_probably_meant_is_named() -> None:
    (problem,) = user_problems(
        "acme", [listing("acme")], has_account=False, other=OtherAccount(user_id="Kx82", is_verified=True)
    )

    assert '"Kx82"' in problem.expected

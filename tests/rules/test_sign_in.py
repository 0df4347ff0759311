"""A sign-in of a device: who may decide about it and exchange it, when, and how often."""

from base64 import urlsafe_b64encode
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import cycle

import pytest

from shared.rules.refusal import Misconfigured, OrganizationInactive, UserInactive, UserMissing
from shared.rules.sign_in import (
    CONSONANTS,
    LASTS_FOR,
    Approval,
    Decided,
    Exchanged,
    Looked,
    SignIn,
    SignInExpired,
    SignInPending,
    SignInRefused,
    SignInState,
    Standing,
    UserCodeMissing,
    decide,
    exchange,
    hash_of,
    is_proven,
    look,
    new_user_code,
    normal_user_code,
    shown,
    sign_in_id_of,
)
from shared.rules.user import Role
from tests.rules.make import HOME, INSTANT, NOW, UNUSABLE, a_user, an_organization

USER_CODE = "BCDFGHJK"
VERIFIER = "v" * 43
CHALLENGE = urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
LATER = NOW + timedelta(minutes=1)

ASKED = SignIn(
    sign_in_id=sign_in_id_of(USER_CODE),
    code_challenge=CHALLENGE,
    device_name="studio-pc",
    ip_address=HOME,
    loopback_port=None,
    asked_at=NOW,
    expires_at=NOW + LASTS_FOR,
)
IN_BROWSER = replace(ASKED, loopback_port=49_152)
BY_ANN = Approval(user_id="ann", organization_id="acme", signed_in_at=NOW, signed_in_with="password")
IN_ANNS_BROWSER = replace(BY_ANN, code_hash=hash_of("secret"))
APPROVED = replace(ASKED, state=SignInState.APPROVED, approval=BY_ANN)
APPROVED_IN_BROWSER = replace(IN_BROWSER, state=SignInState.APPROVED, approval=IN_ANNS_BROWSER)
REFUSED = replace(APPROVED, state=SignInState.REFUSED)
EXCHANGED = replace(APPROVED, state=SignInState.EXCHANGED)


MEMBER = Standing(organization=an_organization(), user=a_user(role=Role.GUEST))


def standing(sign_in: SignIn | None) -> Standing:
    return replace(MEMBER, sign_in=sign_in)


def test_the_challenge_of_the_standard_is_proven_by_its_verifier_only() -> None:
    # Source: RFC 7636, appendix B.
    verifier, challenge = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"

    assert is_proven(verifier, code_challenge=challenge)
    assert not is_proven(verifier[:-1], code_challenge=challenge)
    assert not is_proven(challenge, code_challenge=challenge)


def test_a_user_code_is_eight_consonants_and_is_read_as_people_type_it() -> None:
    letters = cycle(CONSONANTS)

    code = new_user_code(lambda _: next(letters))

    assert (len(set(CONSONANTS)), set(CONSONANTS) & set("AEIOUY")) == (20, set())
    assert (code, shown(code)) == ("BCDFGHJK", "BCDF-GHJK")
    assert {normal_user_code(typed) for typed in ("BCDFGHJK", "bcdf-ghjk", " BCDF GHJK ")} == {code}


@pytest.mark.parametrize("typed", ["", "BCDFGHJ", "BCDFGHJKL", "ACDF-GHJK", "BCDF_GHJK", "BCDF-GHJ\u212a", "ÇCDFGHJK"])
def test_what_can_be_no_user_code_is_none(typed: str) -> None:
    assert normal_user_code(typed) is None


@pytest.mark.parametrize(
    ("sign_in", "user_id", "at", "may_decide"),
    [
        pytest.param(ASKED, "ann", NOW, True, id="asked"),
        pytest.param(ASKED, "ann", NOW + LASTS_FOR - INSTANT, True, id="in its last instant"),
        pytest.param(ASKED, "ann", NOW + LASTS_FOR, False, id="ten minutes later"),
        pytest.param(None, "ann", NOW, False, id="unknown"),
        pytest.param(APPROVED, "ann", LATER, True, id="approved by this person, whose answer was lost"),
        pytest.param(APPROVED, "ben", LATER, False, id="approved by another person"),
        pytest.param(REFUSED, "ann", LATER, False, id="refused"),
        pytest.param(EXCHANGED, "ann", LATER, False, id="exchanged"),
    ],
)
def test_a_person_decides_about_what_was_asked_and_is_not_over(
    sign_in: SignIn | None,
    user_id: str,
    at: datetime,
    may_decide: bool,  # noqa: FBT001 pytest gives it by name
) -> None:
    by = replace(BY_ANN, user_id=user_id)

    seen = look(standing(sign_in), user_id=user_id, now=at)
    approved, refused = (
        decide(standing(sign_in), by, is_approved=each, user_code=USER_CODE, now=at) for each in (True, False)
    )

    if not may_decide or sign_in is None:
        assert [seen, approved, refused] == [SignInExpired()] * 3
        return
    assert seen == Looked(sign_in=sign_in, organization=an_organization())
    assert approved == Decided(sign_in=replace(sign_in, state=SignInState.APPROVED, approval=by))
    assert refused == Decided(sign_in=replace(sign_in, state=SignInState.REFUSED, approval=by))


def test_for_a_device_that_may_be_elsewhere_the_person_types_its_code() -> None:
    def outcome(sign_in: SignIn, user_code: str | None) -> type:
        return type(decide(standing(sign_in), BY_ANN, is_approved=True, user_code=user_code, now=LATER))

    assert outcome(ASKED, None) is UserCodeMissing
    assert outcome(ASKED, "BCDFGHJL") is SignInExpired
    assert outcome(ASKED, USER_CODE) is Decided
    assert outcome(IN_BROWSER, None) is Decided


@pytest.mark.parametrize(
    ("known", "refusal"),
    [
        (replace(MEMBER, organization=replace(an_organization(), is_active=False)), OrganizationInactive()),
        (replace(MEMBER, organization=UNUSABLE), Misconfigured(unusable=UNUSABLE)),
        (replace(MEMBER, user=None), UserMissing()),
        (replace(MEMBER, user=replace(a_user(), is_active=False)), UserInactive()),
    ],
    ids=lambda each: type(each).__name__,
)
def test_only_an_active_member_approves_and_must_still_be_one_at_the_exchange(known: Standing, refusal: object) -> None:
    asked, approved = (replace(known, sign_in=each) for each in (ASKED, APPROVED))

    outcomes = [
        look(asked, user_id="ann", now=LATER),
        decide(asked, BY_ANN, is_approved=True, user_code=USER_CODE, now=LATER),
        exchange(approved, code_verifier=VERIFIER, code=None, now=LATER),
    ]

    assert outcomes == [refusal] * 3


@pytest.mark.parametrize(
    ("sign_in", "code", "at", "outcome"),
    [
        pytest.param(ASKED, None, NOW, SignInPending(), id="before a decision"),
        pytest.param(REFUSED, None, LATER, SignInRefused(), id="refused"),
        pytest.param(APPROVED, None, LATER, Exchanged(sign_in=EXCHANGED, approval=BY_ANN), id="approved"),
        pytest.param(EXCHANGED, None, LATER, SignInExpired(), id="a second time"),
        pytest.param(None, None, LATER, SignInExpired(), id="unknown"),
        pytest.param(
            APPROVED, None, NOW + LASTS_FOR - INSTANT, Exchanged(sign_in=EXCHANGED, approval=BY_ANN), id="last"
        ),
        pytest.param(APPROVED, None, NOW + LASTS_FOR, SignInExpired(), id="approved too long ago"),
        pytest.param(APPROVED_IN_BROWSER, None, LATER, SignInExpired(), id="without the browser's code"),
        pytest.param(APPROVED_IN_BROWSER, "other", LATER, SignInExpired(), id="with another code"),
        pytest.param(
            replace(APPROVED_IN_BROWSER, approval=replace(IN_ANNS_BROWSER, code_hash="\u00fc")),
            "secret",
            LATER,
            SignInExpired(),
            id="with a hash that was edited by hand",
        ),
        pytest.param(
            APPROVED_IN_BROWSER,
            "secret",
            LATER,
            Exchanged(sign_in=replace(APPROVED_IN_BROWSER, state=SignInState.EXCHANGED), approval=IN_ANNS_BROWSER),
            id="with the browser's code",
        ),
    ],
)
def test_the_device_exchanges_an_approved_sign_in_once(
    sign_in: SignIn | None, code: str | None, at: datetime, outcome: object
) -> None:
    assert exchange(standing(sign_in), code_verifier=VERIFIER, code=code, now=at) == outcome


@pytest.mark.parametrize("sign_in", [ASKED, APPROVED, REFUSED, EXCHANGED], ids=lambda each: each.state)
def test_without_the_verifier_nobody_learns_how_a_sign_in_stands(sign_in: SignIn) -> None:
    outcome = exchange(standing(sign_in), code_verifier="w" * 43, code="secret", now=LATER)

    assert outcome == SignInExpired()

"""A session: its name, and the one meaning of live."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.rules.digest import BASE32, DIGEST_LENGTH
from shared.rules.session import EndReason, ended, is_live, is_open, session_id_of
from tests.rules.make import INSTANT, NOW, a_session

NAMES = st.tuples(st.text(max_size=8), st.text(max_size=8), st.text(max_size=8))


def _id_of(names: tuple[str, str, str]) -> str:
    license_id, user_id, hardware_id = names
    return session_id_of(license_id=license_id, user_id=user_id, hardware_id=hardware_id)


def test_a_session_is_live_until_the_instant_before_its_lease_expires() -> None:
    session = a_session()

    live = is_live(session, now=session.lease_expires_at - INSTANT)

    assert live


def test_a_session_is_no_longer_live_at_the_very_instant_its_lease_expires() -> None:
    session = a_session()

    live = is_live(session, now=session.lease_expires_at)

    assert not live


def test_a_lapsed_session_is_still_open() -> None:
    session = a_session()

    still_open = is_open(session)

    assert not is_live(session, now=session.lease_expires_at + INSTANT)
    assert still_open


def test_an_ended_session_is_neither_live_nor_open_however_long_its_lease() -> None:
    session = replace(a_session(), ended_at=NOW, end_reason=EndReason.RELEASED)

    live = is_live(session, now=session.lease_expires_at - INSTANT)

    assert not live
    assert not is_open(session)


def test_a_session_ended_by_hand_without_a_reason_is_not_live() -> None:
    session = replace(a_session(), ended_at=NOW)

    live = is_live(session, now=NOW)

    assert not live


@pytest.mark.parametrize("reason", EndReason)
def test_ending_a_session_writes_when_and_why_and_changes_nothing_else(reason: EndReason) -> None:
    session = a_session()

    after = ended(session, reason=reason, now=NOW + INSTANT)

    assert (after.ended_at, after.end_reason) == (NOW + INSTANT, reason)
    assert replace(after, ended_at=None, end_reason=None) == session


@settings(max_examples=50)
@given(names=NAMES)
def test_a_session_id_is_26_lower_case_base32_characters_whatever_the_names(names: tuple[str, str, str]) -> None:
    session_id = _id_of(names)

    assert len(session_id) == DIGEST_LENGTH == 26
    assert set(session_id) <= set(BASE32)


@settings(max_examples=50)
@given(one=NAMES, other=NAMES)
def test_two_sessions_share_an_id_only_when_license_user_and_device_are_the_same(
    one: tuple[str, str, str], other: tuple[str, str, str]
) -> None:
    ids = (_id_of(one), _id_of(other))

    assert (ids[0] == ids[1]) == (one == other)


@settings(max_examples=50)
@given(text=st.text(min_size=1, max_size=8), cut=st.integers(min_value=0, max_value=7))
def test_neighbouring_names_never_run_together(text: str, cut: int) -> None:
    cut = min(cut, len(text) - 1)

    ids = {_id_of((text[:cut], text[cut:], "d")), _id_of((text[: cut + 1], text[cut + 1 :], "d"))}

    assert len(ids) == 2


def test_a_session_id_stays_the_same_from_release_to_release_of_this_program() -> None:
    # Another hash or another order would give every session that is stored a second document, and so a second seat.
    session_id = session_id_of(license_id="cad", user_id="ann", hardware_id="laptop")

    assert session_id == "u2su7n6pb7r7zyyaifv2vs4ae7"


def test_license_user_and_device_are_not_interchangeable() -> None:
    names = [("a", "b", "c"), ("b", "a", "c"), ("a", "c", "b"), ("c", "b", "a")]

    ids = {_id_of(three) for three in names}

    assert len(ids) == len(names)

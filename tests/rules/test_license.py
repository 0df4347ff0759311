"""A license: when it ends, and the pace it sets for its clients."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.rules.make import INSTANT, LEASE, NOW, a_license


def test_a_license_without_an_end_never_expires() -> None:
    license_ = replace(a_license(), expires_at=None)

    expired = license_.is_expired(now=NOW + timedelta(days=36_500))

    assert not expired


def test_a_license_is_good_until_the_instant_before_it_expires() -> None:
    license_ = replace(a_license(), expires_at=NOW)

    expired = license_.is_expired(now=NOW - INSTANT)

    assert not expired


@pytest.mark.parametrize("later", [timedelta(0), INSTANT, timedelta(days=1)])
def test_a_license_is_expired_from_the_very_instant_on(later: timedelta) -> None:
    license_ = replace(a_license(), expires_at=NOW)

    expired = license_.is_expired(now=NOW + later)

    assert expired


def test_a_lease_holds_three_heartbeats() -> None:
    license_ = a_license(lease_for=timedelta(minutes=6))

    every = license_.heartbeat_every

    assert every == timedelta(minutes=2)


def test_a_heartbeat_is_early_within_a_quarter_of_the_interval() -> None:
    license_ = a_license(lease_for=timedelta(minutes=6))

    early = license_.early_within

    assert early == timedelta(seconds=30)


@pytest.mark.parametrize("seconds", [3, 10, 360, 86_400])
def test_whatever_the_lease_a_client_in_time_is_never_early(seconds: int) -> None:
    license_ = a_license(lease_for=timedelta(seconds=seconds))

    early, every = license_.early_within, license_.heartbeat_every

    assert early < every < license_.lease_for


@pytest.mark.parametrize("held_for", [timedelta(0), LEASE / 3, LEASE - INSTANT])
def test_before_a_tenure_has_lasted_one_lease_it_has_no_grace(held_for: timedelta) -> None:
    license_ = a_license(grace_for=timedelta(days=30))

    assert license_.grace_ends_at(NOW, held_for=held_for) == NOW


@pytest.mark.parametrize("held_for", [LEASE, LEASE + INSTANT, timedelta(days=9)])
def test_from_then_on_a_grace_begins_where_the_lease_ends(held_for: timedelta) -> None:
    license_ = a_license(grace_for=timedelta(hours=2))

    assert license_.grace_ends_at(NOW, held_for=held_for) == NOW + timedelta(hours=2)


def test_without_a_grace_it_ends_with_the_lease() -> None:
    assert a_license(grace_for=timedelta(0)).grace_ends_at(NOW, held_for=LEASE) == NOW


def test_a_grace_ends_with_the_contract_but_not_before_the_lease() -> None:
    license_ = replace(a_license(grace_for=timedelta(days=30)), expires_at=NOW + timedelta(days=1))

    assert license_.grace_ends_at(NOW, held_for=LEASE) == NOW + timedelta(days=1)
    assert license_.grace_ends_at(NOW + timedelta(days=1), held_for=LEASE) == NOW + timedelta(days=1)
    assert license_.grace_ends_at(NOW + timedelta(days=2), held_for=LEASE) == NOW + timedelta(days=2)

"""When a flood of refusals begins, how long it lasts, and what of it is believed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from shared.firestore.client import Document
from shared.seats.counters import Evidence, Scope
from shared.seats.denials import CAREFUL_A_SECOND, CROWD, RefusalCache

NOW = datetime(2026, 3, 2, 9, 30, 15, 250_000, tzinfo=UTC)
SECOND = timedelta(seconds=1)
SEATS = Document("organizations/acme/usage/seats", {}, update_time="version 1")
HELD = Document(
    "organizations/acme/sessions/s",
    {
        "license_id": "cad",
        "user_id": "ann",
        "hardware_id": "laptop",
        "started_at": NOW,
        "last_heartbeat_at": NOW,
        "lease_expires_at": NOW + 10 * SECOND,
        "ended_at": None,
    },
    update_time="version 1",
)
FULL: dict[Scope, Evidence] = {"cad": Evidence(open_count=1, lapsed=(), next_to_lapse=HELD, has_more_lapsed=False)}


def refusing(refusal_cache: RefusalCache, number: int, *, now: datetime = NOW) -> None:
    refusal_cache.go_to(now)
    refusal_cache.remember(FULL, seats=SEATS)
    refusal_cache.refused(recorded=[f"denial-{each}" for each in range(number)], tallied=[], now=now)


def test_a_flood_has_risen_after_so_many_refusals_in_a_second() -> None:
    refusal_cache = RefusalCache()
    refusing(refusal_cache, CAREFUL_A_SECOND - 1)
    assert not refusal_cache.has_risen

    refusing(refusal_cache, CROWD, now=NOW + SECOND / 2)

    assert refusal_cache.has_risen


def test_a_client_that_is_alone_makes_no_flood() -> None:
    refusal_cache = RefusalCache()

    for _ in range(10 * CAREFUL_A_SECOND):
        refusing(refusal_cache, CROWD - 1)

    assert not refusal_cache.has_risen


def test_refusals_of_two_seconds_are_not_added_up() -> None:
    refusal_cache = RefusalCache()
    refusing(refusal_cache, CAREFUL_A_SECOND - 1)

    refusing(refusal_cache, CAREFUL_A_SECOND - 1, now=NOW + SECOND)

    assert not refusal_cache.has_risen


def test_a_flood_goes_on_in_the_next_second_and_nothing_is_believed_that_was_found_out_before() -> None:
    refusal_cache = RefusalCache()
    refusing(refusal_cache, CAREFUL_A_SECOND)

    refusal_cache.go_to(NOW + SECOND)

    assert refusal_cache.has_risen
    assert refusal_cache.evidence(SEATS, now=NOW + SECOND) == {}
    assert refusal_cache.on_record(["denial-1", "new"]) == {"denial-1"}


def test_a_flood_is_over_after_a_second_with_few_refusals_or_none() -> None:
    few, none = RefusalCache(), RefusalCache()
    refusing(few, CAREFUL_A_SECOND)
    refusing(none, CAREFUL_A_SECOND)

    refusing(few, CAREFUL_A_SECOND - 1, now=NOW + SECOND)
    few.go_to(NOW + 2 * SECOND)
    none.go_to(NOW + 2 * SECOND)

    assert (few.has_risen, none.has_risen) == (False, False)


def test_a_clock_that_goes_back_begins_anew() -> None:
    refusal_cache = RefusalCache()
    refusing(refusal_cache, CAREFUL_A_SECOND)

    refusal_cache.go_to(NOW - SECOND)

    assert not refusal_cache.has_risen


def test_what_was_found_out_holds_for_the_same_version_of_the_counters_until_a_lease_ends() -> None:
    refusal_cache = RefusalCache()
    refusing(refusal_cache, 1)
    soon = replace(HELD, fields={**HELD.fields, "lease_expires_at": NOW + SECOND / 2})

    assert refusal_cache.evidence(SEATS, now=NOW) == FULL
    assert refusal_cache.evidence(replace(SEATS, update_time="version 2"), now=NOW) == {}
    assert refusal_cache.evidence(None, now=NOW) == {}

    refusal_cache.remember({"cad": replace(FULL["cad"], next_to_lapse=soon)}, seats=SEATS)

    assert refusal_cache.evidence(SEATS, now=NOW + SECOND / 2 - timedelta(microseconds=1)) != {}
    assert refusal_cache.evidence(SEATS, now=NOW + SECOND / 2) == {}


def test_who_is_on_record_is_asked_anew_in_each_minute() -> None:
    refusal_cache = RefusalCache()
    refusing(refusal_cache, CAREFUL_A_SECOND)

    refusal_cache.go_to(NOW + 45 * SECOND)

    assert refusal_cache.on_record(["denial-1"]) == set()

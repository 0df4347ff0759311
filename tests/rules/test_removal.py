"""Removal: a deleted session that had not ended is told of once, and one that had is not."""

from datetime import timedelta

import pytest

from shared.rules.audit import ENDS, AuditType, Tenure, TrailEntry, removed, tenure_without_end
from shared.rules.session import session_id_of
from tests.rules.make import NOW

EARLIER, LATER = NOW - timedelta(hours=1), NOW + timedelta(minutes=2)


def tenure(started_at: timedelta = timedelta()) -> Tenure:
    return Tenure(
        session_id=session_id_of(license_id="cad", user_id="ann", hardware_id="laptop"),
        license_id="cad",
        user_id="ann",
        hardware_id="laptop",
        started_at=NOW + started_at,
        pool="design",
    )


def began(at: timedelta = timedelta()) -> TrailEntry:
    return TrailEntry(type=AuditType.ACQUIRED, tenure=tenure(at))


def over(kind: AuditType, at: timedelta = timedelta()) -> TrailEntry:
    return TrailEntry(type=kind, tenure=tenure(at))


HOUR = timedelta(hours=1)


def test_a_tenure_of_whose_end_nothing_is_told_is_found() -> None:
    assert tenure_without_end([began()], held_since=None) == tenure()


@pytest.mark.parametrize("kind", sorted(ENDS))
def test_a_tenure_whose_end_is_told_is_done_with(kind: AuditType) -> None:
    assert tenure_without_end([over(kind), began()], held_since=None) is None


def test_an_end_told_in_the_same_commit_as_the_next_beginning_is_the_former_tenures() -> None:
    # Both have one time, and come in any order.
    told = [over(AuditType.EXPIRED, -HOUR), began(), began(-HOUR)]

    assert tenure_without_end(told, held_since=None) == tenure()


def test_the_tenure_under_way_has_no_end_yet() -> None:
    assert tenure_without_end([began()], held_since=NOW) is None


def test_a_tenure_that_was_deleted_before_the_one_under_way_is_found() -> None:
    assert tenure_without_end([began(), began(-HOUR)], held_since=NOW) == tenure(-HOUR)


def test_nothing_told_is_nothing_found() -> None:
    assert tenure_without_end([], held_since=None) is None


def test_what_is_told_of_a_removal_is_a_revocation_from_the_console() -> None:
    event = removed(tenure(), now=LATER)

    assert (event.type, event.actor, event.at) == (AuditType.REVOKED, "console", LATER)
    assert (event.license_id, event.user_id, event.hardware_id) == ("cad", "ann", "laptop")
    assert event.details == {
        "reason": "revoked_by_admin",
        "started_at": NOW,
        "last_heartbeat_at": None,
        "lease_expires_at": None,
        "pool": "design",
    }


def test_a_removal_is_one_event_however_often_it_is_noticed() -> None:
    assert removed(tenure(), now=LATER).name == removed(tenure(), now=EARLIER).name
    assert removed(tenure(), now=LATER).name != removed(tenure(HOUR), now=LATER).name

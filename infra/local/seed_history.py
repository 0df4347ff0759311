"""A month of history for the sample organization: invented working days, counted by the rule that counts real ones."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from random import Random

from google.cloud import firestore

from shared.documents.paths import OrganizationPaths
from shared.documents.usage_days import usage_day_fields
from shared.rules.denial import WINDOW_FOR
from shared.rules.history import Records, RefusalSeen, TenureSeen, usage_day

DAYS = 30
_ASKS_AGAIN_AFTER_MINUTES = 10
_MINUTE = timedelta(minutes=1)
_SATURDAY = 5
_NOT_COUNTED_AGAIN = 2
"""Days back from which on ``summarize_usage`` leaves a day as it is."""


def seed_history(
    database: firestore.Client, *, organization_id: str, license_id: str, seats: int, people: Sequence[str]
) -> None:
    """Write the days of a license. Today and yesterday have what really happened, which the functions count."""
    now = datetime.now(UTC).replace(microsecond=0)
    paths = OrganizationPaths(organization_id)
    chance = Random(organization_id)  # noqa: S311 a sample, the same each time, and no secret
    batch = database.batch()
    for back in range(DAYS, _NOT_COUNTED_AGAIN - 1, -1):
        day = now.date() - timedelta(days=back)
        records = _invented(day, seats=seats, people=people, chance=chance)
        counted = usage_day(license_id, day, records, computed_at=now)
        batch.set(database.document(paths.usage_day(license_id, day)), usage_day_fields(counted))
    batch.commit()


def _invented(day: date, *, seats: int, people: Sequence[str], chance: Random) -> Records:
    """A day on which each person works one or two times. Who finds no seat asks again until the work is given up."""
    midnight = datetime.combine(day, time(), tzinfo=UTC)
    plans = {person: list(_plan(chance, is_weekend=day.weekday() >= _SATURDAY)) for person in people}
    working: dict[str, tuple[int, int]] = {}
    tenures, refusals = [], []
    for minute in range(24 * 60):
        for person, (since, until) in list(working.items()):
            if until <= minute:
                del working[person]
                tenures.append(_tenure(person, midnight + since * _MINUTE, midnight + until * _MINUTE))
        for person, blocks in plans.items():
            wanted = next(((first, last) for first, last in blocks if first <= minute < last), None)
            if wanted is None or person in working:
                continue
            if len(working) < seats:
                working[person] = (minute, wanted[1])
            elif (minute - wanted[0]) % _ASKS_AGAIN_AFTER_MINUTES == 0:
                at = midnight + minute * _MINUTE
                refusals.append(
                    RefusalSeen(
                        session_id=person, user_id=person, at=at, last_attempt_at=at, complete_at=at + WINDOW_FOR
                    )
                )
    return Records(tenures=tenures, refusals=refusals, seats=seats)


def _plan(chance: Random, *, is_weekend: bool) -> Iterator[tuple[int, int]]:
    """When a person wants to work on a day, in minutes since midnight in UTC."""
    for first in (8 * 60, 13 * 60):
        if chance.random() < (0.1 if is_weekend else 0.65):
            begins = first + chance.randrange(90)
            yield begins, begins + chance.randrange(40, 200)


def _tenure(person: str, started_at: datetime, ended_at: datetime) -> TenureSeen:
    return TenureSeen(
        session_id=person,
        user_id=person,
        started_at=started_at,
        last_heartbeat_at=ended_at,
        lease_expires_at=ended_at + 5 * _MINUTE,
        ended_at=ended_at,
    )

"""The part store20: an organization with a past, and a store that takes 20 ms longer for each call."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count, product

from infra.local.seed import firestore_client
from shared.documents.paths import OrganizationPaths
from shared.documents.writing import Retention, session_fields
from shared.firestore.client import Firestore
from shared.firestore.writes import Create
from shared.rules.session import EndReason, ended
from tests.programs.bench.bench import FULL_SEATS, JUST_FULL_SEATS, Bench
from tests.programs.bench.measurement import Measurement
from tests.programs.bench.open_sessions import open_session, write_in_bulk
from tests.programs.bench.plan import (
    JUDGED_CLIENTS,
    MORE_THAN_SEATS,
    STORE_DELAYS_SECONDS,
    STORE_PROCESSES,
    WITH_A_SEAT_EACH,
    Plan,
)
from tests.programs.bench.servers import PROJECT, Servers
from tests.programs.bench.stopping import Runner
from tests.programs.bench.tenants import Tenant, another_license, make_tenant

ENDED_SESSIONS = 20_000

_USERS = 200
_HEARTBEATS_EACH = 10
_WRITTEN_WITHIN = timedelta(seconds=60)
_ENDED_BEFORE, _ENDED_WITHIN = timedelta(days=90), timedelta(days=90)
_RETENTION = Retention(sessions_for=timedelta(days=365), audit_events_for=timedelta(days=400))
_HEARTBEATS_PER_SECOND = 1_000
"""For the lease: each heartbeat is written at a sixth of this rate and at twice as many."""

_CLIENTS_WITH_ROOM = (8, 32, 64)
_CLIENTS_THAT_HOLD = 200
_WARM_UPS = 3


def store20_bench(plan: Plan, servers: Servers, runner: Runner) -> tuple[Bench, Bench]:
    """Write an organization with its ended sessions; measure on licenses of 200 seats, or on those of 50.

    Each load has a license of its own, so that a client that was cut off leaves no seat in use for the next load.
    """
    database = firestore_client(project=PROJECT, firestore_host=servers.firestore_host)
    tenant = make_tenant(database, "store20", users=_USERS)
    runner.run(_write_ended(servers.firestore_host, OrganizationPaths(tenant.organization_id)))
    numbers = count(2)

    def license_of(seats: int) -> Tenant:
        return another_license(tenant, f"license-{next(numbers)}", seats=seats)

    bench = Bench(
        runner=runner,
        servers=servers,
        database=database,
        hot=lambda: license_of(_USERS),
        crowded=lambda _: license_of(JUST_FULL_SEATS),
        full=license_of(FULL_SEATS),
        working=make_tenant(
            database, "working", users=plan.sessions // _HEARTBEATS_EACH, devices_each=_HEARTBEATS_EACH
        ),
        seconds=plan.seconds,
    )
    return bench, replace(bench, hot=lambda: license_of(JUST_FULL_SEATS))


async def _write_ended(firestore_host: str, paths: OrganizationPaths) -> None:
    """Write sessions of all users that ended months ago, each on a device of its own."""
    now, writes = datetime.now(UTC), []
    for number in range(ENDED_SESSIONS):
        ended_at = now - _ENDED_BEFORE - _ENDED_WITHIN * (number / ENDED_SESSIONS)
        session = open_session(f"user-{number % _USERS}", f"old-{number // _USERS}", lease_expires_at=ended_at)
        released = ended(session, reason=EndReason.RELEASED, now=ended_at)
        writes.append(Create(path=paths.session(session.session_id), fields=session_fields(released, _RETENTION)))
    with closing(Firestore(project=PROJECT, emulator_host=firestore_host, answer_within=_WRITTEN_WITHIN)) as store:
        await write_in_bulk(store, writes)


def store20_warm_up(bench: Bench, plan: Plan) -> None:
    """Put loads on all processes, unrecorded."""
    warming, processes = bench.in_round(0, seconds=plan.warm_up_seconds), max(STORE_PROCESSES)
    for _ in range(_WARM_UPS):
        warming.cycles(MORE_THAN_SEATS, processes=processes)
        warming.just_full(MORE_THAN_SEATS, processes=processes)


def store20_rounds(roomy: Bench, just_full: Bench, plan: Plan) -> Iterator[Measurement]:
    """Measure all loads in each round, first without and then with the delay."""
    for number, delay in product(range(1, plan.rounds + 1), STORE_DELAYS_SECONDS):
        now, crowded = (
            replace(each.in_round(number, seconds=plan.seconds), delay_seconds=delay) for each in (roomy, just_full)
        )
        for clients in _CLIENTS_WITH_ROOM:
            yield now.cycles(clients)
        for processes in STORE_PROCESSES[1:]:
            yield now.cycles(JUDGED_CLIENTS, processes=processes)
        yield crowded.cycles(WITH_A_SEAT_EACH)
        yield crowded.just_full(MORE_THAN_SEATS)
        yield crowded.held(_CLIENTS_THAT_HOLD)
        yield crowded.refusals(JUDGED_CLIENTS)
        yield crowded.heartbeats(MORE_THAN_SEATS, expected_per_second=_HEARTBEATS_PER_SECOND)
        yield crowded.first_acquires()

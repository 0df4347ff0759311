"""The measurement of expire: one call of the function for everything that has lapsed in many organizations."""

import json
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from google.cloud import firestore

from infra.local.scheduler import HEADERS
from shared.edge.settings import Settings
from tests.programs.bench.cpu import CpuMeter, shares
from tests.programs.bench.http import Endpoint, UnexpectedAnswer, connections
from tests.programs.bench.load import Load
from tests.programs.bench.measurement import Measurement, Work, measured
from tests.programs.bench.open_sessions import OpenSessions, what_is_wrong
from tests.programs.bench.servers import EXPIRE, PROJECT, Servers
from tests.programs.bench.stopping import Runner

ORGANIZATIONS, SESSIONS_EACH = 50, 200
LAPSED_SESSIONS = ORGANIZATIONS * SESSIONS_EACH

_WARM_UP_SESSIONS_EACH = 20
_GRACE_SECONDS = 60
"""What was begun within the time limit is finished after it."""


def run_limit_seconds() -> int:
    """How long a run may go on beginning work: the function reads the same variable, and has the same default."""
    default = Settings.model_fields["run_within_seconds"].default
    return int(os.environ.get("SEATLEASE_RUN_WITHIN_SECONDS", default))


@dataclass(frozen=True, kw_only=True, slots=True)
class ExpiryBench:
    """Measures expire on an emulator that holds nothing but its own sessions: a run looks at all there are."""

    runner: Runner
    servers: Servers
    database: firestore.Client

    def rounds(self, rounds: int) -> Iterator[Measurement]:
        """Measure round after round, after one with fewer sessions that is not recorded: Java compiles meanwhile."""
        self._round(0, sessions_each=_WARM_UP_SESSIONS_EACH)
        for number in range(1, rounds + 1):
            yield self._round(number, sessions_each=SESSIONS_EACH)

    def _round(self, number: int, *, sessions_each: int) -> Measurement:
        """Have new sessions ended by one call, and look whether they were."""
        lapsed = OpenSessions(
            organization_ids=tuple(f"round-{number}-{each}" for each in range(ORGANIZATIONS)),
            sessions_each=sessions_each,
            until=datetime.now(UTC) - timedelta(seconds=1),
        )
        self.runner.run(lapsed.write(self.servers.firestore_host, project=PROJECT))
        load, ended = self.runner.run(self._call(lapsed))
        load.errors.update(what_is_wrong(self.database, lapsed))
        of_call = measured(Work.EXPIRE, load, clients=1, round_=number)
        return replace(of_call, completed=ended)

    async def _call(self, lapsed: OpenSessions) -> tuple[Load, int]:
        """Call the function once, as Cloud Scheduler does; how long it took, and how many sessions it says it ended."""
        endpoint = Endpoint("expire_sessions", self.servers.url(EXPIRE), frozenset({200}))
        load, meter, ended = Load(), CpuMeter(self.servers.pids), 0
        async with connections(patience_seconds=run_limit_seconds() + _GRACE_SECONDS) as http:
            before, began = meter.read(), time.perf_counter()
            try:
                report = json.loads(await endpoint.post(http, b"", HEADERS))
            except (UnexpectedAnswer, OSError) as error:
                load.errors[str(error) or type(error).__name__] += 1
            else:
                ended = report["sessions_ended"]
                load.errors.update(unlike(report, all_ended(lapsed)))
            load.seconds = time.perf_counter() - began
            load.cpu = shares(before, meter.read(), seconds=load.seconds)
        load.durations_seconds.append(load.seconds)
        return load, ended


def all_ended(lapsed: OpenSessions) -> dict[str, int | bool]:
    """What the function says of a run in which everything was ended."""
    return {
        "sessions_ended": lapsed.sessions,
        "sessions_left": 0,
        "organizations": len(lapsed.organization_ids),
        "organizations_failed": 0,
        "is_complete": True,
    }


def unlike(report: Mapping[str, Any], expected: Mapping[str, int | bool]) -> Counter[str]:
    """What a run says of itself that is not so."""
    return Counter(
        f"{name} is {report[name]}, not {value}" for name, value in expected.items() if report[name] != value
    )

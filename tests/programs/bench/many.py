"""The part many: passes of expire and of reconcile over many organizations, by one worker and by four.

The organizations lie in four projects of one emulator, a quarter in each. Four workers take a project each. One worker
goes through all four in turn. So both find the same in the store, and no two workers meet.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from infra.build.stage import ROOT
from tests.programs.bench.cpu import CpuMeter, shares
from tests.programs.bench.expiry import all_ended, unlike
from tests.programs.bench.load import Load
from tests.programs.bench.measurement import Measurement, Work, measured
from tests.programs.bench.open_sessions import OpenSessions
from tests.programs.bench.plan import PASSES, Plan
from tests.programs.bench.servers import DELAY_PROXY, PROJECT, Servers, confine
from tests.programs.bench.stopping import Runner
from tests.programs.bench.store_use import counted, store_use

_PROJECTS = tuple(f"{PROJECT}-{number}" for number in range(max(workers for _, workers in PASSES)))
_LASTS = timedelta(hours=6)
"""How long the leases of live sessions last: longer than any pass."""


def one_pass(
    work: Work, plan: Plan, *, delay_seconds: float, workers: int, servers: Servers, runner: Runner
) -> Measurement:
    """Write the organizations, have the workers pass over all of them once, and look at what they report.

    Expire finds every session lapsed. Reconcile finds every session live, and nothing to repair.
    """
    now = datetime.now(UTC)
    until = now - timedelta(seconds=1) if work is Work.MANY_EXPIRED else now + _LASTS
    written = {
        project: OpenSessions(
            organization_ids=tuple(f"many-{each}" for each in range(number, plan.organizations, len(_PROJECTS))),
            sessions_each=plan.sessions_of_each,
            until=until,
        )
        for number, project in enumerate(_PROJECTS)
    }
    for project, each in written.items():
        runner.run(each.write(servers.firestore_host, project=project))

    proxy = servers.url(DELAY_PROXY)
    before = counted(proxy, delay_seconds=delay_seconds)
    load = runner.run(_pass(work, workers, servers, written))
    after = counted(proxy, delay_seconds=delay_seconds)
    use = store_use(
        before,
        after,
        {},
        acquire_seconds=(),
        seconds=load.seconds,
        delay_seconds=delay_seconds,
        is_confined=servers.are_confined,
    )
    load.completed = plan.organizations * plan.sessions_of_each
    load.store = replace(use, granted=load.completed)
    return measured(work, load, clients=workers, round_=1, processes=workers)


async def _pass(work: Work, workers: int, servers: Servers, written: Mapping[str, OpenSessions]) -> Load:
    load = Load()
    shared_out = [_PROJECTS[number::workers] for number in range(workers)]
    async with AsyncExitStack() as stack:
        started = [
            await stack.enter_async_context(_worker(work, number, servers, projects))
            for number, projects in enumerate(shared_out)
        ]
        for _, answers, _ in started:
            await answers.readline()  # it is ready
        meter = CpuMeter({**servers.pids, "worker": [pid for pid, _, _ in started]})
        cpu, began = meter.read(), time.perf_counter()
        for _, _, orders in started:
            orders.write(b"\n")
        reports = await asyncio.gather(
            *(_reports(answers, projects) for (_, answers, _), projects in zip(started, shared_out, strict=True))
        )
        load.seconds = time.perf_counter() - began
        load.cpu = shares(cpu, meter.read(), seconds=load.seconds)
    load.durations_seconds.append(load.seconds)
    for projects, lines in zip(shared_out, reports, strict=True):
        load.errors.update(_wrong(work, [written[each] for each in projects], lines))
    return load


async def _reports(answers: asyncio.StreamReader, projects: Sequence[str]) -> list[bytes]:
    return [line for line in [await answers.readline() for _ in projects] if line]


_Worker = tuple[int, asyncio.StreamReader, asyncio.StreamWriter]
"""Its id, what it prints, and what it is told."""


@asynccontextmanager
async def _worker(work: Work, number: int, servers: Servers, projects: Sequence[str]) -> AsyncIterator[_Worker]:
    """Start a worker on a core of its own, and end it at the latest with the block."""
    command = [sys.executable, "-m", "tests.programs.bench.worker", work, servers.store_host, *projects]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, start_new_session=True
    )
    try:
        if servers.are_confined:
            confine(process.pid, number)
        if process.stdout is None or process.stdin is None:
            message = "a pipe was asked for, and there is none"
            raise RuntimeError(message)
        yield process.pid, process.stdout, process.stdin
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):  # it has just ended
                process.kill()
        await process.wait()


def _wrong(work: Work, written: Sequence[OpenSessions], reports: Sequence[bytes]) -> Counter[str]:
    """Count what the reports of a worker say that is not so, and what they do not say."""
    wrong = Counter({"a worker ended before its report": len(written) - len(reports)})
    for sessions, report in zip(written, reports, strict=False):
        expected = all_ended(sessions) if work is Work.MANY_EXPIRED else _all_well(sessions)
        wrong.update(unlike(json.loads(report), expected))
    return +wrong


def _all_well(live: OpenSessions) -> dict[str, int | bool]:
    """What reconcile says of a run over organizations in which nothing is to be mended."""
    return {
        "sessions_ended": 0,
        "ends_reported": 0,
        "counters_repaired": 0,
        "organizations": len(live.organization_ids),
        "organizations_failed": 0,
        "is_complete": True,
    }

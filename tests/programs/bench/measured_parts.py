"""The parts of the benchmark. Each measures on its own servers."""

import shutil
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import assert_never

from rich.console import Console

from infra.local.seed import firestore_client
from tests.programs.bench.bench import FULL_SEATS, JUST_FULL_SEATS, Bench
from tests.programs.bench.cold import clean_environments, cold_starts, startables
from tests.programs.bench.default_server import require_default_servers
from tests.programs.bench.expiry import LAPSED_SESSIONS, ORGANIZATIONS, ExpiryBench
from tests.programs.bench.many import one_pass
from tests.programs.bench.measurement import Work
from tests.programs.bench.memory import memory_of_heartbeat
from tests.programs.bench.parts import Part
from tests.programs.bench.plan import ANSWERING_PROCESSES, JUDGED_CLIENTS, PASSES, STORE_PROCESSES, Plan
from tests.programs.bench.results import Recorded
from tests.programs.bench.rounds import LOADS, run_rounds, run_rounds_of_processes, warm_up, warm_up_processes
from tests.programs.bench.servers import EMPTY, EXPIRE, FUNCTIONS, PROJECT, Servers, replace_firestore, running_servers
from tests.programs.bench.stopping import Runner
from tests.programs.bench.store20 import ENDED_SESSIONS, store20_bench, store20_rounds, store20_warm_up
from tests.programs.bench.tenants import make_tenant

_DEVICES_EACH = 10
_USERS_OF_A_CLIENT = 4

Measuring = Generator[Recorded, None, None]


def measure(part: Part, plan: Plan, *, runner: Runner, console: Console) -> Measuring:
    """Measure a part. Close the generator, and everything that it started stops.

    Raises:
        JarError: the emulator's jar is not to be had.
        StartError: something did not start.
        UnexpectedAnswer: there is nothing to measure, because a function refuses to work.
    """
    match part:
        case Part.START:
            return _start(plan, runner=runner, console=console)
        case Part.REQUESTS:
            return _requests(plan, runner=runner, console=console)
        case Part.PROCESSES:
            return _processes(plan, runner=runner, console=console)
        case Part.EXPIRE:
            return _expire(plan, runner=runner, console=console)
        case Part.STORE20:
            return _store20(plan, runner=runner, console=console)
        case Part.MANY:
            return _many(plan, runner=runner, console=console)
        case _:
            assert_never(part)


def _start(plan: Plan, *, runner: Runner, console: Console) -> Measuring:
    require_default_servers()
    with _work_folder() as work:
        console.print("start: installing what each function requires")
        environments = clean_environments(work)
        started = startables(work, environments)
        console.print(f"start: importing {len(started)} modules {plan.starts} times")
        yield from cold_starts(started, plan)
        yield from memory_of_heartbeat(runner, work, environments)


def _requests(plan: Plan, *, runner: Runner, console: Console) -> Measuring:
    with running_servers(*FUNCTIONS, *["acquire", "heartbeat"] * (ANSWERING_PROCESSES - 1), EMPTY) as servers:
        running = bench_for(plan, servers, runner)
        for number, work in enumerate(LOADS):
            # What the emulator has stored slows it down; what one load has left must not be what the next one pays for.
            if number and not plan.is_quick:
                running.database.close()
                replace_firestore(servers)
                running = bench_for(plan, servers, runner)
            console.print(f"requests: warming up for {work}")
            warm_up(running, plan, work)
            yield from run_rounds(running, plan, work)


def _processes(plan: Plan, *, runner: Runner, console: Console) -> Measuring:
    heartbeats = max(plan.processes_of_heartbeats, default=0)
    names = [*("acquire", "release") * max(plan.processes), *["heartbeat"] * heartbeats]
    console.print(f"processes: starting {len(names)}")
    with running_servers(*names) as servers:
        running = bench_for(plan, servers, runner)
        console.print("processes: warming up")
        warm_up_processes(running, plan)
        yield from run_rounds_of_processes(running, plan)


def _expire(plan: Plan, *, runner: Runner, console: Console) -> Measuring:
    with running_servers(EXPIRE) as servers:
        database = firestore_client(project=PROJECT, firestore_host=servers.firestore_host)
        console.print(f"expire: {LAPSED_SESSIONS:,} lapsed sessions of {ORGANIZATIONS} organizations in each round")
        yield from ExpiryBench(runner=runner, servers=servers, database=database).rounds(plan.rounds)


def _store20(plan: Plan, *, runner: Runner, console: Console) -> Measuring:
    names = [*("acquire", "release") * max(STORE_PROCESSES), "heartbeat"]
    console.print(f"store20: starting {len(names)}")
    with running_servers(*names, as_in_production=True) as servers:
        console.print(f"store20: {'one core' if servers.are_confined else 'all cores'} for each process of a function")
        console.print(f"store20: writing {ENDED_SESSIONS:,} ended sessions, and warming up")
        roomy, just_full = store20_bench(plan, servers, runner)
        store20_warm_up(roomy, plan)
        yield from store20_rounds(roomy, just_full, plan)


def _many(plan: Plan, *, runner: Runner, console: Console) -> Measuring:
    for work in (Work.MANY_EXPIRED, Work.MANY_RECONCILED):
        for delay_seconds, workers in PASSES:
            # What one pass has stored must not slow the next one down.
            with running_servers(as_in_production=True) as servers:
                console.print(f"many: {plan.organizations:,} organizations, {plan.sessions_of_each} open sessions each")
                yield one_pass(work, plan, delay_seconds=delay_seconds, workers=workers, servers=servers, runner=runner)


def bench_for(plan: Plan, servers: Servers, runner: Runner) -> Bench:
    """Write the organizations that a plan needs, and measure with them."""
    database = firestore_client(project=PROJECT, firestore_host=servers.firestore_host)
    numbers = count(1)
    refused = _USERS_OF_A_CLIENT * max(JUDGED_CLIENTS, *plan.clients_of_refusals)
    most = _USERS_OF_A_CLIENT * max(JUDGED_CLIENTS, *plan.clients, *plan.clients_of_processes)
    return Bench(
        runner=runner,
        servers=servers,
        database=database,
        hot=lambda: make_tenant(database, f"hot-{next(numbers)}", users=most),
        crowded=lambda clients: make_tenant(
            database, f"crowded-{next(numbers)}", users=_USERS_OF_A_CLIENT * clients, seats=JUST_FULL_SEATS
        ),
        full=make_tenant(database, "full", users=FULL_SEATS + refused, seats=FULL_SEATS),
        working=make_tenant(database, "working", users=plan.sessions // _DEVICES_EACH, devices_each=_DEVICES_EACH),
        seconds=plan.seconds,
    )


@contextmanager
def _work_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="seatlease-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)

"""A function's memory after many requests, which must not grow."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from infra.build.stage import stage
from infra.local.seed import firestore_client
from tests.infra.bare_server import bare_server
from tests.infra.clean_environment import CleanEnvironments
from tests.programs.bench import proc
from tests.programs.bench.cold import programs_for, settings_for
from tests.programs.bench.http import connections
from tests.programs.bench.load import Step
from tests.programs.bench.plan import JUDGED_CLIENTS
from tests.programs.bench.servers import PROJECT, running_servers
from tests.programs.bench.steps import acquire_all, heartbeats
from tests.programs.bench.stopping import Runner
from tests.programs.bench.tenants import make_tenant

FEW_REQUESTS, MANY_REQUESTS = 1_000, 10_000

_NAME = "heartbeat"
_USERS, _DEVICES_EACH = 100, 10
_LEASE_SECONDS = 120
"""So long that no session is lost even where only some ten heartbeats a second are answered."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Memory:
    """Resident memory of a function's server with its workers, after so many requests since its start."""

    name: str
    requests: int
    resident_bytes: int


def memory_of_heartbeat(runner: Runner, work: Path, environments: CleanEnvironments) -> Iterator[Memory]:
    """Serve heartbeat in an environment of its own, and look twice.

    Raises:
        StartError: something did not start.
        UnexpectedAnswer: a heartbeat was refused.
    """
    folder = stage(_NAME, work / "stage")
    programs = programs_for(folder / "requirements.txt", environments)
    with running_servers("acquire") as servers:
        database = firestore_client(project=PROJECT, firestore_host=servers.firestore_host)
        tenant = make_tenant(database, "memory", users=_USERS, devices_each=_DEVICES_EACH)
        tenant.license.update({"lease_seconds": _LEASE_SECONDS})
        with bare_server(_NAME, folder, settings_for(servers.firestore_host), programs=programs) as server:
            server.wait_until_it_answers_or_ends()
            sessions = runner.run(acquire_all(servers, tenant.devices))
            step = heartbeats(sessions, lease_for=timedelta(seconds=_LEASE_SECONDS)).step(server.url)
            asked = 0
            for requests in (FEW_REQUESTS, MANY_REQUESTS):
                runner.run(_ask(step, requests - asked))
                asked = requests
                if proc.is_there():
                    yield Memory(name=_NAME, requests=requests, resident_bytes=proc.resident_bytes(server.popen.pid))


async def _ask(step: Step, requests: int) -> None:
    left = iter(range(requests))
    async with connections() as http:

        async def client() -> None:
            for _ in left:
                await step(http)

        await asyncio.gather(*(client() for _ in range(JUDGED_CLIENTS)))

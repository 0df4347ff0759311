"""One run: start everything, let clients work during faults, undo the faults, and read the histories."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from random import Random

import aiohttp

from infra.build.stage import ROOT
from infra.judge.history import History
from infra.local.audit_topic import subscribed
from infra.local.seed import firestore_client
from infra.local.tokens import unsigned_token
from tests.programs.faults.admin_edits import Hands
from tests.programs.faults.asking import Asking
from tests.programs.faults.client import Client
from tests.programs.faults.faults import OF_THE_STORE, Fault, Kind
from tests.programs.faults.injection import Inflicting
from tests.programs.faults.logs import faults_logged
from tests.programs.faults.notes import Notes
from tests.programs.faults.owner import Owner
from tests.programs.faults.plan import Plan, PlannedClient
from tests.programs.faults.reading import open_sessions, read_histories
from tests.programs.faults.servers import ANSWER_WITHIN_SECONDS, PROJECT, Servers, running_servers
from tests.programs.faults.settle import mend, settle

_TOKEN_SECONDS = 24 * 60 * 60
"""Longer than clocks are moved."""

_LANES = (
    OF_THE_STORE,
    {Kind.PROCESS_KILLED},
    {Kind.CLOCK_MOVED},
    {Kind.TOPIC_DOWN},
    {Kind.EXPIRED_TWICE, Kind.RECONCILED_TWICE, Kind.SUMMARIZED_TWICE},
)
_HAND_LANES = 3
"""So many admins edit at a time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What came of a run: the history of each organization, and what was open in it when the clients ended.

    ``faults_logged`` counts what functions logged about themselves, by its words.
    """

    plan: Plan
    notes: Notes
    histories: Sequence[History]
    open_then: dict[str, dict[str, int]]
    faults_logged: Mapping[str, int]
    seconds: float


async def run(plan: Plan, *, root: Path = ROOT) -> Outcome:
    """Run the plan against the functions of the repository at ``root``."""
    began = time.monotonic()
    with (
        running_servers(plan.scale, root=root) as servers,
        closing(firestore_client(project=PROJECT, firestore_host=servers.firestore_host)) as console,
        subscribed(servers.pubsub_host, project=PROJECT) as subscription,
    ):
        notes = Notes()
        hands = Hands(console=console, plan=plan, notes=notes)
        await hands.write_organizations()
        async with aiohttp.ClientSession(
            # The functions' servers close a connection that is idle for two seconds; we close it before they do.
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=1),
            timeout=aiohttp.ClientTimeout(total=ANSWER_WITHIN_SECONDS * 4),
        ) as http:
            inflicting = Inflicting(servers=servers, hands=hands, notes=notes, http=http)
            await _work(plan, servers, notes, http, inflicting)
            await mend(servers)
            open_then = await asyncio.to_thread(open_sessions, console)
            await settle(servers, console, plan, notes, http)
        histories = await read_histories(
            servers, plan, notes, committed_at=inflicting.committed_at, subscription=subscription
        )
        return Outcome(
            plan=plan,
            notes=notes,
            histories=histories,
            open_then=open_then,
            faults_logged=faults_logged(servers.logs),
            seconds=time.monotonic() - began,
        )


async def _work(
    plan: Plan, servers: Servers, notes: Notes, http: aiohttp.ClientSession, inflicting: Inflicting
) -> None:
    licenses = {each.organization_id: each.licenses for each in plan.organizations}
    began = time.monotonic()
    until = began + plan.scale.seconds

    def asking(planned: PlannedClient) -> Asking:
        token = unsigned_token(
            project=PROJECT,
            organization_id=planned.organization_id,
            user_id=planned.user_id,
            lifetime_seconds=_TOKEN_SECONDS,
        )
        chance = Random(f"{plan.seed} {planned.number}")  # noqa: S311 chance, no secret
        return Asking(http=http, servers=servers, notes=notes, planned=planned, token=token, chance=chance)

    async with asyncio.TaskGroup() as late, asyncio.TaskGroup() as group:
        for planned in plan.clients:
            own = licenses[planned.organization_id]
            client = Client(asking=asking(planned), licenses=own, until=until, background=late)
            group.create_task(client.work())
        for planned in plan.owners:
            group.create_task(Owner(asking=asking(planned), until=until).work())
        for lane in _lanes(plan.faults):
            group.create_task(inflicting.follow(lane, began=began))


def _lanes(faults: Sequence[Fault]) -> list[list[Fault]]:
    lanes: dict[int, list[Fault]] = defaultdict(list)
    for number, fault in enumerate(faults):
        lane = next((lane for lane, kinds in enumerate(_LANES) if fault.kind in kinds), -1 - number % _HAND_LANES)
        lanes[lane].append(fault)
    return list(lanes.values())

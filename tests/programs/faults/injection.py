"""Inject the planned faults. Each lane injects its faults one after the other, and undoes the temporary ones."""

import asyncio
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import aiohttp
from google.cloud import firestore

from infra.local.emulators import export_firestore
from tests.programs.faults.admin_edits import Hands
from tests.programs.faults.asking import NO_ANSWER
from tests.programs.faults.faults import ON_THE_WAY, Fault, Kind
from tests.programs.faults.instants import instant
from tests.programs.faults.notes import Notes
from tests.programs.faults.servers import PROJECT, Servers

_QUIET_SECONDS = 0.7
"""What was passed on before the proxy held everything is committed by then."""


class ExportError(Exception):
    """The store came back from its export without something that it had acknowledged: the run proves nothing."""


@dataclass(eq=False, kw_only=True, slots=True)
class Inflicting:
    """The hand of fate. ``committed_at`` is when events were committed, of those that an import has made anew."""

    servers: Servers
    hands: Hands
    notes: Notes
    http: aiohttp.ClientSession
    committed_at: dict[str, datetime] = field(default_factory=dict)

    async def follow(self, lane: Sequence[Fault], *, began: float) -> None:
        """Do the faults of one lane, each at its time or when the one before is over."""
        for fault in lane:
            await asyncio.sleep(max(0, began + fault.at - time.monotonic()))
            await self._do(fault)
            self.notes.done[fault.kind] += 1

    async def _do(self, fault: Fault) -> None:
        servers = self.servers
        match fault.kind:
            case Kind.PROCESS_KILLED:
                instance = servers.instances[fault.target]
                await asyncio.to_thread(instance.kill)
                await asyncio.sleep(fault.lasts)
                await asyncio.to_thread(instance.start)
            case Kind.CLOCK_MOVED:
                clock = servers.instances[fault.target].clock
                if clock is not None:
                    clock.write_text(f"{fault.amount or 0:+d}m")
            case Kind.EXPIRED_TWICE:
                await self.call_twice("expire_sessions", apart=fault.lasts)
            case Kind.RECONCILED_TWICE:
                await self.call_twice("reconcile", apart=fault.lasts)
            case Kind.SUMMARIZED_TWICE:
                await self.call_twice("summarize_usage", apart=fault.lasts)
            case kind if kind in ON_THE_WAY:
                await self._disturb(fault)
            case _:
                await self.hands.do(fault)

    async def _disturb(self, fault: Fault) -> None:
        """Do something to an emulator, or to the way there."""
        servers = self.servers
        match fault.kind:
            case Kind.STORE_RESTARTED:
                await self._restart_store()
            case Kind.STORE_PAUSED:
                servers.firestore.signal(signal.SIGSTOP)
                await asyncio.sleep(fault.lasts)
                servers.firestore.signal(signal.SIGCONT)
            case Kind.STORE_CUT | Kind.TOPIC_DOWN:
                proxy = servers.store if fault.kind is Kind.STORE_CUT else servers.topic
                proxy.cut()
                await asyncio.sleep(fault.lasts)
                proxy.mend()
            case Kind.STORE_SLOW:
                servers.store.slow_down((fault.amount or 0) / 1_000)
                await asyncio.sleep(fault.lasts)
                servers.store.slow_down(0)
            case Kind.ANSWERS_LOST:
                servers.store.lose_answers(lost=True)
                await asyncio.sleep(fault.lasts)
                servers.store.cut()
                servers.store.lose_answers(lost=False)
                servers.store.mend()

    async def call_twice(self, function: str, *, apart: float) -> None:
        """Call two processes of a scheduled function, at the same time or nearly."""

        async def call(url: str, after: float) -> None:
            await asyncio.sleep(after)
            try:
                async with self.http.post(url) as response:
                    await response.read()
                    outcome = str(response.status)
            except (aiohttp.ClientError, TimeoutError):
                outcome = NO_ANSWER
            self.notes.outcomes[function, outcome] += 1

        one, other = self.servers.of(function)[:2]
        await asyncio.gather(call(one.url, 0), call(other.url, apart))

    async def _restart_store(self) -> None:
        """Kill it with requests in flight, and have it back with every commit that it has acknowledged.

        ::

            requests   ---------|  held: not sent, not answered         |  cut: nobody knows what became of them
            store      ---------| commits what it has | export | kill | starts from the export |------
        """
        async with self.hands.rest:
            self.servers.store.hold()
            await asyncio.sleep(_QUIET_SECONDS)
            await asyncio.to_thread(self._kill_and_start_store)
            self.servers.store.cut()
            self.servers.store.let_go()
            self.servers.store.mend()

    def _kill_and_start_store(self) -> None:
        """Whatever is committed after the proxy began to hold, nobody has heard of: it may be lost, and whole."""
        servers, console = self.servers, self.hands.console
        before = _committed_at(console)
        folder = servers.work / f"export-{servers.restarts}"
        export = export_firestore(servers.firestore_host, project=PROJECT, folder=folder)
        known = _committed_at(console)
        servers.firestore.signal(signal.SIGKILL)
        servers.firestore.popen.wait()
        servers.start_store(export)
        kept = _committed_at(console).keys()
        if not before.keys() <= kept <= known.keys():
            raise ExportError
        # The documents are created anew by the import; when they first were is known from before.
        self.committed_at = {**{path: known[path] for path in kept}, **self.committed_at}


def _committed_at(console: firestore.Client) -> dict[str, datetime]:
    """When each audit event was created, by the store."""
    found: Any = console.collection_group("audit_events").select(()).stream(timeout=60)
    return {each.reference.path: instant(each.create_time) for each in found}

"""The measurements. Each prepares what it needs."""

import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import cycle, islice
from typing import Any
from uuid import uuid4

from google.cloud import firestore

from tests.programs.bench.cpu import CpuMeter
from tests.programs.bench.http import UnexpectedAnswer
from tests.programs.bench.load import Load, Phase, Step, in_turn, put_load
from tests.programs.bench.measurement import Measurement, Work, measured
from tests.programs.bench.servers import DELAY_PROXY, Servers, with_locking
from tests.programs.bench.steps import (
    acquire_all,
    acquire_step,
    cycle_step,
    empty_step,
    heartbeats,
    locking_step,
    refusal_step,
)
from tests.programs.bench.stopping import Runner
from tests.programs.bench.store_use import counted, store_use
from tests.programs.bench.tenants import Tenant, make_tenant, review

_SETTLE_SECONDS = 0.5
_DRAIN_SECONDS = 20.0
_LOCKING = Phase(settle_seconds=0.0, seconds=10.0, drain_seconds=0.0)
"""Its cycles take longer than anybody wants to wait, so it is cut off."""

FULL_SEATS = 20
JUST_FULL_SEATS = 50
"""Seats of the license that is full; those who are refused come on top."""

NEW_ORGANIZATIONS = 20

_LONG_LEASE_SECONDS, _SHORTEST_LEASE_SECONDS = 3_600, 3
_LAPS_PER_LEASE = 6
"""How often a session's turn should come during its lease. A heartbeat within a twelfth of the lease is too early to be
written, so this allows for heartbeats twice as fast as expected, and six times as slow."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bench:
    """Measures one thing at a time; ``round_`` and ``seconds`` are those of the measurement.

    ``hot`` makes the organization whose seats are acquired and released, a new one for each measurement: the emulator
    keeps every version of a document, and copies all of them for the next, so what is written over and over costs
    it more with every minute. It has several users for each client, because the service limits how often one user asks.
    Where a proxy is before the store, ``delay_seconds`` is what each call takes longer.
    """

    runner: Runner
    servers: Servers
    database: firestore.Client
    hot: Callable[[], Tenant]
    crowded: Callable[[int], Tenant]
    full: Tenant
    working: Tenant
    seconds: float
    round_: int = 0
    delay_seconds: float = 0.0

    def in_round(self, number: int, *, seconds: float) -> "Bench":
        """Measure in another round, for as long."""
        return replace(self, round_=number, seconds=seconds)

    def empty(self, clients: int, *, beside: Work | None = None) -> Measurement:
        """Ask the empty function, to compare with what is measured next."""
        load = self._put([empty_step(self.servers)] * clients)
        return measured(Work.EMPTY, load, clients=clients, round_=self.round_, beside=beside)

    def cycles(self, clients: int, *, processes: int = 1, work: Work = Work.CYCLES) -> Measurement:
        """Acquire and release seats of one license, each client on its own devices and always at the same process."""
        instances = self.servers.instances(processes)
        devices = self.hot().devices
        load = self._put(
            [cycle_step(server, *devices[number::clients]) for server, number in zip(cycle(instances), range(clients))]
        )
        return measured(work, load, clients=clients, round_=self.round_, processes=processes)

    def just_full(self, clients: int, *, processes: int = 1) -> Measurement:
        """Acquire and release ``JUST_FULL_SEATS`` seats of one license. A refused client asks again at once."""
        instances = self.servers.instances(processes)
        devices = self.crowded(clients).devices
        steps = [
            cycle_step(server, *devices[number::clients], until_granted=True)
            for server, number in zip(cycle(instances), range(clients))
        ]
        return measured(Work.JUST_FULL, self._put(steps), clients=clients, round_=self.round_, processes=processes)

    def held(self, clients: int) -> Measurement:
        """As ``just_full``, but a client keeps each seat for 1 s, and waits as it is told: 1 s at most."""
        steps = [
            cycle_step(self.servers, device, until_granted=True, hold_seconds=1.0, longest_wait_seconds=1.0)
            for device in self.crowded(clients).devices[:clients]
        ]
        return measured(Work.HELD, self._put(steps), clients=clients, round_=self.round_)

    def first_acquires(self) -> Measurement:
        """Acquire the first seat of new organizations, one after the other."""
        tenants = [make_tenant(self.database, f"new-{uuid4().hex}", users=1) for _ in range(NEW_ORGANIZATIONS)]
        self.runner.run(review(self.servers.firestore_host, tenants))
        steps = [acquire_step(self.servers, tenant.devices[0]) for tenant in tenants]
        return measured(Work.FIRST, self._counted(lambda meter: in_turn(steps, meter)), clients=1, round_=self.round_)

    def refusals(self, clients: int, *, processes: int = 1) -> Measurement:
        """Ask for seats of a full license, each client on its own devices, which never get one, at the same process."""
        holders, others = self.full.devices[:FULL_SEATS], self.full.devices[FULL_SEATS:]
        self.full.license.update({"lease_seconds": _LONG_LEASE_SECONDS})
        self.runner.run(acquire_all(self.servers, holders))
        instances = cycle(self.servers.instances(processes))
        load = self._put(
            [
                refusal_step(server, *others[number::clients])
                for server, number in zip(instances, range(clients), strict=False)
            ]
        )
        return measured(Work.REFUSALS, load, clients=clients, round_=self.round_, processes=processes)

    def heartbeats(
        self, clients: int, *, expected_per_second: float, processes: int = 1, work: Work = Work.HEARTBEATS
    ) -> Measurement:
        """Keep the seats of all sessions in turn, with a lease such that each heartbeat has to be written.

        The seats are acquired for long, so that none is lost before its first heartbeat; that one shortens the lease.
        """
        lap_seconds = len(self.working.devices) / max(1.0, expected_per_second)
        lease_seconds = max(_SHORTEST_LEASE_SECONDS, int(lap_seconds * _LAPS_PER_LEASE))
        self.working.license.update({"lease_seconds": _LONG_LEASE_SECONDS})
        sessions = self.runner.run(acquire_all(self.servers, self.working.devices))
        self.working.license.update({"lease_seconds": lease_seconds})
        beats = heartbeats(sessions, lease_for=timedelta(seconds=lease_seconds))
        steps = [beats.step(server.url("heartbeat")) for server in self.servers.instances(processes)]
        load = self._put(list(islice(cycle(steps), clients)))
        return replace(
            measured(work, load, clients=clients, round_=self.round_, processes=processes),
            written=beats.written / beats.answered if beats.answered else None,
            lease_seconds=lease_seconds,
        )

    def locking(self, clients: int) -> Measurement:
        """Acquire and release with locks, on a fresh server and in an organization that nobody else waits for.

        Raises:
            UnexpectedAnswer: it does not work for a client that is alone, so there is nothing to compare with.
        """
        tenant = make_tenant(self.database, f"locking-{clients}", users=clients)
        with with_locking(self.servers) as servers:
            # One cycle alone first: what is measured is the waiting for locks, not the start of the server.
            alone = Phase(settle_seconds=0.0, seconds=0.1, drain_seconds=_DRAIN_SECONDS)
            steps = [locking_step(servers, tenant, device) for device in tenant.devices]
            first = self._put(steps[:1], servers=servers, phase=alone)
            if first.errors or first.unfinished:
                message = f"the locking function granted no seat to a single client: {dict(first.errors)}"
                raise UnexpectedAnswer(message)
            load = self._put(steps, servers=servers, phase=_LOCKING)
        return measured(Work.LOCKING, load, clients=clients, round_=self.round_)

    def _put(self, steps: Sequence[Step], *, servers: Servers | None = None, phase: Phase | None = None) -> Load:
        usual = Phase(settle_seconds=_SETTLE_SECONDS, seconds=self.seconds, drain_seconds=_DRAIN_SECONDS)
        return self._counted(lambda meter: put_load(steps, phase or usual, meter), servers=servers)

    def _counted(self, put: Callable[[CpuMeter], Coroutine[Any, Any, Load]], *, servers: Servers | None = None) -> Load:
        """Put a load; where there is a proxy before the store, say what was done there."""
        meter = CpuMeter((servers or self.servers).pids)
        if DELAY_PROXY not in self.servers.running:
            return self.runner.run(put(meter))
        proxy = self.servers.url(DELAY_PROXY)
        before, began = counted(proxy, delay_seconds=self.delay_seconds), time.perf_counter()
        load = self.runner.run(put(meter))
        seconds, after = time.perf_counter() - began, counted(proxy, delay_seconds=self.delay_seconds)
        load.store = store_use(
            before,
            after,
            load.answered,
            acquire_seconds=load.acquire_seconds,
            seconds=seconds,
            delay_seconds=self.delay_seconds,
            is_confined=self.servers.are_confined,
        )
        return load

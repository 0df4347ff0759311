"""A client's behaviour: normal work, and everything that clients do wrong."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from tests.programs.faults.asking import Asking, Reply
from tests.programs.faults.plan import SHORTEST_IDLE_SECONDS, PlannedLicense

_MOST_TRIES = 4
_LAST_WAIT_SECONDS = 1
_IDLE = 0.1
"""How many heartbeats tell of a user who has long done nothing."""
_AWAY = 0.5
"""How many seats of a license that lends some are borrowed."""
_WAITING = 0.2
"""How many who ask for a seat would wait for it."""
_WAITING_FOR_THE_LAST_LICENSE = 0.7
"""How many would, of an organization's last license. It has a long line, and others are taken quickly."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Client:
    """A client until ``until``, by the monotonic clock. What it sends late runs in ``background``."""

    asking: Asking
    licenses: Sequence[PlannedLicense]
    until: float
    background: asyncio.TaskGroup

    async def work(self) -> None:
        """Take seats, keep them, and leave them in one way or another."""
        while self._goes_on:
            license_ = self.asking.chance.choice(self.licenses)
            is_away = license_.max_borrow_seconds > 0 and self.asking.chance.random() < _AWAY
            got = await self._ask(license_, is_away=is_away)
            if got.is_success:
                session_id = str(got.body["session_id"])
                if await (self._stay_away(license_) if is_away else self._keep(session_id, license_)):
                    await self._leave(session_id, license_)
            await self._look()
            await self._pause(0.05, 0.3)

    async def _ask(self, license_: PlannedLicense, *, is_away: bool) -> Reply:
        if is_away:
            return await self._borrow(license_)
        waiting = _WAITING_FOR_THE_LAST_LICENSE if license_ is self.licenses[-1] else _WAITING
        return await (self._wait(license_) if self.asking.chance.random() < waiting else self._acquire(license_))

    async def _look(self) -> None:
        """Now and then look who holds seats."""
        if self.asking.chance.random() < 0.2:
            await self.asking.usage()

    @property
    def _goes_on(self) -> bool:
        return time.monotonic() < self.until

    async def _acquire(self, license_: PlannedLicense) -> Reply:
        match self.asking.chance.randrange(10):
            case 0:  # the same request to several processes at once
                many = await asyncio.gather(
                    *(self.asking.acquire(license_.license_id) for _ in range(self.asking.chance.randint(2, 3)))
                )
                return next((each for each in many if each.is_success), many[0])
            case 1:  # crash while asking, come back and ask again
                await self._crash(lambda: self.asking.acquire(license_.license_id))
            case 2:  # somewhere on the way a copy is delayed, and arrives when all is over
                self._later(lambda: self.asking.acquire(license_.license_id))
        return await self._insist(lambda: self.asking.acquire(license_.license_id))

    async def _borrow(self, license_: PlannedLicense) -> Reply:
        """Borrow a seat at once, or take it first. Some ask for longer than the license lends a seat for."""
        chance, license_id, most = self.asking.chance, license_.license_id, license_.max_borrow_seconds
        if chance.random() < 0.5:
            await self._acquire(license_)
        borrow_for = timedelta(seconds=chance.uniform(1, most * 1.1))
        if chance.random() < 0.2:  # the same request to several processes at once
            await asyncio.gather(*(self.asking.acquire(license_id, borrow_for=borrow_for) for _ in range(2)))
        return await self._insist(lambda: self.asking.acquire(license_id, borrow_for=borrow_for))

    async def _wait(self, license_: PlannedLicense) -> Reply:
        """Wait in the line: ask again as told, or sooner. Some leave it, some fall silent."""
        chance, most = self.asking.chance, max(0, self.until - time.monotonic()) + _LAST_WAIT_SECONDS
        # No place counts for much longer than all clients work.
        wait_until = datetime.now(UTC) + timedelta(seconds=min(most, chance.uniform(3, 25)))

        async def ask() -> Reply:
            return await self.asking.acquire(license_.license_id, wait_until=wait_until)

        reply = await self._insist(ask)
        while reply.is_place and self._goes_on:
            match chance.randrange(10):
                case 0:  # gone without a word
                    return reply
                case 1:
                    await self._insist(partial(self.asking.release, str(reply.body["session_id"])))
                    return reply
                case 2:  # the same request to several processes at once
                    await asyncio.gather(ask(), ask())
            told = float(reply.body["waiting"]["ask_again_in_seconds"])
            await self._rest(*((told, told) if chance.random() < 0.5 else (0.1, told)))
            reply = await self._insist(ask)
        return reply

    async def _stay_away(self, license_: PlannedLicense) -> bool:
        """Send no heartbeat, perhaps borrow for longer, and say whether it comes back while the seat is borrowed."""
        chance, license_id, most = self.asking.chance, license_.license_id, license_.max_borrow_seconds
        await self._rest(0.1, most * 0.6)
        if self._goes_on and chance.random() < 0.3:
            longer = timedelta(seconds=chance.uniform(most * 0.5, most))
            await self._insist(lambda: self.asking.acquire(license_id, borrow_for=longer))
            await self._rest(0.1, most * 0.6)
        if chance.random() < 0.3:
            await self._rest(most * 0.5, most)  # until the seat is free again, or nearly
            return False
        return True

    async def _keep(self, session_id: str, license_: PlannedLicense) -> bool:
        """Send heartbeats, and say whether it still has the seat as far as it knows."""
        lease = license_.lease_seconds
        for _ in range(self.asking.chance.randrange(5)):
            if not self._goes_on:
                return True
            if self.asking.chance.random() < 0.08:
                await self._pause(lease * 1.0, lease * 1.3)  # asleep for too long, or just so
            else:
                await self._pause(0.1, lease * 0.6)
            await self._look()
            idle_seconds = SHORTEST_IDLE_SECONDS if self.asking.chance.random() < _IDLE else None
            beat = await self._insist(partial(self.asking.heartbeat, session_id, idle_seconds=idle_seconds))
            if not beat.is_success:
                return beat.is_worth_repeating
        return True

    async def _leave(self, session_id: str, license_: PlannedLicense) -> None:
        async def release() -> Reply:
            return await self.asking.release(session_id)

        match self.asking.chance.randrange(8):
            case 0:  # gone without a word
                pass
            case 1:  # twice, one after the other
                await release()
                await release()
            case 2:  # twice at once
                await asyncio.gather(release(), release())
            case 3:  # a heartbeat is overtaken by the release
                self._later(lambda: self.asking.heartbeat(session_id))
                await self._insist(release)
            case 4:  # everything at once
                acquire = self.asking.acquire(license_.license_id)
                await asyncio.gather(acquire, self.asking.heartbeat(session_id), release())
            case 5:  # crash while giving back
                await self._crash(release)
            case 6:  # the release is overtaken by what comes next
                self._later(release)
            case _:
                await self._insist(release)

    async def _insist(self, ask: Callable[[], Awaitable[Reply]]) -> Reply:
        reply = await ask()
        for _ in range(_MOST_TRIES):
            if not reply.is_worth_repeating:
                break
            await self._pause(0.05, 0.6)
            reply = await ask()
        return reply

    async def _crash(self, ask: Callable[[], Awaitable[Reply]]) -> None:
        try:
            async with asyncio.timeout(self.asking.chance.uniform(0, 0.06)):
                await ask()
        except TimeoutError:
            pass  # it is gone before the answer

    def _later(self, ask: Callable[[], Awaitable[Reply]]) -> None:
        seconds = self.asking.chance.uniform(0.2, 4)

        async def late() -> None:
            await asyncio.sleep(seconds)
            await ask()

        self.background.create_task(late())

    async def _rest(self, least: float, most: float) -> None:
        """Pause, but not for longer than all clients work."""
        left = max(0, self.until - time.monotonic())
        await self._pause(min(least, left), min(most, left))

    async def _pause(self, least: float, most: float) -> None:
        await asyncio.sleep(self.asking.chance.uniform(least, most))

"""Keeper: takes one seat, keeps it with heartbeats, and gives it back. Everything here runs on the engine's loop."""

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from seatlease._keeping.access import MEND_WITHOUT_ENDING, Access
from seatlease._keeping.pacing import (
    line_until,
    next_heartbeat_at,
    next_try_at,
    wait_seconds,
    wait_unreachable_seconds,
    within_wait,
)
from seatlease._keeping.standing import Standing
from seatlease._service import clock, first_answer
from seatlease._service.clock import elapsed
from seatlease.errors import (
    InLine,
    LeaseNotProven,
    NoSeatFree,
    NotEntitled,
    SeatleaseError,
    ServiceUnreachable,
    SessionIdle,
    SessionLost,
    SessionRevoked,
)
from seatlease.events import Change, Waiting
from seatlease.lease import AT_WORK, Lease, State

logger = logging.getLogger("seatlease")

_Task: TypeAlias = asyncio.Task[Any]

LOOK_AGAIN_SECONDS = 15.0
"""The longest single sleep. A loop's timers stop while the machine sleeps, so it must look at the clock often."""


class Keeper:
    """One seat. Any thread may read ``standing``. Everything else belongs to the engine's loop."""

    def __init__(
        self,
        access: Access,
        *,
        reacquire: bool,
        changed: Callable[[Change], None],
        granted: Callable[[Lease], None],
        active_at: Callable[[], float | None],
    ) -> None:
        """``changed`` and ``granted`` are called on the loop and must not block.

        ``active_at`` gives when the program's user was last active, as far as the program says it.
        """
        self.standing = Standing()
        self._access = access
        self._reacquire = reacquire
        self._changed = changed
        self._granted = granted
        self._active_at = active_at
        self._idle_from = math.inf
        self._told = State.NOT_ACQUIRED
        self._due = 0.0
        self._one_changes = asyncio.Lock()
        self._one_beats = asyncio.Lock()
        self._is_regaining = False
        self._taken_by: object = None
        self._is_kept: dict[str, bool] = {}
        self._acquiring: dict[object, _Task] = {}
        self._beating: dict[object, _Task] = {}
        self._keeping: _Task | None = None

    async def acquire(self, *, wait: timedelta | None, waiting: Callable[[Waiting], None], call: object) -> None:
        """Take a seat and keep it from now on. ``wait`` is how long to go on asking.

        Of several calls at once, one asks and all get its result. A release cancels them.

        Raises:
            SeatleaseError: there is no seat, and nothing goes on in the background.
        """
        give_up_at = elapsed() + (wait or timedelta()).total_seconds()
        with _noted_in(self._acquiring, call):
            async with self._one_changes:
                if self.standing.state(at=elapsed()) in AT_WORK:
                    self.rely_on_it()
                    return
                # Before the heartbeats under way are stopped: one that comes meanwhile finds nothing to keep or regain.
                self.standing, self._told, self._is_regaining = Standing(), State.NOT_ACQUIRED, False
                await _stop(self._keeping, *self._beating.values())
                self._taken_by, self._is_kept = call, {}
                try:
                    await self._take(give_up_at, is_patient=wait is not None, waiting=waiting)
                except BaseException:
                    await self._access.leave(None, within_seconds=1)
                    raise
                self._keeping = asyncio.create_task(self._keep())

    def rely_on_it(self) -> bool:
        """Note that a second call relies on the seat, and say whether it may: not if it is being given up.

        From any thread, and without a lock, which a fork or a signal could find held: of two writers one is first.
        """
        return self._is_kept.setdefault(_KEPT, True)

    async def give_up(self, call: object, *, within_seconds: float) -> None:
        """Finish a cancelled call of ``acquire``, and give back what it was granted.

        The grant may have come before the cancellation. It is given back unless another call relies on it.
        """
        if (acquiring := self._acquiring.get(call)) is not None:
            await asyncio.wait([acquiring])
        if self._acquiring:  # the seat is for that call, which may wait for long
            return
        async with self._one_changes:
            if self._taken_by is call and not self._acquiring and not self._is_kept.setdefault(_KEPT, False):
                await self._leave(await self._stop_keeping(), within_seconds=within_seconds)

    async def resume(self, lease: Lease) -> None:
        """Go on with a lease that this process has from its parent process."""
        self.standing = Standing(lease=lease)
        self._told = self.standing.state(at=elapsed())
        self._due = next_heartbeat_at(lease)
        self._keeping = asyncio.create_task(self._keep())

    async def heartbeat(self) -> None:
        """Send a heartbeat now, or ask now for a lost seat. ``standing`` holds the result.

        A release cancels it: otherwise it could take a seat that nothing keeps.
        """
        with _noted_in(self._beating, object()):
            async with self._one_beats:
                if self._goes_on():
                    await self._beat()
                if self._is_regaining:
                    await self._beat()

    async def come_back(self) -> None:
        """Ask for the seat of a user who was idle, as for a lost one, if the user has been active since."""
        active_at = self._active_at()
        is_back = active_at is not None and active_at > self._idle_from
        if self.standing.over is State.IDLE and self._reacquire and is_back and not self._is_regaining:
            self._is_regaining, self._due = True, elapsed()
            if self._keeping is not None:
                self._keeping.cancel()  # it has nothing to do any more, and may sleep
            self._keeping = asyncio.create_task(self._keep())

    async def release(self, *, within_seconds: float) -> None:
        """Stop keeping the seat and give it back, unless it is borrowed, or another process of this device uses it.

        Never raises because an answer is missing: a seat not given back becomes free when its lease runs out.
        """
        async with self._stopped() as held:
            await self._leave(held, within_seconds=within_seconds)

    async def give_back(self, *, within_seconds: float) -> None:
        """Stop keeping the seat and give it back, also if it is borrowed, or others of this device use it.

        Raises:
            SeatleaseError: it was not given back.
        """
        async with self._stopped() as held:
            await self._access.give_back(held, within_seconds=within_seconds)

    @asynccontextmanager
    async def _stopped(self) -> AsyncIterator[Lease | None]:
        """Stop keeping the seat, and give the lease that it had."""
        for acquiring in self._acquiring.values():
            acquiring.cancel()
        # It comes behind those, which first give back what they got, and before whoever begins to acquire from now on.
        async with self._one_changes:
            yield await self._stop_keeping()

    async def _stop_keeping(self) -> Lease | None:
        held = self.standing.lease if self.standing.over is None else None
        if held is not None:
            self._become(self.standing.ended(State.RELEASED))
        self._is_regaining, self._idle_from = False, math.inf
        await _stop(self._keeping, *self._beating.values())
        return held

    async def _leave(self, held: Lease | None, *, within_seconds: float) -> None:
        try:
            await self._access.leave(held, within_seconds=within_seconds)
        except Exception:
            logger.exception("a fault in seatlease itself; the seat becomes free when its lease runs out")

    async def _take(self, give_up_at: float, *, is_patient: bool, waiting: Callable[[Waiting], None]) -> None:
        """Hold a seat: the one that this machine has borrowed, or one that the service gives.

        To borrow, the service is asked first. It may say until when, and that an admin has ended the session.
        """
        if not self._access.borrows:
            with suppress(LeaseNotProven):  # the service may give one all the same
                if (borrowed := await self._access.resumed()) is not None:
                    self._go_on(borrowed)
                    return
        try:
            lease = await self._ask_until(give_up_at, is_patient=is_patient, waiting=waiting)
        except ServiceUnreachable:
            if (borrowed := await self._access.resumed()) is None:
                raise
            self._go_on(borrowed)
        else:
            self._hold(lease)

    async def _ask_until(self, give_up_at: float, *, is_patient: bool, waiting: Callable[[Waiting], None]) -> Lease:
        attempt, first_answer_by = 0, elapsed() + first_answer.WITHIN_SECONDS
        wait_until: datetime | None = None
        while True:
            attempt += 1
            wait_until = line_until(wait_until, left=give_up_at - elapsed(), now=clock.now())
            try:
                return await self._access.acquire(borrow=True, wait_until=wait_until)
            except (InLine, NoSeatFree, ServiceUnreachable) as error:
                left = give_up_at - elapsed()
                if not is_patient or left <= 0:
                    left = first_answer_by - elapsed()
                    at_first = first_answer.pause_before_next(error, tries=attempt, left=left)
                    if at_first is None:
                        raise
                    pause = at_first
                elif isinstance(error, InLine):  # the service spreads those who wait, and forgets those who come late
                    pause = within_wait(error.retry_after.total_seconds(), left=left)
                elif isinstance(error, NoSeatFree):
                    pause = within_wait(wait_seconds(error.retry_after), left=left)
                else:
                    pause = within_wait(wait_unreachable_seconds(error.retry_after, tries=attempt), left=left)
                next_try_in, give_up_in = timedelta(seconds=pause), timedelta(seconds=left)
                waiting(Waiting(attempt=attempt, next_try_in=next_try_in, give_up_in=give_up_in, error=error))
            await _sleep_until(elapsed() + pause)

    async def _keep(self) -> None:
        """Send heartbeats until the seat has ended. No error in here may end the loop or reach the program."""
        while self._goes_on():
            if (active_at := self._active_at()) is not None:
                await self._access.note(active_at)
            now = elapsed()
            self._tell()
            if now < self._due:
                changes_in = self.standing.next_change_at(after=now) - now
                await asyncio.sleep(min(self._due - now, changes_in, LOOK_AGAIN_SECONDS))
                continue
            async with self._one_beats:
                if elapsed() >= self._due and self._goes_on():
                    await self._beat()

    def _goes_on(self) -> bool:
        return self._is_regaining or (self.standing.lease is not None and self.standing.over is None)

    async def _beat(self) -> None:
        """Send one request, and decide from its answer when the next is due."""
        try:
            await (self._regain() if self._is_regaining else self._heartbeat())
        except Exception:
            logger.exception("a fault in seatlease itself; heartbeats go on")
            self._due = elapsed() + LOOK_AGAIN_SECONDS

    async def _heartbeat(self) -> None:
        asked_at = elapsed()
        try:
            kept = await self._access.heartbeat(_lease(self.standing), active_at=self._active_at())
        except SessionLost as lost:
            active_at = self._active_at()
            is_idle = isinstance(lost, SessionIdle) and active_at is not None and active_at <= asked_at
            self._idle_from = asked_at
            self._is_regaining = self._reacquire and not is_idle
            self._become(self.standing.ended(State.IDLE if is_idle else State.LOST, lost))
            self._due = elapsed()
        except SessionRevoked as revoked:
            self._become(self.standing.ended(State.REVOKED, revoked))
        except NoSeatFree as full:  # others took this program's place on the seat while it was not heard of
            self._become(self.standing.ended(State.LOST, full))
        except NotEntitled as refusal:
            if refusal.code == MEND_WITHOUT_ENDING:
                self._missed(refusal)
            else:
                self._become(self.standing.ended(State.REVOKED, refusal))
        except SeatleaseError as trouble:
            self._missed(trouble)
        else:
            self._hold(kept)

    async def _regain(self) -> None:
        """Ask for a seat after the service reported this one as lost: until there is one answer, of either kind."""
        try:
            lease = await self._access.acquire()
        except ServiceUnreachable as trouble:
            self._missed(trouble)
        except SeatleaseError as refusal:
            self._is_regaining = False
            self.standing = self.standing.ended(State.LOST, refusal)
            self._tell(again=True)
        else:
            self._is_regaining = False
            self._hold(lease)

    def _go_on(self, borrowed: Lease) -> None:
        """Go on with a lease that the service gave earlier. It is asked at once whether it knows more."""
        self._due = elapsed()
        self._become(Standing(lease=borrowed))

    def _hold(self, lease: Lease) -> None:
        self._due = next_heartbeat_at(lease)
        self._become(Standing(lease=lease))
        self._granted(lease)

    def _missed(self, trouble: SeatleaseError) -> None:
        self._become(self.standing.missed_one(trouble))
        retry_after = trouble.retry_after if isinstance(trouble, ServiceUnreachable) else None
        missed = self.standing.missed
        self._due = next_try_at(_lease(self.standing), missed=missed, now=elapsed(), retry_after=retry_after)

    def _become(self, standing: Standing) -> None:
        self.standing = standing
        self._tell()

    def _tell(self, *, again: bool = False) -> None:
        state = self.standing.state(at=elapsed())
        if state is not self._told or again:
            change = Change(previous=self._told, state=state, error=self.standing.trouble)
            self._told = state
            logger.info("seat: %s -> %s", change.previous.value, state.value)
            self._changed(change)


_KEPT = "kept"


@contextmanager
def _noted_in(tasks: dict[object, _Task], call: object) -> Iterator[None]:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 a coroutine runs in a task; for the type checker
    tasks[call] = task
    try:
        yield
    finally:
        del tasks[call]


async def _stop(*tasks: _Task | None) -> None:
    running = [task for task in tasks if task is not None and not task.done()]
    for task in running:
        task.cancel()
    if running:
        await asyncio.wait(running)


def _lease(standing: Standing) -> Lease:
    assert standing.lease is not None  # noqa: S101 the keeper keeps only what was granted; for the type checker
    return standing.lease


async def _sleep_until(reading: float) -> None:
    while (left := reading - elapsed()) > 0:  # noqa: ASYNC110 it waits for a time, and nobody could set an event then
        await asyncio.sleep(min(left, LOOK_AGAIN_SECONDS))

"""Group commit: the requests of an organization that arrive during a commit are decided together in the next one.

A group takes one read, applies the rule to each request in turn, makes one commit, and answers each request. When the
group is idle, a request goes at once, unless recent events say that a short wait pays (``shared/firestore/pacing.py``).

::

    arrive   a   b c d        e f
    commit   |-- a --|-- b c d --|-- e f --|

Promises to every submitted request:

* It is answered exactly once, unless its caller has gone.
* It is answered by its deadline.
* It does not fail because of another request in its group.
"""

import asyncio
import logging
import math
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Generic, TypeVar

from cachetools import LRUCache
from google.api_core.exceptions import RetryError

from shared.firestore.client import Firestore
from shared.firestore.errors import Conflict, Contended, StoreError, StoreUnavailable
from shared.firestore.pacing import Pace
from shared.firestore.retry import retrying
from shared.firestore.writes import Write

logger = logging.getLogger(__name__)

Request = TypeVar("Request")
Outcome = TypeVar("Outcome")

MAX_GROUP = 200
"""The most requests that are decided together, so that a commit stays well below Firestore's 10 MiB."""

ANSWERED_TOGETHER = 8
"""After this many answers the server may send them before the next ones are made. So in a large group the first
requests do not wait for the last."""

MAX_PACES = 10_000
"""Organizations whose pace an instance remembers while no request waits. A forgotten one begins its next group at
once."""


class Undecided:
    """The outcome of a request that has to be decided again after this commit."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision(Generic[Outcome]):
    """The result of an attempt: an outcome for each request, in their order, valid once the writes are committed.

    ``when_done`` is called after the commit.
    """

    outcomes: Sequence[Outcome | Undecided]
    writes: Sequence[Write]
    now: datetime
    when_done: Callable[[], None] = lambda: None


@dataclass(frozen=True, kw_only=True, slots=True)
class Answered(Generic[Outcome]):
    """An outcome, and the time of its decision by the database's clock."""

    outcome: Outcome
    now: datetime


@dataclass(eq=False, slots=True)
class _Waiter(Generic[Request, Outcome]):
    request: Request
    answer: asyncio.Future[Answered[Outcome]]


class GroupCommit(Generic[Request, Outcome]):
    """Groups the requests of one kind of one organization. Use it in one event loop only."""

    def __init__(
        self,
        *,
        decide: Callable[[Sequence[Request]], Awaitable[Decision[Outcome]]],
        commit: Callable[[Sequence[Write]], Awaitable[None]],
        answer_within: timedelta,
        pace: Pace,
    ) -> None:
        """``decide`` reads and decides, but writes nothing. It runs again for every attempt."""
        self._decide = decide
        self._commit = commit
        self._answer_within = answer_within
        self._pace = pace
        self._waiting: deque[_Waiter[Request, Outcome]] = deque()
        self._group: list[_Waiter[Request, Outcome]] = []
        self._alone = 0
        self._awaited = 0
        self._all_here = asyncio.Event()
        self._trouble: Exception | None = None
        self._heard_at = -math.inf
        self._runner: asyncio.Task[None] | None = None
        self.when_idle: Callable[[], None] = lambda: None
        """Called when no request waits any more. That may be long after the last caller has gone."""

    @property
    def is_idle(self) -> bool:
        return self._runner is None

    async def submit(self, request: Request) -> Answered[Outcome]:
        """Decide the request together with others. Asking again after an error is safe.

        Raises:
            Contended: until the deadline, other instances wrote first or other requests were decided first.
            StoreUnavailable: Firestore did not answer until the deadline.
        """
        loop = asyncio.get_running_loop()
        waiter: _Waiter[Request, Outcome] = _Waiter(request, loop.create_future())
        self._waiting.append(waiter)
        if len(self._waiting) >= self._awaited:
            self._all_here.set()
        if self._runner is None:
            self._runner = asyncio.create_task(self._run())
            self._runner.add_done_callback(self._runner_done)
        deadline = loop.call_later(self._answer_within.total_seconds(), self._give_up, waiter)
        try:
            return await waiter.answer
        finally:
            deadline.cancel()

    async def _run(self) -> None:
        again = retrying(within=self._answer_within)
        try:
            while self._gather():
                await self._let_others_come()
                # When the time is up, the requests it began with have been answered. A new retry keeps none of their
                # errors. The errors of one retry refer to each other, and would fill the memory during a long outage.
                with suppress(RetryError):
                    await again(self._attempt)()
        finally:
            self._stop()

    async def _let_others_come(self) -> None:
        """Wait if the pace says that it pays: for some time, or until as many requests are there as before."""
        loop = asyncio.get_running_loop()
        if wait := self._pace.seconds_to_wait(loop.time()):
            await asyncio.sleep(wait)
        self._awaited = self._pace.crowd(loop.time()) - len(self._group)
        if len(self._waiting) < self._awaited:
            self._all_here.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pace.linger):
                    await self._all_here.wait()

    def _stop(self) -> None:
        self._runner = None
        self.when_idle()
        # Requests still wait here only when the event loop is being stopped.
        for waiter in (*self._group, *self._waiting):
            if not waiter.answer.done():
                waiter.answer.set_exception(StoreUnavailable("the instance is shutting down; asking again is safe"))

    def _runner_done(self, runner: asyncio.Task[None]) -> None:
        if runner is self._runner:  # cancelled before it had begun
            self._stop()

    def _gather(self) -> list[_Waiter[Request, Outcome]]:
        """Drop requests that are answered or gave up. Then fill the group from the waiting ones, or cut it to size."""
        self._group = [waiter for waiter in self._group if not waiter.answer.done()]
        room = 1 if self._alone else MAX_GROUP
        self._waiting.extendleft(reversed(self._group[room:]))
        del self._group[room:]
        while self._waiting and len(self._group) < room:
            waiter = self._waiting.popleft()
            if not waiter.answer.done():
                self._group.append(waiter)
        return self._group

    async def _attempt(self) -> None:
        """Decide and commit once for all requests that wait by now, including those that joined during a retry."""
        group, loop = self._gather(), asyncio.get_running_loop()
        began = loop.time()
        if not group:
            return
        try:
            decision = await self._decide([waiter.request for waiter in group])
            if decision.writes:
                await self._commit(decision.writes)
            decision.when_done()
        except Conflict as error:
            self._heard_at = loop.time()
            self._pace.collided(began=began, now=self._heard_at)
            self._trouble = error
            return
        except StoreError as error:
            self._trouble = error
            raise
        except Exception as error:  # noqa: BLE001 an error from one request must not fail the others
            self._heard_at = loop.time()
            self._isolate_failure(group, error)
            return
        self._trouble, self._heard_at = None, loop.time()
        self._pace.done(len(group), now=self._heard_at, has_written=bool(decision.writes))
        self._alone = max(0, self._alone - 1)
        for number, (waiter, outcome) in enumerate(zip(group, decision.outcomes, strict=True)):
            if number and number % ANSWERED_TOGETHER == 0:
                await asyncio.sleep(0)
            if not isinstance(outcome, Undecided) and not waiter.answer.done():
                waiter.answer.set_result(Answered(outcome=outcome, now=decision.now))

    def _isolate_failure(self, group: list[_Waiter[Request, Outcome]], error: Exception) -> None:
        """Decide each request of the group alone, to find the one that fails. Only that one gets the error."""
        if len(group) > 1:
            logger.warning("a group of %d requests failed; each is now decided alone", len(group), exc_info=error)
            self._alone = len(group)
            return
        self._alone = max(0, self._alone - 1)
        if not group[0].answer.done():
            group[0].answer.set_exception(error)

    def _give_up(self, waiter: _Waiter[Request, Outcome]) -> None:
        """Answer a waiter with an error at its deadline. An unfinished commit goes on for the others.

        The error is ``StoreUnavailable`` if Firestore did not answer the group for more than half of the time.
        """
        if waiter.answer.done():
            return
        silent_for = asyncio.get_running_loop().time() - self._heard_at
        error: StoreError
        if isinstance(self._trouble, StoreUnavailable) or silent_for > self._answer_within.total_seconds() / 2:
            error = StoreUnavailable("Firestore did not answer before the deadline; asking again is safe")
        else:
            error = Contended(
                "other requests changed the same seats, or came first, until the deadline; asking again is safe"
            )
        error.__cause__ = self._trouble
        waiter.answer.set_exception(error)


class Groups(Generic[Request, Outcome]):
    """One group per organization, kept only while a request waits in it."""

    def __init__(
        self, make: Callable[[str, Pace], GroupCommit[Request, Outcome]], *, new_pace: Callable[[], Pace] = Pace
    ) -> None:
        """``make`` creates the group of an organization. ``new_pace`` creates its pace, which is kept longer."""
        self._make = make
        self._new_pace = new_pace
        self._paces: LRUCache[str, Pace] = LRUCache(MAX_PACES)
        self._by_organization: dict[str, GroupCommit[Request, Outcome]] = {}

    @property
    def organizations(self) -> frozenset[str]:
        """The organizations with a waiting request."""
        return frozenset(self._by_organization)

    async def submit(self, organization_id: str, request: Request) -> Answered[Outcome]:
        """Decide the request with others of its organization. It raises the errors of ``GroupCommit.submit``."""
        group = self._by_organization.get(organization_id)
        if group is None:
            pace = self._paces.get(organization_id)
            if pace is None:
                pace = self._paces[organization_id] = self._new_pace()
            group = self._by_organization[organization_id] = self._make(organization_id, pace)
            group.when_idle = partial(self._forget, organization_id)
        return await group.submit(request)

    def _forget(self, organization_id: str) -> None:
        self._by_organization.pop(organization_id, None)


class GroupedOperation(ABC, Generic[Request, Outcome]):
    """An operation whose requests are decided in groups, one group at a time for each organization."""

    def __init__(self, firestore: Firestore, *, answer_within: timedelta) -> None:
        self._firestore = firestore
        self._groups = Groups[Request, Outcome](
            lambda organization_id, pace: GroupCommit(
                decide=partial(self._decide, organization_id),
                commit=firestore.commit,
                answer_within=answer_within,
                pace=pace,
            )
        )

    async def _submit(self, organization_id: str, request: Request) -> Answered[Outcome]:
        return await self._groups.submit(organization_id, request)

    @abstractmethod
    async def _decide(self, organization_id: str, requests: Sequence[Request]) -> Decision[Outcome]:
        """Read and decide, writing nothing. It runs again for every attempt."""

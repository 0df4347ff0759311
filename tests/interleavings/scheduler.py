"""A scheduler: an event loop in which nothing happens unless the test says so; each answer of the store is a choice.

The loop asks its selector what has happened each time before it goes on. Here the selector asks the scheduler, who
chooses one thing: an answer, a failure, a caller who comes or leaves, time that passes. The choices are given from
outside, so a run can be played again, and all of them can be played one after another.
"""

import asyncio
import selectors
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol, TypeVar

import grpc

from shared.firestore.client import Firestore
from tests.interleavings.memory_firestore import BEGINNING, DATABASE, ROOT, MemoryFirestore

CALL_WITHIN = 5.0
"""Seconds after which a call counts as unavailable, as in the settings."""

LONGEST_PAUSE = 0.5
"""Seconds between two attempts."""

MAX_TURNS = 2_000

_Result = TypeVar("_Result")


class Choices(Protocol):
    """Where choices come from."""

    def choose(self, options: list[str]) -> int:
        """Choose one of these by its index; the first is what happens when nothing goes wrong."""


@dataclass(eq=False, kw_only=True)
class Call:
    """A call of the store that has not been answered yet."""

    name: str
    blocking: Callable[[], Any]
    answer: asyncio.Future[Any]
    sent_at: float
    done: list[Any] = field(default_factory=list)
    """What it came to, when the store has done it already and the answer is still under way."""

    @property
    def is_commit(self) -> bool:
        return self.name == "commit"

    @property
    def is_of_an_instant(self) -> bool:
        """Whether its answer is the same whenever it comes: it reads what was at an instant that is named."""
        (request,) = (
            cell.cell_contents for cell in self.blocking.__closure__ or () if hasattr(cell.cell_contents, "HasField")
        )
        return not self.is_commit and bool(request.HasField("read_time"))


class DirectedFirestore(Firestore):
    """The store's connection as it is, on the memory database; each call waits for the scheduler."""

    def __init__(self, store: MemoryFirestore, scheduler: "Scheduler") -> None:  # no channel: the parent's is not made
        self._database, self._root = DATABASE, ROOT
        self._api = store  # type: ignore[assignment]  # it answers the four calls that are made
        self._director = scheduler

    async def _call(self, blocking: Callable[[], _Result]) -> _Result:
        # "Firestore.commit.<locals>.<lambda>": a closure is named after the method that made it.
        return await self._director.carry(blocking.__qualname__.split(".")[1], blocking)


class _Selector(selectors.SelectSelector):
    def __init__(self, scheduler: "Scheduler") -> None:
        super().__init__()
        self._director = scheduler

    def select(self, timeout: float | None = None) -> list[Any]:
        self._director.turn(timeout)
        return []


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self, scheduler: "Scheduler") -> None:
        self._director = scheduler
        super().__init__(_Selector(scheduler))

    def time(self) -> float:
        return self._director.time


@dataclass(frozen=True, kw_only=True)
class Option:
    """Something that may happen next. What goes wrong costs one of the run's faults."""

    name: str
    act: Callable[[], None]
    is_fault: bool = False


class Scheduler:
    """One run: the callers come in order, and ``choices`` says when, and what the store does. At most ``faults`` times
    something goes wrong.
    """

    def __init__(self, choices: Choices, *, faults: int) -> None:
        self.time = 0.0
        self.store = MemoryFirestore(lambda: BEGINNING + timedelta(seconds=self.time))
        self.loop = _Loop(self)
        self.complaints: list[str] = []
        self.loop.set_exception_handler(lambda _, context: self.complaints.append(repr(context)))
        self.tasks: list[asyncio.Task[Any]] = []
        self.journal: list[str] = []
        self.to_come: list[tuple[str, Callable[[], asyncio.Task[Any] | None]]] = []
        self.callers: dict[str, asyncio.Task[Any]] = {}
        self.afterwards: list[Callable[[], None]] = []
        """What is still to be done when nothing is left that could happen. Nothing goes wrong any more then."""
        self.refusals: list[tuple[float, str]] = []
        """When which call was not answered well: for whoever asks what stood in the way."""
        self.slow: list[float] = []
        self._choices = choices
        self._faults = faults
        self._calls: list[Call] = []
        self._overdue: list[Call] = []
        self._turns = 0
        self._is_abandoned = False

    def connection(self) -> Firestore:
        """The store, as one instance is connected to it."""
        return DirectedFirestore(self.store, self)

    def play(self) -> None:
        """Let everything happen, until nothing is left that could.

        Raises:
            AssertionError: somebody waits for ever.
        """

        def made(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:  # noqa: ANN401 as asyncio calls it
            task = asyncio.Task(coroutine, loop=loop, **options)
            self.tasks.append(task)
            return task

        self.loop.set_task_factory(made)
        try:
            self.loop.run_forever()
        finally:
            self._abandon()

    def _abandon(self) -> None:
        """Let everybody go who still waits, as after a failure, before the loop is closed."""
        self._is_abandoned = True
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_forever()
        self.loop.close()

    async def carry(self, name: str, blocking: Callable[[], _Result]) -> _Result:
        """Wait for the scheduler to answer a call, for as long as a call may take."""
        call = Call(name=name, blocking=blocking, answer=self.loop.create_future(), sent_at=self.time)
        self._calls.append(call)
        timer = self.loop.call_later(CALL_WITHIN, self._let_down, call)
        try:
            answer: _Result = await call.answer
            return answer
        finally:
            timer.cancel()
            if call in self._calls:  # its caller was cancelled; the thread that carries the call goes on
                self._calls.remove(call)
                self._overdue.append(call)

    def turn(self, timeout: float | None) -> None:
        """Choose what happens before the loop goes on. ``timeout``: 0 when it has something to do, else when it has."""
        if self._is_abandoned:
            if timeout != 0:
                self.loop.stop()
            return
        self._turns += 1
        assert self._turns < MAX_TURNS, "it goes round in circles"
        if timeout and not self.to_come and all(task.done() for task in self.tasks):
            assert not self.callers, "a timer was left behind"
        options = self._early() if timeout == 0 else self._possible(timeout)
        if not options:
            self._end()
            return
        chosen = options[0] if len(options) == 1 else options[self._choices.choose([each.name for each in options])]
        if chosen.name != "go on":
            self.journal.append(f"{self.time:.3f} {chosen.name}")
        self._faults -= chosen.is_fault
        chosen.act()

    def _early(self) -> list[Option]:
        """What may happen while the loop has something to do: somebody leaves, or everything is stopped."""
        return [Option(name="go on", act=lambda: None), *(self._disturbances() if self._faults else [])]

    def _possible(self, timeout: float | None) -> list[Option]:
        # Of answers that are the same in any order, at any time, one order is played.
        of_an_instant = [call for call in self._calls if call.is_of_an_instant][:1]
        answers = of_an_instant or self._calls
        options = [Option(name=f"{call.name} is answered", act=lambda c=call: self._answer(c)) for call in answers]  # type: ignore[misc]  # a lambda's default is its value at that time
        if of_an_instant:
            return options + (self._faults_of(of_an_instant[0]) + self._disturbances() if self._faults else [])
        if self.to_come:
            options.append(Option(name=f"{self.to_come[0][0]} comes", act=self._come))
        options += [
            Option(name=f"the overdue {call.name} is done", act=lambda c=call: self._do_overdue(c))  # type: ignore[misc]  # as above
            for call in self._overdue
            if call.is_commit
        ]
        if timeout is not None:
            is_slow = bool(self._calls)
            if not is_slow or self._faults:
                options.append(Option(name="time passes", act=lambda: self._pass(timeout), is_fault=is_slow))
        elif not self._calls and not self.to_come and options:
            options.append(Option(name="all is over", act=self._end))
        if self._faults:
            for call in self._calls:
                options += self._faults_of(call)
            options += self._disturbances()
        return options

    def _faults_of(self, call: Call) -> list[Option]:
        unavailable, aborted = grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.ABORTED
        faults: list[tuple[str, Callable[[], None]]] = []
        if call.is_of_an_instant:
            faults.append(("fails", lambda: self._answer(call, trouble=unavailable)))
        elif not call.done:
            faults.append(("fails, not done", lambda: self._answer(call, trouble=unavailable)))
            faults.append(("is done, its answer under way", lambda: self._do(call)))
            if call.is_commit:
                faults.append(("is done, its answer lost", lambda: self._answer(call, loses=unavailable)))
                faults.append(("is lost, and may yet be done", lambda: self._let_down(call)))
                faults.append(("is aborted", lambda: self._answer(call, trouble=aborted)))
        return [Option(name=f"{call.name} {name}", act=act, is_fault=True) for name, act in faults]

    def _disturbances(self) -> list[Option]:
        leaving = [
            Option(name=f"{name} leaves", act=lambda t=task: t.cancel(), is_fault=True)  # type: ignore[misc]  # as above
            for name, task in self.callers.items()
            if not task.done()
        ]
        working = [task for task in self.tasks if not task.done() and task not in self.callers.values()]
        if not working:
            return leaving
        stop = Option(name="the work is cancelled", act=lambda: self._cancel(working), is_fault=True)
        everything = [task for task in self.tasks if not task.done()]
        return [*leaving, stop, Option(name="shutdown", act=lambda: self._cancel(everything), is_fault=True)]

    def _end(self) -> None:
        self._faults = 0
        self._overdue.clear()
        if self.afterwards:
            self.afterwards.pop(0)()
        else:
            self.loop.stop()

    def _come(self) -> None:
        """The next caller comes, and perhaps more of them in the same moment."""
        while True:
            name, come = self.to_come.pop(0)
            task = come()
            if task is not None:
                self.callers[name] = task
            if not self.to_come or not self._choices.choose(["alone", f"{self.to_come[0][0]} comes, too"]):
                return
            self.journal.append(f"{self.time:.3f} {self.to_come[0][0]} comes, too")

    def _pass(self, seconds: float) -> None:
        is_waited_for = any(not task.done() for task in self.callers.values())
        assert self._calls or not is_waited_for or seconds <= LONGEST_PAUSE, "somebody waits, and nothing is under way"
        if self._calls:
            self.slow.append(self.time)
        self.time += seconds

    def _cancel(self, tasks: list[asyncio.Task[Any]]) -> None:
        self.refusals.append((self.time, "cancelled"))
        for task in tasks:
            task.cancel()

    def _do(self, call: Call) -> None:
        call.done.append(self._outcome(call))

    def _answer(
        self, call: Call, *, trouble: grpc.StatusCode | None = None, loses: grpc.StatusCode | None = None
    ) -> None:
        if call.answer.done():
            return  # its caller has just been cancelled, and does not know it yet
        self._calls.remove(call)
        self.store.trouble, self.store.loses = trouble, loses
        outcome = call.done[0] if call.done else self._outcome(call)
        self.store.trouble = self.store.loses = None
        if isinstance(outcome, Exception):
            self.refusals.append((self.time, type(outcome).__name__))
            call.answer.set_exception(outcome)
        else:
            call.answer.set_result(outcome)

    def _let_down(self, call: Call) -> None:
        """Answer a call that took too long, whether or not it was done; when not, it may still be."""
        if call.done:
            call.done.clear()
        elif call.is_commit and not call.answer.done():
            self._overdue.append(Call(name=call.name, blocking=call.blocking, answer=call.answer, sent_at=call.sent_at))
        self._answer(call, trouble=grpc.StatusCode.DEADLINE_EXCEEDED)

    def _do_overdue(self, call: Call) -> None:
        self._overdue.remove(call)
        self._outcome(call)

    def _outcome(self, call: Call) -> Any:  # noqa: ANN401 whatever a call gives
        try:
            return call.blocking()
        except Exception as error:  # noqa: BLE001 it is the call's answer
            return error

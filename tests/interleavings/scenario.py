"""A scenario: who asks for what in which order, of one or two instances, and what must be true however it is played."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from shared.documents.policy import Policy
from shared.firestore.errors import Contended, StoreUnavailable
from shared.firestore.group_commit import Answered
from shared.rules.acquire import (
    Borrowed,
    Device,
    DeviceLimitReached,
    Granted,
    OrganizationSeatLimitReached,
    Renewed,
    SeatLimitReached,
)
from shared.rules.borrowing import BorrowedSeatsLimitReached
from shared.rules.heartbeat import Extended, StillFresh, Stopped
from shared.rules.release import AlreadyEnded, Left, Released
from shared.rules.session import SessionOver, session_id_of
from shared.seats.acquire import AcquireRequest, Acquires
from shared.seats.heartbeat import HeartbeatRequest, Heartbeats
from shared.seats.release import ReleaseRequest, Releases
from tests.interleavings.invariants import LEASE, RETENTION, Invariants
from tests.interleavings.memory_firestore import BEGINNING, MemoryFirestore
from tests.interleavings.scheduler import Choices, Scheduler

ANSWER_WITHIN = 8.0
"""Seconds, as in the settings: longer than one call may take, and shorter than two."""

POLICY = Policy(
    default_lease_for=LEASE,
    default_grace_for=timedelta(0),
    answer_within=timedelta(seconds=ANSWER_WITHIN),
    retention=RETENTION,
)
BORROWED_UNTIL = BEGINNING + timedelta(hours=12)
POISON = "no/id"
"""A user whose request cannot even be read: deciding it raises."""


@dataclass(frozen=True, kw_only=True)
class Ask:
    """A request to an instance of a function, from a ``program``: the instance of the session, if it names one.

    ``of`` is whose session it is about, when not the asking user's own.
    """

    kind: Literal["acquire", "heartbeat", "release"]
    user_id: str
    instance: int = 0
    license_id: str = "cad"
    of: str | None = None
    organization_id: str = "acme"
    program: str | None = None
    device: str = "laptop"
    borrows: bool = False

    @property
    def session_id(self) -> str:
        return session_id_of(license_id=self.license_id, user_id=self.of or self.user_id, hardware_id=self.device)


@dataclass(frozen=True, kw_only=True)
class AdminEdit:
    """An admin's edit, which goes through whole at some moment."""

    name: str
    edit: Callable[[MemoryFirestore], None]


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """``opens`` writes the documents; ``asks`` come in this order. ``faults`` go wrong at most."""

    opens: Callable[[MemoryFirestore], None]
    asks: Sequence[Ask | AdminEdit]
    faults: int
    audited: Sequence[str] = ("acme",)

    def play(self, choices: Choices, *, faults: int | None = None) -> None:
        """Play it once.

        Raises:
            AssertionError: somebody was not answered, or not as things are; the notes say what had happened.
        """
        run = _Run(self, choices, faults=self.faults if faults is None else faults)
        try:
            run.play()
        except BaseException as error:
            error.add_note("\n".join(run.scheduler.journal))
            raise


@dataclass(kw_only=True)
class _Instance:
    acquires: Acquires
    heartbeats: Heartbeats
    releases: Releases

    def ask(self, ask: Ask) -> Any:  # noqa: ANN401 a coroutine of any kind of answer
        match ask.kind:
            case "acquire":
                device = Device(hardware_id=ask.device, ip_address=None, user_agent=None, instance_id=ask.program)
                acquire = AcquireRequest(
                    user_id=ask.user_id,
                    license_key=f"KEY-{ask.license_id}",
                    device=device,
                    borrow_until=BORROWED_UNTIL if ask.borrows else None,
                )
                return self.acquires.acquire(ask.organization_id, acquire)
            case "heartbeat":
                beat = HeartbeatRequest(user_id=ask.user_id, session_id=ask.session_id, instance_id=ask.program)
                return self.heartbeats.heartbeat(ask.organization_id, beat)
            case "release":
                release = ReleaseRequest(user_id=ask.user_id, session_id=ask.session_id, instance_id=ask.program)
                return self.releases.release(ask.organization_id, release)

    def remembered(self) -> list[str]:
        """The organizations that a group is kept of."""
        each = (self.acquires, self.heartbeats, self.releases)
        return [name for one in each for name in one._groups.organizations]  # noqa: SLF001 no operation shows its groups


@dataclass(kw_only=True)
class _Answer:
    ask: Ask
    came_at: float
    answered_at: float
    answer: Any


@dataclass(kw_only=True)
class _Truth:
    """What an answer has to be true to: the documents now, and at the instant for which it was decided."""

    invariants: Invariants
    ask: Ask
    answered: Answered[Any]

    def check(self) -> None:
        session_id, now = self.ask.session_id, self.answered.now
        then, stored = self.invariants.sessions(at=now).get(session_id), self.invariants.sessions().get(session_id)
        match self.answered.outcome:
            case (
                Granted(session=session)
                | Renewed(session=session)
                | Borrowed(session=session)
                | Extended(session=session)
            ):
                assert (session.session_id, session.started_at) in self.invariants.begun(), "it was never written"
                assert stored is not None
                if stored["started_at"] == session.started_at and stored["ended_at"] is None:
                    assert stored["lease_expires_at"] >= session.lease_expires_at
                else:  # it has ended since, and the device may have taken a seat again
                    assert (session.session_id, session.started_at) in self.invariants.ended()
            case StillFresh(session=session):
                assert then is not None
                assert then["ended_at"] is None
                assert session.lease_expires_at > now
                # Written before, or for another request of the same group.
                assert stored is not None
                assert session.lease_expires_at in (then["lease_expires_at"], stored["lease_expires_at"])
            case Released(session=session) | Stopped(session=session):
                assert (session.session_id, session.started_at) in self.invariants.ended(), "it was never written"
                if self.ask.program is not None and stored is not None and stored["started_at"] == session.started_at:
                    at_work = {each["instance_id"] for each in stored["instances"]}
                    assert at_work <= {self.ask.program}, "it gave the seat of others away"
            case Left(session=session):
                assert stored is not None
                assert {each["instance_id"] for each in stored["instances"]} - {self.ask.program}, "nobody was left"
            case AlreadyEnded() | SessionOver():
                assert then is not None
                self._is_over(then)
            case SeatLimitReached(license_id=license_id, max_seats=max_seats):
                self._is_full(license_id, max_seats)
            case OrganizationSeatLimitReached(max_seats=max_seats):
                self._is_full(None, max_seats)
            case other:
                self._has_terms(other)

    def _has_terms(self, outcome: object) -> None:
        match outcome:
            case DeviceLimitReached(own=own, max_devices=most):
                live = self.invariants.live_of(self.ask.user_id, self.ask.license_id, at=self.answered.now)
                assert len(own) == most
                # Live at that instant, or granted to another request of the same group.
                assert {each.session_id for each in own} <= {*live, *(name for name, _ in self.invariants.begun())}
                assert self.ask.session_id not in live, "refused although it holds a seat itself"
            case BorrowedSeatsLimitReached(max_borrowed=most):
                # Borrowed at that instant, or for another request of the same group.
                away = self.invariants.borrowed(self.ask.license_id, at=self.answered.now)
                assert len(away | self.invariants.borrowed(self.ask.license_id)) >= most, (
                    "refused although one was left"
                )
                assert self.ask.session_id not in away
            case other:
                message = f"the scenario does not expect {other}"
                raise AssertionError(message)

    def _is_over(self, then: dict[str, Any]) -> None:
        """It had ended by then, or was ended for another request of the same group."""
        assert then["ended_at"] is not None or (self.ask.session_id, then["started_at"]) in self.invariants.ended()

    def _is_full(self, license_id: str | None, max_seats: int) -> None:
        at = self.answered.now
        assert max_seats == self.invariants.cap(license_id, at=at)
        own = self.invariants.sessions(at=at).get(self.ask.session_id)
        holds_one = own is not None and own["ended_at"] is None and own["lease_expires_at"] > at
        assert not holds_one, "refused although it holds a seat itself"
        live = [
            each
            for each in self.invariants.sessions(at=at).values()
            if each["ended_at"] is None and each["lease_expires_at"] > at and license_id in (None, each["license_id"])
        ]
        granted = [each for each in self.invariants.sessions().values() if each["started_at"] == at]
        assert len(live) + len(granted) >= max_seats, "refused although a seat was free"
        denials = [each for each in self.invariants.events() if each["type"] == "session.denied"]
        told = {(each["user_id"], each["license_id"]) for each in denials}
        assert (self.ask.user_id, self.ask.license_id) in told, "a denial that was not told of"


@dataclass(kw_only=True, init=False)
class _Run:
    scheduler: Scheduler
    answers: list[_Answer] = field(default_factory=list)

    def __init__(self, scenario: Scenario, choices: Choices, *, faults: int) -> None:
        self.scenario = scenario
        self.answers = []
        self.faults = faults
        self.scheduler = Scheduler(choices, faults=faults)
        self.store = self.scheduler.store
        scenario.opens(self.store)
        self.invariants = {name: Invariants(store=self.store, organization_id=name) for name in scenario.audited}
        instances = {each.instance for each in scenario.asks if isinstance(each, Ask)}
        self.instances = {number: self._instance() for number in sorted(instances)}

    def _instance(self) -> _Instance:
        connection = self.scheduler.connection()
        return _Instance(
            acquires=Acquires(connection, POLICY),
            heartbeats=Heartbeats(connection, POLICY),
            releases=Releases(connection, POLICY),
        )

    def play(self) -> None:
        scheduler = self.scheduler
        for number, ask in enumerate(self.scenario.asks, start=1):
            if isinstance(ask, AdminEdit):
                scheduler.to_come.append((ask.name, lambda hand=ask: hand.edit(self.store)))  # type: ignore[misc]  # a lambda's default is its value at that time
            else:
                name = f"{number} ({ask.kind} of {ask.user_id}, instance {ask.instance})"
                scheduler.to_come.append((name, lambda asked=ask: self._begin(asked)))  # type: ignore[misc]  # as above
        is_by_hand = any(isinstance(each, AdminEdit) for each in self.scenario.asks)
        if not is_by_hand:
            self.store.after_commit = self._audit
        scheduler.afterwards += [self._nothing_is_left, self._all_still_works, self._nothing_is_left]
        scheduler.play()
        if not is_by_hand:
            self._audit()
        self._denials()

    def _audit(self) -> None:
        for invariants in self.invariants.values():
            invariants.audit()

    def _begin(self, ask: Ask) -> asyncio.Task[Any]:
        return self.scheduler.loop.create_task(self._ask(ask))

    async def _ask(self, ask: Ask) -> None:
        came_at = self.scheduler.time
        answer: Any
        try:
            answer = await self.instances[ask.instance].ask(ask)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 it is the answer
            answer = error
        got = _Answer(ask=ask, came_at=came_at, answered_at=self.scheduler.time, answer=answer)
        self.answers.append(got)
        self._judge(got)

    def _judge(self, got: _Answer) -> None:
        self.scheduler.journal.append(
            f"{got.answered_at:.3f}   {got.ask.kind} of {got.ask.user_id}: {got.answer!r:.160}"
        )
        waited = got.answered_at - got.came_at
        assert waited <= ANSWER_WITHIN + 0.001, "answered after the deadline"
        is_cancelled = any(what == "cancelled" for _, what in self._trouble_of(got))
        match got.answer:
            case Answered():
                _Truth(invariants=self.invariants[got.ask.organization_id], ask=got.ask, answered=got.answer).check()
            case asyncio.CancelledError():
                pass  # nobody but the scheduler cancels
            case StoreUnavailable() if is_cancelled:
                pass  # nobody is left to decide it
            case StoreUnavailable() | Contended():
                assert waited > ANSWER_WITHIN - 0.001, "gave up before the deadline"
                self._has_a_reason(got)
            case ValueError() if got.ask.user_id == POISON:
                pass
            case other:
                message = f"an answer that nobody should get: {other!r}"
                raise AssertionError(message) from other

    def _trouble_of(self, got: _Answer) -> list[tuple[float, str]]:
        return [(at, what) for at, what in self.scheduler.refusals if got.came_at <= at <= got.answered_at]

    def _has_a_reason(self, got: _Answer) -> None:
        """Nobody hears that others were faster when nobody was, or that the store was away when it was not."""
        trouble = {what for _, what in self._trouble_of(got)}
        was_slow = any(got.came_at <= at <= got.answered_at for at in self.scheduler.slow)
        if isinstance(got.answer, StoreUnavailable):
            assert was_slow or "StoreUnavailable" in trouble, "the store was there all the time"
        else:
            others = [
                each
                for each in self.answers
                if each is not got and isinstance(each.answer, Answered) and each.answered_at >= got.came_at
            ]
            assert others or "Conflict" in trouble, "nobody else had anything to do with it"

    def _nothing_is_left(self) -> None:
        scheduler = self.scheduler
        waiting = [name for name, task in scheduler.callers.items() if not task.done()]
        assert not waiting, f"never answered: {waiting}"
        assert not scheduler.to_come
        assert all(task.done() for task in scheduler.tasks), "a task was left behind"
        for task in scheduler.callers.values():
            if not task.cancelled() and (error := task.exception()) is not None:
                raise error
        scheduler.tasks.clear()
        assert scheduler.complaints == []
        assert [each.remembered() for each in self.instances.values()] == [[]] * len(self.instances), "a group is kept"

    def _all_still_works(self) -> None:
        """Whatever happened, who comes now is answered as if nothing had."""
        for number, each in enumerate(filter(lambda ask: isinstance(ask, Ask), self.scenario.asks)):
            assert isinstance(each, Ask)
            if each.user_id != POISON:
                self.scheduler.callers[f"afterwards {number}"] = self.scheduler.loop.create_task(self._ask_again(each))

    async def _ask_again(self, ask: Ask) -> None:
        came_at = self.scheduler.time
        answered = await self.instances[ask.instance].ask(ask)
        self.scheduler.journal.append(f"  afterwards {ask.kind} of {ask.user_id}: {answered.outcome!r:.160}")
        got = _Answer(ask=ask, came_at=came_at, answered_at=self.scheduler.time, answer=answered)
        self.answers.append(got)
        _Truth(invariants=self.invariants[ask.organization_id], ask=ask, answered=answered).check()

    def _denials(self) -> None:
        """No attempt is counted twice without a fault, and none that was answered is missing."""
        refused = (SeatLimitReached, OrganizationSeatLimitReached)
        for name, invariants in self.invariants.items():
            counted = Counter[tuple[str, str]]()
            for each in invariants.events():
                if each["type"] == "session.denied":
                    counted[each["user_id"], each["license_id"]] += each["details"]["attempts"]
            asked = [got for got in self.answers if (got.ask.organization_id, got.ask.kind) == (name, "acquire")]
            every, told = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
            for got in asked:
                key = (got.ask.user_id, got.ask.license_id)
                every[key] += 1
                told[key] += isinstance(got.answer, Answered) and isinstance(got.answer.outcome, refused)
            for key, attempts in counted.items():
                # A commit that was done and not answered may count its attempts once more.
                most = every[key] * (1 + self.faults)
                assert attempts <= most, f"{every[key]} attempts were counted as {attempts}"
            for key, times in told.items():
                assert times <= counted[key], "an attempt that was answered is not counted"

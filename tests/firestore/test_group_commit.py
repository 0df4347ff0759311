"""Group commit: every waiter is answered exactly once, by its deadline, and no request fails because of another."""

import asyncio
import gc
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from shared.firestore.errors import Conflict, Contended, StoreUnavailable
from shared.firestore.group_commit import (
    ANSWERED_TOGETHER,
    MAX_GROUP,
    Answered,
    Decision,
    GroupCommit,
    Groups,
    Undecided,
)
from shared.firestore.pacing import Pace
from shared.firestore.writes import Create, Write

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(kw_only=True)
class Book:
    """Decides that every request gets its own name in capitals, and writes it down; the test orders what goes wrong."""

    groups: list[list[str]] = field(default_factory=list)
    committed: list[str] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    before_commit: list[Callable[[], None]] = field(default_factory=list)
    poison: str = "no such request"
    undecided_once: set[str] = field(default_factory=set)

    async def decide(self, requests: Sequence[str]) -> Decision[str]:
        self.groups.append(list(requests))
        if self.poison in requests:
            message = f"cannot write {self.poison}"
            raise RuntimeError(message)
        outcomes: list[str | Undecided] = []
        for request in requests:
            if request in self.undecided_once:
                self.undecided_once.remove(request)
                outcomes.append(Undecided())
            else:
                outcomes.append(request.upper())
        writes = [Create(path=request, fields={}) for request in requests]
        return Decision(outcomes=outcomes, writes=writes, now=NOW)

    async def commit(self, writes: Sequence[Write]) -> None:
        await self.gate.wait()
        if self.before_commit:
            self.before_commit.pop(0)()
        self.committed += [write.path for write in writes if isinstance(write, Create)]

    def group(self, *, seconds: float = 5, pace: Pace | None = None) -> GroupCommit[str, str]:
        return GroupCommit(
            decide=self.decide, commit=self.commit, answer_within=timedelta(seconds=seconds), pace=pace or Pace()
        )


def _fails(error: Exception) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


async def _settle() -> None:
    """Let everything run that can run."""
    for _ in range(20):
        await asyncio.sleep(0)


async def _becomes_idle(group: GroupCommit[str, str]) -> None:
    for _ in range(500):
        if group.is_idle:
            return
        await asyncio.sleep(0.01)
    pytest.fail("somebody still waits")


async def test_the_first_goes_at_once_and_who_comes_meanwhile_is_decided_together() -> None:
    book = Book()
    group = book.group()
    first = asyncio.create_task(group.submit("a"))
    await _settle()
    others = [asyncio.create_task(group.submit(name)) for name in "bcd"]
    await _settle()
    assert book.groups == [["a"]]

    book.gate.set()
    answers = await asyncio.gather(first, *others)

    assert answers == [Answered(outcome=name, now=NOW) for name in "ABCD"]
    assert book.groups == [["a"], ["b", "c", "d"]]
    assert book.committed == list("abcd")


async def test_a_group_is_bounded() -> None:
    book = Book()
    book.gate.set()
    group = book.group()

    await asyncio.gather(*(group.submit(str(number)) for number in range(2 * MAX_GROUP + 1)))

    assert [len(each) for each in book.groups] == [MAX_GROUP, MAX_GROUP, 1]


async def test_who_comes_while_a_group_is_tried_again_joins_it() -> None:
    book = Book()
    group = book.group()
    first = asyncio.create_task(group.submit("a"))
    await _settle()
    book.before_commit.append(_fails(Conflict("somebody was faster")))
    second = asyncio.create_task(group.submit("b"))
    await _settle()

    book.gate.set()
    await asyncio.gather(first, second)

    assert book.groups == [["a"], ["a", "b"]]
    assert book.committed == ["a", "b"]


async def test_after_collisions_the_whole_group_tries_again() -> None:
    book = Book(before_commit=[_fails(Conflict("somebody was faster"))] * 5)
    group = book.group()
    names = [f"request {number:02}" for number in range(40)]
    asks = [asyncio.create_task(group.submit(name)) for name in names]
    await _settle()
    book.gate.set()

    answers = await asyncio.gather(*asks)

    assert book.groups == [names] * 6
    assert [answer.outcome for answer in answers] == [name.upper() for name in names]


async def test_nothing_is_answered_before_it_is_committed() -> None:
    book = Book()
    group = book.group()
    waiting = asyncio.create_task(group.submit("a"))
    await _settle()

    assert not waiting.done()
    book.gate.set()
    await waiting


async def test_the_first_of_a_large_group_need_not_wait_for_the_last() -> None:
    book = Book()
    group = book.group()
    turns, answered_in = 0, {}

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def ask(number: int) -> None:
        await group.submit(str(number))
        answered_in[number] = turns

    asks = [asyncio.create_task(ask(number)) for number in range(2 * ANSWERED_TOGETHER + 1)]
    await _settle()
    book.gate.set()
    counting = asyncio.create_task(count_turns())
    await asyncio.gather(*asks)
    counting.cancel()

    assert [len(each) for each in book.groups] == [len(asks)]
    slices = [answered_in[number] for number in range(len(asks))]
    assert slices == sorted(slices)
    assert [slices.count(turn) for turn in sorted(set(slices))] == [ANSWERED_TOGETHER, ANSWERED_TOGETHER, 1]


async def test_a_request_that_cannot_be_written_fails_alone() -> None:
    book = Book(poison="c")
    book.gate.set()
    group = book.group()

    answers = await asyncio.gather(*(group.submit(name) for name in "abcde"), return_exceptions=True)

    assert isinstance(answers[2], RuntimeError)
    assert [answer.outcome for answer in answers if isinstance(answer, Answered)] == list("ABDE")
    assert sorted(book.committed) == list("abde")
    assert group.is_idle


async def test_after_a_bad_request_groups_form_again() -> None:
    book = Book(poison="b")
    book.gate.set()
    group = book.group()
    await asyncio.gather(*(group.submit(name) for name in "abc"), return_exceptions=True)
    book.groups.clear()

    await asyncio.gather(*(group.submit(name) for name in "xyz"))

    assert book.groups == [["x", "y", "z"]]


async def test_a_caller_that_leaves_before_its_turn_is_not_decided_and_hurts_nobody() -> None:
    book = Book()
    group = book.group()
    first = asyncio.create_task(group.submit("a"))
    await _settle()
    leaving, staying = asyncio.create_task(group.submit("b")), asyncio.create_task(group.submit("c"))
    await _settle()

    leaving.cancel()
    book.gate.set()
    answers = await asyncio.gather(first, leaving, staying, return_exceptions=True)

    assert isinstance(answers[1], asyncio.CancelledError)
    assert book.committed == ["a", "c"]
    assert group.is_idle


async def test_a_caller_that_leaves_during_its_commit_does_not_undo_it_for_the_others() -> None:
    book = Book()
    group = book.group()
    tasks = [asyncio.create_task(group.submit(name)) for name in "ab"]
    await _settle()

    tasks[0].cancel()
    book.gate.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)

    assert isinstance(answers[0], asyncio.CancelledError)
    assert answers[1] == Answered(outcome="B", now=NOW)
    assert book.committed == ["a", "b"]


async def test_when_everybody_has_left_nothing_goes_on() -> None:
    book = Book()
    group = book.group()
    tasks = [asyncio.create_task(group.submit(name)) for name in "abc"]
    await _settle()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    book.before_commit.append(_fails(Conflict("somebody was faster")))

    book.gate.set()
    await _becomes_idle(group)

    assert book.groups == [["a", "b", "c"]]
    assert book.committed == []


@pytest.mark.parametrize(
    ("trouble", "error"),
    [(Conflict("faster"), Contended), (StoreUnavailable("away"), StoreUnavailable)],
    ids=["contention", "store unavailable"],
)
async def test_at_the_deadline_the_caller_learns_what_stood_in_the_way(
    trouble: Exception, error: type[Exception]
) -> None:
    book = Book(before_commit=[_fails(trouble)] * 1000)
    book.gate.set()
    group = book.group(seconds=0.3)

    with pytest.raises(error, match="asking again is safe"):
        await group.submit("a")

    await _becomes_idle(group)
    assert book.committed == []


async def test_while_a_commit_has_no_answer_who_waits_for_it_or_behind_it_is_told_so_by_the_deadline() -> None:
    book = Book()
    group = book.group(seconds=0.2)
    first = asyncio.create_task(group.submit("a"))
    await _settle()

    answers = await asyncio.gather(first, group.submit("b"), return_exceptions=True)

    assert book.groups == [["a"]]
    assert [type(answer) for answer in answers] == [StoreUnavailable] * 2
    book.gate.set()
    await _becomes_idle(group)


async def test_who_waits_behind_others_while_the_store_answers_is_told_that_they_were_in_the_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shared.firestore.group_commit.MAX_GROUP", 1)
    book = Book()

    async def commit(_: Sequence[Write]) -> None:
        await asyncio.sleep(0.05)

    group = GroupCommit(decide=book.decide, commit=commit, answer_within=timedelta(seconds=1), pace=Pace())

    answers = await asyncio.gather(*(group.submit(str(number)) for number in range(30)), return_exceptions=True)

    told = [type(answer) for answer in answers]
    assert told == sorted(told, key=[Answered, Contended].index)
    assert (told[0], told[-1]) == (Answered, Contended)
    await _becomes_idle(group)


async def test_a_request_that_needs_another_round_gets_one() -> None:
    book = Book(undecided_once={"b"})
    book.gate.set()
    group = book.group()

    answers = await asyncio.gather(*(group.submit(name) for name in "abc"))

    assert [answer.outcome for answer in answers] == ["A", "B", "C"]
    assert book.groups == [["a", "b", "c"], ["b"]]


def test_when_the_event_loop_stops_no_waiter_is_left_behind() -> None:
    outcomes: list[object] = []

    async def ask(group: GroupCommit[str, str], name: str) -> None:
        try:
            outcomes.append(await group.submit(name))
        except (StoreUnavailable, asyncio.CancelledError) as error:
            outcomes.append(error)
            raise

    async def main() -> None:
        book = Book()
        group = book.group(seconds=60)
        for name in "abc":
            asyncio.create_task(ask(group, name))  # noqa: RUF006 the loop's end is what cancels them
        await _settle()

    asyncio.run(main())

    assert len(outcomes) == 3


async def test_each_organization_has_a_group_of_its_own_that_is_forgotten_when_idle() -> None:
    books = {name: Book() for name in ("acme", "other")}
    books["other"].gate.set()
    made: list[str] = []

    def make(organization_id: str, pace: Pace) -> GroupCommit[str, str]:
        made.append(organization_id)
        return books[organization_id].group(pace=pace)

    groups = Groups(make)
    stuck = asyncio.create_task(groups.submit("acme", "a"))
    await _settle()

    assert (await groups.submit("other", "x")).outcome == "X"
    assert (await groups.submit("other", "y")).outcome == "Y"

    books["acme"].gate.set()
    await stuck
    assert made == ["acme", "other", "other"]


@pytest.mark.parametrize("how", ["gave up", "left", "left two"])
async def test_a_group_is_forgotten_also_when_its_last_caller_went_before_its_work_was_done(how: str) -> None:
    book = Book()
    groups = Groups(lambda _, pace: book.group(seconds=0.05, pace=pace))
    callers = [asyncio.create_task(groups.submit("acme", name)) for name in ("ab" if "two" in how else "a")]
    await _settle()
    for caller in callers if how != "gave up" else []:
        caller.cancel()
    await asyncio.gather(*callers, return_exceptions=True)

    book.gate.set()

    for _ in range(500):
        if not groups.organizations:
            break
        await asyncio.sleep(0.01)
    assert groups.organizations == frozenset()


async def test_a_group_of_several_that_may_come_back_is_forgotten() -> None:
    book = Book()
    book.gate.set()
    groups = Groups(lambda _, pace: book.group(pace=pace), new_pace=partial(Pace, linger=5.0))

    await asyncio.gather(groups.submit("acme", "a"), groups.submit("acme", "b"))

    for _ in range(500):
        if not groups.organizations:
            break
        await asyncio.sleep(0.01)
    assert groups.organizations == frozenset()


async def test_the_first_of_a_crowd_that_comes_back_waits_until_as_many_are_there() -> None:
    book = Book()
    book.gate.set()
    groups = Groups(lambda _, pace: book.group(pace=pace), new_pace=partial(Pace, linger=5.0))
    await asyncio.gather(*(groups.submit("acme", name) for name in "abc"))
    assert groups.organizations == frozenset()

    back = []
    for name in "def":
        assert book.groups == [["a", "b", "c"]], "it has not begun while somebody is missing"
        back.append(asyncio.create_task(groups.submit("acme", name)))
        await asyncio.sleep(0.005)
    await asyncio.wait_for(asyncio.gather(*back), 1)

    assert book.groups == [["a", "b", "c"], ["d", "e", "f"]]


async def test_whoever_does_not_come_back_is_not_waited_for_for_long() -> None:
    book = Book()
    book.gate.set()
    groups = Groups(lambda _, pace: book.group(pace=pace), new_pace=partial(Pace, linger=0.02))
    await asyncio.gather(*(groups.submit("acme", name) for name in "abc"))

    await asyncio.wait_for(asyncio.gather(*(groups.submit("acme", name) for name in "de")), 1)

    assert book.groups == [["a", "b", "c"], ["d", "e"]]


async def test_other_organizations_do_not_wait_for_a_crowd() -> None:
    book = Book()
    book.gate.set()
    groups = Groups(lambda _, pace: book.group(pace=pace), new_pace=partial(Pace, linger=5.0))
    await asyncio.gather(*(groups.submit("acme", name) for name in "ab"))

    await asyncio.wait_for(groups.submit("other", "c"), 1)

    assert book.groups == [["a", "b"], ["c"]]


async def test_however_often_others_are_faster_the_caller_is_answered_once_nobody_is() -> None:
    book = Book()
    book.gate.set()
    book.before_commit = [_fails(Conflict("somebody was faster")) for _ in range(6)]

    answer = await book.group().submit("a")

    assert answer.outcome == "A"
    assert book.groups == [["a"]] * 7
    assert book.committed == ["a"]


async def test_who_waits_for_work_that_was_cancelled_before_it_began_is_told_so_and_who_comes_later_is_served() -> None:
    book = Book()
    book.gate.set()
    group = book.group()
    before = asyncio.all_tasks()
    caller = asyncio.create_task(group.submit("a"))
    await asyncio.sleep(0)
    (work,) = asyncio.all_tasks() - before - {caller}

    work.cancel()

    with pytest.raises(StoreUnavailable, match="asking again is safe"):
        await asyncio.wait_for(caller, 1)
    assert (await group.submit("b")).outcome == "B"


class _Request(str):
    """A request of which one can see whether anybody still remembers it."""

    __slots__ = ("__weakref__",)


@pytest.mark.long
async def test_while_the_store_is_away_nobody_is_remembered_who_has_been_answered() -> None:
    def away() -> None:  # an error of its own each time, as a store's are
        message = "away"
        raise StoreUnavailable(message)

    book = Book(before_commit=[away] * 1000)
    book.gate.set()
    group = book.group(seconds=0.8)
    has_rested: list[bool] = []
    group.when_idle = lambda: has_rested.append(True)
    request = _Request("first")
    remembered = weakref.ref(request)
    callers: set[asyncio.Task[None]] = set()

    async def ask(name: str) -> None:
        with pytest.raises(StoreUnavailable):
            await group.submit(name)

    def comes(name: str) -> None:
        caller = asyncio.create_task(ask(name))
        callers.add(caller)
        caller.add_done_callback(callers.discard)

    comes(request)
    del request
    # Somebody comes long before the last one gives up, so the work never rests, also on a machine that stands still.
    until = asyncio.get_running_loop().time() + 2.5
    while asyncio.get_running_loop().time() < until:
        await asyncio.sleep(0.02)
        comes("later")

    book.groups.clear()
    gc.collect()
    assert remembered() is None
    assert not has_rested
    await asyncio.gather(*callers)

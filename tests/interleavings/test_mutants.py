"""The code is broken on purpose, in one place at a time, and each time a scenario fails that was fine."""

import inspect
import logging
import random
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from shared.firestore import client as firestore
from shared.firestore import errors
from shared.firestore.group_commit import GroupCommit
from shared.firestore.writes import Create, Update, Upsert
from shared.rules.heartbeat import heartbeat as decide_heartbeat
from shared.seats import heartbeat as heartbeats
from shared.seats.seat_draft import SeatDraft
from tests.interleavings.exploring import explore
from tests.interleavings.scenarios import SCENARIOS


@dataclass(frozen=True, kw_only=True)
class Slip:
    """A change to the source of one function; ``holder`` is where it is looked up under its name."""

    function: Callable[..., Any]
    holder: Any
    before: str
    after: str

    def make(self, monkeypatch: pytest.MonkeyPatch) -> None:
        source = textwrap.dedent(inspect.getsource(self.function))
        assert source.count(self.before) == 1, f"the code has changed: {self.before!r} is not once in\n{source}"
        name = self.function.__name__
        names: dict[str, Any] = dict(inspect.unwrap(self.function).__globals__)
        exec(compile(source.replace(self.before, self.after), name, "exec"), names)  # noqa: S102 our own source, with a slip
        monkeypatch.setattr(self.holder, name, names[name])


def _in_group(function: str, before: str, after: str) -> Slip:
    return Slip(function=getattr(GroupCommit, function), holder=GroupCommit, before=before, after=after)


_BLIND_CREATE = Slip(
    function=Create.put_into, holder=Create, before="wire.current_document.exists = False", after="pass"
)
_BLIND_UPDATE = Slip(
    function=Update.put_into,
    holder=Update,
    before="wire.current_document.update_time.CopyFrom(self.unchanged_since)",
    after="pass",
)
_FORGETS_ITS_SESSION = Slip(
    function=SeatDraft.__post_init__,
    holder=SeatDraft,
    before="session_from(document)",
    after="None",
)
MUTANTS: dict[str, tuple[str, int, list[Slip]]] = {
    "an answer is given before the commit": (
        "one takes a seat",
        1,
        [
            _in_group(
                "_attempt",
                "if decision.writes:",
                "group[0].answer.set_result(Answered(outcome=decision.outcomes[0], now=decision.now))\n"
                "        if decision.writes:",
            )
        ],
    ),
    "a conflict is taken for success": (
        "two want the last seat, of two instances",
        0,
        [
            Slip(
                function=errors.committing,
                holder=firestore,
                before="raise Conflict(words) from error",
                after="return",
            )
        ],
    ),
    "what was done and not answered is done again": ("one takes a seat", 1, [_BLIND_CREATE, _FORGETS_ITS_SESSION]),
    "grants that two instances decide are not told apart": (
        "two want the last seat, of two instances",
        0,
        [_BLIND_CREATE],
    ),
    "borrows that two instances decide are not told apart": (
        "two borrow the seats that they hold where one may, of two instances",
        0,
        [_BLIND_CREATE],
    ),
    "denials of two instances are not added up": (
        "one is denied twice, by two instances",
        0,
        [
            Slip(
                function=Upsert.put_into,
                holder=Upsert,
                before="change = wire.update_transforms.add(field_path=_field_path(parts))\n"
                "        encode_into(change.increment, number)",
                after="wire.update_mask.field_paths.append(_field_path(parts))\n"
                "        encode_into(_field_at(wire.update.fields, parts), number)",
            )
        ],
    ),
    "an end does not look whether there was one": ("two give back the same seat", 0, [_BLIND_CREATE, _BLIND_UPDATE]),
    "an end does not look whether another program has joined": (
        "a program leaves as another joins",
        0,
        [_BLIND_UPDATE],
    ),
    "an end is told that is not written": (
        "one sends a heartbeat at the end of its lease",
        1,
        [
            Slip(
                function=decide_heartbeat,
                holder=heartbeats,
                before="if not is_live(session, now=now):",
                after="if not is_live(session, now=now):\n"
                "        return SessionOver(reason=EndReason.EXPIRED)\n"
                "    if False:",
            )
        ],
    ),
    "who waits behind one who leaves is forgotten": (
        "three want two seats",
        1,
        [
            _in_group(
                "_gather",
                "        if not waiter.answer.done():\n            self._group.append(waiter)",
                "        if not waiter.answer.done():\n            self._group.append(waiter)\n"
                "        else:\n            self._waiting.clear()",
            )
        ],
    ),
    "who leaves takes the answers of others along": (
        "two want the last seat",
        1,
        [
            _in_group(
                "_attempt",
                "zip(group, decision.outcomes, strict=True)",
                "zip([each for each in group if not each.answer.done()], decision.outcomes)",
            )
        ],
    ),
    "the answers are mixed up": (
        "three want two seats",
        0,
        [_in_group("_attempt", "zip(group, decision.outcomes", "zip(group, list(reversed(decision.outcomes))")],
    ),
    "one fault fails the neighbours": (
        "a request that cannot be decided among others",
        0,
        [_in_group("_isolate_failure", "if len(group) > 1:", "if not group:")],
    ),
    "nobody looks at the clock": (
        "one takes a seat",
        2,
        [_in_group("_give_up", "if waiter.answer.done():", "if True:")],
    ),
    "a timer is left behind": ("one takes a seat", 0, [_in_group("submit", "deadline.cancel()", "pass")]),
    "a group is kept that nobody waits in": ("one takes a seat", 0, [_in_group("_stop", "self.when_idle()", "pass")]),
    "nobody is told of the shutdown": (
        "one takes a seat",
        1,
        [_in_group("_stop", "if not waiter.answer.done():", "if False:")],
    ),
    "the store is said to be busy when it is away": (
        "one takes a seat",
        2,
        [_in_group("_give_up", "isinstance(self._trouble, StoreUnavailable) or silent_for > ", "silent_for < 0 * ")],
    ),
}


@pytest.mark.mutant
@pytest.mark.parametrize(("scenario", "faults", "slips"), MUTANTS.values(), ids=MUTANTS)
def test_the_interleavings_find_when(
    scenario: str, faults: int, slips: list[Slip], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    random.seed(20_260_302)
    for slip in slips:
        slip.make(monkeypatch)

    with pytest.raises((AssertionError, ValueError)):
        explore(lambda choices: SCENARIOS[scenario].play(choices, faults=faults))

"""The verdict on a run: by the judge, and by checks without it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import httpx

from infra.judge.history import Event, History, Operation
from infra.judge.judge import judge
from infra.judge.violation import Violation
from shared.rules.audit import ENDS, AuditType
from tests.programs.faults.plan import LONG
from tests.programs.faults.quiescence import left_behind
from tests.programs.faults.run import Outcome
from tests.support.contract import broken_by, the_contract, told_everything

_FINE_SCHEDULED = {"200", "503", "no answer"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What is wrong: ``violations`` as the judge has it, ``breaches`` in words."""

    violations: Sequence[tuple[History, Violation]]
    breaches: Sequence[str]

    @property
    def is_kept(self) -> bool:
        """Whether every promise was."""
        return not self.violations and not self.breaches


def judged(outcome: Outcome) -> Verdict:
    """Judge everything that a run has left."""
    violations = [(history, violation) for history in outcome.histories for violation in judge(history)]
    breaches = [
        *_unknown_answers(outcome),
        *_above_constant_caps(outcome),
        *(each for history in outcome.histories for each in _grants_lost(history)),
        *(each for history in outcome.histories for each in left_behind(history)),
        *_unlike_its_work(outcome),
        *(f"logged {number} times: {words}" for words, number in outcome.faults_logged.items()),
    ]
    return Verdict(violations=violations, breaches=breaches)


def _unknown_answers(outcome: Outcome) -> Iterator[str]:
    """Answers that the contract does not know. It knows 500, which is nobody's fault but ours."""
    contract = told_everything(the_contract())
    found = Counter[str]()
    for answer in outcome.notes.answers:
        headers = httpx.Headers(answer.headers)
        problems = broken_by(
            contract, answer.function, status=answer.status, headers=headers, content=answer.content or None
        )
        if answer.status == 500:
            problems.append(f"{answer.status} {answer.content.decode(errors='replace')}")
        found.update(f"{answer.function}: {problem}" for problem in problems)
    yield from (f"{number} x {problem}" for problem, number in found.items())
    for (function, code), number in outcome.notes.outcomes.items():
        if function not in set(Operation) and code not in _FINE_SCHEDULED | {"204"}:
            yield f"{number} x {function} answered {code}"


def _above_constant_caps(outcome: Outcome) -> Iterator[str]:
    for planned in outcome.plan.organizations:
        if not planned.is_steady:
            continue
        open_then = outcome.open_then.get(planned.organization_id, {})
        if planned.seats is not None and sum(open_then.values()) > planned.seats:
            yield f"{planned.organization_id}: {open_then} sessions were open at the end, the cap is {planned.seats}"
        for license_ in planned.licenses:
            if open_then.get(license_.license_id, 0) > license_.seats + license_.terms.get("overdraft_seats", 0):
                yield f"{planned.organization_id}: {open_then} sessions were open for {license_.seats} seats"


def _grants_lost(history: History) -> Iterator[str]:
    """Grants that clients were told of and that the trail does not tell."""
    told = {(event.session_id, event.at) for event in history.events if event.type == AuditType.ACQUIRED}
    for request in history.requests or ():
        if request.operation is Operation.ACQUIRE and request.status == 201:
            granted_at = datetime.fromisoformat(request.body["server_time"])
            if (request.session_id, granted_at) not in told:
                yield f"{history.organization_id}: the trail has no grant of {request.session_id} at {granted_at}"


def _unlike_its_work(outcome: Outcome) -> Iterator[str]:
    """A run that did not do what it is for proves nothing."""
    planned = {fault.kind for fault in outcome.plan.faults}
    for kind in planned - set(outcome.notes.done):
        yield f"planned but not done: {kind}"
    granted = outcome.notes.outcomes[Operation.ACQUIRE.value, "201"]
    if not granted:
        yield "no client was granted a seat"
    has_terms = any(each.has_terms for each in outcome.plan.organizations)
    if has_terms and not reserved_seats(outcome):
        yield "no client was granted a reserved seat"
    if has_terms and not overdraft_seats(outcome):
        yield "no client was granted an overdraft seat"
    # In a minute on a busy machine there may be none.
    if outcome.plan.scale == LONG and not overhangs(outcome):
        yield "no owner took a borrowed seat back"
    if outcome.plan.scale == LONG and not kept_out(outcome):
        yield "no owner kept a user out"
    if outcome.plan.scale == LONG and not served_from_line(outcome):
        yield "no client that waited was granted a seat"


def reserved_seats(outcome: Outcome) -> Sequence[Event]:
    """The grants of reserved seats."""
    return [each for each in _grants(outcome) if each.details.get("pool") is not None]


def overdraft_seats(outcome: Outcome) -> Sequence[Event]:
    """The grants of seats above a license's own."""
    return [each for each in _grants(outcome) if each.details.get("is_overdraft")]


def borrows(outcome: Outcome) -> Sequence[Event]:
    """The borrows of seats."""
    return [each for each in _events(outcome) if each.type == AuditType.BORROWED]


def overhangs(outcome: Outcome) -> Sequence[Event]:
    """The ends of borrowed seats that were taken from their users."""
    return [each for each in _events(outcome) if each.details.get("overhang_until") is not None]


def kept_out(outcome: Outcome) -> Sequence[Event]:
    """The ends of sessions whose users were kept out."""
    return [each for each in _events(outcome) if each.details.get("kept_out_until") is not None]


def places(outcome: Outcome) -> Sequence[Event]:
    """The places that users took in the line."""
    return [each for each in _events(outcome) if each.type == AuditType.QUEUED]


def served_from_line(outcome: Outcome) -> Sequence[Event]:
    """The grants to users who waited in the line."""
    return [each for each in _grants(outcome) if each.details.get("waited_seconds") is not None]


def _grants(outcome: Outcome) -> Iterator[Event]:
    return (event for event in _events(outcome) if event.type == AuditType.ACQUIRED)


def _events(outcome: Outcome) -> Iterator[Event]:
    return (event for history in outcome.histories for event in history.events)


def peak_of_seats(history: History) -> int:
    """The most tenures that were open after any commit, as the trail tells of starts and ends."""
    changes = Counter[datetime]()
    for event in history.events:
        if event.type in {AuditType.ACQUIRED, *ENDS} and event.committed_at is not None:
            changes[event.committed_at] += 1 if event.type == AuditType.ACQUIRED else -1
    peak = in_use = 0
    for at in sorted(changes):
        in_use += changes[at]
        peak = max(peak, in_use)
    return peak


def commits(history: History) -> int:
    """How many commits the trail tells of."""
    return len({event.committed_at for event in history.events})

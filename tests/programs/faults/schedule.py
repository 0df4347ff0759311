"""The times of the faults. Faults of one lane follow each other; the lanes are independent.

::

    store       |--paused--|     |-cut-|      |--answers lost--|
    processes        x      x  x        x
    admins        x   |----deactivated----|  x    x
    ...
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import cycle
from random import Random

from tests.programs.faults.faults import Fault, Kind

_CALM_SECONDS = 2.0
"""Clients begin, and end, while nothing breaks."""

_STORE = {
    Kind.STORE_PAUSED: (0.5, 3.5),
    Kind.STORE_CUT: (0.2, 2.0),
    Kind.STORE_SLOW: (1.0, 4.0),
    Kind.ANSWERS_LOST: (0.3, 1.5),
    Kind.STORE_RESTARTED: (8.0, 8.0),  # what a restart takes
}
_HANDS = (
    Kind.ORGANIZATION_CAP_EDITED,
    Kind.LICENSE_CAP_EDITED,
    Kind.USER_DEACTIVATED,
    Kind.LICENSE_DEACTIVATED,
    Kind.ORGANIZATION_DEACTIVATED,
    Kind.RESERVATIONS_EDITED,
    Kind.OVERDRAFT_EDITED,
    Kind.DEVICE_LIMIT_EDITED,
    Kind.BORROWING_EDITED,
    Kind.GROUPS_EDITED,
    Kind.GRANTS_STOPPED,
    Kind.SESSION_DELETED,
    Kind.SESSION_ENDED,
)
_OF_CAPS = (Kind.ORGANIZATION_CAP_EDITED, Kind.LICENSE_CAP_EDITED)
OF_TERMS = (
    Kind.RESERVATIONS_EDITED,
    Kind.OVERDRAFT_EDITED,
    Kind.DEVICE_LIMIT_EDITED,
    Kind.BORROWING_EDITED,
    Kind.GROUPS_EDITED,
    Kind.GRANTS_STOPPED,
)
_LASTING = (Kind.USER_DEACTIVATED, Kind.LICENSE_DEACTIVATED, Kind.ORGANIZATION_DEACTIVATED, Kind.GRANTS_STOPPED)

Made = Callable[[float, Kind], Fault]


def timetable(
    chance: Random,
    *,
    seconds: float,
    calm: float,
    instances: Sequence[str],
    clocks: Sequence[str],
    edited: Sequence[str],
    edited_terms: Sequence[str],
    all_organizations: Sequence[str],
) -> tuple[Fault, ...]:
    """Decide every fault. Each kind comes once before any comes twice, as far as the time goes.

    The pauses between them are ``calm`` times the usual ones.
    """

    def store(at: float, kind: Kind) -> Fault:
        delay = chance.randint(20, 150) if kind is Kind.STORE_SLOW else None
        return Fault(at=at, kind=kind, lasts=chance.uniform(*_STORE[kind]), amount=delay)

    def process(at: float, kind: Kind) -> Fault:
        return Fault(at=at, kind=kind, target=chance.choice(instances), lasts=chance.uniform(0, 1.5))

    def clock(at: float, kind: Kind) -> Fault:
        minutes = chance.choice([-1, 1]) * chance.randint(1, 20)
        return Fault(at=at, kind=kind, target=chance.choice(clocks), amount=minutes)

    def topic(at: float, kind: Kind) -> Fault:
        return Fault(at=at, kind=kind, lasts=chance.uniform(1, 6))

    def scheduled(at: float, kind: Kind) -> Fault:
        return Fault(at=at, kind=kind, lasts=chance.choice([0, 0, 0.05]))

    targets = {
        **dict.fromkeys(_HANDS, all_organizations),
        **dict.fromkeys(_OF_CAPS, edited),
        **dict.fromkeys(OF_TERMS, edited_terms),
    }

    def hand(at: float, kind: Kind) -> Fault:
        return Fault(
            at=at,
            kind=kind,
            target=chance.choice(targets[kind]),
            lasts=chance.uniform(0.5, 2.5) if kind in _LASTING else 0,
            amount=chance.choice([None, *range(7)]) if kind is _OF_CAPS[0] else chance.randint(0, 5),
        )

    def lane(made: Made, *rounds: Sequence[Kind], pause: tuple[float, float]) -> Iterator[Fault]:
        at, left, turns = _CALM_SECONDS + chance.uniform(0, pause[1]), list[Kind](), cycle(rounds)
        while at < seconds - _CALM_SECONDS:
            if not left:
                kinds = next(turns)
                left = chance.sample(kinds, len(kinds))
            fault = made(at, left.pop())
            yield fault
            at += fault.lasts + calm * chance.uniform(*pause)

    # A restart takes so long that it comes in every third round only.
    without_restart = [kind for kind in _STORE if kind is not Kind.STORE_RESTARTED]
    lanes = [
        *lane(store, list(_STORE), without_restart, without_restart, pause=(1.0, 2.5)),
        *lane(process, [Kind.PROCESS_KILLED], pause=(2.0, 5.0)),
        *lane(clock, [Kind.CLOCK_MOVED], pause=(2.0, 5.0)),
        *lane(topic, [Kind.TOPIC_DOWN], pause=(3.0, 12.0)),
        *lane(scheduled, [Kind.EXPIRED_TWICE, Kind.RECONCILED_TWICE, Kind.SUMMARIZED_TWICE], pause=(0.5, 3.0)),
        *lane(hand, list(_HANDS), pause=(0.3, 1.2)),
    ]
    return tuple(sorted(lanes, key=lambda fault: fault.at))

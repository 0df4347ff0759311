"""The order of the measurements: what is compared is measured one right after the other, round after round."""

import math
from collections.abc import Iterator

from tests.bench.bench import Bench
from tests.bench.measurement import Measurement

CLIENTS = (1, 8, 32, 64)
CLIENTS_OF_HEARTBEATS = (8, 32, 64)
CLIENTS_OF_LOCKING = (1, 8, 32)

_WARM_UP_SECONDS = 3.0
_WARM_UP_CLIENTS = 32
_MAX_WARM_UPS = 30
_STILL_WARMING = 0.9


def warm_up(bench: Bench) -> None:
    """Load everything, unrecorded: Java compiles, connections open, tokens get known.

    How long Java takes depends on what the machine leaves it, so this goes on until a cycle costs the emulator no less
    processor time than before.
    """
    warming = bench.in_round(0, seconds=_WARM_UP_SECONDS)
    empty = warming.empty(_WARM_UP_CLIENTS)
    cheapest, in_vain = math.inf, 0
    for _ in range(_MAX_WARM_UPS):
        cost = _emulator_per_cycle(warming.cycles(_WARM_UP_CLIENTS))
        in_vain = 0 if cost < _STILL_WARMING * cheapest else in_vain + 1
        cheapest = min(cheapest, cost)
        if in_vain == 4:
            break
    warming.heartbeats(_WARM_UP_CLIENTS, expected_per_second=empty.per_second)


def _emulator_per_cycle(cycles: Measurement) -> float:
    """The emulator's share of the processors for one cycle; without ``/proc``, the time that a cycle takes."""
    return cycles.cpu.get("firestore", 1.0) / max(1, cycles.completed)


def run_rounds(bench: Bench, rounds: int) -> Iterator[Measurement]:
    """Measure round after round.

    The locking function comes last in the last round: what it leaves waiting in the emulator disturbs nobody then.
    """
    for number in range(1, rounds + 1):
        now = bench.in_round(number, seconds=bench.seconds)
        for clients in CLIENTS:
            empty = now.empty(clients)
            yield empty
            yield now.cycles(clients)
            if clients in CLIENTS_OF_HEARTBEATS:
                yield now.heartbeats(clients, expected_per_second=empty.per_second)
        if number == rounds:
            for clients in CLIENTS_OF_LOCKING:
                yield now.locking(clients)

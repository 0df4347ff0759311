"""The CPU use of each program, from Linux's ``/proc``. On other systems only the driver's own use is known."""

import os
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.programs.bench import proc

DRIVER, OTHERS = "driver", "others"

# Fields of a core's line in /proc/stat, after its name; what another guest of the same host took counts as busy.
_IDLE, _WAITING, _ALL_BUT_GUESTS = 3, 4, 8


def cores() -> int:
    """How many cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class CpuMeter:
    """Reads the processor time of the driver and of programs, each with everything that it started.

    ``programs`` are names and the ids of their processes; each leads a session of its own, by which its workers are
    found.
    """

    programs: Mapping[str, Sequence[int]]

    def read(self) -> dict[str, float]:
        """Seconds of processor time that each has used since it began, and everybody else on these cores."""
        used = {DRIVER: time.process_time()}
        if not proc.is_there():
            return used
        by_session: defaultdict[int, float] = defaultdict(float)
        for each in proc.used():
            by_session[each.session] += each.cpu_seconds
        used |= {name: sum(by_session[pid] for pid in pids) for name, pids in self.programs.items()}
        return used | {OTHERS: _busy_seconds() - sum(used.values())}


def shares(before: Mapping[str, float], after: Mapping[str, float], *, seconds: float) -> dict[str, float]:
    """Shares of the whole machine, 0 to 1, between two readings that lie ``seconds`` apart."""
    # Readings are made in whole ticks, so what nobody used may come out a little below nothing.
    used = {name: max(0.0, after[name] - earlier) for name, earlier in before.items()}
    return {name: each / seconds / cores() for name, each in used.items()}


def _busy_seconds() -> float:
    mine = {f"cpu{number}" for number in os.sched_getaffinity(0)}
    lines = [line.split() for line in (proc.PROC / "stat").read_text().splitlines()]
    busy = 0
    for ticks in (list(map(int, values[:_ALL_BUT_GUESTS])) for name, *values in lines if name in mine):
        busy += sum(ticks) - ticks[_IDLE] - ticks[_WAITING]
    return busy / os.sysconf("SC_CLK_TCK")

"""Who used the processors, from Linux's ``/proc``. Elsewhere only the driver itself is known."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

DRIVER, OTHERS = "driver", "others"

_PROC = Path("/proc")
# Fields of /proc/PID/stat, counted from the one after the name in parentheses. Source: proc_pid_stat(5).
_SESSION, _USER_TICKS, _SYSTEM_TICKS = 3, 11, 12
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

    ``programs`` are names and process ids; each leads a session of its own, by which its workers are found.
    """

    programs: Mapping[str, int]

    def read(self) -> dict[str, float]:
        """Seconds of processor time that each has used since it began, and everybody else on these cores."""
        used = {DRIVER: time.process_time()}
        if not (_PROC / "self/stat").exists():
            return used
        by_session = _seconds_by_session()
        used |= {name: by_session.get(pid, 0.0) for name, pid in self.programs.items()}
        return used | {OTHERS: _busy_seconds() - sum(used.values())}


def shares(before: Mapping[str, float], after: Mapping[str, float], *, seconds: float) -> dict[str, float]:
    """Shares of the whole machine, 0 to 1, between two readings that lie ``seconds`` apart."""
    # Readings are made in whole ticks, so what nobody used may come out a little below nothing.
    used = {name: max(0.0, after[name] - earlier) for name, earlier in before.items()}
    return {name: each / seconds / cores() for name, each in used.items()}


def _busy_seconds() -> float:
    mine = {f"cpu{number}" for number in os.sched_getaffinity(0)}
    lines = [line.split() for line in (_PROC / "stat").read_text().splitlines()]
    busy = 0
    for ticks in (list(map(int, values[:_ALL_BUT_GUESTS])) for name, *values in lines if name in mine):
        busy += sum(ticks) - ticks[_IDLE] - ticks[_WAITING]
    return busy / os.sysconf("SC_CLK_TCK")


def _seconds_by_session() -> dict[int, float]:
    per_second = os.sysconf("SC_CLK_TCK")
    used: dict[int, float] = {}
    for folder in _PROC.iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            # The name may hold spaces and parentheses; what follows the last one does not.
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile
        session = int(fields[_SESSION])
        ticks = int(fields[_USER_TICKS]) + int(fields[_SYSTEM_TICKS])
        used[session] = used.get(session, 0.0) + ticks / per_second
    return used

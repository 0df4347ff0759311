"""The CPU use of each process on this machine, from Linux's ``/proc``, by session."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
# Fields of /proc/PID/stat, counted from the one after the name in parentheses. Source: proc_pid_stat(5).
_SESSION, _USER_TICKS, _SYSTEM_TICKS, _RESIDENT_PAGES = 3, 11, 12, 21


@dataclass(frozen=True, kw_only=True, slots=True)
class Used:
    """What one process used: processor time since it began, and memory now."""

    process_id: int
    session: int
    cpu_seconds: float
    resident_bytes: int


def is_there() -> bool:
    """Whether this system has it."""
    return (PROC / "self/stat").exists()


def of_session(session: int) -> list[Used]:
    """Read the processes of a session, which is what each server is started in: it and its workers."""
    return [each for each in used() if each.session == session]


def resident_bytes(session: int) -> int:
    """Read what the processes of a session hold in memory together."""
    return sum(each.resident_bytes for each in of_session(session))


def used() -> Iterator[Used]:
    """Read every process that there is."""
    ticks_per_second, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    for folder in PROC.iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            # The name may hold spaces and parentheses; what follows the last one does not.
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile
        yield Used(
            process_id=int(folder.name),
            session=int(fields[_SESSION]),
            cpu_seconds=(int(fields[_USER_TICKS]) + int(fields[_SYSTEM_TICKS])) / ticks_per_second,
            resident_bytes=int(fields[_RESIDENT_PAGES]) * page,
        )

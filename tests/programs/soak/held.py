"""The memory, open files and threads of a server's processes, from ``/proc`` (Linux only)."""

from dataclasses import dataclass
from pathlib import Path

from tests.programs.bench import proc


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """What the processes of one server hold together."""

    resident_bytes: int
    open_files: int
    threads: int


def held(session: int) -> Held:
    """Look at every process of a session."""
    processes = proc.of_session(session)
    folders = [proc.PROC / str(each.process_id) for each in processes]
    return Held(
        resident_bytes=sum(each.resident_bytes for each in processes),
        open_files=sum(_entries(folder / "fd") for folder in folders),
        threads=sum(_entries(folder / "task") for folder in folders),
    )


def _entries(folder: Path) -> int:
    try:
        return sum(1 for _ in folder.iterdir())
    except (FileNotFoundError, ProcessLookupError):
        return 0  # it ended meanwhile

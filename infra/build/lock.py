"""The lock: the exact version and hashes of every distribution that the functions use. ``make lock`` writes it.

``requirements.txt`` lists the direct dependencies. ``requirements.lock`` lists all of them, for every platform and
Python version. A function gets its part of the lock, so two deployments of one commit install the same bytes. Standard
library only.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

_ENTRY = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^]]*\])?==(?P<version>[^\s;]+)")
_MAKE_IT = "run make lock"


class LockError(Exception):
    """The lock does not match the requirements. The message says what to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Locked:
    """One distribution: its lines for pip, and the distributions that require it."""

    name: str
    version: str
    lines: tuple[str, ...]
    asked_for_by: frozenset[str]


def locked(requirements: Collection[str], lock: Path) -> tuple[str, ...]:
    """The lock's lines for these lines of ``requirements.txt`` and for everything that they require.

    Raises:
        LockError: a requirement is not in the lock, or in another version.
    """
    entries = {entry.name: entry for entry in read_lock(lock)}
    wanted = set()
    for line in requirements:
        name, version = pin_of(line)
        if name not in entries or entries[name].version != version:
            message = f"{lock.name} does not have {line}: {_MAKE_IT}"
            raise LockError(message)
        wanted.add(name)
    while brought := {name for name, entry in entries.items() if entry.asked_for_by & wanted} - wanted:
        wanted |= brought
    return tuple(line for name, entry in entries.items() if name in wanted for line in entry.lines)


def read_lock(lock: Path) -> Iterator[Locked]:
    """Parse the lock, in its order.

    Raises:
        LockError: there is no lock.
    """
    if not lock.is_file():
        message = f"there is no {lock}: {_MAKE_IT}"
        raise LockError(message)
    for block in re.split(r"^(?=[A-Za-z0-9])", lock.read_text(), flags=re.MULTILINE)[1:]:
        lines = block.splitlines()
        name, version = pin_of(lines[0])
        notes = (line.strip().removeprefix("#").strip() for line in lines if line.strip().startswith("#"))
        asking = frozenset(_normal(note.removeprefix("via").strip()) for note in notes)
        kept = tuple(line for line in lines if line and not line.strip().startswith("#"))
        yield Locked(name=name, version=version, lines=kept, asked_for_by=asking)


def pin_of(line: str) -> tuple[str, str]:
    """The normalized name and the version of a line.

    Raises:
        LockError: the line pins no version.
    """
    pinned = _ENTRY.match(line)
    if pinned is None:
        message = f"pin it to one version: {line}"
        raise LockError(message)
    return _normal(pinned["name"]), pinned["version"]


def _normal(name: str) -> str:
    """Normalize a name. Source: PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()

"""Sharing: the processes of one user on one device that hold one seat together, and which of them is the last.

Each keeps a file of its own locked. The operating system lets go of the lock when the process ends, however it ends:
who crashed does not count, and no process id that was given away again is mistaken for anybody.
"""

import contextlib
import logging
import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

from filelock import FileLock, Timeout
from platformdirs import user_state_path

logger = logging.getLogger("seatlease")

GATE_WITHIN_SECONDS = 5.0
"""Who joins or leaves waits this long for another who is just joining or leaving."""


def state_folder() -> Path:
    """Say below which folder of this user's processes note what they share."""
    return user_state_path("seatlease", appauthor=False)


def seat_name(*, url: str, license_key: str, hardware_id: str, user: str) -> str:
    """Name what is shared: one name for all processes to which the service gives the same session; it tells nothing."""
    identity = "\0".join((url.rstrip("/"), license_key, hardware_id, user))
    return sha256(identity.encode(errors="surrogatepass")).hexdigest()[:32]


class Sharing:
    """One process's share in a seat. Its methods touch files: they block, briefly.

    Where the folder cannot be written there is no sharing, and everybody believes to be alone.
    """

    def __init__(self, name: str, *, folder: Path | None = None) -> None:
        """Share the seat of this name; ``folder`` is where the files go."""
        self._folder = (folder or state_folder()) / name
        self._mine: FileLock | None = None

    def join(self) -> None:
        """Count from now on, before the seat is acquired: whoever leaves meanwhile sees it, or has done so before."""
        if self._mine is not None:
            return
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            mine = FileLock(self._folder / f"{os.getpid()}-{uuid4().hex[:8]}.lock", thread_local=False)
            with self._gate(GATE_WITHIN_SECONDS):
                mine.acquire(timeout=0)
        except (OSError, Timeout, NotImplementedError) as error:
            logger.warning("seats are not shared between processes: %s", error)
            return
        self._mine = mine

    @contextlib.contextmanager
    def leaving(self, *, within_seconds: float = GATE_WITHIN_SECONDS) -> Iterator[bool]:
        """Stop counting; whether anybody still counts is what it gives: ``True`` for the last one.

        While the block runs nobody can join: what the last one gives back in it is not what a newcomer has acquired.
        """
        mine, self._mine = self._mine, None
        if mine is None:
            yield True
            return
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(self._gate(within_seconds))
                _remove(mine)
                is_last = not self._others()
            except (OSError, Timeout) as error:
                # Somebody may hold it. If nobody does, it falls free when the lease runs out.
                logger.warning("the seat is not given back, because it may be shared: %s", error)
                is_last = False
                _remove(mine)
            yield is_last

    def _gate(self, within_seconds: float) -> FileLock:
        return FileLock(self._folder / "gate", timeout=within_seconds, thread_local=False)

    def _others(self) -> bool:
        """Whether anybody else counts. Files of processes that ended without a word are tidied up."""
        for path in self._folder.glob("*.lock"):
            other = FileLock(path, thread_local=False)
            try:
                other.acquire(timeout=0)
            except Timeout:
                return True
            _remove(other)
        return False


def _remove(lock: FileLock) -> None:
    # Removed before it is let go: nobody can lock a file in between that is then gone. Windows removes no open file.
    if os.name != "nt":
        Path(lock.lock_file).unlink(missing_ok=True)
    lock.release(force=True)
    if os.name == "nt":
        with contextlib.suppress(OSError):
            Path(lock.lock_file).unlink(missing_ok=True)

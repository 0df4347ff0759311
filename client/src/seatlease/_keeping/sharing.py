"""Sharing: the processes of one user on one device hold one seat together. The last one gives it back.

Each process locks a file of its own. The operating system frees the lock when the process ends, however it ends. So a
crashed process does not count, and a reused process id is not mistaken for one.

To the service these processes are one instance. Its id stays in their folder, so a program that starts again after a
crash is the same instance. How long its user has done nothing is a matter of all of them: each notes its latest
activity beside its lock, by the clock that the processes of a machine have in common.
"""

import contextlib
import hmac
import logging
import math
import os
import secrets
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

from filelock import FileLock, Timeout
from platformdirs import user_state_path

from seatlease._service.device import own_id

logger = logging.getLogger("seatlease")

GATE_WITHIN_SECONDS = 5.0
"""How long a process that joins or leaves waits for another that does the same."""

_ID_LENGTH = 32


def state_folder() -> Path:
    """Give the folder of the lock files of this user's processes."""
    return user_state_path("seatlease", appauthor=False)


def seat_name(*, url: str, license_key: str, hardware_id: str, user: str) -> str:
    """Name what is shared: one name for all processes with the same session. The name is a hash."""
    identity = "\0".join((url.rstrip("/"), license_key, hardware_id, user))
    return sha256(identity.encode(errors="surrogatepass")).hexdigest()[:32]


class Sharing:
    """One process's share in a seat. Its methods use files, so they block briefly.

    If the folder cannot be written, nothing is shared, and each process is an instance of its own.
    """

    def __init__(self, name: str, *, folder: Path | None = None) -> None:
        self._folder = (folder or state_folder()) / name
        self._mine: FileLock | None = None
        self._noted: float | None = None
        self.instance_id = secrets.token_hex(_ID_LENGTH // 2)

    def join(self) -> None:
        """Count from now on. Call it before acquiring, so that a process that leaves meanwhile sees this one."""
        if self._mine is not None:
            return
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            mine = FileLock(self._folder / f"{os.getpid()}-{uuid4().hex[:8]}.lock", thread_local=False)
            with self._gate(GATE_WITHIN_SECONDS):
                shared_id = self._shared_id()
                mine.acquire(timeout=0)
        except (OSError, Timeout, NotImplementedError) as error:
            logger.warning("seats are not shared between processes: %s", error)
            return
        self._mine, self.instance_id = mine, shared_id

    def note(self, active_at: float) -> None:
        """Tell the other processes when this one's user was last active. A folder that went away is told nothing."""
        mine = self._mine
        if mine is None or active_at == self._noted:
            return
        try:
            draft = _draft_of(Path(mine.lock_file))
            draft.write_text(f"{self.instance_id} {active_at!r}", encoding="ascii")
            draft.replace(_note_of(Path(mine.lock_file)))  # so that no process reads half of it
        except OSError as error:
            logger.debug("other processes cannot be told of this one's activity: %s", error)
        else:
            self._noted = active_at

    def last_active_at(self, own: float) -> float | None:
        """When a user of these processes was last active; ``None`` if one of them says nothing of it.

        What says nothing may work without a user, such as a rendering, so it counts as active.
        """
        mine = self._mine
        if mine is None:
            return own
        self.note(own)
        try:
            with self._gate(GATE_WITHIN_SECONDS):
                noted = [self._noted_by(other) for other in self._living() if other != Path(mine.lock_file)]
        except (OSError, Timeout) as error:
            logger.debug("the activity of other processes is unknown: %s", error)
            return None
        return None if None in noted else max([own, *(at for at in noted if at is not None)])

    def _noted_by(self, lock: Path) -> float | None:
        try:
            instance_id, _, text = _note_of(lock).read_text(encoding="ascii").partition(" ")
            active_at = float(text)
        except (OSError, ValueError):
            return None
        # Of another machine on the same folder the clock differs. It is an instance of its own and reports itself.
        return active_at if instance_id == self.instance_id else -math.inf

    @contextlib.contextmanager
    def leaving(self, *, within_seconds: float = GATE_WITHIN_SECONDS) -> Iterator[bool]:
        """Stop counting, and give ``True`` if no other process counts.

        No process can join while the block runs. So the last one does not give back what a new one has acquired.
        """
        mine, self._mine = self._mine, None
        if mine is None:
            yield True
            return
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(self._gate(within_seconds))
                _remove(mine)
                is_last = next(self._living(), None) is None
            except (OSError, Timeout) as error:
                # Somebody may hold it. If nobody does, it falls free when the lease runs out.
                logger.warning("the seat is not given back, because another process may use it: %s", error)
                is_last = False
                _remove(mine)
            yield is_last

    def _shared_id(self) -> str:
        """The id of all processes that use this folder on this machine."""
        file = self._folder / "instance"
        random = file.read_bytes() if file.exists() else b""
        if len(random) != _ID_LENGTH:
            random = secrets.token_bytes(_ID_LENGTH)
            file.write_bytes(random)
        # A folder that was copied into an image, or that several machines share, does not make them one instance.
        return hmac.new(random, own_id().encode(), sha256).hexdigest()[:_ID_LENGTH]

    def _gate(self, within_seconds: float) -> FileLock:
        return FileLock(self._folder / "gate", timeout=within_seconds, thread_local=False)

    def _living(self) -> Iterator[Path]:
        """Give the locks of the processes that count. It removes the files of processes that have ended."""
        for path in self._folder.glob("*.lock"):
            other = FileLock(path, thread_local=False)
            try:
                other.acquire(timeout=0)
            except Timeout:
                yield path
            else:
                _remove(other)


def _note_of(lock: Path) -> Path:
    return lock.with_suffix(".active")


def _draft_of(lock: Path) -> Path:
    return lock.with_suffix(".draft")


def _remove(lock: FileLock) -> None:
    for note in (_note_of(Path(lock.lock_file)), _draft_of(Path(lock.lock_file))):
        with contextlib.suppress(OSError):
            note.unlink(missing_ok=True)
    # Removed before it is let go: nobody can lock a file in between that is then gone. Windows removes no open file.
    if os.name != "nt":
        Path(lock.lock_file).unlink(missing_ok=True)
    lock.release(force=True)
    if os.name == "nt":
        with contextlib.suppress(OSError):
            Path(lock.lock_file).unlink(missing_ok=True)

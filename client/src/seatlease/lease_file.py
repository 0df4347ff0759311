"""Lease file: the last lease token and the latest time seen, kept for a start without network."""

import json
from datetime import datetime, timezone
from pathlib import Path

from filelock import FileLock

from seatlease.errors import LeaseNotProven
from seatlease.lease_token import Keys, ProvenLease, verify
from seatlease.private_file import write_private

_WAIT_SECONDS = 10.0


class LeaseFile:
    """Keeps one license's lease for one user of the machine, so that a program can start offline.

    It notes the latest time of the machine's clock at each start, so that a clock that was set back in between shows
    (``ClockSetBack``). What it cannot prevent: that somebody edits the file, or puts back an older copy of it. They get
    at most what the service has signed: this lease, on this device, until the grace ends by the machine's clock.
    """

    def __init__(self, path: Path | str) -> None:
        """Keep it there. Nothing is read or written yet."""
        self._path = Path(path)

    def save(self, lease_token: str) -> None:
        """Keep what the service has just answered. Call it after each answer: it takes a few milliseconds of disk.

        The latest time seen is forgotten: from now on the token's own time is the latest that is known for sure, and a
        clock that was once far ahead is forgiven.

        Raises:
            OSError: it cannot be written, or another process kept it for 10 s.
        """
        with self._alone():
            self._write(lease_token, latest_at=None)

    def load(  # noqa: PLR0913 as verify
        self,
        keys: Keys,
        *,
        hardware_id: str,
        license_id: str | None = None,
        organization_id: str | None = None,
        issuer: str | None = None,
        now: datetime | None = None,
    ) -> ProvenLease:
        """Prove the lease that was kept, and note that it is this late now.

        Raises:
            LeaseNotProven: none was kept, or not one that proves anything now, or the time cannot be noted.
            ClockSetBack: the machine's clock shows an earlier time than the last time, or than the lease's start.
        """
        at = datetime.now(timezone.utc) if now is None else now
        try:
            with self._alone():
                lease_token, latest_at = self._read()
                lease = verify(
                    lease_token,
                    keys,
                    hardware_id=hardware_id,
                    license_id=license_id,
                    organization_id=organization_id,
                    issuer=issuer,
                    now=at,
                    not_before=latest_at,
                )
                self._write(lease_token, latest_at=at if latest_at is None else max(at, latest_at))
                return lease
        except OSError as error:
            message = f"The lease that was kept on this machine cannot be used ({type(error).__name__})."
            raise LeaseNotProven(message) from error

    def forget(self) -> None:
        """Remove it, as after giving the seat back. No harm when there is none.

        Raises:
            OSError: it cannot be removed.
        """
        with self._alone():
            self._path.unlink(missing_ok=True)

    def _alone(self) -> FileLock:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Made anew each time: one that was made before a fork is of no use after it.
        return FileLock(f"{self._path}.lock", timeout=_WAIT_SECONDS)

    def _read(self) -> tuple[str, datetime | None]:
        try:
            kept = json.loads(self._path.read_text(encoding="utf-8"))
            latest = kept["latest_at"]
            return str(kept["lease_token"]), None if latest is None else datetime.fromtimestamp(latest, timezone.utc)
        except FileNotFoundError:
            message = "No lease was kept on this machine. Please connect to the network."
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
            message = "The lease that was kept on this machine cannot be read. Please connect to the network."
        raise LeaseNotProven(message)

    def _write(self, lease_token: str, *, latest_at: datetime | None) -> None:
        kept = {"lease_token": lease_token, "latest_at": None if latest_at is None else latest_at.timestamp()}
        write_private(self._path, json.dumps(kept))

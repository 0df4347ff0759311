"""Lease file: the last lease token and the latest time seen, saved for a start without network."""

import json
from datetime import datetime, timezone
from pathlib import Path

from filelock import FileLock

from seatlease._service.lease_token import Keys, ProvenLease, verify
from seatlease._service.private_file import write_private
from seatlease.errors import LeaseNotProven

_WAIT_SECONDS = 10.0


class LeaseFile:
    """Keeps one license's lease for one user of the machine, so that a program can start offline.

    It notes the time of the machine's clock at each start, so it notices a clock that was set back since
    (``ClockSetBack``). A user can still edit the file or restore an older copy. That gives at most what the service has
    signed: this lease, on this device, until the grace ends by the machine's clock.
    """

    def __init__(self, path: Path | str) -> None:
        """Nothing is read or written yet."""
        self._path = Path(path)

    def save(self, lease_token: str) -> None:
        """Save the token of the service's latest answer. Call it after each answer: it takes some milliseconds.

        It forgets the latest time seen. From then on the token's own time counts, so a clock that was once far ahead
        does no harm.

        Raises:
            OSError: it cannot be written, or another process locked it for 10 s.
        """
        with self._alone():
            self._write(lease_token, latest_at=None)

    def load(  # noqa: PLR0913 as verify
        self,
        keys: Keys,
        *,
        hardware_id: str,
        license_key: str | None = None,
        license_id: str | None = None,
        organization_id: str | None = None,
        issuer: str | None = None,
        now: datetime | None = None,
    ) -> ProvenLease:
        """Prove the saved lease, and note the time.

        Without ``license_key``, the lease of another license of this user is proven too.

        Raises:
            LeaseNotProven: no lease is saved, or it proves nothing now, or the time cannot be noted.
            ClockSetBack: the machine's clock shows a time before the last start, or before the lease was granted.
        """
        at = datetime.now(timezone.utc) if now is None else now
        try:
            with self._alone():
                lease_token, latest_at = self._read()
                lease = verify(
                    lease_token,
                    keys,
                    hardware_id=hardware_id,
                    license_key=license_key,
                    license_id=license_id,
                    organization_id=organization_id,
                    issuer=issuer,
                    now=at,
                    not_before=latest_at,
                )
                self._write(lease_token, latest_at=at if latest_at is None else max(at, latest_at))
                return lease
        except OSError as error:
            message = f"The lease saved on this machine cannot be used ({type(error).__name__})."
            raise LeaseNotProven(message) from error

    def forget(self) -> None:
        """Remove the file, for example after giving the seat back. It may be missing.

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
            message = "No lease is saved on this machine. Please connect to the network."
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
            message = "The lease saved on this machine cannot be read. Please connect to the network."
        raise LeaseNotProven(message)

    def _write(self, lease_token: str, *, latest_at: datetime | None) -> None:
        kept = {"lease_token": lease_token, "latest_at": None if latest_at is None else latest_at.timestamp()}
        write_private(self._path, json.dumps(kept))

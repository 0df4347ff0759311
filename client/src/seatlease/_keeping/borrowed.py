"""Borrowed: a seat that this device took along, kept in files, so that programs start with it without a network.

The lease token and the latest time seen are in a ``LeaseFile``. A second file beside it has what the token does not
say: the instance that holds the seat, and the keys that prove the token if the program pins none. The token alone gives
the seat. Whoever gives the seat back removes the token first, and the second file when the service has agreed.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from seatlease._keeping.sharing import seat_name, state_folder
from seatlease._service import clock
from seatlease._service.address import base_of
from seatlease._service.keys import Keys
from seatlease._service.lease_file import LeaseFile
from seatlease._service.license_key import given_key
from seatlease._service.private_file import write_private
from seatlease.errors import LeaseNotProven
from seatlease.lease import Lease, Seats


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What is kept beside the token. Nobody has signed it, so nothing of it gives a seat. Times are in Unix seconds."""

    url: str
    license_key: str
    hardware_id: str
    session_id: str
    license_id: str
    instance_id: str
    borrowed_until: float
    heartbeat_seconds: float
    seats: tuple[int, int]
    jwks: Mapping[str, Any]

    @property
    def until(self) -> datetime:
        return datetime.fromtimestamp(self.borrowed_until, timezone.utc)


class BorrowedSeat:
    """The files of one license of one service, for one account of the machine. Its methods block briefly."""

    def __init__(self, *, url: str, license_key: str) -> None:
        """Nothing is read or written yet."""
        # Without the device, so that files of another one are found and named.
        name = seat_name(url=base_of(url), license_key=given_key(license_key), hardware_id="", user="")
        self._url, self._license_key = base_of(url), license_key
        self._beside = _folder() / f"{name}.seat.json"
        self._file = LeaseFile(_folder() / f"{name}.lease.json")

    def kept(self) -> Kept | None:
        """Give what is kept beside the token; ``None`` if nothing is, or nothing that can be read."""
        return _read(self._beside)

    def save(self, lease: Lease, *, hardware_id: str, instance_id: str, keys: Keys) -> None:
        """Keep a borrowed lease. The caller has proven its token with these keys.

        Raises:
            OSError: it cannot be written, or another process locked it for 10 s.
        """
        assert lease.lease_token is not None  # noqa: S101 it was proven; for the type checker
        assert lease.borrowed_until is not None  # noqa: S101 as above
        kept = Kept(
            url=self._url,
            license_key=self._license_key,
            hardware_id=hardware_id,
            session_id=lease.session_id,
            license_id=lease.license_id,
            instance_id=instance_id,
            borrowed_until=lease.borrowed_until.timestamp(),
            heartbeat_seconds=lease.heartbeat_interval.total_seconds(),
            seats=(lease.seats.in_use, lease.seats.max),
            jwks=keys.jwks,
        )
        self._file.save(lease.lease_token)
        write_private(self._beside, json.dumps(asdict(kept)))

    def lease(self, keys: Keys | None, *, hardware_id: str, user: str | None) -> Lease | None:
        """Prove the borrowed lease by the machine's clock, and note the time; ``None`` if nothing is kept.

        Without ``keys``, those that were kept prove it. ``user``: whose it must be, if that is known.

        Raises:
            LeaseNotProven: it is over, edited, of another device or user, or signed with a key that is not known.
            ClockSetBack: the clock shows a time before the last start, or before the lease was granted.
        """
        kept = self.kept()
        if kept is None:
            return None
        at, asked_at = clock.now(), clock.elapsed()
        if at >= kept.until:
            message = f"You had borrowed the seat until {_local(kept.until)}. Please connect to the network."
            raise LeaseNotProven(message)
        try:
            keys = keys or Keys.pinned(kept.jwks)
        except ValueError:
            message = "The borrowed seat on this machine cannot be read. Please connect to the network."
            raise LeaseNotProven(message) from None
        proven = self._file.load(keys, hardware_id=hardware_id, license_key=self._license_key, now=at)
        if user is not None and proven.user_id != user:
            message = "The borrowed seat on this machine is another user's. Please connect to the network."
            raise LeaseNotProven(message)
        until = min(kept.until, proven.lease_expires_at)
        if not proven.is_borrowed or at >= until:
            message = "The lease kept on this machine is not borrowed any more. Please connect to the network."
            raise LeaseNotProven(message)
        return Lease(
            session_id=proven.session_id,
            license_id=proven.license_id,
            lease_expires_at=until,
            grace_ends_at=until,
            heartbeat_interval=timedelta(seconds=kept.heartbeat_seconds),
            server_time=at,
            lease_token=None,
            seats=Seats(in_use=kept.seats[0], max=kept.seats[1]),
            asked_at=asked_at,
            features=proven.features,
            license_expires_at=proven.license_expires_at,
            borrowed_until=until,
        )

    def forget_token(self) -> None:
        """Remove what gives the seat. What is needed to give it back stays.

        Raises:
            OSError: it cannot be removed.
        """
        self._file.forget()

    def forget(self) -> None:
        """Remove all of it.

        Raises:
            OSError: it cannot be removed.
        """
        self._file.forget()
        self._beside.unlink(missing_ok=True)


def all_kept() -> Iterator[Kept]:
    """Give every seat that this account of the machine has borrowed, also those whose time is over."""
    for path in sorted(_folder().glob("*.seat.json")):
        if (kept := _read(path)) is not None:
            yield kept


def _folder() -> Path:
    return state_folder() / "borrowed"


def _read(path: Path) -> Kept | None:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        in_use, most = told["seats"]
        names = ("url", "license_key", "hardware_id", "session_id", "license_id", "instance_id")
        kept = Kept(
            **{name: str(told[name]) for name in names},
            borrowed_until=float(told["borrowed_until"]),
            heartbeat_seconds=min(max(1.0, float(told["heartbeat_seconds"])), 86_400.0),
            seats=(int(in_use), int(most)),
            jwks=dict(told["jwks"]),
        )
        kept.until  # noqa: B018 a time that there is none of is no time
    except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None
    return kept


def _local(time: datetime) -> str:
    return f"{time.astimezone():%Y-%m-%d %H:%M:%S}"

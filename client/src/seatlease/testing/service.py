from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx

from seatlease._service.keys import Keys
from seatlease.lease import Feature
from seatlease.seat import AsyncSeat, Seat
from seatlease.testing.ledger import Ledger, Refusal, Terms
from seatlease.testing.signing import Signer, fake_id_token
from seatlease.testing.transport import FakeTransport


class FakeService:
    """A service with one license, in memory. ``keys`` prove its lease tokens. ``transport`` carries requests to it."""

    def __init__(  # noqa: PLR0913 each is named at the call, and all have defaults
        self,
        *,
        seats: int = 1,
        license_key: str = "FAKE-LICENSE",
        lease: timedelta = timedelta(minutes=6),
        grace: timedelta = timedelta(),
        max_instances_per_seat: int | None = None,
        features: Mapping[str, Feature] | None = None,
        starts_at: datetime | None = None,
        expires_at: datetime | None = None,
        max_devices_per_user: int | None = None,
        idle: timedelta | None = None,
        max_borrow: timedelta = timedelta(),
        max_borrowed_seats: int | None = None,
    ) -> None:
        """Make a license with this many seats. A lease is a whole number of seconds, at least 3, as in the service.

        As there, a session has its ``grace`` when it has lasted one lease. A user who does nothing for ``idle`` loses
        the seat, if the program says it. A user may borrow a seat for ``max_borrow``. Times are aware.
        """
        # One of its own: the processes of a device share a seat of one address, and tests run at the same time.
        self.url = f"https://{uuid4().hex}.seatlease.invalid"
        self.license_key = license_key
        terms = Terms(
            features=features or {},
            starts_at=starts_at,
            expires_at=expires_at,
            max_devices_per_user=max_devices_per_user,
            idle=idle,
            max_borrow=max_borrow,
            max_borrowed_seats=max_borrowed_seats,
        )
        self._ledger = Ledger(
            license_key=license_key,
            seats=seats,
            lease=lease,
            grace=grace,
            max_instances=max_instances_per_seat,
            terms=terms,
        )
        signer = Signer()
        self.keys = Keys.pinned(signer.jwks)
        self.transport: httpx.AsyncBaseTransport = FakeTransport(self._ledger, signer)

    def seat(self, *, user: str = "user-1", hardware_id: str = "device-1", **options: Any) -> Seat:  # noqa: ANN401 Seat's own
        """Make a seat of this service. ``options`` are those of ``Seat``."""
        return Seat(**{**self._described(user, hardware_id), **options})

    def async_seat(self, *, user: str = "user-1", hardware_id: str = "device-1", **options: Any) -> AsyncSeat:  # noqa: ANN401 as above
        """Make an asyncio seat of this service. ``options`` are those of ``AsyncSeat``."""
        return AsyncSeat(**{**self._described(user, hardware_id), **options})

    @property
    def in_use(self) -> int:
        """Seats in use now."""
        return self._ledger.in_use

    @property
    def requests(self) -> list[tuple[str, int]]:
        """The requests so far, oldest first: the function's name, and the status it answered."""
        return list(self._ledger.requests)

    def occupy(self, seats: int = 1) -> None:
        """Let other users take this many seats, for the length of a lease."""
        self._ledger.occupy(seats)

    def vacate(self) -> None:
        """Let the other users give back all their seats."""
        self._ledger.vacate()

    def revoke(self, *, keep_out_for: timedelta | None = None) -> None:
        """End every session, as an admin does. With ``keep_out_for``, their users get no seat for this long."""
        if keep_out_for is not None:
            self._ledger.keep_out(keep_out_for)
        self._ledger.end_all("revoked_by_admin")

    def release_all(self) -> None:
        """Give every seat back, as an old program of the same user and device would, which names no instance."""
        self._ledger.end_all("released")

    def release_elsewhere(self) -> None:
        """Give every seat back, as its user does from another machine."""
        self._ledger.end_all("released_elsewhere")

    def advance(self, by: timedelta) -> None:
        """Move the service's clock, so that leases run out."""
        self._ledger.advance(by)

    def set_seats(self, seats: int) -> None:
        """Change the license's cap."""
        self._ledger.seats = seats

    def set_max_instances(self, most: int | None) -> None:
        """Change how many instances may work on one seat."""
        self._ledger.max_instances = most

    def edit(self, **terms: Any) -> None:  # noqa: ANN401 of each its own type
        """Change what the license allows: the arguments of this class from ``features`` on, by their names."""
        self._ledger.terms = replace(self._ledger.terms, **terms)

    @contextmanager
    def offline(self) -> Iterator[None]:
        """Answer nothing within the block."""
        self._ledger.is_reachable = False
        try:
            yield
        finally:
            self._ledger.is_reachable = True

    @contextmanager
    def refusing(self, code: str, *, status: int = 403, details: dict[str, object] | None = None) -> Iterator[None]:
        """Refuse acquires and heartbeats within the block, for example with ``LICENSE_EXPIRED``."""
        self._ledger.refusal = Refusal(code=code, status=status, details=details or {})
        try:
            yield
        finally:
            self._ledger.refusal = None

    def _described(self, user: str, hardware_id: str) -> dict[str, Any]:
        return {
            "url": self.url,
            "license_key": self.license_key,
            "credentials": fake_id_token(user),
            "hardware_id": hardware_id,
            "transport": self.transport,
        }

"""What answers a client: the real stack, or the fake that programs test with. What is true in one is in both."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import httpx
from google.cloud import firestore

import seatlease
from infra.local.tokens import unsigned_token
from seatlease.testing import FakeService
from tests.support.tcp_proxy import TcpProxy
from tests.support.tenant import Tenant


class Backend(Protocol):
    """What a test arranges."""

    @property
    def hardware_id(self) -> str: ...

    @property
    def license_key(self) -> str: ...

    @property
    def keys(self) -> seatlease.Keys: ...

    def seat(self, user: str = "m0", **options: Any) -> seatlease.Seat: ...  # noqa: ANN401 the seat's own

    def async_seat(self, user: str = "m0", **options: Any) -> seatlease.AsyncSeat: ...  # noqa: ANN401 as above

    @property
    def in_use(self) -> int: ...

    def lapse(self) -> None: ...

    def pass_time(self, by: timedelta) -> None: ...

    def revoke(self) -> None: ...

    def keep_out(self, seat: seatlease.Seat, duration: timedelta) -> None: ...

    def release_all(self) -> None: ...

    def release_elsewhere(self, seat: seatlease.Seat) -> None: ...

    def limit_instances(self, most: int) -> None: ...

    def edit(self, **terms: Any) -> None: ...  # noqa: ANN401 a license's fields

    def refuse(self, code: str) -> None: ...

    def offline(self) -> Any: ...  # noqa: ANN401 a context


@dataclass(frozen=True, kw_only=True)
class RealBackend:
    """An organization of the test's own on the running functions, behind a way that can be cut."""

    tenant: Tenant
    project: str
    proxy: TcpProxy
    hardware_id: str = "laptop"

    @property
    def license_key(self) -> str:
        return self.tenant.license_key

    @property
    def keys(self) -> seatlease.Keys:
        return seatlease.Keys.fetch(self.proxy.url)

    def described(self, user: str) -> dict[str, Any]:
        token = unsigned_token(project=self.project, organization_id=self.tenant.organization_id, user_id=user)
        return {
            "url": self.proxy.url,
            "license_key": self.tenant.license_key,
            "credentials": token,
            "hardware_id": self.hardware_id,
        }

    def seat(self, user: str = "m0", **options: Any) -> seatlease.Seat:  # noqa: ANN401 the seat's own
        return seatlease.Seat(**{**self.described(user), **options})

    def async_seat(self, user: str = "m0", **options: Any) -> seatlease.AsyncSeat:  # noqa: ANN401 as above
        return seatlease.AsyncSeat(**{**self.described(user), **options})

    @property
    def in_use(self) -> int:
        now = datetime.now(UTC)
        return sum(session["lease_expires_at"] > now for session in self.tenant.open_sessions())

    def lapse(self) -> None:
        for session in self.tenant.organization.collection("sessions").stream():
            self.tenant.let_lapse(session.id)

    def pass_time(self, by: timedelta) -> None:
        """Age every session by this."""
        for session in self.tenant.organization.collection("sessions").stream():
            times = ("started_at", "last_heartbeat_at", "lease_expires_at", "borrowed_until")
            session.reference.update({name: at - by for name in times if (at := session.get(name)) is not None})

    def revoke(self) -> None:
        self._end_all(None)

    def release_all(self) -> None:
        self._end_all("released")

    def keep_out(self, seat: seatlease.Seat, duration: timedelta) -> None:
        """End the session as the owner, and keep its user out."""
        self._release(seat, user="olivia", until=(datetime.now(UTC) + duration).isoformat())

    def release_elsewhere(self, seat: seatlease.Seat) -> None:
        self._release(seat, user="m0")

    def _release(self, seat: seatlease.Seat, *, user: str, **more: str) -> None:
        assert seat.lease is not None
        headers = {"Authorization": f"Bearer {self.described(user)['credentials']}"}
        body = {"session_id": seat.lease.session_id, **more}
        answer = httpx.post(f"{self.proxy.url}/v1/release", json=body, headers=headers, timeout=30)
        assert answer.status_code == 204, answer.text

    def limit_instances(self, most: int) -> None:
        self.tenant.license().update({"max_instances_per_seat": most})

    def edit(self, **terms: Any) -> None:  # noqa: ANN401 a license's fields
        self.tenant.license().update(terms)

    def refuse(self, code: str) -> None:
        edits: dict[str, tuple[firestore.DocumentReference, dict[str, Any]]] = {
            "LICENSE_EXPIRED": (self.tenant.license(), {"expires_at": datetime(2020, 1, 1, tzinfo=UTC)}),
            "LICENSE_NOT_ALLOWED": (self.tenant.license(), {"allowed_groups": ["others"]}),
            "LICENSE_INACTIVE": (self.tenant.license(), {"is_active": False}),
            "LICENSE_MISCONFIGURED": (self.tenant.license(), {"max_concurrent_seats": "many"}),
            "USER_INACTIVE": (self.tenant.user("m0"), {"is_active": False}),
        }
        document, changes = edits[code]
        document.update(changes)

    @contextmanager
    def offline(self) -> Iterator[None]:
        with self.proxy.being_cut():
            yield

    def _end_all(self, reason: str | None) -> None:
        for session in self.tenant.organization.collection("sessions").stream():
            session.reference.update({"ended_at": datetime.now(UTC), "end_reason": reason})


@dataclass(kw_only=True)
class FakeBackend:
    """The fake."""

    service: FakeService
    lease: timedelta
    hardware_id: str = "device-1"
    _refusing: list[Any] = field(default_factory=list)

    @property
    def license_key(self) -> str:
        return self.service.license_key

    @property
    def keys(self) -> seatlease.Keys:
        return self.service.keys

    def seat(self, user: str = "m0", **options: Any) -> seatlease.Seat:  # noqa: ANN401 the seat's own
        return self.service.seat(user=user, **options)

    def async_seat(self, user: str = "m0", **options: Any) -> seatlease.AsyncSeat:  # noqa: ANN401 as above
        return self.service.async_seat(user=user, **options)

    @property
    def in_use(self) -> int:
        return self.service.in_use

    def lapse(self) -> None:
        self.service.advance(self.lease + timedelta(seconds=1))

    def pass_time(self, by: timedelta) -> None:
        self.service.advance(by)

    def revoke(self) -> None:
        self.service.revoke()

    def keep_out(self, seat: seatlease.Seat, duration: timedelta) -> None:
        assert seat.lease is not None
        self.service.revoke(keep_out_for=duration)

    def release_all(self) -> None:
        self.service.release_all()

    def release_elsewhere(self, seat: seatlease.Seat) -> None:
        assert seat.lease is not None
        self.service.release_elsewhere()

    def limit_instances(self, most: int) -> None:
        self.service.set_max_instances(most)

    def edit(self, **terms: Any) -> None:  # noqa: ANN401 a license's fields
        idle_seconds = terms.pop("idle_seconds", None)
        idle = {} if idle_seconds is None else {"idle": timedelta(seconds=idle_seconds)}
        borrow_seconds = terms.pop("max_borrow_seconds", None)
        borrow = {} if borrow_seconds is None else {"max_borrow": timedelta(seconds=borrow_seconds)}
        self.service.edit(**terms, **idle, **borrow)

    def refuse(self, code: str) -> None:
        self._refusing.append(refusing := self.service.refusing(code))
        refusing.__enter__()

    def offline(self) -> Any:  # noqa: ANN401 a context
        return self.service.offline()

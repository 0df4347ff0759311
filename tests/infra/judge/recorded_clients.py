"""Clients of the store's own code, one request after the other, and what they were told."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from infra.judge.history import Acknowledged, Operation
from shared.documents.policy import Policy
from shared.documents.rfc3339 import rfc3339
from shared.documents.writing import Retention
from shared.edge.errors import Code
from shared.edge.usage_answer import answer_usage
from shared.firestore.client import Firestore
from shared.rules.acquire import Borrowed, CapReached, Device, DeviceLimitReached, Granted, Renewed, SeatLimitReached
from shared.rules.borrowing import BorrowedSeatsLimitReached
from shared.rules.heartbeat import Extended, StillFresh, Stopped
from shared.rules.refusal import KeptOut
from shared.rules.release import Released
from shared.rules.session import Session, is_borrowed, session_id_of
from shared.seats.acquire import AcquireRequest, Acquires
from shared.seats.heartbeat import HeartbeatRequest, Heartbeats
from shared.seats.release import ReleaseRequest, Releases
from shared.seats.usage import UsageRequest, Usages
from tests.support.tenant import LICENSE_ID, Tenant

SECOND = "license-2"


@dataclass(eq=False, kw_only=True)
class Telling:
    """Clients who do one thing after the other, and note what they were told."""

    tenant: Tenant
    store: Firestore
    requests: list[Acknowledged] = field(default_factory=list)

    async def acquire(
        self,
        user_id: str,
        license_id: str = LICENSE_ID,
        *,
        lease: timedelta | None = None,
        instance_id: str | None = None,
        hardware_id: str = "d",
        borrow_for: timedelta | None = None,
    ) -> None:
        """Ask for a seat. With a lease of next to nothing it has run out when anybody looks."""
        acquires = Acquires(self.store, policy(lease or timedelta(minutes=6)))
        device = Device(hardware_id=hardware_id, ip_address=None, user_agent=None, instance_id=instance_id)
        until = None if borrow_for is None else datetime.now(UTC) + borrow_for
        asked = AcquireRequest(user_id=user_id, license_key=self._key(license_id), device=device, borrow_until=until)

        async def ask() -> tuple[int, Mapping[str, Any]]:
            answered = await acquires.acquire(self.tenant.organization_id, asked)
            outcome = answered.outcome
            if isinstance(outcome, CapReached):
                of_others = outcome.reserved_for_others if isinstance(outcome, SeatLimitReached) else 0
                details = {"in_use": outcome.in_use, "max": outcome.max_seats, "reserved_for_others": of_others}
                return 409, {"error": {"details": details}, "server_time": rfc3339(answered.now)}
            if isinstance(outcome, DeviceLimitReached):
                return 409, _refused(outcome, answered.now)
            if isinstance(outcome, BorrowedSeatsLimitReached):
                return 409, {"error": {"code": Code.BORROWED_SEATS_LIMIT_REACHED}, "server_time": rfc3339(answered.now)}
            if isinstance(outcome, KeptOut):
                return 403, {"error": {"code": Code.KEPT_OUT}, "server_time": rfc3339(answered.now)}
            assert isinstance(outcome, Granted | Renewed | Borrowed)
            seats = {"in_use": outcome.in_use, "max": outcome.license.max_concurrent_seats}
            held = {"license_id": outcome.license.license_id, "seats": seats}
            status = 201 if isinstance(outcome, Granted) else 200
            return status, {**_lease(outcome.session, answered.now), **held}

        await self._note(Operation.ACQUIRE, user_id, ask, instance_id=instance_id, hardware_id=hardware_id)

    async def idle(self, user_id: str) -> None:
        """Say that the user has done nothing for an hour."""
        session_id = self.session_id(user_id)

        async def ask() -> tuple[int, Mapping[str, Any]]:
            beats = Heartbeats(self.store, policy(timedelta(minutes=6)))
            asked = HeartbeatRequest(user_id=user_id, session_id=session_id, idle_for=timedelta(hours=1))
            assert isinstance((await beats.heartbeat(self.tenant.organization_id, asked)).outcome, Stopped)
            return 410, {"error": {"code": Code.SESSION_IDLE, "details": {}}}

        await self._note(Operation.HEARTBEAT, user_id, ask, session_id=session_id, idle_seconds=3_600)

    async def heartbeat(self, user_id: str) -> None:
        """Keep a seat of the first license."""
        session_id = self.session_id(user_id)

        async def ask() -> tuple[int, Mapping[str, Any]]:
            beats = Heartbeats(self.store, policy(timedelta(minutes=6)))
            asked = HeartbeatRequest(user_id=user_id, session_id=session_id)
            answered = await beats.heartbeat(self.tenant.organization_id, asked)
            assert isinstance(answered.outcome, Extended | StillFresh)
            return 200, _lease(answered.outcome.session, answered.now)

        await self._note(Operation.HEARTBEAT, user_id, ask, session_id=session_id)

    async def release(self, user_id: str, license_id: str = LICENSE_ID, *, instance_id: str | None = None) -> None:
        """Give a seat back."""
        session_id = self.session_id(user_id, license_id)

        async def ask() -> tuple[int, Mapping[str, Any]]:
            releases = Releases(self.store, policy(timedelta(minutes=6)))
            asked = ReleaseRequest(user_id=user_id, session_id=session_id, instance_id=instance_id)
            await releases.release(self.tenant.organization_id, asked)
            return 204, {}

        await self._note(Operation.RELEASE, user_id, ask, session_id=session_id, instance_id=instance_id)

    async def keep_out(self, user_id: str, *, lasts: timedelta) -> None:
        """Take a seat of the first license from its user, as the owner, and keep the user out for so long."""
        session_id = self.session_id(user_id)

        async def ask() -> tuple[int, Mapping[str, Any]]:
            releases = Releases(self.store, policy(timedelta(minutes=6)))
            until = datetime.now(UTC) + lasts
            asked = ReleaseRequest(user_id="olivia", session_id=session_id, until=until)
            assert isinstance((await releases.release(self.tenant.organization_id, asked)).outcome, Released)
            return 204, {}

        await self._note(Operation.RELEASE, "olivia", ask, session_id=session_id)

    async def usage(self, user_id: str) -> None:
        """Look how many seats are in use."""

        async def ask() -> tuple[int, Mapping[str, Any]]:
            usages = Usages(self.store, policy(timedelta(minutes=6)))
            asked = UsageRequest(user_id=user_id, license_key=None, page_size=100, after=None)
            answer = answer_usage(await usages.usage(self.tenant.organization_id, asked))
            return answer.status_code, json.loads(bytes(answer.body))

        await self._note(Operation.USAGE, user_id, ask)

    def session_id(self, user_id: str, license_id: str = LICENSE_ID) -> str:
        """Name the session of a user."""
        return session_id_of(license_id=license_id, user_id=user_id, hardware_id="d")

    def _key(self, license_id: str) -> str:
        return self.tenant.license_key if license_id == LICENSE_ID else f"{self.tenant.license_key}-2"

    async def _note(
        self,
        operation: Operation,
        user_id: str,
        ask: Callable[[], Awaitable[tuple[int, Mapping[str, Any]]]],
        *,
        session_id: str | None = None,
        instance_id: str | None = None,
        hardware_id: str = "d",
        idle_seconds: int | None = None,
    ) -> None:
        sent_at = datetime.now(UTC)
        status, body = await ask()
        self.requests.append(
            Acknowledged(
                operation=operation,
                user_id=user_id,
                status=status,
                sent_at=sent_at,
                answered_at=datetime.now(UTC),
                body=body,
                hardware_id=hardware_id,
                session_id=session_id or body.get("session_id"),
                instance_id=instance_id,
                idle_seconds=idle_seconds,
            )
        )


def policy(lease: timedelta) -> Policy:
    """Behave as deployed, but for the lease."""
    return Policy(
        default_lease_for=lease,
        default_grace_for=timedelta(0),
        answer_within=timedelta(seconds=8),
        retention=Retention(sessions_for=timedelta(days=30), audit_events_for=timedelta(days=400)),
    )


def _refused(outcome: DeviceLimitReached, now: datetime) -> dict[str, Any]:
    sessions = [{"session_id": each.session_id, "started_at": rfc3339(each.started_at)} for each in outcome.own]
    details = {"sessions": sessions, "max": outcome.max_devices}
    return {"error": {"code": Code.USER_DEVICE_LIMIT_REACHED, "details": details}, "server_time": rfc3339(now)}


def _lease(session: Session, now: datetime) -> dict[str, Any]:
    return {
        "session_id": session.session_id,
        "lease_expires_at": rfc3339(session.lease_expires_at),
        "borrowed_until": rfc3339(session.borrowed_until)
        if session.borrowed_until is not None and is_borrowed(session, now=now)
        else None,
        "server_time": rfc3339(now),
    }

"""Answers: what a client gets back, in JSON. Times are RFC 3339 in UTC."""

import random
from datetime import datetime

from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from shared.edge.catalogue import ApiError
from shared.rules.license import HEARTBEATS_PER_LEASE
from shared.store.rfc3339 import Time


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class Seats(_Answer):
    """Seats of one license: in use, and the cap."""

    in_use: int
    max: int


class AcquireAnswer(_Answer):
    """The caller holds a seat until ``lease_expires_at``.

    A program that cannot reach the service may work on until ``grace_ends_at``, and ``lease_token`` proves it.
    """

    session_id: str
    license_id: str
    lease_expires_at: Time
    grace_ends_at: Time
    lease_token: str
    heartbeat_interval_seconds: int
    seats: Seats
    renewed: bool
    server_time: Time


class HeartbeatAnswer(_Answer):
    """The seat is kept until ``lease_expires_at``; the rest as in the answer of acquire."""

    session_id: str
    lease_expires_at: Time
    grace_ends_at: Time
    lease_token: str
    heartbeat_interval_seconds: int
    server_time: Time


class SessionView(_Answer):
    """One live session, as those who manage seats see it."""

    session_id: str
    user_id: str
    user_email: str | None
    hardware_id: str
    ip_address: str | None
    user_agent: str | None
    started_at: Time
    last_heartbeat_at: Time
    lease_expires_at: Time


class ActivityView(_Answer):
    """The last 24 hours of a license: the most seats in use at a time, and who was refused for want of a seat."""

    peak_in_use: int
    denied_users: int
    denied_attempts: int


class LicenseView(_Answer):
    """One license. ``share`` is ``in_use`` of ``max``; ``misconfigured_fields`` names what an admin has to mend.

    ``last_24_hours`` is for owners and admins, and on the first page only.
    """

    license_id: str
    name: str | None
    in_use: int
    max: int | None
    share: float | None
    earliest_expiry_at: Time | None
    misconfigured_fields: list[str]
    last_24_hours: ActivityView | None
    sessions: list[SessionView]


class OrganizationView(_Answer):
    """The organization. ``max`` of null means that only the licenses' own caps count."""

    organization_id: str
    name: str
    in_use: int
    max: int | None


class UsageAnswer(_Answer):
    """Who holds which seat. Totals are complete on every page; ``next_page_token`` of null: this is the last one."""

    organization: OrganizationView
    licenses: list[LicenseView]
    next_page_token: str | None
    server_time: Time


class ExpiryAnswer(_Answer):
    """What a run of expire did. ``is_complete`` of false: its time was up, and the next one goes on."""

    sessions_ended: int
    sessions_left: int
    organizations: int
    organizations_failed: int
    is_complete: bool
    server_time: Time


class ReconcileAnswer(_Answer):
    """What a run of reconcile did. ``organizations`` were looked at; ``is_complete`` as above.

    An organization that failed in both halves of the run, events and seats, counts twice in ``organizations_failed``.
    """

    events_published: int
    events_left: int
    sessions_ended: int
    ends_reported: int
    counters_repaired: int
    organizations: int
    organizations_failed: int
    is_complete: bool
    server_time: Time


class ErrorView(_Answer):
    """What went wrong. ``retryable`` says whether the same request may succeed later."""

    code: str
    message: str
    retryable: bool
    request_id: str
    details: dict[str, object]


class ErrorAnswer(_Answer):
    """The one form of every error."""

    error: ErrorView
    server_time: Time


def answer(body: BaseModel, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Send a body as JSON. No cache may keep it."""
    return Response(
        body.model_dump_json(),
        status_code=status,
        media_type="application/json",
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


def nothing() -> Response:
    """Say that it is done, with nothing to add."""
    return Response(status_code=204, headers={"Cache-Control": "no-store"})


def error_answer(error: ApiError, *, request_id: str, now: datetime) -> Response:
    """Send an error in the one form that all of them have."""
    view = ErrorView(
        code=error.code.value,
        message=error.message,
        retryable=error.code.retryable,
        request_id=request_id,
        details=error.details,
    )
    return answer(ErrorAnswer(error=view, server_time=now), status=error.code.status, headers=error.headers)


def heartbeat_interval_seconds(lease_expires_at: datetime, *, now: datetime) -> int:
    """Tell a client when to come back: after a third of its lease or up to a tenth sooner, so that clients spread out.

    Never later: when two heartbeats in a row are lost, the third still falls within the lease.
    """
    longest = (lease_expires_at - now).total_seconds() / HEARTBEATS_PER_LEASE
    return max(1, int(longest * random.uniform(0.9, 1.0)))  # noqa: S311 spreading load, no secret

"""The answers of acquire and heartbeat, with a signed lease. The type checker proves that every outcome has one."""

import random
from datetime import datetime, timedelta

from starlette.responses import Response

from shared.documents.rfc3339 import Time
from shared.edge.answers import Answer, answer
from shared.edge.lease_tokens import LeaseTokens
from shared.edge.refusals import refused
from shared.firestore.group_commit import Answered
from shared.rules.acquire import AcquireOutcome, Borrowed, Granted, Queued, Renewed
from shared.rules.audit import whole_seconds
from shared.rules.heartbeat import Extended, HeartbeatOutcome, StillFresh, Stopped
from shared.rules.license import HEARTBEATS_PER_LEASE, Feature
from shared.rules.line import Turn
from shared.rules.session import grace_ends_at, is_borrowed


class Seats(Answer):
    """The seats of one license: in use, and the cap."""

    in_use: int
    max: int


class AcquireAnswer(Answer):
    """The caller holds a seat until ``lease_expires_at``.

    A program that cannot reach the service may work on until ``grace_ends_at``. ``lease_token`` proves that.
    ``features`` are what the vendor sold. ``license_expires_at`` is the end of the contract; null: no end. An overdraft
    seat is one above the license's own number. ``waited_seconds`` is for a new seat of a user who had a place in the
    line.
    """

    session_id: str
    license_id: str
    lease_expires_at: Time
    grace_ends_at: Time
    lease_token: str
    heartbeat_interval_seconds: int
    seats: Seats
    is_overdraft: bool
    borrowed_until: Time | None
    features: dict[str, Feature]
    license_expires_at: Time | None
    renewed: bool
    waited_seconds: int | None
    server_time: Time


class WaitingView(Answer):
    """The place in the line: the how many-th of how many, and when the program asks again."""

    position: int
    of: int
    since: Time
    ask_again_in_seconds: int
    wait_until: Time


class WaitingAnswer(Answer):
    """There is no seat for the caller, who waits in the line.

    The program sends the same request again after ``ask_again_in_seconds``. A release of the id leaves the line.
    """

    session_id: str
    license_id: str
    waiting: WaitingView
    server_time: Time


def answer_acquire(
    answered: Answered[AcquireOutcome], *, organization_id: str, tokens: LeaseTokens, nonce: str | None
) -> Response:
    """Answer 201 for a new seat, 200 for a seat that the device already holds, 202 for a place in the line.

    Any other outcome is raised as an error.
    """
    outcome, now = answered.outcome, answered.now
    waited_for: timedelta | None = None
    match outcome:
        case Granted(session=session, license=license_, in_use=in_use, waited_for=waited_for):
            renewed = False
        case (
            Renewed(session=session, license=license_, in_use=in_use)
            | Borrowed(session=session, license=license_, in_use=in_use)
        ):
            renewed = True
        case Queued(turn=turn):
            return answer(_waiting(turn, now=now), status=202)
        case _:
            raise refused(outcome, now=now)
    body = AcquireAnswer(
        session_id=session.session_id,
        license_id=license_.license_id,
        lease_expires_at=session.lease_expires_at,
        grace_ends_at=grace_ends_at(session, license_, now=now),
        lease_token=tokens.sign(session, license_, organization_id=organization_id, now=now, nonce=nonce),
        heartbeat_interval_seconds=heartbeat_interval_seconds(session.lease_expires_at, now=now),
        seats=Seats(in_use=in_use, max=license_.max_concurrent_seats),
        is_overdraft=session.is_overdraft,
        borrowed_until=session.borrowed_until if is_borrowed(session, now=now) else None,
        features=dict(license_.features),
        license_expires_at=license_.expires_at,
        renewed=renewed,
        waited_seconds=None if waited_for is None else whole_seconds(waited_for),
        server_time=now,
    )
    return answer(body, status=200 if renewed else 201)


def _waiting(turn: Turn, *, now: datetime) -> WaitingAnswer:
    place = turn.place
    waiting = WaitingView(
        position=turn.position,
        of=turn.of,
        since=place.since,
        ask_again_in_seconds=_up_to_a_fifth_sooner(turn.ask_again_for),
        wait_until=place.wait_until,
    )
    return WaitingAnswer(session_id=place.session_id, license_id=place.license_id, waiting=waiting, server_time=now)


def _up_to_a_fifth_sooner(interval: timedelta) -> int:
    """Spread those who ask. Never later than the rule says, which counts on it."""
    return max(1, round(interval.total_seconds() * random.uniform(0.8, 1.0)))  # noqa: S311 spreading load, no secret


class HeartbeatAnswer(Answer):
    """The seat is kept until ``lease_expires_at``. The other fields mean the same as in the answer of acquire."""

    session_id: str
    lease_expires_at: Time
    grace_ends_at: Time
    lease_token: str
    heartbeat_interval_seconds: int
    borrowed_until: Time | None
    features: dict[str, Feature]
    license_expires_at: Time | None
    server_time: Time


def answer_heartbeat(
    answered: Answered[HeartbeatOutcome], *, organization_id: str, tokens: LeaseTokens, nonce: str | None
) -> Response:
    outcome, now = answered.outcome, answered.now
    match outcome:
        case Extended(session=session, license=license_) | StillFresh(session=session, license=license_):
            body = HeartbeatAnswer(
                session_id=session.session_id,
                lease_expires_at=session.lease_expires_at,
                grace_ends_at=grace_ends_at(session, license_, now=now),
                lease_token=tokens.sign(session, license_, organization_id=organization_id, now=now, nonce=nonce),
                heartbeat_interval_seconds=heartbeat_interval_seconds(session.lease_expires_at, now=now),
                borrowed_until=session.borrowed_until if is_borrowed(session, now=now) else None,
                features=dict(license_.features),
                license_expires_at=license_.expires_at,
                server_time=now,
            )
            return answer(body)
        case Stopped(because=because):
            raise refused(because, now=now)
        case _:
            raise refused(outcome, now=now)


def heartbeat_interval_seconds(lease_expires_at: datetime, *, now: datetime) -> int:
    """When the client sends the next heartbeat: after a third of its lease, or up to a tenth sooner.

    The random part spreads the clients. The interval is never longer than a third: when two heartbeats in a row are
    lost, the third still comes within the lease.
    """
    longest = (lease_expires_at - now).total_seconds() / HEARTBEATS_PER_LEASE
    return max(1, int(longest * random.uniform(0.9, 1.0)))  # noqa: S311 spreading load, no secret

"""Outcomes of acquire, to answers: each lease signed. The type checker proves that every outcome has one."""

from starlette.responses import Response

from shared.documents.rfc3339 import Time
from shared.edge.answers import Answer, answer
from shared.edge.heartbeat_interval import heartbeat_interval_seconds
from shared.edge.lease_tokens import LeaseTokens
from shared.edge.refusals import refused
from shared.firestore.group_commit import Answered
from shared.rules.acquire import AcquireOutcome, Granted, Renewed


class Seats(Answer):
    """Seats of one license: in use, and the cap."""

    in_use: int
    max: int


class AcquireAnswer(Answer):
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


def answer_acquire(answered: Answered[AcquireOutcome], *, organization_id: str, tokens: LeaseTokens) -> Response:
    """201 for a new seat, 200 for the one held already, else the refusal."""
    outcome, now = answered.outcome, answered.now
    match outcome:
        case Granted(session=session, license=license_, in_use=in_use):
            renewed = False
        case Renewed(session=session, license=license_, in_use=in_use):
            renewed = True
        case _:
            raise refused(outcome, now=now)
    body = AcquireAnswer(
        session_id=session.session_id,
        license_id=license_.license_id,
        lease_expires_at=session.lease_expires_at,
        grace_ends_at=license_.grace_ends_at(session.lease_expires_at),
        lease_token=tokens.sign(session, license_, organization_id=organization_id, now=now),
        heartbeat_interval_seconds=heartbeat_interval_seconds(session.lease_expires_at, now=now),
        seats=Seats(in_use=in_use, max=license_.max_concurrent_seats),
        renewed=renewed,
        server_time=now,
    )
    return answer(body, status=200 if renewed else 201)

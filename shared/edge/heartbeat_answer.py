"""Outcomes of heartbeat, to answers: each lease signed. The type checker proves that every outcome has one."""

from starlette.responses import Response

from shared.documents.rfc3339 import Time
from shared.edge.answers import Answer, answer
from shared.edge.heartbeat_interval import heartbeat_interval_seconds
from shared.edge.lease_tokens import LeaseTokens
from shared.edge.refusals import refused
from shared.firestore.group_commit import Answered
from shared.rules.heartbeat import Extended, HeartbeatOutcome, StillFresh, Stopped


class HeartbeatAnswer(Answer):
    """The seat is kept until ``lease_expires_at``; the rest as in the answer of acquire."""

    session_id: str
    lease_expires_at: Time
    grace_ends_at: Time
    lease_token: str
    heartbeat_interval_seconds: int
    server_time: Time


def answer_heartbeat(answered: Answered[HeartbeatOutcome], *, organization_id: str, tokens: LeaseTokens) -> Response:
    """200 with the lease's end, else the refusal."""
    outcome, now = answered.outcome, answered.now
    match outcome:
        case Extended(session=session, license=license_) | StillFresh(session=session, license=license_):
            body = HeartbeatAnswer(
                session_id=session.session_id,
                lease_expires_at=session.lease_expires_at,
                grace_ends_at=license_.grace_ends_at(session.lease_expires_at),
                lease_token=tokens.sign(session, license_, organization_id=organization_id, now=now),
                heartbeat_interval_seconds=heartbeat_interval_seconds(session.lease_expires_at, now=now),
                server_time=now,
            )
            return answer(body)
        case Stopped(because=because):
            raise refused(because, now=now)
        case _:
            raise refused(outcome, now=now)

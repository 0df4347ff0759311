"""Ends the sessions whose lease has run out, and publishes denials and what was left behind. Cloud Scheduler calls it
every minute.
"""

from functools import cache

from starlette.requests import Request
from starlette.responses import Response

from shared.edge.expire_answer import answer_expire
from shared.edge.http import http_function
from shared.edge.pubsub_wiring import relays
from shared.edge.settings import settings
from shared.edge.wiring import firestore, policy
from shared.seats.expire import Expiries


@cache
def expiries() -> Expiries:
    """Half of a run's time is for sessions. The other half is for audit events."""
    return Expiries(firestore(), policy(), run_within=settings().run_within / 2)


@http_function("POST")
async def expire_sessions(_: Request) -> Response:
    """End sessions, then publish events. The platform decides about callers; the request's content is ignored."""
    try:
        expired = await expiries().expire()
    finally:  # also if the sessions could not be ended
        relayed = await relays().relay_left_behind()
    return answer_expire(expired, relayed)

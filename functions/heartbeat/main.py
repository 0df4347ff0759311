"""``POST /v1/heartbeat``: keep a seat."""

from datetime import timedelta
from functools import cache

from starlette.requests import Request
from starlette.responses import Response

from shared.edge.devices import address_of, user_agent_of
from shared.edge.http import http_function
from shared.edge.identity import identify
from shared.edge.lease_answers import answer_heartbeat
from shared.edge.lease_tokens import lease_tokens
from shared.edge.requests import HeartbeatBody, parse
from shared.edge.wiring import firestore, policy
from shared.seats.heartbeat import HeartbeatRequest, Heartbeats

tokens = lease_tokens()  # at import, so that an instance that cannot sign does not start


@cache
def heartbeats() -> Heartbeats:
    return Heartbeats(firestore(), policy())


@http_function("POST")
async def heartbeat(request: Request) -> Response:
    caller = await identify(request)
    asked = await parse(request, HeartbeatBody)
    kept = HeartbeatRequest(
        user_id=caller.user_id,
        session_id=asked.session_id,
        instance_id=asked.instance_id,
        ip_address=address_of(request),
        user_agent=user_agent_of(request),
        idle_for=None if asked.idle_seconds is None else timedelta(seconds=asked.idle_seconds),
    )
    answered = await heartbeats().heartbeat(caller.organization_id, kept)
    return answer_heartbeat(answered, organization_id=caller.organization_id, tokens=tokens, nonce=asked.nonce)

"""The fake service's requests and answers, in the real service's form."""

import json
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx

from seatlease.testing.ledger import Ledger, Queued, Refusal, Session, rfc3339
from seatlease.testing.signing import Signer, user_of

_LICENSE_ID = "fake-license"


class FakeTransport(httpx.AsyncBaseTransport):
    def __init__(self, ledger: Ledger, signer: Signer) -> None:
        self._ledger = ledger
        self._signer = signer

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one request.

        Raises:
            httpx.ConnectError: the service is offline.
        """
        if not self._ledger.is_reachable:
            message = "the fake service is offline"
            raise httpx.ConnectError(message, request=request)
        function = request.url.path.rpartition("/")[2]
        if function == "keys":  # it needs no sign-in, and says nothing of a seat
            return httpx.Response(200, json=self._signer.jwks)
        response = self._answer(function, request, json.loads(await request.aread()))
        self._ledger.requests.append((function, response.status_code))
        return response

    def _answer(self, function: str, request: httpx.Request, body: dict[str, Any]) -> httpx.Response:
        user, nonce = user_of(request.headers["authorization"]), body.get("nonce")
        instance_id = body.get("instance_id")
        ledger = self._ledger
        match function:
            case "acquire":
                outcome = ledger.acquire(
                    user=user,
                    license_key=body["license_key"],
                    hardware_id=body["hardware_id"],
                    instance_id=instance_id,
                    borrow_until=_time(body.get("borrow_until")),
                    wait_until=_time(body.get("wait_until")),
                )
                if isinstance(outcome, Queued | Refusal):
                    return self._refused(outcome) if isinstance(outcome, Refusal) else self._queued(outcome)
                session, is_renewed = outcome
                seats = {"in_use": ledger.in_use, "max": ledger.seats}
                granted = {
                    **self._kept(session, nonce),
                    "license_id": _LICENSE_ID,
                    "seats": seats,
                    "is_overdraft": False,
                    "renewed": is_renewed,
                    "waited_seconds": None,
                }
                return httpx.Response(200 if is_renewed else 201, json=granted)
            case "heartbeat":
                kept = ledger.heartbeat(
                    user=user,
                    session_id=body["session_id"],
                    instance_id=instance_id,
                    idle_seconds=body.get("idle_seconds"),
                )
                if isinstance(kept, Refusal):
                    return self._refused(kept)
                return httpx.Response(200, json=self._kept(kept, nonce))
            case "release":
                refusal = ledger.release(user=user, session_id=body["session_id"], instance_id=instance_id)
                return httpx.Response(204) if refusal is None else self._refused(refusal)
            case _:
                return httpx.Response(404, text="not here")

    def _kept(self, session: Session, nonce: str | None) -> dict[str, Any]:
        ledger = self._ledger
        grace_ends_at = ledger.grace_ends_at(session)
        lease_token = self._signer.lease_token(
            session,
            license_id=_LICENSE_ID,
            license_key=ledger.license_key,
            terms=ledger.terms,
            grace_ends_at=grace_ends_at,
            nonce=nonce,
        )
        return {
            "session_id": session.session_id,
            "lease_expires_at": rfc3339(session.lease_expires_at),
            "grace_ends_at": rfc3339(grace_ends_at),
            "borrowed_until": rfc3339(until) if (until := _borrowed_until(session)) is not None else None,
            "lease_token": lease_token,
            "heartbeat_interval_seconds": max(1, ledger.lease // timedelta(seconds=3)),
            "features": dict(ledger.terms.features),
            "license_expires_at": None if ledger.terms.expires_at is None else rfc3339(ledger.terms.expires_at),
            "server_time": rfc3339(session.decided_at),
        }

    def _queued(self, queued: Queued) -> httpx.Response:
        waiting = {
            "position": queued.position,
            "of": queued.of,
            "since": rfc3339(queued.place.since),
            "ask_again_in_seconds": queued.ask_again_seconds,
            "wait_until": rfc3339(queued.place.wait_until),
        }
        now = rfc3339(self._ledger.now)
        answer = {"session_id": queued.place.session_id, "license_id": _LICENSE_ID, "waiting": waiting}
        return httpx.Response(202, json={**answer, "server_time": now})

    def _refused(self, refusal: Refusal) -> httpx.Response:
        error = {
            "code": refusal.code,
            "message": refusal.message,
            "retryable": refusal.status in {408, 409, 429, 500, 503},
            "request_id": uuid4().hex,
            "details": refusal.details,
        }
        retry_after = refusal.details.get("retry_after_seconds")
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        body = {"error": error, "server_time": rfc3339(self._ledger.now)}
        return httpx.Response(refusal.status, json=body, headers=headers)


def _borrowed_until(session: Session) -> datetime | None:
    return session.borrowed_until if session.is_borrowed(now=session.decided_at) else None


def _time(told: str | None) -> datetime | None:
    return None if told is None else datetime.fromisoformat(told)

"""A client's requests: each goes to any process of a function, and its answer is noted."""

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import aiohttp

from infra.judge.acknowledged_leases import ACCEPTED
from infra.judge.history import Acknowledged, Operation
from shared.documents.rfc3339 import rfc3339
from tests.programs.faults.notes import Answer, Notes
from tests.programs.faults.plan import PlannedClient
from tests.programs.faults.servers import Servers

NO_ANSWER = "no answer"
GONE = "did not wait"


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """What came: ``status`` of ``None`` is no answer."""

    status: int | None
    body: Mapping[str, Any]

    @property
    def is_success(self) -> bool:
        """Whether it did what was asked."""
        return self.status is not None and self.status < 300 and not self.is_place

    @property
    def is_place(self) -> bool:
        """Whether its user waits in the line."""
        return self.status == ACCEPTED

    @property
    def is_worth_repeating(self) -> bool:
        """Whether nobody knows what came of it."""
        return self.status is None or self.status >= 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Asking:
    """A user on a device, with a token."""

    http: aiohttp.ClientSession
    servers: Servers
    notes: Notes
    planned: PlannedClient
    token: str
    chance: Random

    async def acquire(
        self, license_id: str, *, borrow_for: timedelta | None = None, wait_until: datetime | None = None
    ) -> Reply:
        """Ask for a seat, or to borrow it for so long, or wait for it."""
        key = license_key(self.planned.organization_id, license_id)
        asked = {"license_key": key, "hardware_id": self.planned.hardware_id, **self._instance}
        if borrow_for is not None:
            asked["borrow_until"] = rfc3339(datetime.now(UTC) + borrow_for)
        if wait_until is not None:
            asked["wait_until"] = rfc3339(wait_until)
        return await self._ask(Operation.ACQUIRE, asked, session_id=None)

    async def heartbeat(self, session_id: str, *, idle_seconds: int | None = None) -> Reply:
        """Say that it is alive, and for how long its user has done nothing."""
        asked: dict[str, str | int] = {"session_id": session_id, **self._instance}
        if idle_seconds is not None:
            asked["idle_seconds"] = idle_seconds
        return await self._ask(Operation.HEARTBEAT, asked, session_id=session_id, idle_seconds=idle_seconds)

    async def release(self, session_id: str, *, keep_out_for: timedelta | None = None) -> Reply:
        """Give the seat back, or as an owner take it from its user and keep the user out for so long."""
        asked = {"session_id": session_id, **self._instance}
        if keep_out_for is not None:
            asked["until"] = rfc3339(datetime.now(UTC) + keep_out_for)
        return await self._ask(Operation.RELEASE, asked, session_id=session_id)

    async def usage(self) -> Reply:
        """Look how many seats are in use, and which of them are one's own."""
        return await self._ask(Operation.USAGE, None, session_id=None)

    @property
    def _instance(self) -> Mapping[str, str]:
        return {} if self.planned.instance_id is None else {"instance_id": self.planned.instance_id}

    async def _ask(
        self,
        operation: Operation,
        asked: Mapping[str, str | int] | None,
        *,
        session_id: str | None,
        idle_seconds: int | None = None,
    ) -> Reply:
        url = self.chance.choice(self.servers.of(operation.value)).url
        sent_at, began = datetime.now(UTC), time.monotonic()
        answer: Answer | None = None
        outcome = NO_ANSWER
        try:
            headers = {"Authorization": f"Bearer {self.token}"}
            method = "GET" if asked is None else "POST"
            async with self.http.request(method, url, json=asked, headers=headers) as response:
                content = await response.read()
                answer = Answer(
                    function=operation.value, status=response.status, headers=dict(response.headers), content=content
                )
        except (aiohttp.ClientError, TimeoutError, OSError):
            pass  # it is noted below that no answer came
        except asyncio.CancelledError:
            outcome = GONE
            raise
        finally:
            body = {} if answer is None else _body(answer)
            if answer is not None:
                self.notes.answers.append(answer)
                self.notes.slowest = max(self.notes.slowest, time.monotonic() - began)
                outcome = str(body["error"]["code"]) if "error" in body else str(answer.status)
            self.notes.outcomes[operation.value, outcome] += 1
            self.notes.requests[self.planned.organization_id].append(
                Acknowledged(
                    operation=operation,
                    user_id=self.planned.user_id,
                    status=None if answer is None else answer.status,
                    sent_at=sent_at,
                    answered_at=None if answer is None else datetime.now(UTC),
                    body=body,
                    hardware_id=self.planned.hardware_id,
                    session_id=session_id or body.get("session_id"),
                    instance_id=self.planned.instance_id,
                    idle_seconds=idle_seconds,
                )
            )
        return Reply(status=None if answer is None else answer.status, body=body)


def license_key(organization_id: str, license_id: str) -> str:
    """The key of a license."""
    return f"KEY-{organization_id}-{license_id}"


def _body(answer: Answer) -> dict[str, Any]:
    try:
        body = json.loads(answer.content or b"{}")
    except ValueError:
        return {}  # the contract's check tells of it
    return body if isinstance(body, dict) else {}

"""A client program for tests: it calls the functions' servers over HTTP."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import httpx

from infra.local.tokens import unsigned_token
from tests.support.tenant import Tenant


@dataclass(frozen=True, kw_only=True)
class Client:
    """One user on one device."""

    http: httpx.AsyncClient
    urls: Mapping[str, str]
    token: str
    license_key: str
    hardware_id: str
    headers: dict[str, str] = field(default_factory=dict)

    async def acquire(self, **changes: Any) -> httpx.Response:  # noqa: ANN401 a test may send anything
        body = {"license_key": self.license_key, "hardware_id": self.hardware_id, **changes}
        return await self.post("acquire", json=body)

    async def acquired(self) -> str:
        """Acquire, insist that it was granted, and return the session's id."""
        response = await self.acquire()
        assert response.status_code in (200, 201), response.text
        return str(response.json()["session_id"])

    async def acquired_soon(self) -> str:
        """Acquire after an edit by hand, which may count a second later, and return the session's id."""
        for _ in range(150):
            response = await self.acquire()
            if response.status_code != HTTPStatus.CONFLICT:
                break
            await asyncio.sleep(0.1)
        assert response.status_code in (200, 201), response.text
        return str(response.json()["session_id"])

    async def heartbeat(self, session_id: str, **changes: Any) -> httpx.Response:  # noqa: ANN401 as above
        return await self.post("heartbeat", json={"session_id": session_id, **changes})

    async def release(self, session_id: str, **changes: Any) -> httpx.Response:  # noqa: ANN401 as above
        return await self.post("release", json={"session_id": session_id, **changes})

    async def usage(self, **query: Any) -> httpx.Response:  # noqa: ANN401 as above
        return await self.http.get(self.urls["usage"], headers=self._headers, params=query)

    async def history(self, *, accept: str = "*/*", **query: Any) -> httpx.Response:  # noqa: ANN401 as above
        headers = {**self._headers, "Accept": accept}
        return await self.http.get(self.urls["history"], headers=headers, params=query)

    async def post(self, function: str, **request: Any) -> httpx.Response:  # noqa: ANN401 as above
        return await self.http.post(
            self.urls[function], headers={**self._headers, **request.pop("headers", {})}, **request
        )

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}", **self.headers}


@dataclass(frozen=True, kw_only=True)
class Clients:
    """Makes the clients of one test."""

    http: httpx.AsyncClient
    urls: Mapping[str, str]
    project: str

    def of(self, tenant: Tenant, user_id: str = "m0", *, hardware_id: str = "laptop", license_key: str = "") -> Client:
        """A user of the tenant on a device, wanting its license or the one with another key."""
        token = unsigned_token(project=self.project, organization_id=tenant.organization_id, user_id=user_id)
        return Client(
            http=self.http,
            urls=self.urls,
            token=token,
            license_key=license_key or tenant.license_key,
            hardware_id=hardware_id,
        )


async def answered(ask: Callable[[], Awaitable[httpx.Response]], *, within: float = 90) -> httpx.Response:
    """Ask as a client does: an answer that says when to try again, as they do on a busy machine, is none yet.

    It has the catalogue's form nevertheless.
    """
    deadline = time.monotonic() + within
    while (answer := await ask()).status_code in (429, 503):
        assert_error(answer, answer.status_code, code_of(answer))
        assert time.monotonic() < deadline, answer.text
        await asyncio.sleep(int(answer.headers["Retry-After"]))
    return answer


def code_of(response: httpx.Response) -> str:
    """The error code of an answer in the catalogue's form."""
    return str(response.json()["error"]["code"])


def assert_error(response: httpx.Response, status: int, code: str) -> None:
    """Insist on an error of the catalogue, whole and in its one form."""
    assert (response.status_code, response.headers["Content-Type"]) == (status, "application/json"), response.text
    body = response.json()
    assert set(body) == {"error", "server_time"}
    assert set(body["error"]) == {"code", "message", "retryable", "request_id", "details"}
    assert body["error"]["code"] == code
    assert body["error"]["retryable"] is (status in (408, 409, 429, 500, 503))
    assert body["error"]["request_id"] == response.headers["X-Request-Id"]
    assert isinstance(body["error"]["details"], dict)
    assert re.fullmatch(r"[A-Z].{10,}\.", body["error"]["message"]), "a program may show it to its user"
    assert body["server_time"].endswith("Z")
    assert abs((datetime.fromisoformat(body["server_time"]) - datetime.now(UTC)).total_seconds()) < 60
    assert response.headers["Cache-Control"] == "no-store"

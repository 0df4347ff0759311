"""The driver's side of HTTP: kept connections, and an error for every answer that is not the expected one."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
from yarl import URL

_NO_LIMIT = 0
_PATIENCE_SECONDS = 120.0
_NO_HEADERS: Mapping[str, str] = {}


class UnexpectedAnswer(Exception):  # noqa: N818 it is counted, by its text
    """A server answered, but not what the benchmark asks it for. The text is short: errors are counted by it."""


def connections(*, patience_seconds: float = _PATIENCE_SECONDS) -> aiohttp.ClientSession:
    """Open a pool of connections that are kept alive, as many as there are clients."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=_NO_LIMIT),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=patience_seconds),
    )


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A function's address, and the statuses that are fine."""

    name: str
    url: URL
    expected: frozenset[int]

    async def get(self, http: aiohttp.ClientSession) -> bytes:
        """Ask without a body.

        Raises:
            UnexpectedAnswer: another status.
            aiohttp.ClientError: no answer.
        """
        return await self._ask(http, "GET", None, _NO_HEADERS)

    async def post(self, http: aiohttp.ClientSession, body: bytes, headers: Mapping[str, str]) -> bytes:
        """Ask with a body of JSON; raises as ``get`` does."""
        return await self._ask(http, "POST", body, headers)

    async def _ask(
        self, http: aiohttp.ClientSession, method: str, body: bytes | None, headers: Mapping[str, str]
    ) -> bytes:
        async with http.request(method, self.url, data=body, headers=headers) as response:
            content = await response.read()
            if response.status not in self.expected:
                message = f"{self.name}: {response.status} {_code(content)}".rstrip()
                raise UnexpectedAnswer(message)
            return content


def _code(content: bytes) -> str:
    try:
        return str(json.loads(content)["error"]["code"])
    except (ValueError, KeyError, TypeError):
        return ""

"""A rough way to the fake service: the first requests meet something else."""

import httpx

from seatlease.testing import FakeService


class Rough(httpx.AsyncBaseTransport):
    """Answers the first requests with these, or raises them. All later ones reach the fake service."""

    def __init__(self, service: FakeService, *first: httpx.Response | Exception) -> None:
        self._service = service
        self._first = list(first)
        self.asked: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        if not self._first:
            return await self._service.transport.handle_async_request(request)
        met = self._first.pop(0)
        if isinstance(met, Exception):
            raise met
        return met


def refusal(code: str, *, status: int) -> httpx.Response:
    """Answer as the service refuses."""
    error = {"code": code, "message": "m", "retryable": False, "request_id": "r", "details": {}}
    return httpx.Response(status, json={"error": error, "server_time": "2026-03-02T09:14:07Z"})

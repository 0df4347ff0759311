"""A program that starts where there is no network, at a time of its own, and says what it got: one line of JSON."""

import json
import sys
from datetime import datetime
from typing import Any

import httpx

import seatlease
from seatlease._service import clock


class NoNetwork(httpx.AsyncBaseTransport):
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        message = "no network"
        raise httpx.ConnectError(message, request=request)


def main() -> None:
    described: dict[str, Any] = json.loads(sys.argv[1])
    starts_at = datetime.fromisoformat(described.pop("starts_at"))
    clock.now = lambda: starts_at
    try:
        with seatlease.Seat(**described, transport=NoNetwork()) as seat:
            told = {"state": seat.heartbeat().value, "until": str(seat.borrowed_until), "features": dict(seat.features)}
    except seatlease.SeatleaseError as error:
        told = {"error": type(error).__name__, "message": error.message}
    sys.stdout.write(json.dumps(told))


main()

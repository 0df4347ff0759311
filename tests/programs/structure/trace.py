"""One acquire, followed through the code from ``functions/acquire/main.py`` to the commit and back.

Everything runs in one process, as the framework serves it. Only the four calls of the Firestore API are answered by a
database in memory. A call counts when its code is in ``functions`` or ``shared``.
"""

import asyncio
import os
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import CodeType, FrameType
from typing import Any
from unittest.mock import patch

import httpx

from infra.build.stage import ROOT
from infra.local.serving import function_environment
from infra.local.tokens import unsigned_token
from tests.interleavings.invariants import Invariants
from tests.interleavings.memory_firestore import DATABASE, MemoryFirestore

PROJECT, ORGANIZATION = DATABASE.split("/")[1], "acme"
_OURS = (f"{ROOT}/functions/", f"{ROOT}/shared/")


@dataclass(kw_only=True)
class Trace:
    """The files in the order of their first visit, and the calls."""

    status: int = 0
    is_on: bool = False
    files: dict[str, Counter[str]] = field(default_factory=dict)
    calls: int = 0
    calls_between_files: int = 0

    @property
    def functions(self) -> int:
        return sum(map(len, self.files.values()))

    def note(self, frame: FrameType, event: str, _: object) -> None:
        """Count a call. It has the form that ``sys.setprofile`` asks for."""
        if not self.is_on or event != "call" or (name := _name(frame.f_code)) is None:
            return
        self.calls += 1
        self.files.setdefault(name, Counter())[frame.f_code.co_qualname] += 1
        caller = frame.f_back
        while caller is not None and _name(caller.f_code) is None:
            caller = caller.f_back
        if caller is None or _name(caller.f_code) != name:
            self.calls_between_files += 1


def trace_acquire(*, seats: int, warm: bool = True) -> Trace:
    """Follow one acquire on a license with so many seats; ``warm`` has another user acquire first.

    The environment of this process says afterwards that it is a function: call it in a process of its own.
    """
    return asyncio.run(_trace(seats=seats, warm=warm))


async def _trace(*, seats: int, warm: bool) -> Trace:
    memory = MemoryFirestore(lambda: datetime.now(UTC))
    Invariants(store=memory, organization_id=ORGANIZATION).open(caps={"cad": seats})
    os.environ |= function_environment(project=PROJECT, firestore="127.0.0.1:1", pubsub="127.0.0.1:1")
    os.environ["SEATLEASE_LOG_LEVEL"] = "ERROR"
    from functions_framework.aio import create_asgi_app  # noqa: PLC0415 it looks at the environment

    app: Any = create_asgi_app(target="acquire", source=str(ROOT / "functions/acquire/main.py"))
    trace = Trace()
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://acquire") as http:
        with _told_of_calls(trace), patch("shared.firestore.client.FirestoreApi", lambda **_: memory):
            if warm:
                await _acquire(http, "ann")
            trace.is_on = True
            trace.status = (await _acquire(http, "ben")).status_code
            trace.is_on = False
    return trace


async def _acquire(http: httpx.AsyncClient, user_id: str) -> httpx.Response:
    token = unsigned_token(project=PROJECT, organization_id=ORGANIZATION, user_id=user_id)
    body = {"license_key": "KEY-cad", "hardware_id": f"device-{user_id}"}
    return await http.post("/", json=body, headers={"Authorization": f"Bearer {token}"})


@contextmanager
def _told_of_calls(trace: Trace) -> Iterator[None]:
    # A thread asks for the profile when it starts, so this comes before the store's first call.
    threading.setprofile(trace.note)
    sys.setprofile(trace.note)
    try:
        yield
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def _name(code: CodeType) -> str | None:
    """Give the file's name below the project, if it is one of ours."""
    return code.co_filename.removeprefix(f"{ROOT}/") if code.co_filename.startswith(_OURS) else None

"""SIGTERM under load: whoever was let in is answered, the process ends by itself and leaves no waiter behind."""

import asyncio
import signal
import time

import httpx
from google.cloud import firestore

from tests.support.client import Clients
from tests.support.servers import StartFunction
from tests.support.tenant import Tenant


async def test_on_sigterm_every_request_that_was_let_in_is_answered(
    http: httpx.AsyncClient, start_server: StartFunction, console: firestore.Client, project: str
) -> None:
    tenant = Tenant.create(console, seats=40, members=10)
    process = start_server("acquire")
    process.wait_until_ready()
    clients = Clients(http=http, urls={"acquire": process.url}, project=project)
    crowd = [clients.of(tenant, f"m{n % 10}", hardware_id=f"d{n}") for n in range(60)]
    requests = [asyncio.create_task(client.acquire()) for client in crowd]
    first = asyncio.as_completed(requests)
    await next(iter(first))

    process.signal(signal.SIGTERM)
    started = time.monotonic()
    answers = await asyncio.gather(*requests, return_exceptions=True)
    status = await asyncio.to_thread(process.popen.wait, 10)

    assert status == 0
    assert time.monotonic() - started < 10, "the platform kills after ten seconds"
    answered = [answer for answer in answers if isinstance(answer, httpx.Response)]
    turned_away = [answer for answer in answers if not isinstance(answer, httpx.Response)]
    assert {answer.status_code for answer in answered} <= {201, 409}
    # A connection that was not yet accepted is refused or reset before a byte of an answer; the client asks elsewhere.
    assert all(isinstance(answer, httpx.TransportError) for answer in turned_away)
    granted = sum(answer.status_code == 201 for answer in answered)
    assert granted >= 1
    assert granted <= len(tenant.open_sessions()) <= 40
    assert tenant.counters()["total"] == len(tenant.open_sessions())
    assert "Traceback" not in process.log.read_text()

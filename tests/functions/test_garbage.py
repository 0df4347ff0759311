"""No answer leaves its request behind as garbage: collecting it makes everybody else wait."""

from collections import Counter
from pathlib import Path

import httpx
import pytest
from google.cloud import firestore

from tests.support.client import Client, Clients
from tests.support.servers import StartFunction
from tests.support.tenant import Tenant
from tests.support.waiting import wait_until

WITNESS = Path(__file__).with_name("server_hooks")

TIMES = 50
PROCESSES = 2
FEW = 10
"""Objects for each request: a closed connection leaves three, and an error that held on to its request left fifty."""


async def _ask(holder: Client, refused: Client) -> list[int]:
    """Ask for what is granted, what is refused, and what is no request, and give what was answered."""
    answers = [
        await holder.acquire(),
        await refused.acquire(),
        await refused.acquire(hardware_id=5),
        await refused.post("acquire", content=b"{", headers={"Content-Type": "application/json"}),
        await refused.post("acquire", json={}, headers={"Authorization": "Bearer no.to.ken"}),
        await refused.http.get(refused.urls["acquire"]),
    ]
    return [answer.status_code for answer in answers]


@pytest.mark.long
async def test_neither_what_is_granted_nor_what_is_refused_is_left_to_the_collector(
    http: httpx.AsyncClient, start_server: StartFunction, console: firestore.Client, project: str, tmp_path: Path
) -> None:
    tenant = Tenant.create(console, seats=1)
    server = start_server("acquire", PYTHONPATH=str(WITNESS), GARBAGE_TOLD_IN=str(tmp_path))
    server.wait_until_ready()
    clients = Clients(http=http, urls={"acquire": server.url}, project=project)
    holder, refused = clients.of(tenant, "m0"), clients.of(tenant, "m1")
    await holder.acquired()

    answered: Counter[int] = Counter()
    for _ in range(TIMES):
        answered.update(await _ask(holder, refused))
    told = _told_in(tmp_path)

    assert answered == {200: TIMES, 409: TIMES, 400: 2 * TIMES, 401: TIMES, 405: TIMES}
    assert max(told) < FEW * answered.total()
    server.stop()


def _told_in(folder: Path) -> list[int]:
    """Ask the server's processes: the one that answers, and the one that started it."""
    (folder / "asked").touch()
    wait_until(lambda: len(list(folder.glob("*.told"))) >= PROCESSES)
    return [int(each.read_text()) for each in folder.glob("*.told")]

"""The proxy of the benchmark counts what Firestore would bill, and delays in both directions."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from google.cloud import firestore

from infra.local.seed import firestore_client
from tests.programs.bench.delay_proxy import DelayProxy
from tests.support.wire import counting

SEVERAL_FRAMES = "x" * 100_000


@asynccontextmanager
async def through(proxy: DelayProxy, project: str) -> AsyncIterator[firestore.Client]:
    async with await asyncio.start_server(proxy.connected, "127.0.0.1", 0) as listening:
        client = firestore_client(project=project, firestore_host=f"127.0.0.1:{listening.sockets[0].getsockname()[1]}")
        yield client
        client.close()


def ask(client: firestore.Client) -> None:
    numbers = client.collection("numbers")
    for number in range(3):
        numbers.document(str(number)).set({"number": number, "text": SEVERAL_FRAMES})
    list(client.get_all([numbers.document("0"), numbers.document("1"), numbers.document("missing")]))
    list(numbers.where(filter=firestore.FieldFilter("number", ">", 0)).stream())
    list(numbers.where(filter=firestore.FieldFilter("number", ">", 9)).stream())
    numbers.count().get()


async def test_the_proxy_counts_calls_and_documents_as_the_wire_does(firestore_host: str, project: str) -> None:
    with counting(firestore_host) as (wire, address):
        proxy = DelayProxy(int(address.rpartition(":")[2]))
        async with through(proxy, project) as client:
            await asyncio.to_thread(ask, client)

    documents = proxy.counted.pop("documents_read")
    assert proxy.counted == Counter(wire.methods)
    assert documents == wire.reads == 3 + 2 + 1 + 1


async def test_a_call_takes_longer_by_the_delay_of_both_directions(firestore_host: str, project: str) -> None:
    proxy = DelayProxy(int(firestore_host.rpartition(":")[2]))
    async with through(proxy, project) as client:
        document = client.document("numbers/0")
        await asyncio.to_thread(document.get)
        proxy.delay_seconds = 0.2
        began = time.monotonic()
        await asyncio.to_thread(document.get)

    assert time.monotonic() - began >= 2 * proxy.delay_seconds

"""The client's cost of one read or commit, in three ways of calling gRPC: ``python -m tests.programs.bench.reads``.

CPU time of this process and wall time, in milliseconds per call, one call at a time, without the emulator's CPU time.
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import grpc
import typer
from google.cloud.firestore_v1.types import firestore as api
from grpc.experimental import ChannelOptions
from rich.table import Table

from infra.local.emulators import start_firestore
from infra.local.processes import free_port
from tests.programs.bench.cli import console, explained_ends
from tests.programs.bench.machine import this_machine
from tests.programs.bench.report import tell_machine
from tests.programs.bench.stopping import Runner

DATABASE = "projects/demo-reads/databases/(default)"
SIZES, ROUNDS, CALLS = (1, 16, 64), 5, 60

Way = Callable[[int], Awaitable[object]]


def _reading(size: int) -> Any:  # noqa: ANN401 protobuf's generated messages have no static type
    names = [f"{DATABASE}/documents/organizations/o/sessions/{n}" for n in range(size)]
    return api.BatchGetDocumentsRequest.pb()(database=DATABASE, documents=names)


def _writing(size: int) -> Any:  # noqa: ANN401 as above
    request = api.CommitRequest.pb()(database=DATABASE)
    for number in range(size):
        write = request.writes.add()
        write.update.name = f"{DATABASE}/documents/organizations/o/sessions/{number}"
        for field in range(12):
            write.update.fields[f"field_{field}"].string_value = "about as long as a user id"
    return request


def _stubs(channel: Any) -> tuple[Any, Any]:  # noqa: ANN401 grpc's two kinds of channel have no common type
    service = "/google.firestore.v1.Firestore/"
    get = channel.unary_stream(
        service + "BatchGetDocuments",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=api.BatchGetDocumentsResponse.pb().FromString,
    )
    commit = channel.unary_unary(
        service + "Commit",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=api.CommitResponse.pb().FromString,
    )
    return get, commit


async def _cost(way: Way, size: int) -> tuple[float, float]:
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(CALLS):
        await way(size)
    return (time.process_time() - cpu) / CALLS * 1e3, (time.perf_counter() - wall) / CALLS * 1e3


async def _measure(address: str) -> dict[tuple[str, int], list[tuple[float, float]]]:
    aio_get, aio_commit = _stubs(grpc.aio.insecure_channel(address))
    get, commit = _stubs(grpc.insecure_channel(address))
    single_get, _ = _stubs(grpc.insecure_channel(address, options=[(ChannelOptions.SingleThreadedUnaryStream, 1)]))
    loop, threads = asyncio.get_running_loop(), ThreadPoolExecutor(1)

    async def in_aio(size: int) -> object:
        return [answer async for answer in aio_get(_reading(size))]

    ways: dict[str, Way] = {
        "read, grpc.aio": in_aio,
        "read, in a thread": lambda size: loop.run_in_executor(threads, lambda: list(get(_reading(size)))),
        "read, in a thread, single-threaded stream": lambda size: loop.run_in_executor(
            threads, lambda: list(single_get(_reading(size)))
        ),
        "commit, grpc.aio": lambda size: aio_commit(_writing(size)),
        "commit, in a thread": lambda size: loop.run_in_executor(threads, lambda: commit(_writing(size))),
    }
    await ways["commit, in a thread"](max(SIZES))
    costs: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for number in range(ROUNDS + 1):
        for size in SIZES:
            for name, way in ways.items():
                cost = await _cost(way, size)
                if number > 0:  # the first round warms up
                    costs.setdefault((name, size), []).append(cost)
    return costs


def main() -> None:
    """Measure on an emulator of its own and print a table."""
    tell_machine(console, this_machine())
    with explained_ends(), tempfile.TemporaryDirectory(prefix="seatlease-reads-") as folder, Runner() as runner:
        emulator = start_firestore(port=free_port(), log_folder=Path(folder))
        try:
            emulator.wait_until_ready()
            costs = runner.run(_measure(emulator.url.removeprefix("http://")))
        finally:
            emulator.stop()
    table = Table(title=f"ms a call, median (min..max) of {ROUNDS} rounds of {CALLS} calls", title_justify="left")
    for column in ("way", "documents", "CPU of the client", "wall"):
        table.add_column(column)
    for (name, size), rounds in costs.items():
        cells = [f"{median(each):.2f} ({min(each):.2f}..{max(each):.2f})" for each in zip(*rounds, strict=True)]
        table.add_row(name, str(size), *cells)
    console.print(table)


if __name__ == "__main__":
    typer.run(main)

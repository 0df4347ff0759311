"""A program with a seat. Says what happens in lines of JSON, and does what it is told on its standard input."""

import asyncio
import contextlib
import json
import multiprocessing
import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, NoReturn

import seatlease
from seatlease._keeping import engine


def tell(**what: object) -> None:
    # One write: lines of several threads and processes must not run into each other.
    os.write(1, (json.dumps({"pid": os.getpid(), **what}) + "\n").encode())


def main() -> None:
    described: dict[str, Any] = json.loads(sys.argv[1])
    if "wait" in described:
        described["wait"] = timedelta(seconds=described["wait"])
    if described.pop("own_handler", False):
        signal.signal(signal.SIGTERM, own_handler)
    how = described.pop("how", "with")
    if how == "async":
        asyncio.run(hold(described))
        return
    seat = seatlease.Seat(**described, on_change=lambda change: tell(state=change.state.value))
    held.append(seat)
    with seat if how == "with" else contextlib.nullcontext():
        if how != "with":
            seat.acquire()
        tell(did="acquire", state=seat.state.value)
        for order in orders():
            obey(seat, order)


async def hold(described: dict[str, Any]) -> None:
    async with seatlease.AsyncSeat(**described) as seat:
        tell(did="acquire", state=seat.state.value)
        await asyncio.Event().wait()


def orders() -> Iterator[str]:
    # It looks up now and then: Python hears a signal that comes just before a call to the system when that returns,
    # and to wait for a line may take forever.
    heard = b""
    while True:
        if select.select([0], [], [], 0.1)[0]:
            more = os.read(0, 4096)
            if not more:
                return
            *whole, heard = (heard + more).split(b"\n")
            yield from (order.decode().strip() for order in whole)


def own_handler(*_: object) -> NoReturn:
    tell(did="own_handler")
    sys.exit(7)


def obey(seat: seatlease.Seat, order: str) -> None:
    if "fork" in order or "processes" in order:
        multiply(seat, order)
        return
    match order:
        case "heartbeat":
            tell(did=order, state=seat.heartbeat().value)
        case "begin heartbeat":
            seat._begin_heartbeat()  # noqa: SLF001 to end while it is under way
        case "start an engine, and never come to an end":
            engine._starting.acquire()  # noqa: SLF001 where a signal may come too
            tell(did=order)
        case "what time is it":
            tell(did=order, now=time.time())
        case "exit":
            sys.exit(0)
        case "raise":
            message = "the program's own fault"
            raise RuntimeError(message)


def multiply(seat: seatlease.Seat, order: str) -> None:
    match order:
        case "fork and use it":
            if os.fork() == 0:
                use_in_child(seat, order)
        case "fork and leave it alone":
            if os.fork() == 0:
                sys.exit(0)
            os.wait()
            tell(did=order)
        case "work in processes":
            with multiprocessing.get_context("fork").Pool(2) as workers:
                states = workers.map(check_in_worker, range(4))
            tell(did=order, states=states)


def use_in_child(seat: seatlease.Seat, order: str) -> NoReturn:
    tell(did=order, state=seat.heartbeat().value)
    time.sleep(float(os.environ["CHILD_SECONDS"]))
    tell(did="child ends", state=seat.state.value)
    sys.exit(0)


def check_in_worker(_: int) -> str:
    held[0].check()
    return held[0].state.value


held: list[seatlease.Seat] = []

main()

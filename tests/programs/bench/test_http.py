"""The driver reads what servers send, and tells of everything else."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from tests.programs.bench.http import Endpoint, UnexpectedAnswer, connections

Answering = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@asynccontextmanager
async def served(answering: Answering) -> AsyncIterator[Endpoint]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await answering(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        port = server.sockets[0].getsockname()[1]
        yield Endpoint("it", f"http://127.0.0.1:{port}", frozenset({200}))
    finally:
        server.close()


def answering(*answers: bytes) -> Answering:
    """Give these, one for each request without a body."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for each in answers:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(each)

    return answer


async def test_a_connection_is_used_again() -> None:
    async with served(answering(OK, OK.replace(b"ok", b"no"))) as endpoint, connections() as http:
        assert [await endpoint.get(http), await endpoint.get(http)] == [b"ok", b"no"]


async def test_a_body_arrives_as_it_was_sent() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"\r\nX-It: yes\r\nContent-Length: 2\r\n" in head
        body = await reader.readexactly(2)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n%c\r\n" % body[0])
        await asyncio.sleep(0.01)
        writer.write(b"1\r\n%c\r\n0\r\n\r\n" % body[1])

    async with served(echo) as endpoint, connections() as http:
        assert await endpoint.post(http, b"{}", {"X-It": "yes"}) == b"{}"


async def test_another_status_is_told_with_its_code() -> None:
    body = b'{"error": {"code": "SEAT_LIMIT_REACHED"}}'
    refusal = b"HTTP/1.1 409 Conflict\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    async with served(answering(refusal)) as endpoint, connections() as http:
        with pytest.raises(UnexpectedAnswer, match=r"^it: 409 SEAT_LIMIT_REACHED$"):
            await endpoint.get(http)


async def test_a_connection_that_the_server_closes_is_not_used_again() -> None:
    closing = OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    async with served(answering(closing)) as endpoint, connections() as http:
        assert [await endpoint.get(http), await endpoint.get(http)] == [b"ok", b"ok"]


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\nContent-Le", b"SSH-2.0-it\r\n", OK[:-1]])
async def test_what_is_no_answer_is_an_error(sent: bytes) -> None:
    async with served(answering(sent)) as endpoint, connections() as http:
        with pytest.raises(ConnectionError):
            await endpoint.get(http)


async def test_an_answer_that_does_not_come_is_not_waited_for_for_ever() -> None:
    async with served(answering(b"", b"")) as endpoint, connections(patience_seconds=0.05) as http:
        with pytest.raises(TimeoutError):
            await endpoint.get(http)


async def test_nobody_at_the_address_is_an_error() -> None:
    async with served(answering()) as endpoint:
        pass
    async with connections() as http:
        with pytest.raises(ConnectionRefusedError):
            await endpoint.get(http)

"""A client that writes raw bytes to a socket, for requests that no library would send."""

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pydantic_core

_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: chunked", re.IGNORECASE)
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One answer of several that may come over a connection."""

    status: int
    head: bytes
    body: bytes

    @property
    def code(self) -> str:
        """The error code, of an answer in the catalogue's form."""
        return str(self.json["error"]["code"])

    @property
    def json(self) -> dict[str, Any]:
        return dict(pydantic_core.from_json(self.body))


@contextmanager
def connected(url: str, *, within: float = 20) -> Iterator[socket.socket]:
    """Connect to a server. It fails when nothing comes for so many seconds."""
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=within) as connection:
        yield connection


def answers(url: str, *sent: bytes, within: float = 20) -> list[Answer]:
    """Send this, and receive until the server closes the connection."""
    with connected(url, within=within) as connection:
        connection.sendall(b"".join(sent))
        return list(parsed(received(connection)))


def received(connection: socket.socket) -> bytes:
    """Everything until the connection is closed."""
    data = bytearray()
    try:
        while piece := connection.recv(65_536):
            data += piece
    except ConnectionResetError:
        pass  # closed, with something of ours unread
    return bytes(data)


def parsed(data: bytes) -> Iterator[Answer]:
    """Take apart what came; what is no answer fails."""
    while data:
        head, _, rest = data.partition(b"\r\n\r\n")
        status, length = _STATUS.match(head), _LENGTH.search(head)
        assert status is not None, data[:200]
        if _CHUNKED.search(head):
            body, data = _from_chunks(rest)
        else:
            size = 0 if length is None else int(length[1])
            body, data = rest[:size], rest[size:]
        yield Answer(status=int(status[1]), head=head, body=body)


def _from_chunks(data: bytes) -> tuple[bytes, bytes]:
    """Put a body together, and give what comes behind it."""
    body = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        length = int(size, 16)
        body, data = body + data[:length], data[length:].removeprefix(b"\r\n")
        if not length:
            break
    return body, data

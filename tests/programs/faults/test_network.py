"""What the proxy does to connections, of which a run relies on every bit."""

import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import wait_until

_RECEIVED: list[bytes] = []


class _Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        connection: socket.socket = self.request
        while data := connection.recv(1_024):
            _RECEIVED.append(data)
            connection.sendall(data)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True


@pytest.fixture
def proxy() -> Iterator[TcpProxy]:
    _RECEIVED.clear()
    with _Server(("127.0.0.1", 0), _Echo) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        proxy = TcpProxy(target_port=int(server.server_address[1]))
        proxy.start()
        try:
            yield proxy
        finally:
            proxy.stop()
            server.shutdown()
            thread.join()


@contextmanager
def _connected(proxy: TcpProxy) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as connection:
        yield connection


def _answers_nothing(connection: socket.socket) -> None:
    connection.settimeout(0.3)
    with pytest.raises(TimeoutError):
        connection.recv(1_024)
    connection.settimeout(10)


def _has_ended(connection: socket.socket) -> bool:
    try:
        return connection.recv(1_024) == b""
    except ConnectionResetError:
        return True


def test_of_what_is_asked_while_answers_are_lost_everything_arrives_and_nothing_comes_back(proxy: TcpProxy) -> None:
    with _connected(proxy) as connection:
        proxy.lose_answers(lost=True)

        connection.sendall(b"commit")

        wait_until(lambda: b"commit" in _RECEIVED, within=10)
        _answers_nothing(connection)


def test_what_is_held_is_passed_on_when_it_is_let_go(proxy: TcpProxy) -> None:
    with _connected(proxy) as connection:
        proxy.hold()
        connection.sendall(b"commit")
        _answers_nothing(connection)
        assert _RECEIVED == []

        proxy.let_go()

        assert connection.recv(1_024) == b"commit"


def test_what_is_held_when_the_connections_are_cut_never_arrives(proxy: TcpProxy) -> None:
    with _connected(proxy) as connection:
        proxy.hold()
        connection.sendall(b"commit")
        _answers_nothing(connection)

        proxy.cut()
        proxy.let_go()
        proxy.mend()

        assert _has_ended(connection)
        with _connected(proxy) as another:
            another.sendall(b"read")
            assert another.recv(1_024) == b"read"
    assert b"commit" not in _RECEIVED


def test_what_is_slowed_down_takes_that_time_in_each_direction(proxy: TcpProxy) -> None:
    with _connected(proxy) as connection:
        proxy.slow_down(0.2)
        began = time.monotonic()

        connection.sendall(b"read")

        assert connection.recv(1_024) == b"read"
        assert time.monotonic() - began >= 0.4

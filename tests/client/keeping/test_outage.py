"""The service is away for a while, or something else answers in its place. A lease of three seconds makes it short."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

import seatlease
from infra.local.tokens import unsigned_token
from seatlease import State
from seatlease._service import first_answer
from seatlease._service import service as service_module
from seatlease._service.clock import elapsed
from tests.client.backends import RealBackend
from tests.client.conftest import BuildBackend
from tests.client.recorded import Told
from tests.support.waiting import wait_until


@pytest.fixture
def backend(build_real: BuildBackend) -> RealBackend:
    return build_real(seats=1, lease_seconds=3)


def test_an_outage_shorter_than_the_lease_costs_nothing(backend: RealBackend) -> None:
    told = Told()
    with backend.seat(on_change=told) as seat:
        with backend.offline():
            told.wait_for(State.DEGRADED)
            seat.check()
        told.wait_for(State.ACTIVE, times=2)

        assert told.states == [State.ACTIVE, State.DEGRADED, State.ACTIVE]
        assert len(backend.tenant.events("session.acquired")) == 1


def test_in_an_outage_longer_than_the_lease_the_seat_is_lost_on_time_and_regained_after_it(
    backend: RealBackend,
) -> None:
    told = Told()
    with backend.seat(on_change=told) as seat:
        lease = seat.lease
        assert lease is not None
        with backend.offline():
            told.wait_for(State.LOST)
            lost_after = elapsed() - lease.asked_at
            with pytest.raises(seatlease.SessionLost):
                seat.check()
        told.wait_for(State.ACTIVE, times=2)

        assert told.states == [State.ACTIVE, State.DEGRADED, State.LOST, State.ACTIVE]
        assert lost_after >= 3  # not before its end, though the network was gone
        assert len(backend.tenant.events("session.acquired")) == 2
        assert len(backend.tenant.events("session.expired")) == 1


@pytest.mark.long
def test_within_its_grace_a_seat_that_lapsed_is_degraded_and_not_lost(build_real: BuildBackend) -> None:
    backend = build_real(seats=1, lease_seconds=3, grace_seconds=60)
    told = Told()
    with backend.seat(on_change=told) as seat:
        wait_until(lambda: _has_grace(seat))  # earned by holding the seat for one lease
        with backend.offline():
            told.wait_for(State.DEGRADED)
            wait_until(lambda: backend.in_use == 0)
            assert seat.state is State.DEGRADED
            seat.check()
        # The service knows no grace: the seat was free, and is asked for again.
        told.wait_for(State.ACTIVE, times=2)

        assert told.states == [State.ACTIVE, State.DEGRADED, State.LOST, State.ACTIVE]


def _has_grace(seat: seatlease.Seat) -> bool:
    lease = seat.lease
    return lease is not None and (lease.grace_ends_at - lease.lease_expires_at).total_seconds() == 60


def test_a_seat_that_an_owner_releases_is_revoked(build_real: BuildBackend) -> None:
    backend = build_real(seats=1)
    with backend.seat() as seat:
        assert seat.lease is not None
        owner = unsigned_token(
            project=backend.project, organization_id=backend.tenant.organization_id, user_id="olivia"
        )
        released = httpx.post(
            f"{backend.proxy.url}/v1/release",
            json={"session_id": seat.lease.session_id},
            headers={"Authorization": f"Bearer {owner}"},
        )
        assert released.status_code == 204

        assert seat.heartbeat() is State.REVOKED
        assert backend.in_use == 0  # and it is not asked for again


def test_a_token_that_expires_while_the_seat_is_held_is_refreshed_without_a_missed_heartbeat(
    backend: RealBackend,
) -> None:
    given: list[str] = []

    def id_token() -> str:
        given.append(
            unsigned_token(
                project=backend.project,
                organization_id=backend.tenant.organization_id,
                user_id="m0",
                lifetime_seconds=3 if len(given) < 3 else 3600,
            )
        )
        return given[-1]

    told = Told()
    cached = CachedUntilRefused(id_token)
    with backend.seat(on_change=told, credentials=cached) as seat:
        first = len(given)
        wait_until(lambda: len(given) > first, within=20)
        assert seat.heartbeat() is State.ACTIVE

        assert told.states == [State.ACTIVE]


class CachedUntilRefused:
    """Credentials that give the same token until the service refuses it."""

    def __init__(self, make: Callable[[], str]) -> None:
        self._make = make
        self._token: str | None = None

    async def id_token(self, *, refresh: bool = False) -> str:
        if refresh or self._token is None:
            self._token = self._make()
        return self._token


@pytest.mark.long
def test_when_nobody_can_sign_in_any_more_the_seat_degrades_and_is_lost(backend: RealBackend) -> None:
    told = Told()
    valid = backend.described("m0")["credentials"]
    is_signed_in = threading.Event()
    is_signed_in.set()

    def id_token() -> str:
        if is_signed_in.is_set():
            return str(valid)
        message = "the user is gone"
        raise RuntimeError(message)

    with backend.seat(on_change=told, credentials=id_token) as seat:
        is_signed_in.clear()

        told.wait_for(State.LOST)

        assert told.states == [State.ACTIVE, State.DEGRADED, State.LOST]
        assert isinstance(seat.error, seatlease.SignInRequired)


class Impostor(BaseHTTPRequestHandler):
    """Answers in the service's place, as a proxy, a captive portal or a wrong address would."""

    url = ""
    status, content_type, body = 200, "text/html", b"<html>Please sign in to the hotel's network</html>"
    pause_seconds = 0.0

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(self.status)
        self.send_header("Content-Type", self.content_type)
        self.send_header("Location", "http://127.0.0.1:9/")
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        for byte in self.body:
            time.sleep(self.pause_seconds)
            self.wfile.write(bytes([byte]))

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def impostor() -> Iterator[type[Impostor]]:
    """One that answers as the test arranges."""

    class Arranged(Impostor):
        """The test's own."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Arranged)
    Arranged.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Arranged
    server.shutdown()
    server.server_close()


NOT_OURS = [
    (200, "text/html", b"<html>"),
    (302, "text/html", b""),
    (407, "text/html", b"<html>authenticate</html>"),
    (200, "application/json", b"{}"),
    (200, "application/json", b"[]"),
    (201, "application/json", b'{"session_id": 1, "lease_expires_at": "soon"}'),
    (201, "application/json", b"\xff\xfe not JSON"),
    (404, "application/json", b'{"error": "no such page"}'),
    (
        409,
        "application/json",
        b'{"error": {"code": "SEAT_LIMIT_REACHED", "message": "", "request_id": "", "details": {}}}',
    ),
    (500, "text/plain", b"oops"),
    (503, "text/html", b"<html>maintenance</html>"),
    (204, "text/html", b""),
]


@pytest.mark.parametrize(("status", "content_type", "body"), NOT_OURS)
def test_what_is_not_the_services_answer_is_no_seat_and_no_crash(
    impostor: type[Impostor], monkeypatch: pytest.MonkeyPatch, status: int, content_type: str, body: bytes
) -> None:
    monkeypatch.setattr(first_answer, "WITHIN_SECONDS", 0.0)
    impostor.status, impostor.content_type, impostor.body = status, content_type, body
    seat = seatlease.Seat(impostor.url, "KEY", credentials="a.b.c", hardware_id="laptop")

    with pytest.raises(seatlease.ServiceUnreachable):
        seat.acquire()

    assert seat.state is State.NOT_ACQUIRED


def test_a_proxys_page_instead_of_a_heartbeats_answer_is_a_missed_heartbeat(
    backend: RealBackend, impostor: type[Impostor]
) -> None:
    backend.tenant.license().update({"lease_seconds": 60})
    with backend.seat() as seat:
        with backend.offline():
            backend.proxy.lead_to(int(impostor.url.rpartition(":")[2]))

        assert seat.heartbeat() is State.DEGRADED
        seat.check()


async def test_an_answer_that_drips_is_given_up(impostor: type[Impostor], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_module, "REQUEST_WITHIN_SECONDS", 1.0)
    impostor.body, impostor.pause_seconds = b"x" * 50, 0.2
    seat = seatlease.AsyncSeat(impostor.url, "KEY", credentials="a.b.c", hardware_id="laptop")

    with pytest.raises(seatlease.ServiceUnreachable):
        await asyncio.wait_for(seat.acquire(), 5)

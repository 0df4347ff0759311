"""A first answer that passes is no outage: the same request is sent again for some seconds, without any ``wait``."""

import time
from collections.abc import Callable
from datetime import timedelta

import httpx
import pytest

import seatlease
from seatlease import State
from seatlease._service import first_answer
from seatlease._service.credentials import IdToken
from seatlease._service.keys import Keys
from seatlease._service.service import Service
from seatlease._service.sign_in import sign_in
from seatlease.testing import FakeService
from tests.client.answering import Answer, answering, told
from tests.client.rough import Rough

_REFUSED = "<html>no available instance</html>"


def _reset() -> httpx.ConnectError:
    error = httpx.ConnectError("reset")
    error.__cause__ = ConnectionResetError()
    return error


_PASSING: dict[str, Callable[[], httpx.Response | Exception]] = {
    "no instance yet": lambda: httpx.Response(429, html=_REFUSED),
    "not ready": lambda: httpx.Response(503, html=_REFUSED, headers={"Retry-After": "1"}),
    "ended while it answered": lambda: httpx.RemoteProtocolError("ended"),
    "reset while it was asked": lambda: httpx.ReadError("reset"),
    "reset at the beginning": _reset,
}


@pytest.mark.parametrize(
    "met",
    [
        "no instance yet",
        "reset while it was asked",
        pytest.param("not ready", marks=pytest.mark.long),
        pytest.param("ended while it answered", marks=pytest.mark.long),
        pytest.param("reset at the beginning", marks=pytest.mark.long),
    ],
)
def test_a_program_starts_although_its_first_request_meets_a_platform_that_starts(met: str) -> None:
    service = FakeService()
    told: list[seatlease.Waiting] = []
    rough = Rough(service, _PASSING[met]())

    with service.seat(transport=rough, on_wait=told.append) as seat:
        assert seat.state is State.ACTIVE

    assert [name for name, _ in service.requests] == ["acquire", "release"]
    assert len(rough.asked) == 3
    assert len(told) == 1


async def test_an_asyncio_program_starts_as_well() -> None:
    service = FakeService()
    rough = Rough(service, *(met() for met in list(_PASSING.values())[:2]))

    async with service.async_seat(transport=rough) as seat:
        assert seat.state is State.ACTIVE

    assert len(rough.asked) == 4


def test_the_service_is_not_asked_sooner_than_it_says() -> None:
    service = FakeService()
    rough = Rough(service, httpx.Response(503, html=_REFUSED, headers={"Retry-After": "2"}))
    began = time.monotonic()

    with service.seat(transport=rough):
        assert time.monotonic() - began >= 2


@pytest.mark.parametrize(
    ("met", "retry_after"),
    [
        (lambda: httpx.ConnectError("no network"), None),
        (lambda: httpx.Response(200, html="<html>pay for the network</html>"), None),
        (lambda: httpx.Response(503, html=_REFUSED, headers={"Retry-After": "60"}), timedelta(minutes=1)),
    ],
    ids=["no network", "a sign-in page", "later than we ask"],
)
def test_what_does_not_pass_within_seconds_is_told_at_once(
    met: Callable[[], httpx.Response | Exception], retry_after: timedelta | None
) -> None:
    service = FakeService()
    rough = Rough(service, met())

    with pytest.raises(seatlease.ServiceUnreachable) as unreachable:
        service.seat(transport=rough).acquire()

    assert len(rough.asked) == 1
    assert unreachable.value.retry_after == retry_after


def test_when_the_time_is_over_the_last_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_answer, "WITHIN_SECONDS", 2.0)
    service = FakeService()
    rough = Rough(service, *(httpx.Response(429, html=_REFUSED) for _ in range(20)))

    with pytest.raises(seatlease.ServiceUnreachable) as unreachable:
        service.seat(transport=rough).acquire()

    assert 1 < len(rough.asked) < 20
    assert unreachable.value.is_passing


async def test_a_report_and_a_sign_in_and_keys_are_asked_for_again_too(monkeypatch: pytest.MonkeyPatch) -> None:
    not_yet = Answer(status=503, content=b"<html>", content_type="text/html")
    usage: dict[str, object] = {"organization": {}, "licenses": [], "next_page_token": None}
    signed_in = {"localId": "u1", "email": "ada@example.com", "refreshToken": "r"}
    service = FakeService()

    with answering(not_yet, told(usage)) as server:
        async with Service(f"http://{server.host}", IdToken("a.b.c")) as asking:
            assert await asking.usage() == usage
    with answering(not_yet, told(signed_in)) as server:
        monkeypatch.setenv("FIREBASE_AUTH_EMULATOR_HOST", server.host)
        assert (await sign_in("ada@example.com", "p", api_key="k")).user_id == "u1"
    with answering(not_yet, told(service.keys.jwks)) as server:
        assert Keys.fetch(f"http://{server.host}").jwks == service.keys.jwks

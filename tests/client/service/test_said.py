"""What the library says when something is wrong: the address, the cause, the key and the fields by their names."""

import httpx
import jwt
import pytest

from seatlease._service.address import base_of
from seatlease._service.answers import error_of
from seatlease._service.credentials import IdToken, RefreshToken
from seatlease._service.keys import Keys
from seatlease._service.service import Service
from seatlease.cli.checks import check_address
from seatlease.errors import NotEntitled, RequestRefused, ServiceUnreachable, SignInRequired
from tests.client.answering import answering, told
from tests.client.backends import RealBackend
from tests.client.conftest import BuildBackend

_TOKEN = jwt.encode({"sub": "m0"}, key="", algorithm="none")


@pytest.mark.parametrize("url", ["127.0.0.1:8080", "localhost:8080", "ftp://localhost", "https://", "http://h:abc", ""])
def test_what_is_no_address_is_refused_before_anything_is_sent(url: str) -> None:
    with pytest.raises(RequestRefused, match="must begin with https://") as refused:
        Service(url, IdToken(_TOKEN))

    assert repr(base_of(url)) in refused.value.message


@pytest.mark.parametrize(
    ("url", "cause"),
    [
        ("http://127.0.0.1:9", "the connection was refused"),
        ("https://no-such-host.invalid", "there is no host of this name"),
    ],
)
async def test_a_service_that_cannot_be_reached_is_named_with_the_cause(url: str, cause: str) -> None:
    async with Service(url, IdToken(_TOKEN)) as service:
        with pytest.raises(ServiceUnreachable) as unreachable:
            await service.usage()

    assert unreachable.value.message == f"The license service at {url}/v1 cannot be reached ({cause})."


@pytest.mark.parametrize(
    ("proxy", "says"),
    [
        ("http://user:secret@proxy:abc", "is no address of one"),
        ("ftp://user:secret@proxy:21", "is no address of one"),
        ("socks5://user:secret@proxy:1080", "needs pip install"),
    ],
)
async def test_a_proxy_that_cannot_be_used_is_named_without_its_password(
    monkeypatch: pytest.MonkeyPatch, proxy: str, says: str
) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)

    with pytest.raises(RequestRefused, match=says) as refused:
        Service("https://licenses.example.com", IdToken(_TOKEN))
    with pytest.raises(RequestRefused, match=says):
        Keys.fetch("https://licenses.example.com")
    with pytest.raises(RequestRefused, match=says):
        await RefreshToken("r", api_key="k").id_token()
    (finding,) = await check_address("https://licenses.example.com")

    assert finding.says == refused.value.message
    assert "secret" not in refused.value.message


async def test_an_address_with_v1_is_the_same_address(build_real: BuildBackend) -> None:
    backend: RealBackend = build_real(seats=1)
    described = backend.described("olivia")

    async with Service(f" {described['url']}/v1/\n", IdToken(described["credentials"])) as service:
        answer = await service.usage()

    assert answer["organization"]["in_use"] == 0


async def test_a_key_that_no_license_has_is_shown_by_its_beginning(build_real: BuildBackend) -> None:
    described = build_real(seats=1).described("m0")

    async with Service(described["url"], IdToken(described["credentials"])) as service:
        with pytest.raises(NotEntitled, match=r"no license with this key \(ANOTH…\)\.") as refused:
            await service.acquire("ANOTHER-KEY", hardware_id="laptop")

    assert "KEY" not in refused.value.message


async def test_fields_that_the_service_cannot_read_are_named(build_real: BuildBackend) -> None:
    described = build_real(seats=1).described("m0")

    async with Service(described["url"], IdToken(described["credentials"])) as service:
        with pytest.raises(RequestRefused, match=r"cannot read the request \(license_key: not one line"):
            await service.acquire("TWO\nLINES", hardware_id="laptop")


@pytest.mark.parametrize(
    ("token", "says"),
    [
        ("bad", "What was given as the ID token is not one"),
        (jwt.encode({"sub": "m0", "exp": 1}, key="", algorithm="none"), "The ID token has expired"),
        (_TOKEN, "in the Firebase project of this service"),
    ],
    ids=["no token", "expired", "of another project"],
)
async def test_a_token_that_the_service_refuses_is_told_by_what_is_wrong_with_it(token: str, says: str) -> None:
    error = {"code": "TOKEN_INVALID", "message": "m", "retryable": False, "request_id": "r", "details": {}}
    with answering(told({"error": error, "server_time": "2026-03-02T09:14:07Z"}, status=401)) as server:
        async with Service(f"http://{server.host}", IdToken(token)) as service:
            with pytest.raises(SignInRequired, match=says):
                await service.usage()


@pytest.mark.parametrize("fields", [5, [5], [{}], None])
def test_a_refusal_whose_fields_have_another_form_is_still_one(fields: object) -> None:
    details = {"fields": fields}
    error = {"code": "INVALID_REQUEST", "message": "m", "retryable": False, "request_id": "r", "details": details}

    assert isinstance(error_of(httpx.Response(400, json={"error": error})), RequestRefused)

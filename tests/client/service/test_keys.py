"""Pinned keys: which sets are taken, and which are a fault in the program or an outage."""

import json
from typing import Any

import pytest

import seatlease
from seatlease._service import first_answer
from seatlease._service.keys import Keys
from seatlease._service.lease_token import verify
from seatlease.errors import LeaseNotProven, RequestRefused, ServiceUnreachable
from seatlease.testing import FakeService
from tests.client.answering import Answer, answering, told
from tests.client.signing import NOW, SigningKey

_OLD, _NEW = SigningKey(), SigningKey()


@pytest.mark.parametrize("as_text", [False, True])
def test_each_of_the_services_keys_proves_its_tokens(as_text: bool) -> None:  # noqa: FBT001 a table's column
    jwks: dict[str, Any] = {"keys": [_OLD.jwk, _NEW.jwk]}
    keys = Keys.pinned(json.dumps(jwks) if as_text else jwks)

    assert verify(_OLD.sign(), keys, now=NOW) == verify(_NEW.sign(), keys, now=NOW)
    assert keys.jwks == jwks


@pytest.mark.parametrize(
    ("jwks", "match"),
    [
        ("", "Expecting value"),
        ("[]", "JSON object"),
        ("{}", "list"),
        ({"keys": []}, "list"),
        ({"keys": "secret"}, "list"),
        ({"keys": ["secret"]}, "JSON object"),
        ({"keys": [{**_OLD.jwk, "d": "secret"}]}, "private key"),
        ({"keys": [{**_OLD.jwk, "kid": ""}]}, "kid"),
        ({"keys": [{**_OLD.jwk, "alg": "HS256", "kty": "oct", "k": "secret"}]}, "kty OKP"),
        ({"keys": [{**_OLD.jwk, "alg": "HS256"}]}, "alg EdDSA"),
        ({"keys": [{**_OLD.jwk, "crv": "Ed448"}]}, "Ed25519"),
        ({"keys": [{**_OLD.jwk, "x": "AAAA"}]}, "is not valid"),
        ({"keys": [{**_OLD.jwk, "x": 7}]}, "is not valid"),
        ({"keys": [_OLD.jwk, _OLD.jwk]}, "same kid"),
        ({"keys": [_OLD.jwk, {}]}, "kid"),
    ],
)
def test_a_set_with_anything_else_in_it_is_refused_at_once(jwks: Any, match: str) -> None:  # noqa: ANN401 as named
    with pytest.raises(ValueError, match=match) as raised:
        Keys.pinned(jwks)

    assert "secret" not in str(raised.value)


def test_keys_are_fetched_once_to_be_pinned() -> None:
    jwks = {"keys": [_NEW.jwk]}
    with answering(told(jwks)) as server:
        fetched = Keys.fetch(f"http://{server.host}/api/")

    assert server.heard == [("/api/v1/keys", "")]
    assert verify(_NEW.sign(), Keys.pinned(fetched.jwks), now=NOW)


def test_a_seat_whose_keys_were_fetched_survives_new_keys_and_forgets_the_old() -> None:
    service, old = FakeService(), {"keys": [_OLD.jwk]}
    with answering(told(old), told(service.keys.jwks)) as server:
        keys = Keys.fetch(f"http://{server.host}")

        with service.seat(keys=keys) as seat:
            assert seat.heartbeat() is seatlease.State.ACTIVE

    assert len(server.heard) == 2
    assert keys.jwks == service.keys.jwks
    assert keys.named(_OLD.jwk["kid"]) is None


def test_keys_of_another_server_are_not_fetched_for_each_answer() -> None:
    service, other = FakeService(), {"keys": [_OLD.jwk]}
    with answering(told(other)) as server:
        keys = Keys.fetch(f"http://{server.host}")
        for _ in range(3):
            with pytest.raises(LeaseNotProven):
                service.seat(keys=keys).acquire()

    assert len(server.heard) == 2


def test_pinned_keys_are_never_fetched() -> None:
    service, keys = FakeService(), Keys.pinned({"keys": [_OLD.jwk]})

    with pytest.raises(LeaseNotProven):
        service.seat(keys=keys).acquire()

    assert keys.jwks == {"keys": [_OLD.jwk]}


@pytest.mark.parametrize(
    ("answer", "match"),
    [
        (Answer(status=503, content=b"<html>"), "503"),
        (Answer(status=302, content=b""), "302"),
        (Answer(content=b"<html>Pay for the Wi-Fi</html>"), "something else"),
        (Answer(content=b"[" * 100_000), "something else"),
        (told({"keys": []}), "something else"),
        (told({"keys": [{**_NEW.jwk, "d": "secret"}]}), "something else"),
    ],
)
def test_an_answer_without_keys_is_an_outage(monkeypatch: pytest.MonkeyPatch, answer: Answer, match: str) -> None:
    monkeypatch.setattr(first_answer, "WITHIN_SECONDS", 0.0)
    with answering(answer) as server, pytest.raises(ServiceUnreachable, match=match):
        Keys.fetch(f"http://{server.host}")


@pytest.mark.parametrize("url", ["no-scheme", ""])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(RequestRefused, match="must begin with https://"):
        Keys.fetch(url)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "https://["])
def test_nobody_there_is_an_outage(url: str) -> None:
    with pytest.raises(ServiceUnreachable, match="could not be fetched"):
        Keys.fetch(url)

"""Tokens and passwords leave this machine encrypted, or not at all: a proxy hears whatever would be sent in clear."""

from collections.abc import Iterator

import pytest

import seatlease
from seatlease._service.address import is_this_machine, refuse_in_clear
from tests.client.answering import Answering, answering, told
from tests.client.commands import bare_environment, run

ELSEWHERE = "http://licenses.example"
MATERIALS = {
    "SEATLEASE_API_KEY": "any-key",
    "SEATLEASE_LICENSE_KEY": "KEY",
    "SEATLEASE_HARDWARE_ID": "laptop",
}


@pytest.fixture
def wire() -> Iterator[Answering]:
    """What anyone between this machine and the next one hears."""
    with answering(told({})) as wire:
        yield wire


@pytest.fixture
def environment(wire: Answering) -> dict[str, str]:
    proxy = f"http://{wire.host}"
    return {**bare_environment(), **MATERIALS, "HTTP_PROXY": proxy, "HTTPS_PROXY": proxy, "NO_PROXY": ""}


@pytest.mark.parametrize("words", [["usage"], ["run", "true"], ["doctor"], ["login", "--email", "a@b.c"], ["logout"]])
@pytest.mark.parametrize("variable", ["SEATLEASE_ID_TOKEN", "SEATLEASE_REFRESH_TOKEN"])
@pytest.mark.parametrize("is_option", [True, False], ids=["--url", "SEATLEASE_URL"])
def test_no_command_sends_anything_in_clear_to_another_machine(
    wire: Answering, environment: dict[str, str], words: list[str], variable: str, *, is_option: bool
) -> None:
    address = {} if is_option else {"SEATLEASE_URL": ELSEWHERE}
    command = [words[0], "--url", ELSEWHERE, *words[1:]] if is_option else words

    refused = run(*command, environment={**environment, **address, variable: "token-secret"}, told="hunter2\n")

    assert (refused.returncode, refused.stdout) == (2, "")
    shown = " ".join(refused.stderr.replace("│", " ").split())
    assert "http:// would send tokens in clear" in shown
    assert "SEATLEASE_INSECURE=1" in shown
    assert wire.heard == []


@pytest.mark.parametrize("emulator", ["192.0.2.2:9099", "the wire"])
@pytest.mark.parametrize("words", [["usage"], ["login", "--email", "a@b.c"]])
def test_for_a_service_at_https_no_emulator_gets_a_refresh_token_or_a_password(
    wire: Answering, environment: dict[str, str], words: list[str], emulator: str
) -> None:
    named = wire.host if emulator == "the wire" else emulator

    unreachable = run(
        *words,
        environment={
            **environment,
            "SEATLEASE_URL": "https://licenses.example",
            "SEATLEASE_REFRESH_TOKEN": "AMf-refresh-secret",
            "FIREBASE_AUTH_EMULATOR_HOST": named,
        },
        told="hunter2\n",
    )

    # Firebase itself was asked, at https://, and the proxy lets nobody through.
    assert (unreachable.returncode, "sign-in service cannot be reached" in unreachable.stderr) == (69, True)
    assert wire.heard == []


async def test_no_seat_sends_its_token_in_clear_to_another_machine(
    wire: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://{wire.host}")

    for refused in (
        seatlease.Seat(ELSEWHERE, "KEY", credentials="token-secret"),
        seatlease.Seat(f"{ELSEWHERE}/path", "KEY", credentials=seatlease.RefreshToken("r-secret", api_key="key")),
    ):
        with pytest.raises(seatlease.RequestRefused, match="in clear"):
            refused.acquire()
    with pytest.raises(seatlease.RequestRefused, match="in clear"):
        await seatlease.AsyncSeat(ELSEWHERE, "KEY", credentials="token-secret").acquire()
    with pytest.raises(seatlease.RequestRefused, match="in clear"):
        seatlease.Keys.fetch(ELSEWHERE)

    assert wire.heard == []


def test_who_must_may_send_tokens_in_clear(wire: Answering, environment: dict[str, str]) -> None:
    insecure = {**environment, "SEATLEASE_URL": ELSEWHERE, "SEATLEASE_INSECURE": "1", "SEATLEASE_ID_TOKEN": "token"}

    answered = run("usage", environment={**insecure, "SEATLEASE_LICENSE_KEY": ""})

    assert (answered.returncode, "something else answered" in answered.stderr.lower()) == (69, True)
    assert wire.heard == [(f"{ELSEWHERE}/v1/usage", "")]


@pytest.mark.parametrize("value", ["", "0", "true", "2"])
def test_only_a_1_allows_it(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("SEATLEASE_INSECURE", value)

    with pytest.raises(seatlease.RequestRefused):
        refuse_in_clear(ELSEWHERE)


@pytest.mark.parametrize(
    "url",
    [
        "http://192.168.1.7:8080",
        "HTTP://licenses.example",
        "http://127.0.0.1@licenses.example",
        "http://localhost.licenses.example",
        "http://127.0.0.1.licenses.example",
        "http://licenses.example#@127.0.0.1",
        "http://licenses.example?127.0.0.1",
        "http://0.0.0.0",
        "http://127.1",
        "http://2130706433",
        "http://[2001:db8::1]",
        "http://[fe80::1]",
    ],
)
def test_what_only_looks_like_this_machine_is_refused(url: str) -> None:
    with pytest.raises(seatlease.RequestRefused):
        refuse_in_clear(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://licenses.example",
        "HTTPS://licenses.example",
        "http://localhost:8080",
        "http://127.0.0.1:8080/path",
        "http://127.8.9.10",
        "http://[::1]:8080",
    ],
)
def test_this_machine_and_https_are_allowed(url: str) -> None:
    refuse_in_clear(url)


def test_a_name_is_this_machines_only_if_it_is_localhost() -> None:
    assert [is_this_machine(host) for host in ("localhost", "::1", "localhost.", "ip6-localhost", "")] == [
        True, True, False, False, False,
    ]  # fmt: skip

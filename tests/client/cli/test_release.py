"""``seatlease release``: ends what it names, and nothing before the person agreed."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest

from seatlease import State
from tests.client.backends import RealBackend
from tests.client.commands import Terminal, command, environment_of, run, run_apart
from tests.client.conftest import BuildBackend

_DEVICE = "0123456789abcdef"


@pytest.fixture
def backend(build_real: BuildBackend) -> RealBackend:
    return build_real(seats=3)


@pytest.fixture
def on_terminal() -> Iterator[Callable[..., Terminal]]:
    with ExitStack() as cleanup:

        def on_terminal(*words: str, environment: dict[str, str]) -> Terminal:
            terminal = Terminal.running(command(*words), environment=environment)
            cleanup.callback(terminal.stop)
            return terminal

        yield on_terminal


def _end_reasons(backend: RealBackend) -> dict[str, str | None]:
    return {session["user_id"]: session["end_reason"] for session in backend.tenant.sessions()}


def test_without_an_argument_it_is_the_own_seat_on_this_device(backend: RealBackend) -> None:
    with backend.seat("m0"), backend.seat("m1"):
        unasked = run("release", environment=environment_of(backend))
        before = backend.in_use
        agreed = run("release", "--yes", environment=environment_of(backend))
        again = run("release", "--yes", environment=environment_of(backend))

        assert (unasked.returncode, before) == (78, 2)
        assert "--yes" in unasked.stderr
        assert (agreed.returncode, agreed.stdout) == (0, "")
        assert "of m0@example.com on laptop, L, since " in agreed.stderr
        assert _end_reasons(backend) == {"m0": "released_elsewhere", "m1": None}
        assert (again.returncode, again.stderr) == (1, "seatlease: you hold no seat on this device\n")


@pytest.mark.parametrize("named_by", ["session", "address", "device"])
def test_an_owner_ends_the_session_of_another_user_by_any_of_its_names(backend: RealBackend, named_by: str) -> None:
    with backend.seat("m0"), backend.seat("m1", hardware_id=_DEVICE) as other:
        assert other.lease is not None
        whose = {"session": other.lease.session_id, "address": "M1@example.com", "device": f"{_DEVICE[:12]}…"}[named_by]

        ended = run("release", whose, "--yes", environment=environment_of(backend, "olivia"))

        assert ended.returncode == 0, ended.stderr
        assert f"session {other.lease.session_id} of m1@example.com on {_DEVICE[:12]}…, " in ended.stderr
        assert _end_reasons(backend) == {"m0": None, "m1": "revoked_by_admin"}


@pytest.mark.parametrize("until", ["2h", (datetime.now(UTC) + timedelta(hours=2)).isoformat()], ids=["span", "time"])
def test_an_owner_keeps_the_user_out_for_a_time(backend: RealBackend, until: str) -> None:
    with backend.seat("m1") as held:
        owner = environment_of(backend, "olivia")

        ended = run("release", "m1@example.com", "--until", until, "--yes", environment=owner)

        assert ended.returncode == 0, ended.stderr
        assert "their users get no seat of the license before 20" in ended.stderr
        assert held.heartbeat() is State.REVOKED
        refused = run_apart("run", "--", "true", environment=environment_of(backend, "m1"))
        assert (refused.returncode, "KEPT_OUT" in refused.stderr) == (77, True)


def test_without_a_name_nobody_is_kept_out(backend: RealBackend) -> None:
    with backend.seat("m0"):
        refused = run("release", "--until", "2h", "--yes", environment=environment_of(backend))

        assert (refused.returncode, backend.in_use) == (78, 1)
        assert "name a session, an address or a device" in refused.stderr


def test_a_member_ends_no_session_of_another_user(backend: RealBackend) -> None:
    with backend.seat("m1"):
        refused = run("release", "m1@example.com", "--yes", environment=environment_of(backend))

        assert (refused.returncode, backend.in_use) == (1, 1)
        assert "you see no session of m1@example.com" in refused.stderr


def test_on_a_terminal_it_asks_and_no_means_no(backend: RealBackend, on_terminal: Callable[..., Terminal]) -> None:
    with backend.seat("m1"):
        terminal = on_terminal("release", "m1@example.com", environment=environment_of(backend, "olivia"))
        terminal.shows("End this session?")

        terminal.types("n\n")

        assert (terminal.ends(), backend.in_use) == (1, 1)
        assert "nothing was changed" in terminal.seen


def test_without_the_license_the_own_device_is_not_known(backend: RealBackend) -> None:
    environment = environment_of(backend, SEATLEASE_LICENSE_KEY="", SEATLEASE_HARDWARE_ID="")

    refused = run("release", "--yes", environment=environment)

    assert (refused.returncode, "give --license-key" in refused.stderr) == (78, True)


def test_a_token_in_the_environment_is_the_token_that_is_printed(backend: RealBackend) -> None:
    environment = environment_of(backend)

    assert run("token", environment=environment).stdout == environment["SEATLEASE_ID_TOKEN"] + "\n"

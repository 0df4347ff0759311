"""What a paying customer may try against a program that verifies its leases, on the real service."""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import httpx
import pytest

import seatlease
from seatlease import State
from tests.client.backends import RealBackend
from tests.client.between import Between, between
from tests.client.commands import environment_of, run, run_apart
from tests.client.conftest import BuildBackend

STARTS = 20
HEARTBEATS = 60


@pytest.fixture
def backend(build_real: BuildBackend) -> RealBackend:
    return build_real(seats=1)


@pytest.fixture
def middle(backend: RealBackend) -> Iterator[Between]:
    with between(backend.proxy.url) as middle:
        yield middle


@pytest.fixture
def dear(backend: RealBackend) -> str:
    """The key of a second, dear license. Another user has its only seat."""
    key = f"DEAR-{backend.tenant.license_key}"
    backend.tenant.add_license("dear", key, seats=1)
    backend.seat("m1", license_key=key).acquire()
    return key


def _record(backend: RealBackend, middle: Between, *, keys: seatlease.Keys | None) -> None:
    """Record one acquire and many heartbeats of an honest program."""
    with backend.seat(url=middle.url, keys=keys) as seat:
        assert [seat.heartbeat() for _ in range(HEARTBEATS)] == [State.ACTIVE] * HEARTBEATS


# Replay


@pytest.mark.parametrize("has_nonces", [True, False], ids=["of a program with keys", "of one without"])
def test_recorded_answers_open_no_program_that_verifies(
    backend: RealBackend, middle: Between, *, has_nonces: bool
) -> None:
    pinned = backend.keys
    _record(backend, middle, keys=pinned if has_nonces else None)
    backend.refuse("LICENSE_INACTIVE")
    middle.plays_back = True

    for _ in range(STARTS):
        with pytest.raises(seatlease.LeaseNotProven, match="recorded earlier, or the license service is too old"):
            backend.seat(url=middle.url, keys=pinned).acquire()

    assert middle.asked.count("acquire") == 1 + STARTS
    assert backend.in_use == 0


@pytest.mark.long
def test_recorded_heartbeats_keep_no_program_that_verifies_going(backend: RealBackend, middle: Between) -> None:
    described = backend.described("m0")
    with backend.seat(url=middle.url, keys=backend.keys) as seat:
        granted = seat.lease
        assert granted is not None
        for number in range(HEARTBEATS):  # newer than the lease, as an attacker asks for them who has the token
            answer = httpx.post(
                f"{middle.url}/v1/heartbeat",
                json={"session_id": granted.session_id, "nonce": f"of-the-attacker-{number}"},
                headers={"Authorization": f"Bearer {described['credentials']}"},
            )
            assert answer.status_code == 200
        middle.plays_back = True
        states = {seat.heartbeat() for _ in range(HEARTBEATS)}
        assert isinstance(seat.error, seatlease.LeaseNotProven)
        assert seat.lease is granted

    assert states == {State.DEGRADED}


async def test_recorded_answers_open_no_program_with_a_loop_either(backend: RealBackend, middle: Between) -> None:
    pinned = backend.keys
    async with backend.async_seat(url=middle.url, keys=pinned) as seat:
        assert await seat.heartbeat() is State.ACTIVE
    middle.plays_back = True

    with pytest.raises(seatlease.LeaseNotProven, match="recorded earlier"):
        await backend.async_seat(url=middle.url, keys=pinned).acquire()


def test_a_changed_nonce_is_a_lease_for_another_request(backend: RealBackend, middle: Between) -> None:
    middle.change = lambda body: {**body, "nonce": "another-request-s"} if "nonce" in body else body

    with pytest.raises(seatlease.LeaseNotProven, match="recorded earlier"):
        backend.seat(url=middle.url, keys=backend.keys).acquire()

    assert backend.in_use == 0  # what nobody can use is given back


# Substitution


def _exchange_the_key(middle: Between, key: str) -> None:
    middle.change = lambda body: {**body, "license_key": key} if "license_key" in body else body


def test_a_seat_of_a_cheap_license_opens_no_program_of_a_dear_one(
    backend: RealBackend, middle: Between, dear: str
) -> None:
    pinned = backend.keys
    _exchange_the_key(middle, backend.tenant.license_key)
    with pytest.raises(seatlease.NoSeatFree):
        backend.seat(license_key=dear, keys=pinned).acquire()

    with pytest.raises(seatlease.LeaseNotProven, match="for another license"):
        backend.seat(url=middle.url, license_key=dear, keys=pinned).acquire()

    assert [session["license_id"] for session in backend.tenant.open_sessions()] == ["dear"]  # the other user's


async def test_a_program_with_a_loop_is_not_opened_by_another_license_either(
    backend: RealBackend, middle: Between, dear: str
) -> None:
    _exchange_the_key(middle, backend.tenant.license_key)

    with pytest.raises(seatlease.LeaseNotProven, match="for another license"):
        await backend.async_seat(url=middle.url, license_key=dear, keys=backend.keys).acquire()


def test_a_saved_lease_of_a_cheap_license_opens_no_program_of_a_dear_one_offline(
    backend: RealBackend, tmp_path: Path
) -> None:
    pinned, file = backend.keys, seatlease.LeaseFile(tmp_path / "lease.json")
    with backend.seat(keys=pinned) as seat:
        assert seat.lease is not None
        assert seat.lease.lease_token is not None
        file.save(seat.lease.lease_token)
    own = backend.tenant.license_key

    proven = file.load(pinned, hardware_id=backend.hardware_id, license_key=own)

    assert proven.license_id == "license-1"
    with pytest.raises(seatlease.LeaseNotProven, match="for another license"):
        file.load(pinned, hardware_id=backend.hardware_id, license_key=f"DEAR-{own}")


@pytest.mark.parametrize("own", [{}, {"credentials": "no-ID-token"}], ids=["with a user", "without one"])
def test_a_seat_of_another_user_opens_no_program(backend: RealBackend, middle: Between, own: dict[str, str]) -> None:
    middle.token = backend.described("m1")["credentials"]

    with pytest.raises(seatlease.LeaseNotProven, match="for another user"):
        backend.seat("m0", url=middle.url, keys=backend.keys, **own).acquire()

    assert backend.in_use == 0


def test_an_admin_who_changes_a_licenses_key_stops_no_program_that_holds_a_seat(backend: RealBackend) -> None:
    with backend.seat(keys=backend.keys) as seat:
        backend.tenant.license().update({"license_key": "CHANGED"})

        assert seat.heartbeat() is State.ACTIVE


# A grace

MACHINES = 25


def test_of_machines_that_take_one_seat_in_turn_none_starts_offline_after_its_lease(
    build_real: BuildBackend, tmp_path: Path
) -> None:
    backend = build_real(seats=1, grace_seconds=30 * 86_400)
    keys = backend.keys
    saved: list[tuple[str, seatlease.LeaseFile, datetime]] = []
    for number in range(MACHINES):
        machine, file = f"machine-{number}", seatlease.LeaseFile(tmp_path / f"{number}.json")
        with backend.seat(hardware_id=machine, keys=keys) as seat:
            assert seat.lease is not None
            assert seat.lease.lease_token is not None
            file.save(seat.lease.lease_token)
            saved.append((machine, file, seat.lease.lease_expires_at))

    for machine, file, lease_expires_at in saved:
        with pytest.raises(seatlease.LeaseNotProven):
            file.load(keys, hardware_id=machine, now=lease_expires_at)

    assert len(backend.tenant.events("session.acquired")) == MACHINES
    assert backend.in_use == 0


# The command line


@pytest.fixture
def keys_file(backend: RealBackend, tmp_path: Path) -> Path:
    file = tmp_path / "keys.json"
    file.write_text(json.dumps(dict(backend.keys.jwks)))
    return file


def test_the_command_line_takes_a_seat_by_its_pinned_keys_and_none_by_recorded_answers(
    backend: RealBackend, middle: Between, keys_file: Path
) -> None:
    environment = environment_of(backend, SEATLEASE_URL=middle.url)

    honest = run_apart("run", "--keys", str(keys_file), "--", "echo", "runs", environment=environment)
    middle.plays_back = True
    replayed = run_apart("run", "--", "echo", "runs", environment={**environment, "SEATLEASE_KEYS": str(keys_file)})

    assert (honest.returncode, honest.stdout, honest.stderr) == (0, "runs\n", "")
    assert (replayed.returncode, replayed.stdout) == (69, "")
    assert "recorded earlier" in replayed.stderr


@pytest.mark.parametrize("text", [None, "", "{}", '{"keys": []}', "[" * 100_000, "\udcff"])
def test_without_usable_keys_in_its_file_the_command_line_starts_nothing(
    backend: RealBackend, keys_file: Path, text: str | None
) -> None:
    if text is None:
        keys_file.unlink()
    else:
        keys_file.write_bytes(text.encode("utf-8", "surrogateescape"))

    refused = run("run", "--keys", str(keys_file), "--", "echo", "runs", environment=environment_of(backend))

    assert (refused.returncode, refused.stdout) == (78, "")
    assert f"seatlease: the keys in {keys_file} cannot be used" in refused.stderr
    assert backend.tenant.sessions() == []

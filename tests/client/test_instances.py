"""Replicas of a program that share one seat: each is an instance, on the real stack and on the fake."""

from pathlib import Path

import pytest

import seatlease
from seatlease import State
from seatlease.cli.exit_status import NO_SEAT, of_error
from tests.client.backends import Backend


class Replicas:
    """Programs with one device name, each with a state folder of its own, as in containers."""

    def __init__(self, backend: Backend, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._backend, self._folder, self._monkeypatch = backend, folder, monkeypatch

    def started(self, name: str) -> seatlease.Seat:
        self._monkeypatch.setenv("XDG_STATE_HOME", str(self._folder / name))
        seat = self._backend.seat()
        seat.acquire()
        return seat


@pytest.fixture
def replicas(backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Replicas:
    return Replicas(backend, tmp_path, monkeypatch)


def test_the_first_replica_that_goes_does_not_give_the_others_seat_away(backend: Backend, replicas: Replicas) -> None:
    first, second = replicas.started("a"), replicas.started("b")

    first.close()
    kept, in_use = second.heartbeat(), backend.in_use
    second.close()

    assert (kept, in_use) == (State.ACTIVE, 1)
    assert backend.in_use == 0


def test_one_replica_more_than_the_license_allows_is_refused_with_what_to_do(
    backend: Backend, replicas: Replicas
) -> None:
    backend.limit_instances(1)
    first = replicas.started("a")

    with pytest.raises(seatlease.InstanceLimitReached) as refused:
        replicas.started("b")
    first.close()
    second = replicas.started("b")
    second.close()

    error = refused.value
    assert (error.code, error.in_use, error.max_seats) == ("INSTANCE_LIMIT_REACHED", 1, 1)
    assert error.retry_after.total_seconds() == 60
    assert first.lease is not None
    assert error.details["session_id"] == first.lease.session_id
    assert of_error(error) == NO_SEAT


async def test_a_program_with_a_loop_is_refused_likewise(
    backend: Backend, replicas: Replicas, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend.limit_instances(1)
    first = replicas.started("a")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "b"))

    with pytest.raises(seatlease.InstanceLimitReached):
        await backend.async_seat().acquire()

    first.close()


def test_a_program_that_starts_again_on_the_same_machine_is_the_same_instance(
    backend: Backend, replicas: Replicas
) -> None:
    backend.limit_instances(1)

    crashed, again = replicas.started("a"), replicas.started("a")

    assert (again.state, backend.in_use) == (State.ACTIVE, 1)
    crashed.close()
    again.close()


def test_a_seat_that_its_user_gives_back_from_elsewhere_is_not_taken_back(backend: Backend) -> None:
    with backend.seat() as seat:
        backend.release_elsewhere(seat)

        first, second = seat.heartbeat(), seat.heartbeat()

        assert (first, second, backend.in_use) == (State.REVOKED, State.REVOKED, 0)
        with pytest.raises(seatlease.SessionRevoked, match="from elsewhere"):
            seat.check()

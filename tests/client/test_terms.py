"""What was sold, as a program sees it: on the real stack and on the fake that programs test with."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

import seatlease
from seatlease import State
from seatlease.cli.exit_status import NO_SEAT, NOT_ALLOWED, of_error
from seatlease.testing import FakeService
from tests.client.backends import Backend
from tests.client.conftest import BuildBackend
from tests.client.recorded import Told

SOLD: dict[str, seatlease.Feature] = {"edition": "pro", "export": True, "max_layers": 64, "scale": 1.5}
END = datetime(2190, 12, 24, 18, 0, tzinfo=UTC)
IDLE = timedelta(hours=1)


# Features, and the end


def test_a_seat_tells_what_was_sold_and_an_edit_reaches_it_with_its_next_heartbeat(backend: Backend) -> None:
    backend.edit(features=SOLD, expires_at=END)
    with backend.seat(keys=backend.keys) as seat:
        first = (dict(seat.features), seat.license_expires_at)

        backend.edit(features={"edition": "standard"}, expires_at=END + timedelta(days=365))
        state = seat.heartbeat()

        assert state is State.ACTIVE
        assert first == (SOLD, END)
        assert (seat.features, seat.license_expires_at) == ({"edition": "standard"}, END + timedelta(days=365))


def test_what_was_sold_is_known_offline_from_the_saved_lease(backend: Backend, tmp_path: Path) -> None:
    backend.edit(features=SOLD, expires_at=END)
    file = seatlease.LeaseFile(tmp_path / "lease.json")
    with backend.seat() as seat:
        assert seat.lease is not None
        assert seat.lease.lease_token is not None
        file.save(seat.lease.lease_token)

    proven = file.load(backend.keys, hardware_id=backend.hardware_id)

    assert (proven.features, proven.license_expires_at) == (SOLD, END)


def test_of_a_license_without_terms_there_are_no_features_and_no_end(backend: Backend) -> None:
    seat = backend.seat()
    before = (seat.features, seat.license_expires_at)
    with seat:
        held = (seat.features, seat.license_expires_at)

    assert before == held == ({}, None)


def test_features_are_read_only() -> None:
    with FakeService(features=SOLD).seat() as seat, pytest.raises(TypeError):
        seat.features["export"] = False  # type: ignore[index]


class Tampering(httpx.AsyncBaseTransport):
    """Changes answers on their way, as a proxy of the customer's could."""

    def __init__(self, behind: httpx.AsyncBaseTransport) -> None:
        self._behind = behind
        self.change: Callable[[dict[str, Any]], object] = lambda _: None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._behind.handle_async_request(request)
        content = await response.aread()
        if content:
            body = json.loads(content)
            self.change(body)
            content = json.dumps(body).encode()
        return httpx.Response(response.status_code, headers={"Content-Type": "application/json"}, content=content)


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body["features"].update(export=True),
        lambda body: body["features"].update(max_layers=True),
        lambda body: body.pop("features", None),
        lambda body: body.update(license_expires_at="2195-01-01T00:00:00Z"),
        lambda body: body.pop("license_expires_at", None),
    ],
    ids=["one more", "a yes for 1", "none", "a later end", "no end"],
)
def test_an_answer_that_tells_of_more_or_less_than_was_signed_is_no_answer(
    change: Callable[[dict[str, Any]], object],
) -> None:
    service = FakeService(features={"max_layers": 1}, expires_at=END)
    middle = Tampering(service.transport)
    seat = service.seat(keys=service.keys, transport=middle)
    with seat:
        middle.change = lambda body: change(body) if "lease_token" in body else None
        assert seat.heartbeat() is State.DEGRADED
        assert isinstance(seat.error, seatlease.LeaseNotProven)
        assert (seat.features, seat.license_expires_at) == ({"max_layers": 1}, END)

    with pytest.raises(seatlease.LeaseNotProven):
        service.seat(keys=service.keys, transport=middle).acquire()
    assert service.in_use == 0


@pytest.mark.parametrize("has_keys", [True, False])
def test_a_service_from_before_features_gives_none(*, has_keys: bool) -> None:
    """Its tokens are those of ``test_lease_token.py``; here are its answers."""
    service = FakeService(features=SOLD, expires_at=END)
    middle = Tampering(service.transport)
    middle.change = lambda body: [body.pop(name, None) for name in ("features", "license_expires_at", "is_overdraft")]

    seat = service.seat(transport=middle, keys=service.keys if has_keys else None)

    if has_keys:  # what was signed must not be taken away on the way
        with pytest.raises(seatlease.LeaseNotProven):
            seat.acquire()
    else:
        with seat:
            assert (seat.state, seat.features, seat.license_expires_at) == (State.ACTIVE, {}, None)


# Refusals


def test_before_its_start_a_license_gives_no_seat_and_says_when_it_begins(backend: Backend) -> None:
    with backend.seat() as seat:
        backend.edit(starts_at=END)

        with pytest.raises(seatlease.LicenseNotStarted) as refused:
            backend.seat("m1").acquire()

        assert (refused.value.code, refused.value.starts_at) == ("LICENSE_NOT_STARTED", END)
        assert f"{END.astimezone():%Y-%m-%d at %H:%M}" in refused.value.message
        assert of_error(refused.value) == NOT_ALLOWED
        assert seat.heartbeat() is State.ACTIVE  # who holds a seat keeps it


def test_a_license_for_other_groups_is_told_as_that(backend: Backend) -> None:
    backend.refuse("LICENSE_NOT_ALLOWED")

    with pytest.raises(seatlease.LicenseNotAllowed, match="other groups") as refused:
        backend.seat(wait=timedelta(hours=1)).acquire()

    assert of_error(refused.value) == NOT_ALLOWED


def test_one_device_too_many_is_told_with_the_sessions_that_can_be_freed(backend: Backend) -> None:
    backend.edit(max_devices_per_user=1)
    with backend.seat(hardware_id="desk") as first, backend.seat("m1"):
        with pytest.raises(seatlease.DeviceLimitReached) as refused:
            backend.seat(hardware_id="laptop").acquire()

        assert first.lease is not None
        (own,) = refused.value.sessions
        assert (own.session_id, own.hardware_id) == (first.lease.session_id, "desk")
        assert own.started_at == first.lease.server_time
        assert (refused.value.code, refused.value.in_use, refused.value.max_seats) == (
            "USER_DEVICE_LIMIT_REACHED",
            1,
            1,
        )
        assert refused.value.retry_after == timedelta(seconds=60)
        assert of_error(refused.value) == NO_SEAT

    with backend.seat(hardware_id="laptop") as second:
        assert second.state is State.ACTIVE


def test_seats_that_are_reserved_for_others_are_told_apart(build_real: BuildBackend) -> None:
    backend = build_real(seats=3, reservations={"render": 2})
    with backend.seat("m0"), pytest.raises(seatlease.NoSeatFree, match="2 are reserved for other groups") as refused:
        backend.seat("m1").acquire()

    assert (refused.value.reserved_for_others, refused.value.in_use, refused.value.max_seats) == (2, 1, 3)


# Idle


def test_a_program_that_says_nothing_of_its_user_is_never_idle(backend: Backend) -> None:
    backend.edit(idle_seconds=60)
    with backend.seat() as seat:
        backend.pass_time(timedelta(minutes=4))

        assert seat.heartbeat() is State.ACTIVE


def test_an_idle_user_loses_the_seat_and_the_next_activity_takes_it_again(backend: Backend) -> None:
    backend.edit(idle_seconds=int(IDLE.total_seconds()))
    told = Told()
    with backend.seat(on_change=told) as seat:
        seat.idle(for_=2 * IDLE)

        states = [seat.heartbeat(), seat.heartbeat()]

        assert (states, backend.in_use) == ([State.IDLE, State.IDLE], 0)
        with pytest.raises(seatlease.SessionIdle) as lost:
            seat.check()
        assert lost.value.code == "SESSION_IDLE"
        seat.idle(for_=2 * IDLE)
        assert (seat.heartbeat(), backend.in_use) == (State.IDLE, 0)

        seat.active()
        told.wait_for(State.ACTIVE, times=2)

        assert (seat.heartbeat(), backend.in_use) == (State.ACTIVE, 1)
        assert told.states == [State.ACTIVE, State.IDLE, State.ACTIVE]


async def test_a_program_with_a_loop_says_it_likewise(backend: Backend) -> None:
    backend.edit(idle_seconds=int(IDLE.total_seconds()))
    async with backend.async_seat() as seat:
        seat.idle(for_=IDLE.total_seconds())
        idle = await seat.heartbeat()
        seat.active()

        back = await seat.heartbeat()

    assert (idle, back) == (State.IDLE, State.ACTIVE)


def test_the_latest_activity_counts(backend: Backend) -> None:
    backend.edit(idle_seconds=int(IDLE.total_seconds()))
    with backend.seat() as seat:
        seat.active()
        seat.idle(for_=2 * IDLE)  # the operating system knows of no key; the program does of its own work

        assert seat.heartbeat() is State.ACTIVE


def test_a_user_who_comes_back_to_a_full_license_is_told_so(backend: Backend) -> None:
    backend.edit(idle_seconds=int(IDLE.total_seconds()))
    told = Told()
    with backend.seat(on_change=told) as seat:
        seat.idle(for_=2 * IDLE)
        seat.heartbeat()
        with backend.seat("m1"), backend.seat("m2"):
            seat.active()
            told.wait_for(State.LOST)

            assert isinstance(seat.error, seatlease.NoSeatFree)
            assert (seat.heartbeat(), backend.in_use) == (State.LOST, 2)

        seat.acquire()  # as with every lost seat, when the program likes

        assert seat.heartbeat() is State.ACTIVE


def test_a_closed_seat_is_not_taken_again_by_activity(backend: Backend) -> None:
    backend.edit(idle_seconds=int(IDLE.total_seconds()))
    seat = backend.seat()
    with seat:
        seat.idle(for_=2 * IDLE)
        seat.heartbeat()

    seat.active()

    assert (seat.heartbeat(), backend.in_use) == (State.IDLE, 0)


def test_where_it_is_not_wanted_an_idle_users_seat_is_not_taken_again(backend: Backend) -> None:
    backend.edit(idle_seconds=int(IDLE.total_seconds()))
    with backend.seat(reacquire=False) as seat:
        seat.idle(for_=2 * IDLE)
        seat.heartbeat()
        seat.active()

        assert (seat.heartbeat(), backend.in_use) == (State.IDLE, 0)


def test_who_acquires_after_a_loss_is_at_work() -> None:
    service = FakeService(idle=IDLE)
    with service.seat(reacquire=False) as seat:
        seat.idle(for_=2 * IDLE)
        assert seat.heartbeat() is State.IDLE

        seat.acquire()

        assert seat.heartbeat() is State.ACTIVE


def test_of_processes_that_share_a_seat_the_most_active_one_counts(backend: Backend) -> None:
    backend.edit(idle_seconds=int(IDLE.total_seconds()))
    with backend.seat() as idle, backend.seat() as other:
        idle.idle(for_=2 * IDLE)
        while_it_says_nothing = idle.heartbeat()
        other.active()
        other.heartbeat()
        while_it_is_active = idle.heartbeat()
        other.close()

        assert (while_it_says_nothing, while_it_is_active) == (State.ACTIVE, State.ACTIVE)
        assert (idle.heartbeat(), backend.in_use) == (State.IDLE, 0)


def test_an_idle_instance_leaves_the_seat_to_the_others(
    backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend.edit(idle_seconds=int(IDLE.total_seconds()))
    with backend.seat() as idle:
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another"))
        with backend.seat() as other:
            idle.idle(for_=2 * IDLE)

            assert (idle.heartbeat(), other.heartbeat(), backend.in_use) == (State.IDLE, State.ACTIVE, 1)


def test_a_program_that_never_spoke_of_its_user_takes_a_seat_again_that_ended_as_idle(build_real: BuildBackend) -> None:
    backend = build_real(seats=1)
    with backend.seat() as seat:
        for session in backend.tenant.organization.collection("sessions").stream():
            session.reference.update({"ended_at": datetime.now(UTC), "end_reason": "idle"})

        seat.heartbeat()

        assert (seat.heartbeat(), backend.in_use) == (State.ACTIVE, 1)

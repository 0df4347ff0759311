"""A seat that is taken along: it opens the program without a network until its end, and not a second longer."""

import json
import os
import socket
import subprocess
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

import seatlease
from seatlease import State
from seatlease._service import clock, firebase
from seatlease.cli.exit_status import MISCONFIGURED, NO_SEAT, NOT_ALLOWED, of_error
from seatlease.cli.reminder import Reminder
from seatlease.testing import FakeService
from tests.client.backends import Backend
from tests.client.hosts import CLIENT, PROGRAMS, PYTHON
from tests.client.recorded import Told
from tests.client.signing import SigningKey
from tests.client.test_terms import Tampering
from tests.support.waiting import wait_until

DAYS = timedelta(days=3)
SECOND = timedelta(seconds=1)


def borrowed(backend: Backend | FakeService, **options: Any) -> datetime:  # noqa: ANN401 the seat's own
    """Borrow a seat, and end the program."""
    with backend.seat(borrow=DAYS, **options) as seat:
        assert seat.borrowed_until is not None
        return seat.borrowed_until


@pytest.fixture
def service() -> FakeService:
    return FakeService(max_borrow=timedelta(days=7), features={"pro": True})


def test_a_borrowed_seat_outlives_the_program_and_opens_it_without_a_network(lending: Backend) -> None:
    until = borrowed(lending)

    with lending.offline(), lending.seat() as seat:
        offline = (seat.heartbeat(), seat.borrowed_until, lending.in_use)
        error = seat.error

    assert offline == (State.ACTIVE, until.replace(microsecond=0), 1)
    assert isinstance(error, seatlease.ServiceUnreachable)
    with lending.seat(keys=lending.keys) as seat:
        online = (seat.heartbeat(), seat.borrowed_until, seat.error)
    assert online == (State.ACTIVE, until, None)
    assert lending.in_use == 1

    lending.seat().give_back()

    assert lending.in_use == 0
    with lending.offline(), pytest.raises(seatlease.ServiceUnreachable):
        lending.seat().acquire()


@pytest.mark.parametrize("has_keys", [True, False], ids=["pinned keys", "remembered keys"])
def test_it_works_for_the_whole_time_in_a_fresh_process_each_time_and_not_one_second_longer(
    service: FakeService, *, has_keys: bool
) -> None:
    with service.seat(borrow=DAYS, keys=service.keys if has_keys else None) as seat:
        lease = seat.lease
        assert lease is not None
        assert lease.borrowed_until is not None
        begins, until = lease.server_time, lease.borrowed_until.replace(microsecond=0)

    started = [_starts_at(service, at) for at in (begins, begins + DAYS / 2, until - SECOND)]
    over = [_starts_at(service, at) for at in (until, until + SECOND)]

    assert started == [{"state": "active", "until": str(until), "features": {"pro": True}}] * 3
    for refused in over:
        assert refused["error"] == "LeaseNotProven"
        assert "Please connect to the network." in refused["message"]


def test_a_program_that_runs_has_the_seat_until_then_without_a_network_and_not_longer() -> None:
    service = FakeService(lease=SECOND, max_borrow=DAYS)
    told = Told()
    with service.seat(borrow=3 * SECOND):
        pass
    with service.offline(), service.seat(on_change=told) as seat:
        lease = seat.lease
        assert lease is not None
        told.wait_for(State.LOST)
        lost_at = clock.elapsed()
        with pytest.raises(seatlease.SessionLost, match="could not be reached in time"):
            seat.check()

        assert (told.states, seat.state, seat.borrowed_until) == ([State.ACTIVE, State.LOST], State.LOST, None)
        assert lost_at >= lease.borrowed_until_elapsed


@pytest.mark.parametrize("is_silent", [False, True], ids=["nothing is reached", "nothing answers"])
def test_with_a_stored_sign_in_it_starts_within_seconds_although_no_token_can_be_had(
    service: FakeService, monkeypatch: pytest.MonkeyPatch, *, is_silent: bool
) -> None:
    until = borrowed(service)
    monkeypatch.setattr(firebase, "ANSWER_WITHIN_SECONDS", 120)
    signed_in = seatlease.RefreshToken("refresh-token", api_key="api-key")
    with socket.create_server(("127.0.0.1", 0)) as nobody, service.offline():
        port = nobody.getsockname()[1] if is_silent else 1
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        began_at = clock.elapsed()

        with service.seat(credentials=signed_in) as seat:
            took = clock.elapsed() - began_at
            nobody.close()  # what waits for its answer learns that none will come
            wait_until(lambda: seat.error is not None, within=30)
            told = (seat.state, seat.borrowed_until)
            error = seat.error

        monkeypatch.setattr(clock, "now", lambda: until)
        with pytest.raises(seatlease.LeaseNotProven, match="You had borrowed the seat until"):
            service.seat(credentials=signed_in).acquire()

    assert told == (State.ACTIVE, until.replace(microsecond=0))
    assert took < 60  # far less than the sign-in would take
    assert isinstance(error, seatlease.ServiceUnreachable)
    assert error.message.startswith("The sign-in service cannot be reached (")


def _starts_at(service: FakeService, at: datetime) -> dict[str, Any]:
    described = {
        "url": service.url,
        "license_key": service.license_key,
        "credentials": "no-token-without-a-network",
        "hardware_id": "device-1",
        "starts_at": at.isoformat(),
    }
    done = subprocess.run(
        [PYTHON, str(PROGRAMS / "traveller.py"), json.dumps(described)],
        env={**os.environ, "PYTHONPATH": str(CLIENT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return dict(json.loads(done.stdout))


# What does not open it


def _clock_back(_: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime.now(timezone.utc) - timedelta(hours=1)
    monkeypatch.setattr(clock, "now", lambda: now)


def _edited(folder: Path, _: pytest.MonkeyPatch) -> None:
    (file,) = folder.glob("*.lease.json")
    kept = json.loads(file.read_text())
    head, claims, signature = kept["lease_token"].split(".")
    file.write_text(json.dumps({**kept, "lease_token": f"{head}.{claims}A.{signature}"}))


def _damaged(folder: Path, _: pytest.MonkeyPatch) -> None:
    (file,) = folder.glob("*.lease.json")
    file.write_text("{")


def _given_back_in_part(folder: Path, _: pytest.MonkeyPatch) -> None:
    (file,) = folder.glob("*.lease.json")
    file.unlink()


def _nothing(_: Path, __: pytest.MonkeyPatch) -> None: ...


@pytest.mark.parametrize(
    ("arrange", "options", "kind", "says"),
    [
        (_clock_back, {}, seatlease.ClockSetBack, "This machine's clock is behind. Please set it right"),
        (_edited, {}, seatlease.LeaseNotProven, "not signed by the license service"),
        (_damaged, {}, seatlease.LeaseNotProven, "cannot be read"),
        (_given_back_in_part, {}, seatlease.LeaseNotProven, "No lease is saved on this machine"),
        (_nothing, {"hardware_id": "copied-to"}, seatlease.LeaseNotProven, "for another device"),
        (_nothing, {"user": "user-2"}, seatlease.LeaseNotProven, "another user's"),
        (_nothing, {"keys": SigningKey().keys}, seatlease.LeaseNotProven, "a key that this program does not know"),
    ],
    ids=["clock set back", "edited", "damaged", "no token", "another device", "another user", "key retired"],
)
def test_what_is_not_this_devices_borrowed_seat_opens_nothing_and_is_named(
    service: FakeService,
    state_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    arrange: Callable[[Path, pytest.MonkeyPatch], None],
    options: dict[str, Any],
    kind: type[seatlease.LeaseNotProven],
    says: str,
) -> None:
    with service.seat(borrow=DAYS):
        pass
    arrange(state_folder / "borrowed", monkeypatch)

    with service.offline(), pytest.raises(kind, match=says):
        service.seat(**options).acquire()

    if "keys" not in options:  # the service gives this user a seat all the same
        service.set_seats(2)
        with service.seat(**options) as seat:
            assert seat.state is State.ACTIVE


def test_a_seat_that_was_revoked_meanwhile_ends_the_program_that_comes_back_and_starts_no_other(
    lending: Backend,
) -> None:
    borrowed(lending)
    lending.revoke()
    told = Told()
    with lending.offline():
        seat = lending.seat(on_change=told)
        seat.acquire()
        assert seat.state is State.ACTIVE

    told_online = seat.heartbeat()

    assert told_online is State.REVOKED
    with pytest.raises(seatlease.SessionRevoked, match="ended by an administrator"):
        seat.check()
    with lending.offline(), pytest.raises(seatlease.ServiceUnreachable):
        lending.seat().acquire()
    seat.close()


# Back online


def test_a_program_that_comes_back_goes_on_with_its_seat_and_says_until_when(
    lending: Backend, capsys: pytest.CaptureFixture[str]
) -> None:
    until = borrowed(lending)
    told = Told()
    with lending.offline():
        seat = lending.seat(on_change=told)
        seat.acquire()
        seat.heartbeat()
        missed = seat.error

    with seat:
        seat.heartbeat()
        online = (seat.state, seat.error, seat.borrowed_until)
        Reminder(seat).look()

    assert isinstance(missed, seatlease.ServiceUnreachable)
    assert online == (State.ACTIVE, None, until)
    assert (told.states, lending.in_use) == ([State.ACTIVE, State.RELEASED], 1)
    assert f"the seat is borrowed until {until.astimezone():%A %Y-%m-%d %H:%M:%S} (" in capsys.readouterr().err


def test_a_program_that_comes_back_is_the_instance_that_borrowed(lending: Backend, state_folder: Path) -> None:
    borrowed(lending)
    lending.limit_instances(1)
    for file in state_folder.glob("*/instance"):  # as in a new container with the old one's files
        file.unlink()

    with lending.seat() as seat:
        assert (seat.heartbeat(), seat.error) == (State.ACTIVE, None)
    lending.seat().give_back()

    assert lending.in_use == 0


def test_the_seat_that_a_program_holds_is_borrowed_and_the_program_leaves_it_so(lending: Backend) -> None:
    with lending.seat() as seat:
        until = borrowed(lending)
        before = seat.borrowed_until
        seat.heartbeat()
        after = seat.borrowed_until
    with lending.seat() as again:
        again.heartbeat()
        longer = again.borrowed_until

    assert (before, after, longer, lending.in_use) == (None, until, until, 1)


def test_a_program_that_does_not_know_yet_that_its_seat_was_borrowed_does_not_give_it_back(lending: Backend) -> None:
    with lending.seat() as seat:
        borrowed(lending)
        assert seat.borrowed_until is None

    assert lending.in_use == 1


async def test_a_program_with_a_loop_borrows_and_gives_back_likewise(lending: Backend) -> None:
    async with lending.async_seat(borrow=DAYS):
        pass
    with lending.offline():
        async with lending.async_seat() as seat:
            offline = (await seat.heartbeat(), lending.in_use)
            with pytest.raises(seatlease.ServiceUnreachable):
                await seat.give_back()
        with pytest.raises(seatlease.LeaseNotProven, match="No lease is saved"):  # its token was removed first
            await lending.async_seat().acquire()

    await lending.async_seat().give_back()

    assert (offline, lending.in_use) == ((State.ACTIVE, 1), 0)


# Refusals


def test_each_reason_not_to_lend_a_seat_is_told_apart(backend: Backend) -> None:
    with pytest.raises(seatlease.BorrowingOff, match="cannot be borrowed") as off:
        backend.seat(borrow=DAYS).acquire()
    backend.edit(max_borrow_seconds=86_400, max_borrowed_seats=1)
    with pytest.raises(seatlease.BorrowTooLong) as long:
        backend.seat(borrow=DAYS).acquire()
    with pytest.raises(seatlease.RequestRefused, match="borrow_until"):
        backend.seat(borrow=-DAYS).acquire()
    with backend.seat("m1", borrow=long.value.latest_until) as lent:
        until = lent.borrowed_until
    with pytest.raises(seatlease.BorrowedSeatsLimitReached, match="1 of 1") as full:
        backend.seat(borrow=timedelta(hours=1)).acquire()

    assert until is not None
    assert (until, backend.in_use) == (long.value.latest_until, 1)
    assert (full.value.in_use, full.value.max_seats, full.value.earliest_expiry_at) == (1, 1, until)
    assert f"until {until.astimezone():%Y-%m-%d %H:%M:%S} at most" in long.value.message
    assert [of_error(each.value) for each in (off, long, full)] == [NOT_ALLOWED, NOT_ALLOWED, NO_SEAT]


def test_a_clock_a_little_ahead_does_not_ask_for_too_long(
    service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "now", lambda: datetime.now(timezone.utc) + timedelta(minutes=2))

    with service.seat(borrow=timedelta(days=7)) as seat:
        assert seat.borrowed_until is not None
        left = seat.borrowed_until - datetime.now(timezone.utc)

    assert timedelta(days=6, hours=23) < left <= timedelta(days=7)


def test_a_seat_that_cannot_be_kept_on_this_machine_is_not_borrowed(service: FakeService, state_folder: Path) -> None:
    state_folder.mkdir(parents=True)
    (state_folder / "borrowed").write_text("in the way")

    with pytest.raises(seatlease.RequestRefused, match="cannot be kept on this machine") as refused:
        service.seat(borrow=DAYS).acquire()

    assert (of_error(refused.value), service.in_use) == (MISCONFIGURED, 0)


def test_an_answer_that_hides_that_the_seat_is_borrowed_is_no_answer(service: FakeService) -> None:
    middle = Tampering(service.transport)
    middle.change = lambda body: body.pop("borrowed_until", None)

    with pytest.raises(seatlease.LeaseNotProven, match="does not match its lease token"):
        service.seat(borrow=DAYS, keys=service.keys, transport=middle).acquire()

    assert service.in_use == 0

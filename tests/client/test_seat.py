"""What a seat does, on the real stack and on the fake that programs test with: the same tests, so the same truth."""

import asyncio
import queue
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path

import httpx
import pytest

import seatlease
from seatlease import State
from seatlease._service import first_answer
from seatlease.testing import FakeService
from tests.client.backends import Backend
from tests.client.conftest import BuildBackend
from tests.client.recorded import Told
from tests.support.waiting import wait_until


def test_a_seat_is_held_within_its_block_and_given_back_after_it(backend: Backend) -> None:
    told = Told()

    with backend.seat(on_change=told) as seat:
        assert (seat.state, backend.in_use) == (State.ACTIVE, 1)
        seat.check()

    assert (seat.state, backend.in_use) == (State.RELEASED, 0)
    told.wait_for(State.RELEASED)
    assert told.states == [State.ACTIVE, State.RELEASED]


def test_the_lease_says_what_was_granted(backend: Backend) -> None:
    with backend.seat() as seat:
        lease = seat.lease

    assert lease is not None
    assert lease.lease_expires_at - lease.server_time == timedelta(minutes=6)
    assert timedelta(seconds=108) <= lease.heartbeat_interval <= timedelta(seconds=120)
    assert (lease.seats.in_use, lease.seats.max) == (1, 2)
    assert lease.grace_ends_at == lease.lease_expires_at
    assert len(lease.session_id) == 26


def test_a_grace_is_earned_by_holding_the_seat_for_one_lease(graceful: Backend, tmp_path: Path) -> None:
    file, graces, lease_ends = seatlease.LeaseFile(tmp_path / "lease.json"), [], []
    with graceful.seat(keys=graceful.keys) as seat:
        for _ in range(3):
            assert seat.lease is not None
            assert seat.lease.lease_token is not None
            graces.append(seat.lease.grace_ends_at - seat.lease.lease_expires_at)
            lease_ends.append(seat.lease.lease_expires_at)
            file.save(seat.lease.lease_token)
            graceful.pass_time(timedelta(minutes=4))
            assert seat.heartbeat() is State.ACTIVE

    assert graces == [timedelta(), timedelta(), timedelta(hours=1)]
    assert file.load(graceful.keys, hardware_id=graceful.hardware_id, now=lease_ends[-1]).in_grace(lease_ends[-1])


def test_a_full_license_is_told_with_when_to_come_back(backend: Backend) -> None:
    with backend.seat("m0"), backend.seat("m1"):
        with pytest.raises(seatlease.NoSeatFree) as refused:
            backend.seat("m2").acquire()

        assert (refused.value.in_use, refused.value.max_seats, refused.value.code) == (2, 2, "SEAT_LIMIT_REACHED")
        assert refused.value.retry_after == timedelta(seconds=60)
        assert refused.value.earliest_expiry_at is not None
        assert backend.in_use == 2


def test_who_acquires_again_on_the_same_device_takes_no_second_seat(backend: Backend) -> None:
    with backend.seat() as seat, backend.seat() as same:
        assert (seat.lease, backend.in_use) != (None, 0)
        assert seat.lease is not None
        assert same.lease is not None
        assert (same.lease.session_id, backend.in_use) == (seat.lease.session_id, 1)


def test_acquiring_twice_is_acquiring_once(backend: Backend) -> None:
    with backend.seat() as seat:
        before = seat.lease

        seat.acquire()

        assert seat.lease is before


def test_a_heartbeat_keeps_the_seat(backend: Backend) -> None:
    with backend.seat() as seat:
        before = seat.lease
        assert before is not None

        state = seat.heartbeat()

        assert state is State.ACTIVE
        assert seat.lease is not None
        assert seat.lease.server_time > before.server_time


def test_a_missed_heartbeat_degrades_and_the_next_one_mends_it(backend: Backend) -> None:
    told = Told()
    with backend.seat(on_change=told) as seat:
        with backend.offline():
            assert seat.heartbeat() is State.DEGRADED
            seat.check()  # work goes on
            assert isinstance(seat.error, seatlease.ServiceUnreachable)

        assert seat.heartbeat() is State.ACTIVE
        assert seat.error is None

    told.wait_for(State.RELEASED)
    assert told.states == [State.ACTIVE, State.DEGRADED, State.ACTIVE, State.RELEASED]


def test_a_lost_seat_is_asked_for_again_by_itself(backend: Backend) -> None:
    told = Told()
    with backend.seat(on_change=told) as seat:
        before = seat.lease
        backend.lapse()

        seat.heartbeat()

        told.wait_for(State.LOST)
        assert told.states[:2] == [State.ACTIVE, State.LOST]
        seat.heartbeat()
        assert (seat.state, backend.in_use) == (State.ACTIVE, 1)
        assert seat.lease is not before


def test_a_seat_that_somebody_gave_back_is_asked_for_again_too(backend: Backend) -> None:
    with backend.seat() as seat:
        backend.release_all()

        seat.heartbeat()
        seat.heartbeat()

        assert (seat.state, backend.in_use) == (State.ACTIVE, 1)


def test_where_it_is_not_wanted_a_lost_seat_stays_lost(backend: Backend) -> None:
    with backend.seat(reacquire=False) as seat:
        backend.lapse()

        assert seat.heartbeat() is State.LOST
        assert seat.heartbeat() is State.LOST
        with pytest.raises(seatlease.SessionLost) as lost:
            seat.check()

        assert lost.value.code == "SESSION_EXPIRED"
        assert backend.in_use == 0


def test_a_lost_seat_that_others_took_meanwhile_stays_lost_and_says_why(backend: Backend) -> None:
    told = Told()
    with backend.seat("m0", on_change=told) as seat:
        backend.lapse()
        with backend.seat("m1"), backend.seat("m2"):
            assert seat.heartbeat() is State.LOST
            told.wait_for(State.LOST, times=2)
            assert told.states == [State.ACTIVE, State.LOST, State.LOST]  # lost, and then refused
            assert isinstance(told.changes[-1].error, seatlease.NoSeatFree)
            assert isinstance(seat.error, seatlease.NoSeatFree)
        assert backend.in_use == 0

        seat.acquire()  # the program may try again, when it likes

        assert seat.heartbeat() is State.ACTIVE


def test_a_revoked_session_stops_and_is_not_asked_for_again(backend: Backend) -> None:
    told = Told()
    with backend.seat(on_change=told) as seat:
        backend.revoke()

        assert seat.heartbeat() is State.REVOKED
        with pytest.raises(seatlease.SessionRevoked):
            seat.check()

    told.wait_for(State.REVOKED)
    assert told.states == [State.ACTIVE, State.REVOKED]
    assert (seat.state, backend.in_use) == (State.REVOKED, 0)


def test_a_user_who_is_kept_out_is_told_until_when(backend: Backend) -> None:
    with backend.seat() as seat:
        backend.keep_out(seat, timedelta(hours=2))

        assert seat.heartbeat() is State.REVOKED
    with pytest.raises(seatlease.NotEntitled, match="again from 20") as refused:
        backend.seat().acquire()

    assert refused.value.code == "KEPT_OUT"
    until = datetime.fromisoformat(refused.value.details["until"].replace("Z", "+00:00"))
    assert timedelta(hours=1) < until - datetime.now(timezone.utc) <= timedelta(hours=2)


@pytest.mark.parametrize("code", ["LICENSE_EXPIRED", "LICENSE_INACTIVE", "USER_INACTIVE"])
def test_a_right_taken_away_revokes_and_says_so_in_words_for_the_user(backend: Backend, code: str) -> None:
    with backend.seat() as seat:
        backend.refuse(code)

        assert seat.heartbeat() is State.REVOKED
        with pytest.raises(seatlease.SessionRevoked) as revoked:
            seat.check()

    assert revoked.value.code == code
    assert "administrator" in revoked.value.message


def test_an_admins_slip_degrades_only(backend: Backend) -> None:
    with backend.seat() as seat:
        backend.refuse("LICENSE_MISCONFIGURED")

        assert seat.heartbeat() is State.DEGRADED


def test_who_may_not_is_told_at_once(backend: Backend) -> None:
    backend.refuse("LICENSE_EXPIRED")

    with pytest.raises(seatlease.NotEntitled) as refused:
        backend.seat(wait=timedelta(hours=1)).acquire()

    assert (refused.value.code, backend.in_use) == ("LICENSE_EXPIRED", 0)


def test_an_unknown_key_is_told_at_once(backend: Backend) -> None:
    with pytest.raises(seatlease.NotEntitled) as refused:
        backend.seat(license_key="ANOTHER").acquire()

    assert refused.value.code == "LICENSE_NOT_FOUND"


def test_without_the_service_there_is_no_seat(backend: Backend) -> None:
    with backend.offline(), pytest.raises(seatlease.ServiceUnreachable):
        backend.seat().acquire()

    assert backend.in_use == 0


def test_whoever_waits_is_told_how_long_and_can_be_cancelled(backend: Backend) -> None:
    waited: list[seatlease.Waiting] = []
    with backend.seat("m0"), backend.seat("m1"):

        def note(waiting: seatlease.Waiting) -> None:
            waited.append(waiting)
            seat.cancel()

        seat = backend.seat("m2", wait=timedelta(minutes=5), on_wait=note)

        with pytest.raises(seatlease.WaitCancelled):
            seat.acquire()

        assert [waiting.attempt for waiting in waited] == [1]
        assert timedelta(seconds=4) <= waited[0].next_try_in <= timedelta(seconds=5)
        assert (waited[0].position, waited[0].of) == (1, 1)
        assert "position 1 of 1" in waited[0].error.message
        assert (seat.state, backend.in_use) == (State.NOT_ACQUIRED, 2)


def test_a_wait_shorter_than_the_service_asks_ends_with_one_last_try(backend: Backend) -> None:
    waited: list[seatlease.Waiting] = []
    with backend.seat("m0"), backend.seat("m1"), pytest.raises(seatlease.NoSeatFree):
        backend.seat("m2", wait=timedelta(seconds=2), on_wait=waited.append).acquire()
    assert [waiting.next_try_in <= timedelta(seconds=2) for waiting in waited] == [True]

    with backend.seat("m0"), backend.seat("m1") as leaving:
        seat = backend.seat("m2", wait=timedelta(seconds=2), on_wait=lambda _: leaving.close())
        seat.acquire()

        assert (seat.state, backend.in_use) == (State.ACTIVE, 2)
        seat.close()


async def test_a_program_with_a_loop_holds_a_seat_likewise(backend: Backend) -> None:
    changes: list[State] = []
    threads: set[int] = set()

    def note(change: seatlease.Change) -> None:
        changes.append(change.state)
        threads.add(threading.get_ident())

    async with backend.async_seat(on_change=note) as seat:
        assert await seat.heartbeat() is State.ACTIVE
        backend.revoke()
        assert await seat.heartbeat() is State.REVOKED
    await asyncio.sleep(0)

    assert changes == [State.ACTIVE, State.REVOKED]
    assert threads == {threading.get_ident()}


async def test_a_task_that_is_cancelled_stops_waiting_and_holds_nothing(backend: Backend) -> None:
    async with backend.async_seat("m0"), backend.async_seat("m1"):
        waiting = asyncio.Event()
        seat = backend.async_seat("m2", wait=timedelta(minutes=5), on_wait=lambda _: waiting.set())
        task = asyncio.create_task(seat.acquire())
        await asyncio.wait_for(waiting.wait(), 10)

        task.cancel()

        with pytest.raises(asyncio.CancelledError):
            await task
        assert backend.in_use == 2


def test_who_closes_a_seat_while_its_grant_is_under_way_holds_nothing(build_real: BuildBackend) -> None:
    backend = build_real(seats=1)
    backend.proxy.slow_down(0.4)
    seat = backend.seat()
    with ThreadPoolExecutor(1) as elsewhere:
        acquiring = elsewhere.submit(seat.acquire)
        wait_until(lambda: backend.in_use == 1)  # so it was granted, and its answer is on the way

        seat.close()

        with pytest.raises(seatlease.WaitCancelled):
            acquiring.result()
    assert (seat.state, backend.in_use) == (State.NOT_ACQUIRED, 0)


async def test_a_task_that_is_cancelled_again_and_again_while_its_grant_is_under_way_holds_nothing(
    build_real: BuildBackend,
) -> None:
    backend = build_real(seats=1)
    backend.proxy.slow_down(0.4)
    seat = backend.async_seat()
    task = asyncio.create_task(seat.acquire())
    await asyncio.to_thread(wait_until, lambda: backend.in_use == 1)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.gather(seat.close(), seat.close())

    assert (seat.state, backend.in_use) == (State.NOT_ACQUIRED, 0)


def test_threads_that_acquire_the_same_seat_at_once_hold_it_together(build_real: BuildBackend) -> None:
    backend = build_real(seats=1)
    told = Told()
    seat = backend.seat(on_change=told)

    with ThreadPoolExecutor(4) as threads:
        for acquiring in [threads.submit(seat.acquire) for _ in range(4)]:
            acquiring.result()

    assert (seat.state, backend.in_use) == (State.ACTIVE, 1)
    seat.close()
    assert (seat.state, backend.in_use) == (State.RELEASED, 0)
    told.wait_for(State.RELEASED)
    assert told.states == [State.ACTIVE, State.RELEASED]


def test_who_closes_a_seat_that_several_threads_are_acquiring_stops_them_all(build_real: BuildBackend) -> None:
    backend = build_real(seats=1)
    backend.proxy.slow_down(0.4)
    seat = backend.seat()
    with ThreadPoolExecutor(3) as threads:
        acquiring = [threads.submit(seat.acquire) for _ in range(3)]
        wait_until(lambda: backend.in_use == 1)

        seat.close()

        assert [type(each.exception()) for each in acquiring] == [seatlease.WaitCancelled] * 3
    assert (seat.state, backend.in_use) == (State.NOT_ACQUIRED, 0)


@pytest.mark.parametrize("is_held", [True, False], ids=["held", "lost meanwhile"])
def test_who_closes_a_seat_while_a_heartbeat_is_under_way_holds_nothing(
    build_real: BuildBackend, *, is_held: bool
) -> None:
    backend = build_real(seats=1)
    seat = backend.seat()
    seat.acquire()
    if not is_held:
        backend.release_all()
    backend.proxy.slow_down(0.3)
    with ThreadPoolExecutor(1) as elsewhere:
        beating = elsewhere.submit(seat.heartbeat)
        time.sleep(0.45)  # it is on its way back

        seat.close()

        assert beating.result() is State.RELEASED
    time.sleep(1)  # a request that was sent nevertheless has had its answer
    assert (seat.state, backend.in_use) == (State.RELEASED, 0)


async def test_a_waiting_seat_can_be_cancelled_from_elsewhere(backend: Backend) -> None:
    async with backend.async_seat("m0"), backend.async_seat("m1"):

        def stop(_: seatlease.Waiting) -> None:
            seat.cancel()

        seat = backend.async_seat("m2", wait=timedelta(minutes=5), on_wait=stop)

        with pytest.raises(seatlease.WaitCancelled):
            await seat.acquire()


def test_a_failing_callback_harms_nothing(backend: Backend, caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: seatlease.Change) -> None:
        message = "the program's own fault"
        raise RuntimeError(message)

    with backend.seat(on_change=fail) as seat:
        assert seat.heartbeat() is State.ACTIVE
    for _ in range(100):
        if "a callback of the program failed" in caplog.text:
            return
        time.sleep(0.02)
    pytest.fail("nothing was logged")


def test_nothing_secret_is_in_a_seats_repr(backend: Backend) -> None:
    with backend.seat() as seat:
        shown = repr(seat) + repr(seat.error)

    assert "token" not in shown
    assert "KEY" not in shown
    assert "FAKE-LICENSE" not in shown


def test_every_lease_is_told_so_that_it_can_be_kept_and_proven_offline(backend: Backend, tmp_path: Path) -> None:
    kept = seatlease.LeaseFile(tmp_path / "lease.json")
    told: queue.Queue[seatlease.Lease] = queue.Queue()

    def keep(lease: seatlease.Lease) -> None:
        assert lease.lease_token is not None
        kept.save(lease.lease_token)
        told.put(lease)

    pinned = backend.keys
    with backend.seat(on_lease=keep, keys=pinned) as seat:
        first = told.get(timeout=10)
        seat.heartbeat()
        second = told.get(timeout=10)

    assert (first.session_id, first.server_time < second.server_time) == (second.session_id, True)
    with backend.offline():
        proven = kept.load(pinned, hardware_id=backend.hardware_id, license_id=second.license_id)
    assert proven.session_id == second.session_id
    assert proven.lease_expires_at == second.lease_expires_at.replace(microsecond=0)


def test_each_answer_proves_its_own_request_and_the_license_user_and_device_that_were_asked_for(
    backend: Backend,
) -> None:
    pinned = backend.keys
    with backend.seat("m1", keys=pinned) as seat:
        leases = [seat.lease]
        for _ in range(2):
            seat.heartbeat()
            leases.append(seat.lease)
    with backend.seat("m1") as seat:
        without_keys = seat.lease

    proven = [
        seatlease.verify(
            lease.lease_token,
            pinned,
            hardware_id=backend.hardware_id,
            license_key=backend.license_key,
            user_id="m1",
            now=lease.server_time,
        )
        for lease in (*leases, without_keys)
        if lease is not None and lease.lease_token is not None
    ]
    nonces = [each.nonce for each in proven]
    assert (len(proven), len(set(nonces)), nonces[-1]) == (4, 4, None)


def test_a_lease_that_other_keys_signed_is_no_seat(backend: Backend) -> None:
    impostors = FakeService().keys

    with pytest.raises(seatlease.LeaseNotProven):
        backend.seat(keys=impostors).acquire()

    assert backend.in_use == 0  # what nobody can use is given back


@pytest.mark.parametrize(("status", "code"), [(408, "BODY_TOO_SLOW"), (429, "RATE_LIMITED")])
def test_a_request_that_was_too_slow_or_too_much_is_repeated_later(
    monkeypatch: pytest.MonkeyPatch, status: int, code: str
) -> None:
    monkeypatch.setattr(first_answer, "WITHIN_SECONDS", 0.0)
    service = FakeService()
    late: dict[str, object] = {"retry_after_seconds": 1}
    with service.seat() as seat:
        with service.refusing(code, status=status, details=late):
            missed = seat.heartbeat()
            told = seat.error
        after = seat.heartbeat()

    with service.refusing(code, status=status, details=late), pytest.raises(seatlease.ServiceUnreachable) as refused:
        service.seat().acquire()

    assert (missed, after) == (seatlease.State.DEGRADED, seatlease.State.ACTIVE)
    assert isinstance(told, seatlease.ServiceUnreachable)
    assert (refused.value.code, refused.value.retry_after) == (code, timedelta(seconds=1))


class TooManyReleases(httpx.AsyncBaseTransport):
    """Refuses the first release, as a service that has too many requests from the user."""

    def __init__(self, behind: httpx.AsyncBaseTransport, *, retry_after: str) -> None:
        self._behind = behind
        self._retry_after = retry_after
        self._has_refused = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self._has_refused or not request.url.path.endswith("/release"):
            return await self._behind.handle_async_request(request)
        self._has_refused = True
        error = {"code": "RATE_LIMITED", "message": "too often", "request_id": "request-1", "details": {}}
        return httpx.Response(429, json={"error": error}, headers={"Retry-After": self._retry_after})


@pytest.mark.parametrize(("retry_after", "in_use"), [("1", 0), ("60", 1)])
def test_a_seat_that_cannot_be_given_back_at_once_is_given_back_when_the_service_says(
    retry_after: str, in_use: int
) -> None:
    service = FakeService()
    seat = service.seat(transport=TooManyReleases(service.transport, retry_after=retry_after))
    seat.acquire()

    seat.close()

    assert service.in_use == in_use  # a minute is longer than a program waits at its end


def test_characters_that_cannot_be_sent_are_refused(backend: Backend) -> None:
    with pytest.raises(seatlease.RequestRefused):
        backend.seat(license_key="half a character: \udce4").acquire()


def test_a_key_with_line_breaks_is_refused_by_the_service(build_real: BuildBackend) -> None:
    with pytest.raises(seatlease.RequestRefused) as refused:
        build_real(seats=1).seat(license_key="A\nB").acquire()

    assert refused.value.code == "INVALID_REQUEST"


def test_a_seat_of_one_fake_service_does_not_keep_that_of_another() -> None:
    mine, another_tests = FakeService(), FakeService()

    with another_tests.seat():
        with mine.seat():
            pass

        assert mine.in_use == 0
        assert another_tests.in_use == 1

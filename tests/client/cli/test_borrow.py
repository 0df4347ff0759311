"""``seatlease borrow``, ``return`` and ``status``: real processes on the real stack, and without a network."""

import json
import re
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import typer

import seatlease
from seatlease._service import clock, stored
from seatlease._service.firebase import EMULATOR
from seatlease.cli import reminder as cli_reminder
from seatlease.cli.borrow import point_in_time
from seatlease.cli.reminder import Reminder, reminders_due
from seatlease.testing import FakeService
from tests.client.commands import environment_of, run, run_apart
from tests.client.conftest import BuildBackend

DAY = 86_400


@pytest.fixture
def _in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Europe/Berlin")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.long
def test_a_traveller_borrows_works_without_a_network_and_gives_the_seat_back(build_real: BuildBackend) -> None:
    backend = build_real(seats=1, max_borrow_seconds=7 * DAY)
    ours, program = environment_of(backend), ("run", "--", "echo", "runs")

    stored.save(
        stored.StoredSignIn(url=backend.proxy.url, api_key="k", email="m0@example.com", refresh_token="refresh-token")
    )

    unknown = run("status", environment=ours)
    lent = run("borrow", "--for", "12h", environment=ours)
    with backend.offline():
        shown = run("status", environment=ours)
        offline = run_apart(*program, environment=ours)
        signed_in = run_apart(*program, environment={**ours, "SEATLEASE_ID_TOKEN": "", EMULATOR: "127.0.0.1:1"})
        as_json = run("status", "--json", environment=ours)
        longer = run("borrow", "--for", "3d", environment=ours)
        other_device = run_apart(*program, environment={**ours, "SEATLEASE_HARDWARE_ID": "copied-to"})
        too_early = run("return", environment=ours)
        without_its_token = run_apart(*program, environment=ours)
    given_back = run("return", environment=ours)
    again = run("return", environment=ours)

    assert (unknown.returncode, unknown.stderr) == (1, "seatlease: no seat is borrowed on this device\n")
    assert lent.returncode == 0, lent.stderr
    assert "seatlease: the seat is borrowed until " in lent.stderr
    assert (shown.returncode, "borrowed until" in shown.stdout, "It ends soon" in shown.stdout) == (0, True, True)
    assert (offline.returncode, offline.stdout) == (0, "runs\n"), offline.stderr
    assert (signed_in.returncode, signed_in.stdout) == (0, "runs\n"), signed_in.stderr
    assert "the seat is borrowed until" in offline.stderr
    assert "the seat is borrowed until" in signed_in.stderr
    (told,) = json.loads(as_json.stdout)
    assert (told["is_usable"], told["url"]) == (True, backend.proxy.url)
    assert backend.license_key not in as_json.stdout
    assert (longer.returncode, "was not borrowed for longer" in longer.stderr) == (69, True)
    assert (other_device.returncode, other_device.stdout) == (69, "")
    assert "for another device" in other_device.stderr
    assert (too_early.returncode, "was not given back yet" in too_early.stderr) == (69, True)
    assert (without_its_token.returncode, without_its_token.stdout) == (69, "")
    assert (given_back.returncode, given_back.stderr) == (0, "seatlease: the seat was given back\n")
    assert (again.returncode, backend.in_use) == (1, 0)
    assert [session["end_reason"] for session in backend.tenant.sessions()] == ["released"]


@pytest.mark.long
def test_a_release_on_this_device_removes_the_borrowed_lease_too(build_real: BuildBackend) -> None:
    backend = build_real(seats=1, max_borrow_seconds=7 * DAY)
    ours = environment_of(backend)
    lent = run("borrow", "--for", "12h", environment=ours)

    released = run("release", "--yes", environment=ours)

    with backend.offline():
        refused = run_apart("run", "--", "echo", "runs", environment=ours)
    assert (lent.returncode, released.returncode, backend.in_use) == (0, 0, 0)
    assert (refused.returncode, refused.stdout) == (69, "")


def test_what_the_license_does_not_lend_is_said_with_the_latest_time(build_real: BuildBackend) -> None:
    backend = build_real(seats=1, max_borrow_seconds=DAY)
    ours = environment_of(backend)

    too_long = run("borrow", "--for", "3d", environment=ours)
    neither = run("borrow", environment=ours)
    no_time = run("borrow", "--until", "2030-05-01", environment=ours)

    assert (too_long.returncode, "A seat can be borrowed until 20" in too_long.stderr) == (77, True)
    assert (neither.returncode, "give one of --for and --until" in neither.stderr) == (2, True)
    assert (no_time.returncode, "write it as friday-18:00" in no_time.stderr) == (2, True)
    assert backend.tenant.sessions() == []


@pytest.mark.usefixtures("_in_berlin")
@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("friday-18:00", "2026-03-27T18:00+01:00"),
        ("Fri-9:30", "2026-04-03T09:30+02:00"),  # it is past half past nine on this Friday; next week is summer time
        ("thursday-18:00", "2026-04-02T18:00+02:00"),
        ("2026-04-01T14:00", "2026-04-01T14:00+02:00"),
        ("2026-04-01 14:00", "2026-04-01T14:00+02:00"),
        ("2026-04-01T14:00Z", "2026-04-01T16:00+02:00"),
    ],
)
def test_a_time_is_one_of_the_users_zone_and_a_day_is_the_next_such_day(text: str, read: str) -> None:
    friday_at_ten = datetime.fromisoformat("2026-03-27T10:00+01:00")

    assert point_in_time(text, now=friday_at_ten) == datetime.fromisoformat(read)


@pytest.mark.parametrize(
    "text", ["", "friday", "18:00", "fr-18:00", "friday-25:00", "2026-05-01", "soon", "9999-99-99T1:0"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="write it as friday-18:00"):
        point_in_time(text, now=clock.now())


@pytest.mark.parametrize(("hours", "due"), [(25, 0), (24, 1), (1.01, 1), (1, 2), (0, 2)])
def test_a_reminder_comes_a_day_and_an_hour_before_the_end(hours: float, due: int) -> None:
    assert reminders_due(timedelta(hours=hours)) == due


def test_it_is_said_once_until_when_and_again_when_that_changes(capsys: pytest.CaptureFixture[str]) -> None:
    service = FakeService(max_borrow=timedelta(days=7))
    with service.seat() as seat:
        reminder = Reminder(seat)
        reminder.look()
        for borrow in (timedelta(hours=49), timedelta(hours=73)):
            with service.seat(borrow=borrow):
                pass
            seat.heartbeat()
            reminder.look()
            reminder.look()

    told = capsys.readouterr().err.splitlines()
    assert ["(2d 01h left)" in told[0], "(3d 01h left)" in told[1], len(told)] == [True, True, 2]


def test_a_running_program_is_reminded_a_day_and_an_hour_before_the_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    service = FakeService(max_borrow=timedelta(days=7))
    with service.seat(borrow=timedelta(days=3)) as seat:
        assert seat.lease is not None
        ends_at = seat.lease.borrowed_until_elapsed
        reminder = Reminder(seat)

        for hours_left in (72, 25, 24, 23, 1.5, 1, 0.5):
            with monkeypatch.context() as patch:
                patch.setattr(cli_reminder, "elapsed", lambda left=hours_left: ends_at - left * 3600)
                reminder.look()

    told = re.findall(r"\((.+) left\)", capsys.readouterr().err)
    assert told == ["3d 00h", "1d 00h", "1h 00m"]


def test_status_names_a_seat_whose_time_is_over(
    state_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    service = FakeService(max_borrow=timedelta(days=7))
    with service.seat(borrow=timedelta(hours=2)) as seat:
        assert seat.borrowed_until is not None
        until = seat.borrowed_until
    monkeypatch.setattr(clock, "now", lambda: until)

    with pytest.raises(typer.Exit) as ended:
        seatlease.cli.borrow.status(hardware_id="device-1")

    assert ended.value.exit_code == 1
    assert f"You had borrowed the seat until {until.astimezone():%Y-%m-%d %H:%M:%S}." in capsys.readouterr().out
    assert list(state_folder.glob("borrowed/*.json")) != []

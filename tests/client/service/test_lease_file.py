"""The lease that is kept for a start without network, and the clock that is set back between two starts."""

import json
import os
import stat
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from seatlease._service.lease_file import LeaseFile
from seatlease._service.lease_token import ProvenLease
from seatlease.errors import ClockSetBack, LeaseNotProven
from tests.client.signing import GRACE, LEASE, NOW, SigningKey

_KEY = SigningKey()
_HOUR = timedelta(hours=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "program" / "lease.json"


def _starts(path: Path, now: datetime) -> ProvenLease:
    """Start the program anew, offline."""
    return LeaseFile(path).load(_KEY.keys, hardware_id="device-1", license_id="license-1", now=now)


def test_a_program_starts_offline_until_the_grace_ends(path: Path) -> None:
    LeaseFile(path).save(_KEY.sign())

    assert _starts(path, NOW).is_live(NOW)
    assert _starts(path, NOW + _HOUR).in_grace(NOW + _HOUR)
    with pytest.raises(LeaseNotProven, match="over"):
        _starts(path, NOW + LEASE + GRACE)


def test_a_clock_set_back_between_two_starts_is_noticed_until_it_is_right_again(path: Path) -> None:
    LeaseFile(path).save(_KEY.sign())
    _starts(path, NOW + 5 * _HOUR)

    for _ in range(2):
        with pytest.raises(ClockSetBack):
            _starts(path, NOW + 4 * _HOUR)

    assert _starts(path, NOW + 5 * _HOUR)


def test_small_steps_back_do_not_add_up(path: Path) -> None:
    LeaseFile(path).save(_KEY.sign())
    _starts(path, NOW + _HOUR)

    _starts(path, NOW + _HOUR - timedelta(minutes=4))

    with pytest.raises(ClockSetBack):
        _starts(path, NOW + _HOUR - timedelta(minutes=8))


def test_a_clock_that_was_once_ahead_is_forgiven_at_the_next_answer_of_the_service(path: Path) -> None:
    LeaseFile(path).save(_KEY.sign())
    _starts(path, NOW + 20 * _HOUR)

    LeaseFile(path).save(_KEY.sign())

    assert _starts(path, NOW + _HOUR)


def test_a_lease_copied_from_another_device_proves_nothing_and_stays(path: Path) -> None:
    LeaseFile(path).save(_KEY.sign())

    with pytest.raises(LeaseNotProven, match="another device"):
        LeaseFile(path).load(_KEY.keys, hardware_id="device-2", now=NOW)

    assert _starts(path, NOW)


def test_nothing_kept_or_forgotten_proves_nothing(path: Path) -> None:
    with pytest.raises(LeaseNotProven, match="No lease"):
        _starts(path, NOW)
    LeaseFile(path).save(_KEY.sign())
    LeaseFile(path).forget()
    LeaseFile(path).forget()
    with pytest.raises(LeaseNotProven, match="No lease"):
        _starts(path, NOW)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "7",
        "[" * 100_000,
        "{}",
        json.dumps({"lease_token": _KEY.sign()}),
        json.dumps({"lease_token": None, "latest_at": None}),
        json.dumps({"lease_token": _KEY.sign(), "latest_at": "soon"}),
        json.dumps({"lease_token": _KEY.sign(), "latest_at": 1e300}),
        '{"lease_token": "x", "latest_at": NaN}',
        "\x00\ud800",
    ],
)
def test_a_file_that_somebody_damaged_proves_nothing(path: Path, text: str) -> None:
    path.parent.mkdir()
    path.write_bytes(text.encode("utf-8", "surrogatepass"))

    with pytest.raises(LeaseNotProven):
        _starts(path, NOW)


def test_a_file_that_cannot_be_kept_up_to_date_proves_nothing(path: Path) -> None:
    path.mkdir(parents=True)

    with pytest.raises(LeaseNotProven, match="cannot be used"):
        _starts(path, NOW)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no modes")
def test_the_file_is_for_its_user_only(path: Path) -> None:
    LeaseFile(path).save(_KEY.sign())
    _starts(path, NOW)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no modes, and links need a right")
def test_a_link_in_the_files_place_is_replaced_and_its_target_is_untouched(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "another users file"
    other.write_text("theirs")
    path.parent.mkdir(parents=True)
    path.symlink_to(other)
    before = os.umask(0)
    try:
        LeaseFile(path).save(_KEY.sign())
    finally:
        os.umask(before)

    assert other.read_text() == "theirs"
    assert not path.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_starts_and_answers_at_once_leave_a_whole_file_and_no_drafts(path: Path) -> None:
    LeaseFile(path).save(_KEY.sign())
    does: list[Callable[[], object]] = [lambda: LeaseFile(path).save(_KEY.sign()), lambda: _starts(path, NOW)]

    with ThreadPoolExecutor(8) as threads:
        for done in [threads.submit(does[number % 2]) for number in range(40)]:
            done.result()

    assert _starts(path, NOW)
    assert {each.name for each in path.parent.iterdir()} <= {"lease.json", "lease.json.lock"}

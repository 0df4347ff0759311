"""Who shares a seat on a device, and who is the last: by files that the operating system unlocks for the dead."""

import re
import threading
import time
from pathlib import Path

import pytest

from seatlease._keeping import sharing
from seatlease._keeping.sharing import Sharing, seat_name


def test_only_the_last_one_out_is_the_last(tmp_path: Path) -> None:
    first, second = Sharing("seat", folder=tmp_path), Sharing("seat", folder=tmp_path)
    first.join()
    second.join()

    with first.leaving() as is_last:
        assert not is_last
    with second.leaving() as is_last:
        assert is_last

    assert list((tmp_path / "seat").glob("*.lock")) == []


def test_seats_of_other_names_have_nothing_to_do_with_it(tmp_path: Path) -> None:
    mine, other = Sharing("mine", folder=tmp_path), Sharing("other", folder=tmp_path)
    mine.join()
    other.join()

    with mine.leaving() as is_last:
        assert is_last


def test_the_processes_of_a_folder_are_one_instance_and_stay_it_after_a_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, elsewhere = (Sharing("seat", folder=tmp_path / name) for name in ("here", "here", "elsewhere"))
    for each in (first, second, elsewhere):
        each.join()
    for each in (first, second):
        with each.leaving():
            pass
    again, copied = Sharing("seat", folder=tmp_path / "here"), Sharing("seat", folder=tmp_path / "here")
    again.join()
    monkeypatch.setattr(sharing, "own_id", lambda: "another machine")
    copied.join()

    assert first.instance_id == second.instance_id == again.instance_id
    assert len({first.instance_id, elsewhere.instance_id, copied.instance_id}) == 3
    assert all(re.fullmatch("[a-f0-9]{32}", each.instance_id) for each in (first, elsewhere, copied))


def test_of_the_processes_of_a_machine_the_most_active_one_counts(tmp_path: Path) -> None:
    first, second, gone = (Sharing("seat", folder=tmp_path) for _ in range(3))
    for each in (first, second, gone):
        each.join()
    gone.note(90.0)
    with gone.leaving():
        pass

    second.note(50.0)

    assert (first.last_active_at(10.0), first.last_active_at(60.0)) == (50.0, 60.0)
    with second.leaving():
        pass
    assert first.last_active_at(60.0) == 60.0
    assert len(list((tmp_path / "seat").glob("*.active"))) == 1


@pytest.mark.parametrize("note", [None, "", "{id} soon"])
def test_a_process_that_says_nothing_of_its_user_counts_as_active(tmp_path: Path, note: str | None) -> None:
    first, silent = Sharing("seat", folder=tmp_path), Sharing("seat", folder=tmp_path)
    first.join()
    (mine,) = (tmp_path / "seat").glob("*.lock")
    silent.join()
    (its,) = {*(tmp_path / "seat").glob("*.lock")} - {mine}

    if note is not None:
        its.with_suffix(".active").write_text(note.format(id=first.instance_id))

    assert first.last_active_at(10.0) is None


def test_the_activity_of_another_machine_is_its_own_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, elsewhere = Sharing("seat", folder=tmp_path), Sharing("seat", folder=tmp_path)
    here.join()
    monkeypatch.setattr(sharing, "own_id", lambda: "another machine")
    elsewhere.join()

    elsewhere.note(10_000.0)

    assert here.last_active_at(10.0) == 10.0


def test_who_shares_with_nobody_is_as_active_as_its_user(tmp_path: Path) -> None:
    (tmp_path / "seat").write_text("no folder")
    alone = Sharing("seat", folder=tmp_path)
    alone.join()

    alone.note(5.0)

    assert alone.last_active_at(10.0) == 10.0


@pytest.mark.parametrize("broken", [b"", b"too short"])
def test_an_instance_id_that_was_half_written_is_made_anew(tmp_path: Path, broken: bytes) -> None:
    (tmp_path / "seat").mkdir()
    (tmp_path / "seat" / "instance").write_bytes(broken)
    first, second = Sharing("seat", folder=tmp_path), Sharing("seat", folder=tmp_path)

    first.join()
    second.join()

    assert first.instance_id == second.instance_id


def test_nobody_joins_while_the_last_one_gives_the_seat_back(tmp_path: Path) -> None:
    leaver, newcomer = Sharing("seat", folder=tmp_path), Sharing("seat", folder=tmp_path)
    leaver.join()
    joining = threading.Thread(target=newcomer.join)

    with leaver.leaving() as is_last:
        assert is_last
        joining.start()
        time.sleep(0.2)
        assert joining.is_alive()  # what the leaver releases now is not what the newcomer will have acquired
    joining.join(5)

    with newcomer.leaving() as is_last:
        assert is_last


def test_files_that_nobody_holds_do_not_count_and_are_tidied_up(tmp_path: Path) -> None:
    mine = Sharing("seat", folder=tmp_path)
    mine.join()
    (tmp_path / "seat" / "12345-crashed.lock").touch()

    with mine.leaving() as is_last:
        assert is_last

    assert list((tmp_path / "seat").glob("*.lock")) == []


def test_where_nothing_can_be_written_everybody_takes_themselves_for_the_only_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a file").touch()
    alone, another = Sharing("seat", folder=tmp_path / "a file"), Sharing("seat", folder=tmp_path / "a file")
    alone.join()
    another.join()

    with alone.leaving() as is_last:
        assert is_last
    assert alone.instance_id != another.instance_id

    assert "not shared" in caplog.text


def test_when_the_door_is_blocked_nothing_is_given_back(tmp_path: Path) -> None:
    mine, blocking = Sharing("seat", folder=tmp_path), Sharing("seat", folder=tmp_path)
    mine.join()
    blocking.join()

    with blocking.leaving(), mine.leaving(within_seconds=0.1) as is_last:
        assert not is_last


def test_a_seats_name_tells_users_devices_licenses_and_services_apart_and_nothing_else() -> None:
    same = {"url": "https://a", "license_key": "K", "hardware_id": "h", "user": "u"}
    name = seat_name(**same)

    others = [seat_name(**{**same, field: "other"}) for field in same]

    assert seat_name(**{**same, "url": "https://a/"}) == name
    assert len({name, *others}) == 5

"""Stored sign-ins: in the keyring or in a file of the user's own, one for each service, whole under any concurrency."""

import logging
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import keyring
import pytest
from filelock import FileLock
from keyring.backend import KeyringBackend
from keyring.backends.null import Keyring as NullKeyring

from seatlease._service import keyring_entry
from seatlease._service.stored import StoredSignIn, find, forget, load, save
from tests.client.answering import answering, exchanged

_URL = "http://localhost:8080"  # for a service elsewhere no emulator is asked
_ADA = StoredSignIn(url=_URL, api_key="public-key", email="ada@example.com", refresh_token="refresh-secret-0")


class _Keyring(KeyringBackend):
    """A keyring of a test's own, in the operating system's place. ``fails`` is what it raises instead."""

    priority = 5.0
    viable = False  # so that the library does not find it by itself, in other tests

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # the library types this one not
        self.kept: dict[tuple[str, str], str] = {}
        self.fails: Exception | None = None

    def get_password(self, service: str, username: str) -> str | None:
        self._perhaps_fail()
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self._perhaps_fail()
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        self._perhaps_fail()
        del self.kept[service, username]

    def _perhaps_fail(self) -> None:
        if self.fails is not None:
            raise self.fails


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The user's configuration folder for the program."""
    if sys.platform != "linux":
        pytest.skip("the folder is set as Linux has it")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path / "seatlease"


@pytest.fixture
def _no_keyring(folder: Path) -> Iterator[None]:
    before = keyring.get_keyring()
    keyring.set_keyring(NullKeyring())
    assert not folder.exists()
    yield
    keyring.set_keyring(before)


@pytest.fixture
def a_keyring(folder: Path) -> Iterator[_Keyring]:
    before, own = keyring.get_keyring(), _Keyring()
    keyring.set_keyring(own)
    assert not folder.exists()
    yield own
    keyring.set_keyring(before)


@pytest.fixture(params=["_no_keyring", "a_keyring"])
def _either_place(request: pytest.FixtureRequest) -> None:
    request.getfixturevalue(request.param)


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.json"))


@pytest.mark.usefixtures("_either_place")
def test_each_service_has_one_sign_in_and_another_one_takes_its_place() -> None:
    bob = replace(_ADA, email="bob@example.com", refresh_token="r2")
    elsewhere = replace(_ADA, url="https://other.example.com")

    save(_ADA)
    save(elsewhere)
    save(bob)

    assert find(_URL) == find(f"{_URL}/") == bob
    assert find("https://other.example.com") == elsewhere
    assert find("https://nobody.example.com") is None


@pytest.mark.usefixtures("_either_place")
def test_after_signing_out_nobody_is_signed_in() -> None:
    save(_ADA)

    assert forget(_URL) is True
    assert find(_URL) is None
    assert load(_URL) is None
    assert forget(_URL) is False


@pytest.mark.usefixtures("_either_place")
async def test_a_rotated_token_is_there_at_the_next_start(monkeypatch: pytest.MonkeyPatch) -> None:
    save(_ADA)
    with answering(exchanged(1), exchanged(2), exchanged(3)) as server:
        monkeypatch.setenv("FIREBASE_AUTH_EMULATOR_HOST", server.host)
        first = load(_URL)
        assert first is not None
        await first.id_token()
        await first.id_token(refresh=True)
        second = load(_URL)
        assert second is not None
        await second.id_token()

    assert [body.rpartition("=")[2] for _, body in server.heard] == [f"refresh-secret-{number}" for number in (0, 1, 2)]
    assert find(_URL) == replace(_ADA, refresh_token="refresh-secret-3")


@pytest.mark.parametrize("meanwhile", ["signed out", "another user", "another process"])
@pytest.mark.usefixtures("_either_place")
async def test_a_rotated_token_never_undoes_what_happened_meanwhile(
    monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    save(_ADA)
    credentials = load(_URL)
    assert credentials is not None
    if meanwhile == "signed out":
        forget(_URL)
    elif meanwhile == "another user":
        save(replace(_ADA, email="bob@example.com"))
    else:
        save(replace(_ADA, refresh_token="refresh-secret-of-another-process"))
    expected = find(_URL)

    with answering(exchanged(1)) as server:
        monkeypatch.setenv("FIREBASE_AUTH_EMULATOR_HOST", server.host)
        assert await credentials.id_token() == "id-secret-1"

    assert find(_URL) == expected


@pytest.mark.usefixtures("_no_keyring")
def test_without_a_keyring_a_file_that_only_the_user_can_read_keeps_it(folder: Path) -> None:
    save(_ADA)

    (file,) = _files(folder)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert "localhost" not in file.name


def test_with_a_keyring_no_file_has_the_secret(folder: Path, a_keyring: _Keyring) -> None:
    save(_ADA)

    assert _files(folder) == []
    assert len(a_keyring.kept) == 1
    assert not any(b"secret" in each.read_bytes() for each in folder.iterdir())


def test_when_the_keyring_fails_the_file_takes_over_and_gives_back(
    folder: Path, a_keyring: _Keyring, caplog: pytest.LogCaptureFixture
) -> None:
    newer = replace(_ADA, refresh_token="refresh-secret-newer")
    newest = replace(_ADA, refresh_token="refresh-secret-newest")
    save(_ADA)

    a_keyring.fails = RuntimeError("refresh-secret-0")
    save(newer)
    while_failing = find(_URL)
    a_keyring.fails = None
    after = find(_URL)
    save(newest)

    assert while_failing == after == newer
    assert find(_URL) == newest
    assert _files(folder) == []
    assert "RuntimeError" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.usefixtures("_no_keyring")
def test_a_sign_in_on_a_read_only_place_is_read_without_a_trace(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(_ADA)
    (lock,) = folder.glob("*.lock")
    lock.unlink()

    def refuses(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "mkdir", refuses)
    monkeypatch.setattr(FileLock, "acquire", refuses)

    assert find(_URL) == _ADA
    assert load(_URL) is not None
    assert _files(folder) == list(folder.iterdir())


def test_a_keyring_that_waits_for_somebody_is_passed_over_and_the_file_takes_its_place(
    folder: Path, a_keyring: _Keyring, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    save(_ADA)
    is_unlocked = threading.Event()

    def waits(*_: str) -> None:
        is_unlocked.wait(60)

    for name in ("get_password", "set_password", "delete_password"):
        monkeypatch.setattr(a_keyring, name, waits)
    monkeypatch.setattr(keyring_entry, "ANSWER_WITHIN_SECONDS", 0.1)
    monkeypatch.setattr(keyring_entry, "_is_passed_over", threading.Event())

    assert find(_URL) is None
    save(_ADA)
    assert find(_URL) == _ADA
    with pytest.raises(OSError, match="does not answer"):
        forget(_URL)

    is_unlocked.set()
    assert caplog.text.count("the keyring did not answer within 0.1 s, and is passed over") == 1
    assert len(_files(folder)) == 1


def test_a_locked_keyring_means_signing_in_and_signing_out_of_it_fails_loudly(
    a_keyring: _Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(_ADA)
    a_keyring.fails = RuntimeError("locked")
    assert find(_URL) is None
    a_keyring.fails = None

    def refuses(*_: str) -> None:
        raise RuntimeError

    monkeypatch.setattr(a_keyring, "delete_password", refuses)
    with pytest.raises(OSError, match="did not remove"):
        forget(_URL)


@pytest.mark.usefixtures("_no_keyring")
def test_without_the_keyring_library_the_file_keeps_it(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)

    save(_ADA)

    assert find(_URL) == _ADA
    assert len(_files(folder)) == 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"[" * 100_000,
        b"\xff",
        b'{"url": 1, "api_key": "", "email": "", "refresh_token": ""}',
    ],
)
@pytest.mark.usefixtures("_no_keyring")
def test_a_damaged_file_is_nobodys_sign_in_and_signing_in_mends_it(folder: Path, content: bytes) -> None:
    save(_ADA)
    (file,) = _files(folder)
    file.write_bytes(content)

    assert find(_URL) is None
    save(_ADA)
    assert find(_URL) == _ADA


@pytest.mark.usefixtures("_no_keyring")
def test_a_file_copied_from_another_service_is_not_taken(folder: Path) -> None:
    save(replace(_ADA, url="https://evil.example.com"))
    (evil,) = _files(folder)
    save(_ADA)
    (own,) = (each for each in _files(folder) if each != evil)
    evil.replace(own)

    assert find(_URL) is None


@pytest.mark.usefixtures("_no_keyring")
def test_threads_at_once_leave_a_whole_sign_in(folder: Path) -> None:
    each = [replace(_ADA, refresh_token=f"refresh-{number}" * 100) for number in range(20)]

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(save, each))

    assert find(_URL) in each
    assert len(_files(folder)) == 1


@pytest.mark.usefixtures("_no_keyring")
def test_processes_at_once_leave_a_whole_sign_in(folder: Path) -> None:
    script = f"""
import sys
sys.path[:0] = {sys.path!r}
import keyring
from keyring.backends.null import Keyring
keyring.set_keyring(Keyring())
from seatlease._service.stored import StoredSignIn, find, save
for number in range(25):
    save(StoredSignIn(url={_URL!r}, api_key="k", email=sys.argv[1], refresh_token=sys.argv[1] * 1000))
    kept = find({_URL!r})
    assert kept is not None and kept.refresh_token == kept.email * 1000, kept
"""
    processes = [subprocess.Popen([sys.executable, "-c", script, name]) for name in ("ada", "bob", "eve")]

    assert [process.wait(60) for process in processes] == [0, 0, 0]
    assert {each.suffix for each in folder.iterdir()} == {".json", ".lock"}
    assert len(list(folder.iterdir())) == 2


@pytest.mark.usefixtures("_no_keyring")
def test_a_sign_in_does_not_show_its_token(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    save(_ADA)

    assert "secret" not in repr(find(_URL))
    assert "secret" not in caplog.text

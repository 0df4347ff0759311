"""The emulators' jars: found, or downloaded from a server that stands in for Google's."""

import hashlib
import io
import re
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from infra.local.jars import FIRESTORE, JARS_VARIABLE, PUBSUB, Jar, JarError, Published, download, find_jar
from tests.support.http_server import serving

CONTENT = bytes(number % 251 for number in range(10_000))
CHUNK = 1000

each_jar = pytest.mark.parametrize("jar", [FIRESTORE, PUBSUB], ids=lambda jar: jar.emulator)


@dataclass(kw_only=True)
class Publisher:
    """A server of files, what it does wrong, and what it was asked for: pairs of path and Range."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    knows_ranges: bool = True
    cut_after: int | None = None
    asked: list[tuple[str, str | None]] = field(default_factory=list)

    def publish(self, name: str, content: bytes, *, member: str | None = None) -> Published:
        """Serve the content, and describe it as it should be."""
        self.files[f"/{name}"] = content
        digest = hashlib.sha256(content).hexdigest()
        return Published(url=f"{self.url}/{name}", size=len(content), sha256=digest, member=member)


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    """The server, on this machine."""
    publisher = Publisher()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked_range = self.headers.get("Range")
            publisher.asked.append((self.path, asked_range))
            content = publisher.files.get(self.path)
            if content is None:
                self.send_error(404)
                return
            start = 0
            if asked_range is not None and publisher.knows_ranges:
                start = int(asked_range.removeprefix("bytes=").removesuffix("-"))
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            # What is cut ends too early: its length was promised above.
            self.wfile.write(content[start : publisher.cut_after])

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the name that http.server gives it
            """Say nothing: the tests look at what was asked for."""

    with serving(Handler) as publisher.url:
        yield publisher


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write what came in small pieces, so that a small file is enough to be cut in the middle."""
    monkeypatch.setattr("infra.local.jars._CHUNK_BYTES", CHUNK)


def zipped(*names: str) -> bytes:
    """A zip archive with such files, each holding its own name."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as files:
        for name in names:
            files.writestr(name, name)
    return archive.getvalue()


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# What is published


@each_jar
def test_a_published_jar_has_an_https_address_and_a_sha256(jar: Jar) -> None:
    published = jar.published

    assert published.url.startswith("https://")
    assert re.fullmatch(r"[0-9a-f]{64}", published.sha256)
    assert published.size > 1_000_000


# Downloading


def test_a_jar_is_downloaded_whole(publisher: Publisher, tmp_path: Path) -> None:
    published = publisher.publish("emulator.jar", CONTENT)

    jar = download(published, tmp_path / "new" / "folder")

    assert jar.read_bytes() == CONTENT
    assert names_in(jar.parent) == ["emulator.jar"]
    assert publisher.asked == [("/emulator.jar", None)]


def test_a_download_begun_earlier_asks_for_the_rest_only(publisher: Publisher, tmp_path: Path) -> None:
    published = publisher.publish("emulator.jar", CONTENT)
    (tmp_path / "emulator.jar.part").write_bytes(CONTENT[:4321])

    jar = download(published, tmp_path)

    assert jar.read_bytes() == CONTENT
    assert publisher.asked == [("/emulator.jar", "bytes=4321-")]
    assert names_in(tmp_path) == ["emulator.jar"]


def test_a_server_without_ranges_sends_the_whole_again(publisher: Publisher, tmp_path: Path) -> None:
    publisher.knows_ranges = False
    published = publisher.publish("emulator.jar", CONTENT)
    (tmp_path / "emulator.jar.part").write_bytes(CONTENT[:4321])

    jar = download(published, tmp_path)

    assert jar.read_bytes() == CONTENT


def test_a_part_that_is_whole_already_is_not_asked_for(publisher: Publisher, tmp_path: Path) -> None:
    published = publisher.publish("emulator.jar", CONTENT)
    (tmp_path / "emulator.jar.part").write_bytes(CONTENT)

    jar = download(published, tmp_path)

    assert jar.read_bytes() == CONTENT
    assert publisher.asked == []


def test_a_part_longer_than_the_jar_is_replaced(publisher: Publisher, tmp_path: Path) -> None:
    published = publisher.publish("emulator.jar", CONTENT)
    (tmp_path / "emulator.jar.part").write_bytes(CONTENT + b"more")

    jar = download(published, tmp_path)

    assert jar.read_bytes() == CONTENT
    assert publisher.asked == [("/emulator.jar", None)]


def test_a_cut_connection_leaves_what_came_and_the_next_try_resumes(publisher: Publisher, tmp_path: Path) -> None:
    published = publisher.publish("emulator.jar", CONTENT)
    publisher.cut_after = 5_500

    with pytest.raises(JarError, match="the download resumes"):
        download(published, tmp_path)
    left = names_in(tmp_path)
    publisher.cut_after = None
    jar = download(published, tmp_path)

    assert left == ["emulator.jar.part"]
    assert jar.read_bytes() == CONTENT
    assert publisher.asked == [("/emulator.jar", None), ("/emulator.jar", "bytes=5000-")]


def test_a_wrong_checksum_is_refused_and_nothing_is_left(publisher: Publisher, tmp_path: Path) -> None:
    published = publisher.publish("emulator.jar", CONTENT)
    publisher.files["/emulator.jar"] = CONTENT[::-1]

    with pytest.raises(JarError, match="The file was deleted") as refused:
        download(published, tmp_path)

    assert published.sha256 in str(refused.value)
    assert names_in(tmp_path) == []


def test_a_part_of_something_else_is_refused_and_the_next_try_begins_anew(publisher: Publisher, tmp_path: Path) -> None:
    published = publisher.publish("emulator.jar", CONTENT)
    (tmp_path / "emulator.jar.part").write_bytes(b"x" * 4321)

    with pytest.raises(JarError, match="The file was deleted"):
        download(published, tmp_path)
    jar = download(published, tmp_path)

    assert jar.read_bytes() == CONTENT


def test_a_missing_file_is_an_error_that_says_what_else_to_do(publisher: Publisher, tmp_path: Path) -> None:
    published = replace(publisher.publish("emulator.jar", CONTENT), url=f"{publisher.url}/gone.jar")

    with pytest.raises(JarError, match="404") as missing:
        download(published, tmp_path)

    assert JARS_VARIABLE in str(missing.value)
    assert names_in(tmp_path) == []


def test_a_missing_file_does_not_cost_what_came_before(publisher: Publisher, tmp_path: Path) -> None:
    published = publisher.publish("emulator.jar", CONTENT)
    (tmp_path / "emulator.jar.part").write_bytes(CONTENT[:4321])
    del publisher.files["/emulator.jar"]

    with pytest.raises(JarError, match="404"):
        download(published, tmp_path)

    assert (tmp_path / "emulator.jar.part").read_bytes() == CONTENT[:4321]


def test_a_server_that_does_not_answer_is_an_error_that_says_what_else_to_do(tmp_path: Path) -> None:
    # The discard port: nobody listens there.
    published = Published(url="http://127.0.0.1:9/emulator.jar", size=1, sha256="")

    with pytest.raises(JarError, match=JARS_VARIABLE):
        download(published, tmp_path)


def test_a_jar_within_a_zip_is_taken_out_and_the_zip_deleted(publisher: Publisher, tmp_path: Path) -> None:
    content = zipped("emulator/lib/emulator-1.2-all.jar", "emulator/lib/other.jar", "emulator/README")
    published = publisher.publish("emulator.zip", content, member="emulator-*-all.jar")

    jar = download(published, tmp_path)

    assert jar.read_text() == "emulator/lib/emulator-1.2-all.jar"
    assert names_in(tmp_path) == ["emulator-1.2-all.jar"]


@pytest.mark.parametrize(
    "names", [["emulator/lib/other.jar"], ["a/emulator-1-all.jar", "b/emulator-2-all.jar"]], ids=["none", "two"]
)
def test_a_zip_without_exactly_one_such_jar_is_refused(publisher: Publisher, tmp_path: Path, names: list[str]) -> None:
    published = publisher.publish("emulator.zip", zipped(*names), member="emulator-*-all.jar")

    with pytest.raises(JarError, match=r"emulator-\*-all\.jar, but has"):
        download(published, tmp_path)

    assert list(tmp_path.glob("*.jar")) == []


def test_half_a_jar_taken_out_of_a_zip_is_never_found(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def disk_full(_source: object, file: io.BufferedWriter) -> None:
        file.write(b"half")
        raise OSError(28, "No space left on device")

    published = publisher.publish("emulator.zip", zipped("emulator-1-all.jar"), member="emulator-*-all.jar")
    monkeypatch.setattr(shutil, "copyfileobj", disk_full)

    with pytest.raises(OSError, match="No space left"):
        download(published, tmp_path)

    assert list(tmp_path.glob("*.jar")) == []


# Finding


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A machine that has nothing but what a test puts there."""

    root: Path

    @property
    def named_folder(self) -> Path:
        return self.root / "named"

    @property
    def cloud_sdk(self) -> Path:
        return self.root / "opt" / "google-cloud-sdk"

    @property
    def firebase_cache(self) -> Path:
        return self.root / "home" / ".cache" / "firebase" / "emulators"

    @property
    def user_cache(self) -> Path:
        return self.root / "cache" / "seatlease" / "emulators"

    @staticmethod
    def put(jar: Jar, folder: Path, pattern: str) -> Path:
        """Put a jar there under a name that Google gives it."""
        path = folder / pattern.replace("*", "1.2.3")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(jar.emulator)
        return path


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine without an emulator."""
    for name in (JARS_VARIABLE, "CLOUDSDK_ROOT_DIR", "CLOUDSDK_ROOT", "FIREBASE_EMULATORS_PATH"):
        monkeypatch.delenv(name, raising=False)
    machine = Machine(root=tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return machine


def unpublished(jar: Jar) -> Jar:
    """The same jar, with no server that has it: finding it must do."""
    return replace(jar, published=Published(url="http://127.0.0.1:9/emulator.jar", size=1, sha256=""))


@each_jar
def test_the_named_folder_goes_before_the_cloud_sdk(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, jar: Jar
) -> None:
    named = machine.put(jar, machine.named_folder, jar.pattern)
    machine.put(jar, machine.cloud_sdk, jar.in_cloud_sdk)
    monkeypatch.setenv("CLOUDSDK_ROOT_DIR", str(machine.cloud_sdk))
    monkeypatch.setenv(JARS_VARIABLE, str(machine.named_folder))

    found = find_jar(unpublished(jar))

    assert found == named


@each_jar
def test_a_named_folder_without_the_jar_is_an_error_that_says_what_to_do(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, jar: Jar
) -> None:
    machine.put(jar, machine.user_cache, jar.pattern)
    machine.named_folder.mkdir()
    monkeypatch.setenv(JARS_VARIABLE, str(machine.named_folder))

    with pytest.raises(JarError, match="Put the jar there, or unset") as missing:
        find_jar(unpublished(jar))

    assert f"{JARS_VARIABLE}={machine.named_folder}" in str(missing.value)
    assert jar.pattern in str(missing.value)


def test_a_named_folder_that_does_not_exist_is_the_same_error(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(JARS_VARIABLE, str(machine.named_folder))

    with pytest.raises(JarError, match="Put the jar there, or unset"):
        find_jar(unpublished(FIRESTORE))


@each_jar
@pytest.mark.parametrize("variable", ["CLOUDSDK_ROOT_DIR", "CLOUDSDK_ROOT"])
def test_the_cloud_sdk_goes_before_the_cache_of_firebase_tools(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, variable: str, jar: Jar
) -> None:
    in_sdk = machine.put(jar, machine.cloud_sdk, jar.in_cloud_sdk)
    machine.put(jar, machine.firebase_cache, jar.in_firebase_cache)
    monkeypatch.setenv(variable, str(machine.cloud_sdk))

    found = find_jar(unpublished(jar))

    assert found == in_sdk


@each_jar
def test_the_cloud_sdk_is_found_by_its_gcloud_on_the_path(machine: Machine, jar: Jar) -> None:
    in_sdk = machine.put(jar, machine.cloud_sdk, jar.in_cloud_sdk)
    machine.put(jar, machine.firebase_cache, jar.in_firebase_cache)
    gcloud = machine.cloud_sdk / "bin" / "gcloud"
    gcloud.parent.mkdir()
    gcloud.touch(mode=0o755)
    # As Debian's package installs it.
    link = machine.root / "bin" / "gcloud"
    link.parent.mkdir()
    link.symlink_to(gcloud)

    found = find_jar(unpublished(jar))

    assert found == in_sdk


@each_jar
def test_the_cache_of_firebase_tools_goes_before_our_own(machine: Machine, jar: Jar) -> None:
    theirs = machine.put(jar, machine.firebase_cache, jar.in_firebase_cache)
    machine.put(jar, machine.user_cache, jar.pattern)

    found = find_jar(unpublished(jar))

    assert found == theirs


@each_jar
def test_the_cache_of_firebase_tools_may_be_elsewhere(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, jar: Jar
) -> None:
    elsewhere = machine.root / "elsewhere"
    theirs = machine.put(jar, elsewhere, jar.in_firebase_cache)
    monkeypatch.setenv("FIREBASE_EMULATORS_PATH", str(elsewhere))

    found = find_jar(unpublished(jar))

    assert found == theirs


@each_jar
def test_our_own_cache_goes_before_downloading(machine: Machine, jar: Jar) -> None:
    ours = machine.put(jar, machine.user_cache, jar.pattern)

    found = find_jar(unpublished(jar))

    assert found == ours


@each_jar
def test_a_cloud_sdk_without_the_emulator_is_passed_over(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, jar: Jar
) -> None:
    machine.cloud_sdk.mkdir(parents=True)
    monkeypatch.setenv("CLOUDSDK_ROOT_DIR", str(machine.cloud_sdk))
    ours = machine.put(jar, machine.user_cache, jar.pattern)

    found = find_jar(unpublished(jar))

    assert found == ours


@each_jar
def test_a_jar_found_nowhere_is_downloaded_once(machine: Machine, publisher: Publisher, jar: Jar) -> None:
    name = jar.published.file_name
    member = jar.published.member
    content = CONTENT if member is None else zipped(f"lib/{member.replace('*', '1.2.3')}")
    wanted = replace(jar, published=publisher.publish(name, content, member=member))

    first = find_jar(wanted)
    second = find_jar(wanted)

    assert first == second
    assert first.parent == machine.user_cache
    assert publisher.asked == [(f"/{name}", None)]


def test_a_download_that_was_cut_is_not_taken_for_the_jar(machine: Machine, publisher: Publisher) -> None:
    wanted = replace(FIRESTORE, published=publisher.publish(FIRESTORE.published.file_name, CONTENT))
    machine.user_cache.mkdir(parents=True)
    (machine.user_cache / f"{wanted.published.file_name}.part").write_bytes(CONTENT[:10])

    found = find_jar(wanted)

    assert found.read_bytes() == CONTENT
    assert publisher.asked == [(f"/{wanted.published.file_name}", "bytes=10-")]

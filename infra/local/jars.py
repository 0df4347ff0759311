"""The emulators' jars: found on this machine, or downloaded once.

The search order is:

1. the folder in ``SEATLEASE_EMULATOR_JARS``
2. the Cloud SDK's emulator components
3. the cache of firebase-tools
4. the user's own cache
5. a download from the address that firebase-tools uses
   (npm package firebase-tools 15.34.2, ``downloadableEmulatorInfo.json``)
"""

import hashlib
import os
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

import httpx
import platformdirs
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

JARS_VARIABLE = "SEATLEASE_EMULATOR_JARS"
_CHUNK_BYTES = 1 << 20


class JarError(Exception):
    """An emulator's jar was neither found nor downloaded. The message says what to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """A file that Google publishes: its address, its size in bytes and its SHA-256.

    ``member`` is the jar's name within the file when the file is a zip archive.
    """

    url: str
    size: int
    sha256: str
    member: str | None = None

    @property
    def file_name(self) -> str:
        return self.url.rpartition("/")[2]


@dataclass(frozen=True, kw_only=True, slots=True)
class Jar:
    """One emulator's jar, and where it may already be."""

    emulator: str
    pattern: str
    in_cloud_sdk: str
    in_firebase_cache: str
    published: Published


_DROP = "https://storage.googleapis.com/firebase-preview-drop/emulator"

FIRESTORE = Jar(
    emulator="Firestore",
    pattern="cloud-firestore-emulator*.jar",
    in_cloud_sdk="platform/cloud-firestore-emulator/cloud-firestore-emulator.jar",
    in_firebase_cache="cloud-firestore-emulator-v*.jar",
    published=Published(
        url=f"{_DROP}/cloud-firestore-emulator-v1.22.0.jar",
        size=136_707_194,
        sha256="9b6498b7f62714d67f48f59b3818883cd682dbcd46b9f59511de81c97bb5166c",
    ),
)

PUBSUB = Jar(
    emulator="Pub/Sub",
    pattern="cloud-pubsub-emulator*.jar",
    in_cloud_sdk="platform/pubsub-emulator/lib/cloud-pubsub-emulator-*-all.jar",
    in_firebase_cache="pubsub-emulator-*/pubsub-emulator/lib/cloud-pubsub-emulator-*-all.jar",
    published=Published(
        url=f"{_DROP}/pubsub-emulator-0.8.37.zip",
        size=53_029_797,
        sha256="c83383e0c71633e58abad6fdc9c0312c7d0f6a5a34236c42e3f92eb24ded1c26",
        member="cloud-pubsub-emulator-*-all.jar",
    ),
)


def find_jar(jar: Jar) -> Path:
    """Find the jar on this machine, or download it.

    Raises:
        JarError: the jar is not here and could not be downloaded.
    """
    elsewhere = os.environ.get(JARS_VARIABLE)
    if elsewhere:
        found = _newest(Path(elsewhere), jar.pattern)
        if found is None:
            message = (
                f"{JARS_VARIABLE}={elsewhere}: this folder has no file {jar.pattern}. "
                "Put the jar there, or unset the variable."
            )
            raise JarError(message)
        return found
    firebase_cache = Path(os.environ.get("FIREBASE_EMULATORS_PATH") or Path.home() / ".cache/firebase/emulators")
    candidates = [(root, jar.in_cloud_sdk) for root in _cloud_sdk_roots()]
    for root, pattern in [*candidates, (firebase_cache, jar.in_firebase_cache)]:
        if (found := _newest(root, pattern)) is not None:
            return found
    cache = Path(platformdirs.user_cache_dir("seatlease")) / "emulators"
    return _newest(cache, jar.pattern) or download(jar.published, cache)


def download(published: Published, into: Path) -> Path:
    """Download a published file, resume an earlier partial download, and return the jar.

    Raises:
        JarError: the address cannot be reached, or the file has the wrong hash. An unverified file is deleted.
    """
    into.mkdir(parents=True, exist_ok=True)
    part = into / f"{published.file_name}.part"
    try:
        _fetch(published, part)
    except httpx.HTTPError as error:
        message = (
            f"cannot download {published.url}: {error}. Try again (the download resumes), or put the jar into a folder "
            f"and set {JARS_VARIABLE} to that folder."
        )
        raise JarError(message) from error
    with part.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != published.sha256:
        part.unlink()
        message = (
            f"the file from {published.url} has the SHA-256 {digest}, expected {published.sha256}. "
            "The file was deleted."
        )
        raise JarError(message)
    if published.member is None:
        return part.rename(into / published.file_name)
    jar = _extract(part, published.member, into)
    part.unlink()
    return jar


def _fetch(published: Published, part: Path) -> None:
    have = part.stat().st_size if part.exists() else 0
    if have == published.size:
        return
    headers = {"Range": f"bytes={have}-"} if 0 < have < published.size else {}
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with (
        httpx.stream("GET", published.url, headers=headers, follow_redirects=True, timeout=30) as response,
        Progress(*columns, console=Console(stderr=True)) as progress,
    ):
        response.raise_for_status()
        # A server without range support sends the whole file again.
        resumes = response.status_code == httpx.codes.PARTIAL_CONTENT
        task = progress.add_task(published.file_name, total=published.size, completed=have if resumes else 0)
        with part.open("ab" if resumes else "wb") as file:
            for chunk in response.iter_bytes(_CHUNK_BYTES):
                file.write(chunk)
                progress.advance(task, len(chunk))


def _extract(archive: Path, member: str, into: Path) -> Path:
    with zipfile.ZipFile(archive) as files:
        names = [name for name in files.namelist() if Path(name).match(member)]
        if len(names) != 1:
            message = f"{archive.name} must have one file named {member}, but has {len(names)}"
            raise JarError(message)
        target = into / Path(names[0]).name
        # The jar gets its final name only when it is complete. Otherwise the search would find half a jar.
        part = into / f"{target.name}.part"
        with files.open(names[0]) as source, part.open("wb") as file:
            shutil.copyfileobj(source, file)
    return part.rename(target)


def _cloud_sdk_roots() -> list[Path]:
    roots = [Path(root) for name in ("CLOUDSDK_ROOT_DIR", "CLOUDSDK_ROOT") if (root := os.environ.get(name))]
    if gcloud := shutil.which("gcloud"):
        roots.append(Path(gcloud).resolve().parent.parent)
    return roots


def _newest(folder: Path, pattern: str) -> Path | None:
    return max(folder.glob(pattern), key=lambda path: path.stat().st_mtime, default=None)

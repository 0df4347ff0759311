"""The emulators' jars: found on this machine, or downloaded once.

Looked for, in this order: the folder that ``SEATLEASE_EMULATOR_JARS`` names, the Cloud SDK's emulator components, the
cache of firebase-tools, the user's own cache. Only then is the jar downloaded from Google's published address, the one
that firebase-tools downloads from (npm package firebase-tools 15.34.2, ``downloadableEmulatorInfo.json``).
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
    """An emulator's jar could not be had. The message says what to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """What Google publishes: the address, the size in bytes and the SHA-256 of the file.

    ``member`` is the jar's name within the file when the file is a zip archive.
    """

    url: str
    size: int
    sha256: str
    member: str | None = None

    @property
    def file_name(self) -> str:
        """The last part of the address."""
        return self.url.rpartition("/")[2]


@dataclass(frozen=True, kw_only=True, slots=True)
class Jar:
    """One emulator's jar and where it may be found already."""

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
        JarError: it is neither here nor to be had.
    """
    elsewhere = os.environ.get(JARS_VARIABLE)
    if elsewhere:
        found = _newest(Path(elsewhere), jar.pattern)
        if found is None:
            message = f"{JARS_VARIABLE}={elsewhere} holds no {jar.pattern}; put the jar there or unset the variable"
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
    """Download what Google publishes, resuming what an earlier try left, and return the jar.

    Raises:
        JarError: the address cannot be reached, or what came is not what was published; nothing unverified is kept.
    """
    into.mkdir(parents=True, exist_ok=True)
    part = into / f"{published.file_name}.part"
    try:
        _fetch(published, part)
    except httpx.HTTPError as error:
        message = (
            f"cannot download {published.url}: {error}. Try again (it resumes), or put the jar into a folder and "
            f"name that folder in {JARS_VARIABLE}"
        )
        raise JarError(message) from error
    with part.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != published.sha256:
        part.unlink()
        message = f"{published.url} has SHA-256 {digest}, not {published.sha256}: refused and deleted"
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
        # A server that does not know ranges sends the whole file again.
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
            message = f"{archive.name} holds {len(names)} files named {member}, not one"
            raise JarError(message)
        target = into / Path(names[0]).name
        # Under its own name only when it is whole: half a jar would be found, and taken, ever after.
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

"""Stage the functions: for each one a folder with everything that the platform needs to run it, and an archive.

The platform starts the bare ``functions-framework`` script, which puts only the source's folder on the path. So
``main.py``, ``shared/`` and ``requirements.txt`` have to be side by side. A function gets only the modules that it
needs, and its requirements with their dependencies and hashes. The archive's name has a hash of its content. So a
function that a change does not concern keeps its archive's name, and is not deployed again. Standard library only.
"""

import json
import shutil
from hashlib import sha256
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from infra.build.function_dependencies import needs_of
from infra.build.lock import locked

ROOT = Path(__file__).resolve().parents[2]

MANIFEST = "manifest.json"
"""The file with each function's archive: ``{"acquire": "acquire-<hash>.zip", ...}``."""

_HASH_LENGTH = 16
_UNIX = 3
_READABLE_FILE = 0o100644 << 16


def function_names(root: Path = ROOT) -> list[str]:
    """List the functions: the folders that hold a ``main.py``."""
    return sorted(path.parent.name for path in (root / "functions").glob("*/main.py"))


def stage(name: str, into: Path, *, root: Path = ROOT) -> Path:
    """Stage one function below ``into`` and return its folder. An existing folder is replaced.

    Raises:
        NeedsError: the function's needs cannot be determined.
        LockError: the lock does not match the requirements.
    """
    entry = root / "functions" / name / "main.py"
    needs = needs_of(entry, root=root)
    target = into / name
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    shutil.copy2(entry, target)
    requirements = locked(needs.requirements, root / "requirements.lock")
    (target / "requirements.txt").write_text("\n".join([*requirements, ""]))
    for module in needs.modules:
        copy = target / module.relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(module, copy)
    return target


def archive(folder: Path) -> Path:
    """Write a staged folder into an archive beside it. The same content gives the same bytes on every machine."""
    files = sorted((path.relative_to(folder).as_posix(), path) for path in folder.rglob("*.*") if path.is_file())
    content = sha256()
    for name, path in files:
        content.update(f"{name}\n{path.stat().st_size}\n".encode() + path.read_bytes())
    target = folder.parent / f"{folder.name}-{content.hexdigest()[:_HASH_LENGTH]}.zip"
    with ZipFile(target, "w") as zipped:
        for name, path in files:
            # A fixed time (the earliest possible), fixed permissions, and no compression, whose result depends on the
            # library's version.
            entry = ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system, entry.external_attr, entry.compress_type = _UNIX, _READABLE_FILE, ZIP_STORED
            zipped.writestr(entry, path.read_bytes())
    return target


def stage_all(into: Path, *, root: Path = ROOT) -> dict[str, str]:
    """Stage and archive every function below ``into``, write the manifest there, and return it."""
    into.mkdir(parents=True, exist_ok=True)
    for old in into.glob("*.zip"):
        old.unlink()
    manifest = {name: archive(stage(name, into, root=root)).name for name in function_names(root)}
    (into / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
    return manifest


def main() -> None:
    """Stage every function below ``build/``."""
    for name in stage_all(ROOT / "build").values():
        print(f"build/{name}")  # noqa: T201 the command's answer


if __name__ == "__main__":
    main()

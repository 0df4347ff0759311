"""Stage the functions: one folder for each, with everything that the platform needs to run it alone, and an archive.

The platform starts the bare ``functions-framework`` script, which puts only the source's own folder on the path, so
``main.py``, ``shared/`` and ``requirements.txt`` have to stand side by side. A function gets the modules and the
requirements that it needs and no others, these with all that they bring along and with hashes, and the name of its
archive carries a hash of what is in it. So a change leaves the names of those functions alone that it does not concern,
and they are not deployed again. Standard library only.
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
"""Which archive belongs to which function: ``{"acquire": "acquire-<hash>.zip", ...}``."""

_HASH_LENGTH = 16
_UNIX = 3
_READABLE_FILE = 0o100644 << 16


def function_names(root: Path = ROOT) -> list[str]:
    """List the functions: the folders that hold a ``main.py``."""
    return sorted(path.parent.name for path in (root / "functions").glob("*/main.py"))


def stage(name: str, into: Path, *, root: Path = ROOT) -> Path:
    """Stage one function below ``into`` and return its folder, which is replaced if it exists.

    Raises:
        NeedsError: it cannot be said what the function needs.
        LockError: the lock is not of the project's requirements.
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
    """Write a staged folder into an archive beside it, the same bytes for the same content wherever it is written."""
    files = sorted((path.relative_to(folder).as_posix(), path) for path in folder.rglob("*.*") if path.is_file())
    content = sha256()
    for name, path in files:
        content.update(f"{name}\n{path.stat().st_size}\n".encode() + path.read_bytes())
    target = folder.parent / f"{folder.name}-{content.hexdigest()[:_HASH_LENGTH]}.zip"
    with ZipFile(target, "w") as zipped:
        for name, path in files:
            # The earliest time that an archive can hold, one set of rights, and no compression: what that makes of the
            # same content depends on the library at hand.
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

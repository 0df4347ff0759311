"""The Firebase Auth emulator, which the npm package firebase-tools carries. Everything else runs without it.

It is installed once, into a folder of the project's own that git ignores. Where npm is missing there is none, and then
tokens are made by ``python -m infra.local token`` and nothing keeps claims.
"""

import json
import shutil
import subprocess
from pathlib import Path

import httpx

from infra.build.stage import ROOT
from infra.local.loopback import NO_TLS
from infra.local.processes import Process, StartError, free_port

FIREBASE_TOOLS = "firebase-tools@15.34.2"
FOLDER = ROOT / ".firebase"
PASSWORD = "only-for-here"  # noqa: S105 of accounts that exist on this machine only
"""Of the accounts of a local stack."""

_PROGRAM = "node_modules/firebase-tools/lib/bin/firebase.js"
_QUICK_START = Path(__file__).with_name("auth_quick_start.cjs")


class NoNpmError(Exception):
    """There is no npm on this machine. The message says what that means."""


def firebase_program(folder: Path = FOLDER) -> Path | None:
    """Find the installed program, or ``None`` when it is not installed, or there is nothing to run it with."""
    program = folder / _PROGRAM
    return program if (folder / ".ready").exists() and program.exists() and shutil.which("node") else None


def install(folder: Path = FOLDER) -> None:
    """Install the emulator: some 300 MB, and some minutes the first time.

    Raises:
        NoNpmError: npm is missing. Nothing was installed.
        StartError: npm could not install it.
    """
    npm = shutil.which("npm")
    if npm is None:
        message = "npm is missing, so there is no Firebase Auth emulator: the tests of claims are skipped"
        raise NoNpmError(message)
    folder.mkdir(exist_ok=True)
    # Its scripts download and compile what the emulator does not need.
    command = [npm, "install", f"--prefix={folder}", "--ignore-scripts", "--no-audit", "--no-fund", FIREBASE_TOOLS]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        message = f"npm could not install {FIREBASE_TOOLS}:\n{done.stderr.strip()}"
        raise StartError(message)
    (folder / ".ready").touch()


def sign_up(auth_host: str, *, project: str, user_id: str, email: str) -> None:
    """Make an account with a known password, for people to play with."""
    account = {"localId": user_id, "email": email, "emailVerified": True, "password": PASSWORD}
    url = f"http://{auth_host}/identitytoolkit.googleapis.com/v1/projects/{project}/accounts"
    httpx.post(
        url, json=account, verify=NO_TLS, headers={"Authorization": "Bearer owner"}, timeout=30
    ).raise_for_status()


def start_auth(program: Path, *, port: int, work: Path, project: str) -> Process:
    """Start the emulator; does not wait for it."""
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
    quiet = {"XDG_CONFIG_HOME": str(work), "NO_UPDATE_NOTIFIER": "1", "CI": "1"}
    return Process.start("auth", command, port=port, log_folder=work / "logs", cwd=work, environment=quiet)

"""The local stack: emulators, functions and gateway, started and stopped together."""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from infra.build.stage import ROOT, function_names
from infra.build.triggers import OnRequest, triggers
from infra.local.audit_topic import create_topic, subscribed
from infra.local.auth import start_auth
from infra.local.emulators import register_triggers, start_firestore, start_pubsub
from infra.local.forked import fork_server
from infra.local.portal_build import BUILT
from infra.local.processes import Process, free_port, require_free, stop_together
from infra.local.serving import function_environment, start_function

PROJECT = "demo-seatlease"
"""Firebase's tools never contact the cloud for a project whose name begins with ``demo-``."""

NEED_ACCOUNTS = frozenset({"sync_user_claims"})
"""Functions that run only beside an Auth emulator."""

STATE_FOLDER = ROOT / ".local"


@dataclass(frozen=True, kw_only=True, slots=True)
class Emulators:
    """HOST:PORT of each emulator. Not every stack has an Auth emulator."""

    firestore: str
    pubsub: str
    auth: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Stack:
    """The addresses of a running stack. ``pid`` is the process that started it and stops it."""

    base_url: str
    project: str
    firestore_emulator_host: str
    pubsub_emulator_host: str
    auth_emulator_host: str | None
    pid: int
    functions: Mapping[str, str]

    def publish(self, folder: Path = STATE_FOLDER) -> list[Path]:
        """Write the addresses to ``stack-PORT.json``, and to ``stack.json`` unless another running stack owns it."""
        folder.mkdir(parents=True, exist_ok=True)
        written = [folder / f"stack-{self.base_url.rpartition(':')[2]}.json"]
        if not _is_owned_by_another(folder / "stack.json", self.pid):
            written.append(folder / "stack.json")
        for path in written:
            part = path.with_suffix(".part")
            part.write_text(json.dumps(asdict(self), indent=2) + "\n")
            part.rename(path)
        return written


class NoStackError(Exception):
    """No stack is running, or it cannot do what was asked. The message says what to do."""


def published_stack(folder: Path = STATE_FOLDER, *, port: int | None = None) -> Stack:
    """Read the addresses of the running stack: of the first one, or of the one on this port.

    Raises:
        NoStackError: no stack is running.
    """
    name = "stack.json" if port is None else f"stack-{port}.json"
    try:
        return Stack(**json.loads((folder / name).read_text()))
    except (FileNotFoundError, ValueError, TypeError) as error:
        message = "no stack is running. Start one with make serve in another terminal."
        raise NoStackError(message) from error


def _is_owned_by_another(path: Path, pid: int) -> bool:
    try:
        owner = int(json.loads(path.read_text())["pid"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return False
    if owner == pid:
        return False
    try:
        os.kill(owner, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it runs as another user
    return True


@contextmanager
def running_stack(
    *,
    port: int | None = None,
    project: str = PROJECT,
    attach_to: Emulators | None = None,
    auth_program: Path | None = None,
    lease_seconds: int | None = None,
    grace_seconds: int | None = None,
) -> Iterator[Stack]:
    """Run a stack on this port or a free one, and stop exactly what was started.

    ``auth_program`` is the Auth emulator's program. Without it ``sync_user_claims`` does not run; all else does.

    With ``attach_to`` the stack uses emulators that already run. It starts only a gateway and the functions that
    clients call. Events and schedules stay with the stack that started the emulators.

    Raises:
        JarError: an emulator's jar was neither found nor downloaded.
        StartError: a program did not start.
    """
    port = port or free_port()
    require_free(port)
    work = Path(tempfile.mkdtemp(prefix="seatlease-"))
    with ExitStack() as cleanup:
        cleanup.callback(shutil.rmtree, work, ignore_errors=True)
        logs = work / "logs"
        emulators: list[Process] = []
        cleanup.callback(stop_together, emulators)
        names = function_names()
        if attach_to is None:
            firestore_port, pubsub_port = free_port(), free_port()
            emulators.append(start_firestore(port=firestore_port, log_folder=logs, events_to=f"127.0.0.1:{port}"))
            emulators.append(start_pubsub(port=pubsub_port, log_folder=logs))
            auth = None
            if auth_program is None:
                names = [name for name in names if name not in NEED_ACCOUNTS]
            else:
                auth = f"127.0.0.1:{(auth_port := free_port())}"
                emulators.append(start_auth(auth_program, port=auth_port, work=work / "auth", project=project))
            hosts = Emulators(firestore=f"127.0.0.1:{firestore_port}", pubsub=f"127.0.0.1:{pubsub_port}", auth=auth)
        else:
            hosts = attach_to
            names = [name for name, trigger in triggers().items() if isinstance(trigger, OnRequest)]
        forks = cleanup.enter_context(fork_server())
        started: list[Process] = []
        cleanup.callback(stop_together, started)
        environment = function_environment(
            project=project,
            firestore=hosts.firestore,
            pubsub=hosts.pubsub,
            auth=hosts.auth,
            lease_seconds=lease_seconds,
            grace_seconds=grace_seconds,
        )
        functions: dict[str, str] = {}
        for name in names:
            started.append(start_function(name, work=work, environment=environment, forks=forks))
            functions[name] = started[-1].url
        routes = [f"--route={name}={url}" for name, url in functions.items()]
        command = [sys.executable, "-m", "infra.local", "gateway", f"--port={port}", *routes]
        if hosts.auth is not None:
            command += [f"--page={BUILT}", f"--project={project}", f"--auth={hosts.auth}"]
        started.append(Process.start("gateway", command, port=port, log_folder=logs, cwd=ROOT))
        with ThreadPoolExecutor() as waiting:
            list(waiting.map(Process.wait_until_ready, [*emulators, *started]))
        if attach_to is None:
            create_topic(hosts.pubsub, project=project)
            with subscribed(hosts.pubsub, project=project):
                pass  # created before the first event, so that it gets every event
            register_triggers(hosts.firestore, project=project, names=names)
        yield Stack(
            base_url=f"http://127.0.0.1:{port}",
            project=project,
            firestore_emulator_host=hosts.firestore,
            pubsub_emulator_host=hosts.pubsub,
            auth_emulator_host=hosts.auth,
            pid=os.getpid(),
            functions=functions,
        )

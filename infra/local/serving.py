"""Serve each function from its staged folder with functions-framework, as the platform does."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from infra.build.signing_keys import new_key, private_text, public_text
from infra.build.stage import ROOT, stage
from infra.local.forked import ForkServer
from infra.local.processes import Process, free_port

AS_THE_PLATFORM = {"LOG_EXECUTION_ID": "true", "CLOUD_RUN_TIMEOUT_SECONDS": "20"}
"""Variables that the platform sets and that change the server of functions-framework. Source: its ``aio`` and
``_http/gunicorn.py``. The timeout is the one in ``infra/terraform/functions.tf``."""

# No emulator has to run: the address alone makes firebase-admin accept unsigned tokens.
UNSIGNED_TOKENS_ARE_FINE = {"FIREBASE_AUTH_EMULATOR_HOST": "127.0.0.1:9099"}


def start_function(
    name: str,
    *,
    work: Path,
    environment: Mapping[str, str],
    port: int | None = None,
    root: Path = ROOT,
    staged: Path | None = None,
    forks: ForkServer | None = None,
) -> Process:
    """Stage a function below ``work`` and serve it with the bare console script, without waiting for it.

    ``root`` is the checkout to stage from; ``staged`` a folder in which the function is staged already. ``forks`` may
    start it, which takes a third of the time. What Python reads when it starts, such as ``PYTHONPATH``, then means
    nothing.
    """
    port = port or free_port()
    staged = staged or stage(name, work / "stage", root=root)
    # Not ``python -m``: that would put the current folder on the path, which the platform does not do.
    script = Path(sys.executable).parent / "functions-framework"
    arguments = ["--target", name, "--host", "127.0.0.1", "--port", str(port)]
    environment = {**AS_THE_PLATFORM, **environment}
    logs = work / "logs"
    if forks is None:
        command = [str(script), *arguments]
        return Process.start(name, command, port=port, log_folder=logs, cwd=staged, environment=environment)
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / f"{name}.log"
    forked = forks.start(arguments, folder=staged, environment={**os.environ, **environment}, log=log)
    return Process(name=name, popen=forked, log=log, url=f"http://127.0.0.1:{port}")


def function_environment(
    *,
    project: str,
    firestore: str,
    pubsub: str,
    auth: str | None = None,
    lease_seconds: int | None = None,
    grace_seconds: int | None = None,
) -> dict[str, str]:
    """The environment variables of a local stack's functions. ``auth`` is the address of its Auth emulator.

    Each call makes a new key to sign leases, which is valid in this stack only.
    """
    keys = [new_key()]
    environment = {
        "SEATLEASE_ENVIRONMENT": "development",
        "GOOGLE_CLOUD_PROJECT": project,
        "FIRESTORE_EMULATOR_HOST": firestore,
        "PUBSUB_EMULATOR_HOST": pubsub,
        # One trusted hop: the gateway, in place of the platform's front end.
        "SEATLEASE_TRUSTED_PROXY_HOPS": "1",
        "SEATLEASE_SIGNING_KEYS": private_text(keys),
        "SEATLEASE_PUBLIC_KEYS": public_text(keys),
        **UNSIGNED_TOKENS_ARE_FINE,
    }
    if auth is not None:
        environment["FIREBASE_AUTH_EMULATOR_HOST"] = auth
    if lease_seconds is not None:
        environment["SEATLEASE_DEFAULT_LEASE_SECONDS"] = str(lease_seconds)
    if grace_seconds is not None:
        environment["SEATLEASE_DEFAULT_GRACE_SECONDS"] = str(grace_seconds)
    return environment

"""The functions, each served by functions-framework from its staged folder, as the platform does it."""

import sys
from collections.abc import Mapping
from pathlib import Path

from infra.build.signing_keys import new_key, private_text, public_text
from infra.build.stage import ROOT, stage
from infra.local.processes import Process, free_port

AS_THE_PLATFORM = {"LOG_EXECUTION_ID": "true", "CLOUD_RUN_TIMEOUT_SECONDS": "20"}
"""What the platform sets for each function, and functions-framework changes its server by. Source: its ``aio`` and its
``_http/gunicorn.py``; the timeout is that of ``infra/terraform/functions.tf``."""

# Verifying needs no emulator to run: its address alone makes firebase-admin accept unsigned tokens.
UNSIGNED_TOKENS_ARE_FINE = {"FIREBASE_AUTH_EMULATOR_HOST": "127.0.0.1:9099"}


def start_function(
    name: str, *, work: Path, environment: Mapping[str, str], port: int | None = None, root: Path = ROOT
) -> Process:
    """Stage a function below ``work`` and serve it with the bare console script; does not wait for it.

    ``root`` is the checkout that it is taken from.
    """
    port = port or free_port()
    staged = stage(name, work / "stage", root=root)
    # The console script and not ``python -m``: that puts the current folder on the path, and the platform does not.
    script = Path(sys.executable).parent / "functions-framework"
    command = [str(script), "--target", name, "--host", "127.0.0.1", "--port", str(port)]
    return Process.start(
        name, command, port=port, log_folder=work / "logs", cwd=staged, environment={**AS_THE_PLATFORM, **environment}
    )


def function_environment(
    *,
    project: str,
    firestore: str,
    pubsub: str,
    auth: str | None = None,
    lease_seconds: int | None = None,
    grace_seconds: int | None = None,
) -> dict[str, str]:
    """Describe a local stack to its functions; ``auth`` is its Auth emulator, if it has one.

    It has a key of its own that leases are signed with, made here and worth nothing anywhere else.
    """
    keys = [new_key()]
    environment = {
        "SEATLEASE_ENVIRONMENT": "development",
        "GOOGLE_CLOUD_PROJECT": project,
        "FIRESTORE_EMULATOR_HOST": firestore,
        "PUBSUB_EMULATOR_HOST": pubsub,
        # One trusted hop: the gateway, which stands where the platform's front end stands.
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

"""Check that functions-framework's default server is measured, as the platform starts it."""

import os

from infra.local.processes import StartError

_CHANGES_THE_SERVER = (
    "CLOUD_RUN_TIMEOUT_SECONDS",
    "DEBUG",
    "FUNCTION_USE_ASGI",
    "LOG_EXECUTION_ID",
    "THREADED_TIMEOUT_ENABLED",
    "THREADS",
    "WORKERS",
)
"""Variables by which functions-framework's server is another than its default one. Source: its ``_http/gunicorn.py``
and ``_cli.py``."""


def require_default_servers() -> None:
    """Refuse an environment in which the functions would not be served as they are by default.

    Raises:
        StartError: it has a variable that changes the server.
    """
    if found := [name for name in _CHANGES_THE_SERVER if name in os.environ]:
        message = f"unset {', '.join(found)}: it changes functions-framework's server, but the default must be measured"
        raise StartError(message)

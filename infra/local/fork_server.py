"""The fork server: a program that has loaded the libraries of functions, and serves each function in a fork of itself.

Most of a function's start is loading the same libraries, so all functions together start in half the time. It runs as
a script, and imports nothing of this project: a function finds its modules in its staged folder only, as it does on the
platform.
``forked.py`` talks to it: each line of its standard input is a question in JSON, and it answers with one line.

When its input ends, because its starter has ended in whatever way, it ends all functions that still run.
"""

import contextlib
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import Any

# Loaded once, for all functions. A library that only some functions need is left to them.
import firebase_admin.auth  # noqa: F401 see above
import functions_framework._cli
import functions_framework._http.gunicorn
import google.cloud.firestore  # noqa: F401 see above
import gunicorn.workers.gthread  # type: ignore[import-untyped]  # noqa: F401 see above
import httpx  # noqa: F401 see above
import pydantic  # noqa: F401 see above
import starlette.applications  # noqa: F401 see above


def main() -> None:
    """Answer until the input ends."""
    statuses: dict[int, int | None] = {}
    for line in sys.stdin:
        asked: dict[str, Any] = json.loads(line)
        if "pid" in asked:
            answer = _status(asked["pid"], statuses)
        elif (answer := os.fork()) == 0:
            _serve(**asked)
        else:
            os.setpgid(answer, answer)  # a group of its own, before anybody signals it
            statuses[answer] = None
        sys.stdout.write(f"{json.dumps(answer)}\n")
        sys.stdout.flush()
    for pid, status in statuses.items():
        if status is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGTERM)


def _status(pid: int, statuses: dict[int, int | None]) -> int | None:
    """Give the exit status of a function that has ended, and minus the signal's number if a signal ended it."""
    if statuses[pid] is None:
        ended, status = os.waitpid(pid, os.WNOHANG)
        statuses[pid] = os.waitstatus_to_exitcode(status) if ended else None
    return statuses[pid]


def _serve(arguments: Sequence[str], folder: str, environment: Mapping[str, str], log: str) -> None:
    """Be a function's own process: run the console script, and end with it."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    nothing = os.open(os.devnull, os.O_RDONLY)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for ours, its in ((0, nothing), (1, output), (2, output)):
        os.dup2(its, ours)
    # The default source was looked up in the folder in which this program started.
    functions_framework._cli._cli([*arguments, "--source", f"{folder}/main.py"])  # noqa: SLF001 the console script
    sys.exit()


if __name__ == "__main__":
    main()

"""``python -m tests.programs.fuzz``: half of the time random requests, then documents with random edits.

The first half is one run with the same servers, so that a memory leak shows. The edits run in rounds, each with its own
seed.
"""

import os
import random
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Annotated

import typer

from infra.build.stage import ROOT

REQUESTS, DOCUMENTS = "tests/functions/test_fuzzed_requests.py", "tests/functions/test_fuzzed_documents.py"


def fuzz(
    *,
    minutes: Annotated[float, typer.Option(min=1, help="Minutes of the run.")] = 60,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of the run. Default: a new one.")] = None,
) -> None:
    """Send random input to every function, and print how to repeat the run."""
    number = random.randrange(1_000_000) if seed is None else seed  # noqa: S311 no secret
    ends = time.monotonic() + minutes * 60
    typer.echo(f"To repeat this run: make fuzz SEED={number} MINUTES={minutes:g}")
    ran = [_run(REQUESTS, seed=number, more={"FUZZ_SECONDS": str(minutes * 30)})]
    while time.monotonic() < ends:
        ran.append(_run(DOCUMENTS, seed=number + len(ran)))
    if any(ran):
        typer.echo(f"Failed. To repeat this run: make fuzz SEED={number} MINUTES={minutes:g}")
        raise typer.Exit(1)


def _run(file: str, *, seed: int, more: Mapping[str, str] | None = None) -> int:
    command = [sys.executable, "-m", "pytest", "-q", "-n0", "--timeout=0", f"--hypothesis-seed={seed}", file]
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, "FUZZ_SEED": str(seed), **(more or {})}, check=False
    ).returncode


if __name__ == "__main__":
    typer.run(fuzz)

"""A worker of the part many: ``python -m tests.programs.bench.worker WORK HOST:PORT PROJECT…``.

It says when it is ready, and begins when it is told to: a line each. Then it passes over all organizations of each
project, as a scheduled function with enough time does. It prints the report of each pass, a line of JSON. Then it waits
until its input ends, so that its processor time can be read.
"""

import asyncio
import json
import sys
from contextlib import closing
from dataclasses import asdict
from datetime import timedelta

from shared.firestore.client import Firestore
from shared.seats.expire import Expiries, ExpiryReport
from shared.seats.reconcile import ReconcileReport, Reconciliations
from tests.programs.bench.measurement import Work
from tests.programs.bench.tenants import POLICY

_ENOUGH = timedelta(days=1)


async def _pass(work: Work, store: Firestore) -> ExpiryReport | ReconcileReport:
    if work is Work.MANY_EXPIRED:
        return await Expiries(store, POLICY, run_within=_ENOUGH).expire()
    return await Reconciliations(store, POLICY, run_within=_ENOUGH).reconcile()


def _work_through(work: Work, host: str, projects: list[str]) -> None:
    print("ready", flush=True)  # noqa: T201 it talks to the driver
    sys.stdin.readline()
    for project in projects:
        with closing(Firestore(project=project, emulator_host=host)) as store:
            report = asdict(asyncio.run(_pass(work, store)))
        del report["now"]
        print(json.dumps(report), flush=True)  # noqa: T201 as above
    sys.stdin.read()


if __name__ == "__main__":
    _work_through(Work(sys.argv[1]), sys.argv[2], sys.argv[3:])

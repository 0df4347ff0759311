"""Repairs sessions and counters, and finds edits that were missed. Cloud Scheduler calls it every 15 minutes."""

from functools import cache

from starlette.requests import Request
from starlette.responses import Response

from shared.admin.resync import Resync
from shared.edge.http import http_function
from shared.edge.reconcile_answer import answer_reconcile
from shared.edge.settings import settings
from shared.edge.wiring import firestore, policy
from shared.seats.reconcile import Reconciliations


@cache
def reconciliations() -> Reconciliations:
    """Half of a run's time is for sessions and counters. The other half is for edits."""
    return Reconciliations(firestore(), policy(), run_within=settings().run_within / 2)


@http_function("POST")
async def reconcile(_: Request) -> Response:
    """Reconcile all organizations. The platform decides about callers; the request's content is ignored."""
    try:
        reconciled = await reconciliations().reconcile()
    finally:  # also if the sessions could not be looked at
        resynced = await Resync(firestore()).touch_missed(run_within=settings().run_within / 2)
    return answer_reconcile(reconciled, resynced)

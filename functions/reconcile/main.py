"""Repairs sessions and counters. Cloud Scheduler calls it every 15 minutes."""

from functools import cache

from starlette.requests import Request
from starlette.responses import Response

from shared.edge.http import http_function
from shared.edge.reconcile_answer import answer_reconcile
from shared.edge.settings import settings
from shared.edge.wiring import firestore, policy
from shared.seats.reconcile import Reconciliations


@cache
def reconciliations() -> Reconciliations:
    return Reconciliations(firestore(), policy(), run_within=settings().run_within)


@http_function("POST")
async def reconcile(_: Request) -> Response:
    """Reconcile all organizations. The platform decides about callers; the request's content is ignored."""
    return answer_reconcile(await reconciliations().reconcile())

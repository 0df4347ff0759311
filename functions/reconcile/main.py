"""Publishes audit events that were left behind, and repairs sessions and counters. Cloud Scheduler calls it every
15 minutes.
"""

from starlette.requests import Request
from starlette.responses import Response

from shared.edge.http import http_function
from shared.edge.pubsub_wiring import reconciliations, relays
from shared.edge.reconcile_answer import answer_reconcile


@http_function("POST")
async def reconcile(_: Request) -> Response:
    """Reconcile all organizations. The platform decides about callers; the request's content is ignored."""
    try:
        relayed = await relays().relay_left_behind()
    finally:  # also if the events could not be published
        reconciled = await reconciliations().reconcile()
    return answer_reconcile(relayed, reconciled)

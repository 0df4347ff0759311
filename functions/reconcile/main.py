"""Called by Cloud Scheduler every 15 minutes: publish what was left behind, put right what drifted."""

from starlette.requests import Request
from starlette.responses import Response

from shared.edge.http import http_function
from shared.edge.pubsub_wiring import reconciliations, relays
from shared.edge.reconcile_answer import answer_reconcile


@http_function("POST")
async def reconcile(_: Request) -> Response:
    """Look at every organization. Who may call is the platform's to decide: nothing in the request matters."""
    try:
        relayed = await relays().relay_left_behind()
    finally:  # seats are put right also where the events could not be published
        reconciled = await reconciliations().reconcile()
    return answer_reconcile(relayed, reconciled)

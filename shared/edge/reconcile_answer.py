"""The answer of ``reconcile``. It has numbers only and names no organization."""

from starlette.responses import Response

from shared.admin.resync import ResyncReport
from shared.documents.rfc3339 import Time
from shared.edge.answers import Answer, answer
from shared.seats.reconcile import ReconcileReport


class ReconcileAnswer(Answer):
    """What the run did. ``organizations`` counts those it checked. When ``is_complete`` is false, its time was up.

    ``documents_touched`` counts documents with an edit that no function had seen.
    """

    sessions_ended: int
    ends_reported: int
    counters_repaired: int
    organizations: int
    organizations_failed: int
    documents_looked_at: int
    documents_touched: int
    is_complete: bool
    server_time: Time


def answer_reconcile(report: ReconcileReport, resynced: ResyncReport) -> Response:
    """Answer 200, also when the time was too short for all of it."""
    body = ReconcileAnswer(
        sessions_ended=report.sessions_ended,
        ends_reported=report.ends_reported,
        counters_repaired=report.counters_repaired,
        organizations=report.organizations,
        organizations_failed=report.organizations_failed,
        documents_looked_at=resynced.documents_looked_at,
        documents_touched=resynced.documents_touched,
        is_complete=report.is_complete,
        server_time=report.now,
    )
    return answer(body)

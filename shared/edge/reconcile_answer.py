"""The answer of ``reconcile``. It has numbers only and names no organization."""

from dataclasses import asdict

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
    return answer(ReconcileAnswer.from_record(report, **asdict(resynced), server_time=report.now))

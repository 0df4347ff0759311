"""``GET /v1/history``: how the licenses were used day by day, or a page of the audit trail."""

from functools import cache

from starlette.requests import Request
from starlette.responses import Response

from shared.edge.history_answer import answer_history
from shared.edge.history_query import HistoryQuery, history_request, is_csv
from shared.edge.http import http_function
from shared.edge.identity import identify
from shared.edge.requests import parse_query
from shared.edge.wiring import firestore, policy
from shared.seats.history import Histories


@cache
def histories() -> Histories:
    return Histories(firestore(), policy())


@http_function("GET")
async def history(request: Request) -> Response:
    """Report the history of the caller's organization, to its owners and admins."""
    caller = await identify(request)
    asked = parse_query(request, HistoryQuery)
    as_csv = is_csv(request, asked)
    wanted = history_request(caller.user_id, asked, as_csv=as_csv)
    answered = await histories().history(caller.organization_id, wanted)
    return answer_history(answered, as_csv=as_csv, per_day=asked.per == "day")

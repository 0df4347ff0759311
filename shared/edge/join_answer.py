"""The answer of join. The type checker proves that every outcome has one."""

from starlette.responses import Response

from shared.documents.rfc3339 import Time
from shared.edge.answers import PRIVATE, Answer, answer
from shared.edge.refusals import refused
from shared.firestore.group_commit import Answered
from shared.rules.admission import Joined
from shared.rules.join import AlreadyJoined, JoinOutcome
from shared.rules.user import Role


class JoinAnswer(Answer):
    """The person is a user of the organization, since now or before.

    New ID tokens name the organization some seconds later.
    """

    organization_id: str
    organization_name: str
    role: Role
    joined: bool
    server_time: Time


def answer_join(answered: Answered[JoinOutcome]) -> Response:
    outcome, now = answered.outcome, answered.now
    if not isinstance(outcome, Joined | AlreadyJoined):
        raise refused(outcome, now=now)
    body = JoinAnswer(
        organization_id=outcome.organization.organization_id,
        organization_name=outcome.organization.name,
        role=outcome.user.role,
        joined=True,
        server_time=now,
    )
    return answer(body, headers=PRIVATE)

"""The answer of release. The type checker proves that every outcome has one."""

from starlette.responses import Response

from shared.edge.answers import nothing
from shared.edge.refusals import refused
from shared.firestore.group_commit import Answered
from shared.rules.release import AlreadyEnded, Left, LeftTheLine, Released, ReleaseOutcome


def answer_release(answered: Answered[ReleaseOutcome]) -> Response:
    """Answer 204 when session or place is over, or the session goes on without the instance, else the refusal."""
    match answered.outcome:
        case Released() | Left() | AlreadyEnded() | LeftTheLine():
            return nothing()
        case _ as refusal:
            raise refused(refusal, now=answered.now)

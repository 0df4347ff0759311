"""The answers about people. The type checker proves that every outcome has one."""

from urllib.parse import quote

from starlette.responses import Response

from shared.documents.rfc3339 import Time
from shared.edge.answers import PRIVATE, Answer, answer, nothing
from shared.edge.refusals import refused
from shared.firestore.group_commit import Answered
from shared.rules.invitations import Invited, InviteOutcome, Withdrawn, WithdrawOutcome
from shared.rules.members import ChangeRefusal, Member, Members, MembersOutcome
from shared.rules.user import Role, User


class InvitationView(Answer):
    """An open invitation. Its person has ``role`` and ``groups`` after joining."""

    invitation_id: str
    email: str
    role: Role
    groups: list[str]
    invited_by: str
    created_at: Time
    expires_at: Time


class InvitationAnswer(Answer):
    """The invitation is open. ``join_path`` is the path of the page on which its person joins. It holds no secret."""

    invitation: InvitationView
    join_path: str
    server_time: Time


class MemberView(Answer):
    """A user, the seats that they hold, when they last took one, and their denials in the last 30 days.

    ``role`` and ``is_active`` are null if an admin must correct the user's ``misconfigured_fields``.
    """

    user_id: str
    email: str | None
    role: Role | None
    groups: list[str]
    is_active: bool | None
    created_at: Time
    seats_in_use: int
    last_seat_at: Time | None
    denied_30_days: int
    misconfigured_fields: list[str]


class MembersAnswer(Answer):
    """A page of users in the order of their ids; on the first page also the open invitations.

    A null ``next_page_token`` means the last page.
    """

    members: list[MemberView]
    invitations: list[InvitationView]
    next_page_token: str | None
    server_time: Time


class MemberAnswer(Answer):
    """The user after the change."""

    member: MemberView
    server_time: Time


def answer_invite(answered: Answered[InviteOutcome], *, organization_id: str) -> Response:
    outcome, now = answered.outcome, answered.now
    if not isinstance(outcome, Invited):
        raise refused(outcome, now=now)
    path = f"/join?org={quote(organization_id, safe='')}"
    body = InvitationAnswer(invitation=outcome.invitation, join_path=path, server_time=now)
    return answer(body, status=201, headers=PRIVATE)


def answer_withdraw(answered: Answered[WithdrawOutcome]) -> Response:
    if isinstance(answered.outcome, Withdrawn):
        return nothing()
    raise refused(answered.outcome, now=answered.now)


def answer_members(answered: Answered[MembersOutcome]) -> Response:
    outcome, now = answered.outcome, answered.now
    if not isinstance(outcome, Members):
        raise refused(outcome, now=now)
    body = MembersAnswer(
        members=[_member_view(each) for each in outcome.members],
        invitations=outcome.invitations,
        next_page_token=outcome.next_page,
        server_time=now,
    )
    return answer(body, headers=PRIVATE)


def answer_change(answered: Answered[Member | ChangeRefusal]) -> Response:
    outcome, now = answered.outcome, answered.now
    if not isinstance(outcome, Member):
        raise refused(outcome, now=now)
    return answer(MemberAnswer(member=_member_view(outcome), server_time=now), headers=PRIVATE)


def _member_view(member: Member) -> MemberView:
    user = member.user if isinstance(member.user, User) else None
    return MemberView(
        user_id=member.user_id,
        email=None if user is None else user.email,
        role=None if user is None else user.role,
        groups=[] if user is None else [*user.groups],
        is_active=None if user is None else user.is_active,
        created_at=member.created_at,
        seats_in_use=member.seats_in_use,
        last_seat_at=member.last_seat_at,
        denied_30_days=member.denials,
        misconfigured_fields=[] if isinstance(member.user, User) else [*member.user.fields],
    )

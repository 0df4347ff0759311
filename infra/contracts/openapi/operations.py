"""The calls that clients can make, and their answers: one entry for each function that answers clients."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from infra.contracts.openapi.words import A_DAY
from shared.edge.answers import PRIVATE
from shared.edge.errors import Code
from shared.edge.history_answer import HistoryAnswer, TrailAnswer
from shared.edge.history_csv import csv_of_days
from shared.edge.history_query import HistoryQuery
from shared.edge.join_answer import JoinAnswer
from shared.edge.lease_answers import AcquireAnswer, HeartbeatAnswer, WaitingAnswer
from shared.edge.people_answers import InvitationAnswer, MemberAnswer, MembersAnswer
from shared.edge.people_requests import InvitationBody, InvitationQuery, JoinBody, MemberBody, MembersQuery
from shared.edge.public_keys import CACHED, PublicKeySet
from shared.edge.requests import AcquireBody, HeartbeatBody, ReleaseBody, SignInBody, UsageQuery
from shared.edge.sign_in_answers import BegunAnswer, SignInAnswer
from shared.edge.usage_answer import UsageAnswer
from shared.rules.history_summary import History, LicenseHistory
from shared.rules.organization import Organization


@dataclass(frozen=True, kw_only=True, slots=True)
class Success:
    """An answer that is no error. ``example`` overrides examples of the words.

    An answer may have ``another`` form, by the request's query. ``csv`` is an example of it as CSV.
    """

    means: str
    model: type[BaseModel] | None = None
    another: type[BaseModel] | None = None
    csv: str | None = None
    example: Mapping[str, Any] | None = None
    cache_control: str = "no-store"


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """One call. ``codes`` are the errors that it can answer, in addition to ``ANY_CALL``.

    Answers of a call that ``is_tagged`` have an ``ETag``, and a client that has the answer is told so.
    ``takes_token`` is ``None`` if some requests need a token and others do not. ``function`` is the function that
    answers. Left out, it has the name of the operation.
    """

    method: str
    summary: str
    description: str
    successes: Mapping[int, Success]
    codes: frozenset[Code]
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    is_tagged: bool = False
    takes_token: bool | None = True
    function: str | None = None


ANY_CALL = frozenset({Code.METHOD_NOT_ALLOWED, Code.INTERNAL})

_TOKEN = {
    Code.TOKEN_MISSING,
    Code.TOKEN_INVALID,
    Code.TOKEN_EXPIRED,
    Code.NO_ORGANIZATION,
    Code.RATE_LIMITED,
    Code.STORE_UNAVAILABLE,
}
_BODY = {
    Code.UNSUPPORTED_MEDIA_TYPE,
    Code.BODY_TOO_SLOW,
    Code.BODY_TOO_LARGE,
    Code.INVALID_JSON,
    Code.INVALID_REQUEST,
}
_MEMBER = {Code.ORGANIZATION_INACTIVE, Code.USER_INACTIVE, Code.LICENSE_MISCONFIGURED}
_HOLDER = {*_MEMBER, Code.ROLE_NOT_ALLOWED}
_LICENSE = {Code.LICENSE_NOT_FOUND, Code.LICENSE_INACTIVE, Code.LICENSE_EXPIRED}
_NOT_LENT = {Code.BORROWING_OFF, Code.BORROW_TOO_LONG, Code.BORROWED_SEATS_LIMIT_REACHED}
_NO_NEW_SEAT = {
    Code.LICENSE_NOT_STARTED,
    Code.LICENSE_NOT_ALLOWED,
    Code.KEPT_OUT,
    Code.USER_DEVICE_LIMIT_REACHED,
}
_FULL = {Code.SEAT_LIMIT_REACHED, Code.ORGANIZATION_SEAT_LIMIT_REACHED}
_OVER = {Code.SESSION_EXPIRED, Code.SESSION_RELEASED, Code.SESSION_REVOKED, Code.SESSION_IDLE}

EXAMPLE = History(
    organization=Organization(organization_id="acme", name="Acme", max_concurrent_seats=None, is_active=True),
    first=A_DAY.date,
    last=A_DAY.date,
    licenses=(LicenseHistory(license_id=A_DAY.license_id, license=None, days=(A_DAY,)),),
)
_MANAGER = {*_MEMBER, Code.ROLE_NOT_ALLOWED}
_PRIVATE = PRIVATE["Cache-Control"]

OPERATIONS: Mapping[str, Operation] = {
    "acquire": Operation(
        method="POST",
        summary="Take a seat",
        description="Takes a seat of the license for the token's user on this device, until the lease ends. Asking "
        "again is safe after any answer, or none. The same user on the same device holds only one seat of a license, "
        "and gets that one again. A guest may not take seats. With `wait_until` the user waits in the line if there is "
        "no seat: send the same request again after `ask_again_in_seconds`.",
        body=AcquireBody,
        successes={
            200: Success(
                means="This user on this device already holds the seat. Its lease starts anew.",
                model=AcquireAnswer,
                example={"renewed": True},
            ),
            201: Success(means="The user took a seat.", model=AcquireAnswer, example={"renewed": False}),
            202: Success(
                means="There is no seat, and the user waits in the line until `wait_until`. The program asks again.",
                model=WaitingAnswer,
            ),
        },
        codes=frozenset(
            {
                *_TOKEN,
                *_BODY,
                *_HOLDER,
                *_LICENSE,
                *_NO_NEW_SEAT,
                *_NOT_LENT,
                *_FULL,
                Code.INSTANCE_LIMIT_REACHED,
                Code.CONTENTION,
            }
        ),
    ),
    "heartbeat": Operation(
        method="POST",
        summary="Keep a seat",
        description="Starts the lease of one of the caller's live sessions anew. Asking again is safe. Send the next "
        "heartbeat after `heartbeat_interval_seconds`. A heartbeat within a quarter of that does not change the lease. "
        "A session that has ended or whose lease has run out never comes back. Acquire a seat again.",
        body=HeartbeatBody,
        successes={200: Success(means="The seat is kept.", model=HeartbeatAnswer)},
        codes=frozenset(
            {
                *_TOKEN,
                *_BODY,
                *_HOLDER,
                *_LICENSE,
                Code.SESSION_NOT_FOUND,
                *_OVER,
                Code.INSTANCE_LIMIT_REACHED,
                Code.CONTENTION,
            }
        ),
    ),
    "history": Operation(
        method="GET",
        summary="See how the licenses were used",
        description="Reports how each license was used, day by day, or with `view=events` a page of the audit trail. "
        "Only owners and admins may ask. Days are counted once an hour, so the latest hour may be missing. A day in "
        "UTC is final a day after its end. Without dates the answer has the last 30 days. With `Accept: text/csv`, or "
        "`format=csv`, it is a file for a spreadsheet. The call changes nothing: asking again is safe.",
        query=HistoryQuery,
        successes={
            200: Success(
                means="The days of the licenses, or with `view=events` a page of events.",
                model=HistoryAnswer,
                another=TrailAnswer,
                csv=csv_of_days(EXAMPLE, per_day=True),
                cache_control=PRIVATE["Cache-Control"],
            )
        },
        codes=frozenset({*_TOKEN, *_HOLDER, Code.INVALID_REQUEST, Code.LICENSE_NOT_FOUND}),
    ),
    "invite": Operation(
        method="POST",
        function="invitations",
        summary="Invite a person",
        description="Lets the person with this address join the caller's organization within 14 days. For owners and "
        "admins; only owners invite owners. Nothing is sent: send the person the link `join_path`. It holds no secret, "
        "because the person must sign in with the verified address. The same call again renews the invitation. Asking "
        "again is safe.",
        body=InvitationBody,
        successes={201: Success(means="The invitation is open.", model=InvitationAnswer, cache_control=_PRIVATE)},
        codes=frozenset({*_TOKEN, *_BODY, *_MANAGER, Code.ALREADY_A_MEMBER, Code.INVITATION_LIMIT_REACHED}),
    ),
    "join": Operation(
        method="POST",
        summary="Join an organization",
        description="Makes the person of the token a user of an organization. It needs an open invitation for the "
        "token's verified address, or a single sign-on or an e-mail domain that the vendor has entered for the "
        "organization. The token need not name an organization. Get a new ID token afterwards: some seconds later it "
        "does. Asking again is safe.",
        body=JoinBody,
        successes={
            200: Success(
                means="The person is a user of the organization, since now or before.",
                model=JoinAnswer,
                example={"joined": True},
                cache_control=_PRIVATE,
            )
        },
        codes=frozenset({*_TOKEN - {Code.NO_ORGANIZATION}, *_BODY, Code.NO_INVITATION, Code.IN_ANOTHER_ORGANIZATION}),
    ),
    "members": Operation(
        method="GET",
        summary="See the users",
        description="Reports the users of the caller's organization with what they use, and the open invitations. For "
        "owners and admins. The call changes nothing: asking again is safe.",
        query=MembersQuery,
        successes={
            200: Success(means="The users at one instant, `server_time`.", model=MembersAnswer, cache_control=_PRIVATE)
        },
        codes=frozenset({*_TOKEN, *_MANAGER, Code.INVALID_REQUEST}),
    ),
    "change_member": Operation(
        method="PATCH",
        function="members",
        summary="Change a user",
        description="Gives a user another role or other groups, or deactivates or activates the user. For owners and "
        "admins; only owners change owners, and the last active owner stays. A deactivated user's sessions end within "
        "seconds. Asking again is safe.",
        body=MemberBody,
        successes={200: Success(means="The user is so from now on.", model=MemberAnswer, cache_control=_PRIVATE)},
        codes=frozenset({*_TOKEN, *_BODY, *_MANAGER, Code.USER_NOT_FOUND, Code.LAST_OWNER}),
    ),
    "withdraw": Operation(
        method="DELETE",
        function="invitations",
        summary="Take an invitation back",
        description="Nobody joins by this invitation any more. For owners and admins; only owners take back that of an "
        "owner. Asking again is safe: the answer is the same if there is no such invitation.",
        query=InvitationQuery,
        successes={204: Success(means="There is no such invitation any more.")},
        codes=frozenset({*_TOKEN, *_MANAGER, Code.INVALID_REQUEST}),
    ),
    "keys": Operation(
        method="GET",
        summary="Get the public keys",
        description="Answers the public keys that verify `lease_token`. No token is needed. A key is published ten "
        "minutes before it signs, so an answer may be cached for five. The call changes nothing: asking again is safe.",
        successes={
            200: Success(
                means="Every key that may have signed a valid lease token (RFC 7517, RFC 8037).",
                model=PublicKeySet,
                cache_control=CACHED["Cache-Control"],
            )
        },
        codes=frozenset(),
        takes_token=False,
    ),
    "release": Operation(
        method="POST",
        summary="Give a seat back",
        description="With `instance_id`, the instance leaves one of the caller's sessions, and the last one ends it. "
        "Without, the session ends at once. Owners and admins may end every session of their organization, and with "
        "`until` keep its user out for a time. The user's other sessions go on. Asking again is safe: the answer is "
        "the same for a session that has already ended. With `until` that is so only if the request before ended it. "
        "Otherwise the answer is 410, and the user is not kept out. A user who waits leaves the line with the "
        "`session_id` of the answer.",
        body=ReleaseBody,
        successes={
            204: Success(means="The session is over, or goes on without the instance; or the user waits no more.")
        },
        codes=frozenset({*_TOKEN, *_BODY, Code.SESSION_NOT_FOUND, *_OVER, Code.LICENSE_MISCONFIGURED, Code.CONTENTION}),
    ),
    "sign_ins": Operation(
        method="POST",
        summary="Sign a device in through a browser",
        description="For people without a password of this service. `begin` needs no token. A person who is signed in "
        "to the page at `verification_path` looks at the sign-in and approves or refuses it, with their ID token. On "
        "another machine than the device's the person types `user_code`. Else the page takes a `code` to the device, "
        "at `http://127.0.0.1:{loopback_port}/`. `exchange` needs no token: the `code_verifier` proves who began. It "
        "succeeds once, within ten minutes of the beginning. Before a decision it is refused with SIGN_IN_PENDING, "
        "and asking again is safe.",
        body=SignInBody,
        successes={
            200: Success(means="The answer to `look`, `approve`, `refuse` or `exchange`.", model=SignInAnswer),
            201: Success(means="A sign-in has begun.", model=BegunAnswer),
        },
        codes=frozenset(
            {
                *_TOKEN,
                *_BODY,
                *_MEMBER,
                Code.SIGN_IN_PENDING,
                Code.SIGN_IN_REFUSED,
                Code.SIGN_IN_EXPIRED,
                Code.CONTENTION,
            }
        ),
        takes_token=None,
    ),
    "usage": Operation(
        method="GET",
        summary="See who holds which seat",
        description="Reports the seats of the caller's organization. Owners and admins see everything, members their "
        "own sessions and the totals, guests the totals. The call changes nothing: asking again is safe. A page that "
        "asks every few seconds takes `view=now` and sends the `ETag` of its answer as `If-None-Match`. It is then "
        "answered 304 until a seat is taken or given back, but for less than a minute and a half.",
        query=UsageQuery,
        is_tagged=True,
        successes={
            200: Success(
                means="The seats at one instant, `server_time`.",
                model=UsageAnswer,
                cache_control=PRIVATE["Cache-Control"],
            ),
            304: Success(
                means="The answer with the tag in `If-None-Match` still stands.", cache_control=PRIVATE["Cache-Control"]
            ),
        },
        codes=frozenset({*_TOKEN, *_MEMBER, Code.INVALID_REQUEST, Code.LICENSE_NOT_FOUND}),
    ),
}
"""The operations by name. Most have the name of their function."""


def function_of(name: str) -> str:
    """The function that answers an operation."""
    return OPERATIONS[name].function or name


def methods_of(function: str) -> list[str]:
    """The methods that a function answers."""
    return [operation.method for name, operation in OPERATIONS.items() if function_of(name) == function]

"""The answers of sign_ins. The type checker proves that every outcome has one."""

from datetime import datetime, timedelta
from urllib.parse import urlencode

from pydantic import RootModel
from starlette.responses import Response

from shared.admin.sign_ins import Begun, Decision, Exchange, SignInOutcome
from shared.documents.rfc3339 import Time
from shared.edge.answers import Answer, answer
from shared.edge.refusals import refused
from shared.firestore.group_commit import Answered
from shared.rules.sign_in import LASTS_FOR, POLL_EVERY, Looked, shown

PAGE = "/cli"
"""The path of the page where a person confirms."""

_SECOND = timedelta(seconds=1)


class BegunAnswer(Answer):
    """A sign-in has begun. A person confirms it at ``verification_path`` of this service's own address."""

    sign_in_id: str
    user_code: str
    verification_path: str
    expires_in_seconds: int
    poll_seconds: int
    server_time: Time


class SignInOrganization(Answer):
    """The organization of the person who confirms."""

    organization_id: str
    name: str


class LookAnswer(Answer):
    """What the person is asked to confirm. ``same_address``: the browser and the device have the same IP address."""

    sign_in_id: str
    organization: SignInOrganization
    device_name: str
    ip_address: str | None
    same_address: bool
    asked_at: Time
    needs_code: bool
    server_time: Time


class DecisionAnswer(Answer):
    """The page goes to ``redirect_to``, on its own machine. null: the device asks by itself."""

    redirect_to: str | None
    server_time: Time


class CustomTokenAnswer(Answer):
    """A custom token of Firebase, for ``accounts:signInWithCustomToken``."""

    custom_token: str
    server_time: Time


class SignInAnswer(RootModel[LookAnswer | DecisionAnswer | CustomTokenAnswer]):
    """The answer to ``look``, to ``approve`` or ``refuse``, or to ``exchange``."""


def answer_sign_in(answered: Answered[SignInOutcome], *, address: str | None) -> Response:
    """Answer any step. ``address`` is that of the request, as far as this deployment keeps addresses."""
    now = answered.now
    match answered.outcome:
        case Begun() as begun:
            return answer(_begun(begun, now=now), status=201)
        case Looked() as looked:
            return answer(_looked(looked, address=address, now=now))
        case Decision() as decision:
            return answer(DecisionAnswer(redirect_to=_redirect(decision), server_time=now))
        case Exchange(custom_token=token):
            return answer(CustomTokenAnswer(custom_token=token, server_time=now))
        case _ as refusal:
            raise refused(refusal, now=now)


def _begun(begun: Begun, *, now: datetime) -> BegunAnswer:
    sign_in = begun.sign_in
    # A person who must type the code gets no link that makes typing it needless.
    query = "" if sign_in.needs_code else "?" + urlencode({"sign_in": sign_in.sign_in_id})
    return BegunAnswer(
        sign_in_id=sign_in.sign_in_id,
        user_code=shown(begun.user_code),
        verification_path=PAGE + query,
        expires_in_seconds=LASTS_FOR // _SECOND,
        poll_seconds=POLL_EVERY // _SECOND,
        server_time=now,
    )


def _looked(looked: Looked, *, address: str | None, now: datetime) -> LookAnswer:
    sign_in = looked.sign_in
    is_same = address is not None and address == sign_in.ip_address
    return LookAnswer.from_record(sign_in, organization=looked.organization, same_address=is_same, server_time=now)


def _redirect(decision: Decision) -> str | None:
    """The device's own address on the person's machine. Its ``state`` is the id of the sign-in."""
    sign_in = decision.sign_in
    if sign_in.loopback_port is None:
        return None
    told = {"error": "access_denied"} if decision.code is None else {"code": decision.code}
    return f"http://127.0.0.1:{sign_in.loopback_port}/?{urlencode({**told, 'state': sign_in.sign_in_id})}"

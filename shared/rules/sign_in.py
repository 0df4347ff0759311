"""A sign-in of a device: the command line asks, a person approves in a browser, and the command line exchanges it.

::

    asked ──┬── approved ── exchanged
            └── refused

Whatever its state, it counts for ten minutes only. The command line proves that it asked with a code verifier
(RFC 7636, S256). On a device without a browser the person types the user code (RFC 8628).
"""

from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from hmac import compare_digest

from shared.rules.audit import AuditEvent, AuditType
from shared.rules.digest import digest
from shared.rules.organization import Organization
from shared.rules.refusal import MemberRefusal, Unusable, refuse_member
from shared.rules.user import User

LASTS_FOR = timedelta(minutes=10)
POLL_EVERY = timedelta(seconds=5)
"""How long a device waits before it asks again whether a person has decided."""

CONSONANTS = "BCDFGHJKLMNPQRSTVWXZ"
"""The letters of a user code. Without vowels no code is a word. Source: RFC 8628, section 6.1."""

USER_CODE_LENGTH = 8


class SignInState(StrEnum):
    """The states. A sign-in whose time is over counts as none, whatever its state."""

    ASKED = "asked"
    APPROVED = "approved"
    REFUSED = "refused"
    EXCHANGED = "exchanged"


@dataclass(frozen=True, kw_only=True, slots=True)
class Approval:
    """The person who approved, and how and when their browser signed in.

    ``code_hash`` is that of the code which the browser takes to the device. ``None``: the device polls.
    """

    user_id: str
    organization_id: str
    signed_in_at: datetime
    signed_in_with: str
    code_hash: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SignIn:
    """One sign-in. With a ``loopback_port``, the device listens there for the browser on the same machine."""

    sign_in_id: str
    code_challenge: str
    device_name: str
    ip_address: str | None
    loopback_port: int | None
    asked_at: datetime
    expires_at: datetime
    state: SignInState = SignInState.ASKED
    approval: Approval | None = None

    @property
    def needs_code(self) -> bool:
        """Whether the person must type the user code: the browser may be on another machine."""
        return self.loopback_port is None


@dataclass(frozen=True, kw_only=True, slots=True)
class SignInExpired:
    """There is no such sign-in, or it is over, or the caller does not prove that it is theirs. Nobody learns which."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SignInPending:
    """No person has decided yet."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SignInRefused:
    """A person refused."""


@dataclass(frozen=True, kw_only=True, slots=True)
class UserCodeMissing:
    """The person must type the code that the device shows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """What is known when a sign-in is decided or exchanged; organization and user are those of the approval."""

    sign_in: SignIn | None = None
    organization: Organization | Unusable | None = None
    user: User | Unusable | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Looked:
    """A sign-in that waits for this person's decision, and their organization."""

    sign_in: SignIn
    organization: Organization


@dataclass(frozen=True, kw_only=True, slots=True)
class Decided:
    """The sign-in after a person's decision."""

    sign_in: SignIn


@dataclass(frozen=True, kw_only=True, slots=True)
class Exchanged:
    """The sign-in after its one exchange, and the approval that it rests on."""

    sign_in: SignIn
    approval: Approval


SignInRefusal = SignInExpired | SignInPending | SignInRefused | UserCodeMissing | MemberRefusal


def new_user_code(choose: Callable[[str], str]) -> str:
    return "".join(choose(CONSONANTS) for _ in range(USER_CODE_LENGTH))


def shown(user_code: str) -> str:
    """Write a user code as people read it: ``BCDF-GHJK``."""
    half = USER_CODE_LENGTH // 2
    return f"{user_code[:half]}-{user_code[half:]}"


def normal_user_code(text: str) -> str | None:
    """Read a user code that a person typed; ``None`` if it can be none."""
    typed = "".join(each for each in text.upper() if each not in "- ")
    return typed if len(typed) == USER_CODE_LENGTH and set(typed) <= set(CONSONANTS) else None


def sign_in_id_of(user_code: str) -> str:
    """The id of the sign-in with this user code. So the code itself is stored nowhere."""
    return digest("sign_in", user_code)


def hash_of(code: str) -> str:
    return sha256(code.encode()).hexdigest()


def is_proven(code_verifier: str, *, code_challenge: str) -> bool:
    """Whether the challenge was made from this verifier. Source: RFC 7636, section 4.6, method S256."""
    made = urlsafe_b64encode(sha256(code_verifier.encode()).digest()).rstrip(b"=")
    return compare_digest(made, code_challenge.encode())


def look(standing: Standing, *, user_id: str, now: datetime) -> Looked | SignInRefusal:
    """Show a sign-in to a person who may decide about it."""
    sign_in, organization = standing.sign_in, standing.organization
    if (refusal := refuse_member(organization=organization, user=standing.user)) is not None:
        return refusal
    if sign_in is None or now >= sign_in.expires_at or not isinstance(organization, Organization):
        return SignInExpired()
    by = (sign_in.approval.user_id, sign_in.approval.organization_id) if sign_in.approval else None
    is_own = sign_in.state is SignInState.APPROVED and by == (user_id, organization.organization_id)
    if sign_in.state is not SignInState.ASKED and not is_own:
        return SignInExpired()
    return Looked(sign_in=sign_in, organization=organization)


def decide(
    standing: Standing, approval: Approval, *, is_approved: bool, user_code: str | None, now: datetime
) -> Decided | SignInRefusal:
    """Let the device sign in as this person, or let no device sign in with this sign-in.

    The same person may decide again after an approval: their answer may have been lost.
    """
    state = SignInState.APPROVED if is_approved else SignInState.REFUSED
    looked = look(standing, user_id=approval.user_id, now=now)
    if not isinstance(looked, Looked):
        return looked
    sign_in = looked.sign_in
    if sign_in.needs_code and user_code is None:
        return UserCodeMissing()
    if user_code is not None and not compare_digest(sign_in_id_of(user_code), sign_in.sign_in_id):
        return SignInExpired()
    return Decided(sign_in=replace(sign_in, state=state, approval=approval))


def exchange(standing: Standing, *, code_verifier: str, code: str | None, now: datetime) -> Exchanged | SignInRefusal:
    """Sign the device in, once. The person must still be a member of the organization."""
    sign_in = standing.sign_in
    if sign_in is None or now >= sign_in.expires_at:
        return SignInExpired()
    if not is_proven(code_verifier, code_challenge=sign_in.code_challenge):
        return SignInExpired()
    approval = sign_in.approval
    match sign_in.state:
        case SignInState.ASKED:
            return SignInPending()
        case SignInState.REFUSED:
            return SignInRefused()
        case SignInState.APPROVED if approval is not None and _has_its_code(approval, code):
            refusal = refuse_member(organization=standing.organization, user=standing.user)
            return refusal or Exchanged(sign_in=replace(sign_in, state=SignInState.EXCHANGED), approval=approval)
        case _:
            return SignInExpired()


def _has_its_code(approval: Approval, code: str | None) -> bool:
    if approval.code_hash is None:
        return True
    # As bytes: of texts it takes only ASCII, and an edit by hand may leave others.
    return code is not None and compare_digest(hash_of(code).encode(), approval.code_hash.encode())


def signed_in_on_device(sign_in: SignIn, approval: Approval, *, now: datetime) -> AuditEvent:
    """Report that a user signed a device in through a browser. The actor is that user."""
    return AuditEvent(
        name=signed_in_name(approval.user_id, at=now),
        type=AuditType.SIGNED_IN_ON_DEVICE,
        at=now,
        actor=approval.user_id,
        user_id=approval.user_id,
        details={
            "device_name": sign_in.device_name,
            "ip_address": sign_in.ip_address,
            "signed_in_at": approval.signed_in_at,
            "signed_in_with": approval.signed_in_with,
        },
    )


def signed_in_name(user_id: str, *, at: datetime) -> str:
    return digest(AuditType.SIGNED_IN_ON_DEVICE, user_id, at.isoformat())

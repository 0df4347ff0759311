"""Sign-ins of devices: begun without a token, decided by a person in a browser, exchanged once for a custom token."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime

from google.api_core.exceptions import RetryError

from shared.admin.custom_tokens import CustomTokens
from shared.documents.paths import OrganizationPaths, sign_in_path
from shared.documents.policy import Policy
from shared.documents.reading import organization_from, sign_in_from, user_from
from shared.documents.writing import audit_event_write, sign_in_create, sign_in_write
from shared.firestore.client import Document, Firestore, ReadTime
from shared.firestore.errors import Conflict, Contended, StoreUnavailable
from shared.firestore.group_commit import Answered
from shared.firestore.retry import retrying
from shared.rules.sign_in import (
    LASTS_FOR,
    Approval,
    Decided,
    Exchanged,
    Looked,
    SignIn,
    SignInRefusal,
    Standing,
    decide,
    exchange,
    hash_of,
    look,
    new_user_code,
    sign_in_id_of,
    signed_in_on_device,
)

_CODE_BYTES = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class Begun:
    """A new sign-in, and its user code, which is not stored."""

    sign_in: SignIn
    user_code: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What a device sends to begin. With a ``loopback_port`` it listens there for the browser."""

    code_challenge: str
    device_name: str
    ip_address: str | None
    loopback_port: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """A sign-in that a person decided about, and the code that the browser takes to a device on its own machine."""

    sign_in: SignIn
    code: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Exchange:
    """The custom token that the device signs in with."""

    custom_token: str


SignInOutcome = Begun | Looked | Decision | Exchange | SignInRefusal

_Attempt = Callable[[], Awaitable[Answered[SignInOutcome]]]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Read:
    """A sign-in's document, and what is known of the person and their organization."""

    document: Document | None
    standing: Standing
    now: datetime


class SignIns:
    """The sign-ins of all devices."""

    def __init__(self, firestore: Firestore, policy: Policy, tokens: CustomTokens) -> None:
        self._firestore = firestore
        self._policy = policy
        self._tokens = tokens

    async def begin(self, asked: Asked) -> Answered[SignInOutcome]:
        """Begin a sign-in. Each call begins a new one.

        Raises:
            Contended: other writes came first until the deadline.
            StoreUnavailable: Firestore did not answer until the deadline.
        """

        async def attempt() -> Answered[SignInOutcome]:
            now = (await self._firestore.now()).now
            user_code = new_user_code(secrets.choice)
            sign_in = SignIn(
                sign_in_id=sign_in_id_of(user_code),
                code_challenge=asked.code_challenge,
                device_name=asked.device_name,
                ip_address=asked.ip_address,
                loopback_port=asked.loopback_port,
                asked_at=now,
                expires_at=now + LASTS_FOR,
            )
            # A conflict means that another sign-in has this user code. The next attempt has another one.
            await self._firestore.commit([sign_in_create(sign_in)])
            return Answered(outcome=Begun(sign_in=sign_in, user_code=user_code), now=now)

        return await self._until_written(attempt)

    async def look(self, organization_id: str, *, user_id: str, sign_in_id: str) -> Answered[SignInOutcome]:
        """Show a sign-in to a person. It changes nothing.

        Raises:
            StoreUnavailable: Firestore did not answer until the deadline.
        """

        async def attempt() -> Answered[SignInOutcome]:
            read = await self._read(organization_id, user_id=user_id, sign_in_id=sign_in_id)
            return Answered(outcome=look(read.standing, user_id=user_id, now=read.now), now=read.now)

        return await self._until_written(attempt)

    async def decide(
        self, organization_id: str, approval: Approval, *, is_approved: bool, sign_in_id: str, user_code: str | None
    ) -> Answered[SignInOutcome]:
        """Let the device sign in as this person, or let none. Asking again is safe, and gives a new code.

        Raises:
            Contended: other writes came first until the deadline.
            StoreUnavailable: Firestore did not answer until the deadline.
        """

        async def attempt() -> Answered[SignInOutcome]:
            read = await self._read(organization_id, user_id=approval.user_id, sign_in_id=sign_in_id)
            sign_in = read.standing.sign_in
            is_taken_along = is_approved and sign_in is not None and not sign_in.needs_code
            code = secrets.token_urlsafe(_CODE_BYTES) if is_taken_along else None
            given = replace(approval, code_hash=None if code is None else hash_of(code))
            outcome = decide(read.standing, given, is_approved=is_approved, user_code=user_code, now=read.now)
            if not isinstance(outcome, Decided):
                return Answered(outcome=outcome, now=read.now)
            assert read.document is not None  # noqa: S101 the sign-in was read from it; for the type checker
            await self._firestore.commit([sign_in_write(read.document, outcome.sign_in)])
            return Answered(outcome=Decision(sign_in=outcome.sign_in, code=code), now=read.now)

        return await self._until_written(attempt)

    async def exchange(self, *, sign_in_id: str, code_verifier: str, code: str | None) -> Answered[SignInOutcome]:
        """Exchange an approved sign-in for a custom token, once. If the answer is lost, the device begins anew.

        Raises:
            Contended: other writes came first until the deadline.
            StoreUnavailable: Firestore did not answer until the deadline.
            Exception: any error of ``CustomTokens``. The sign-in can be exchanged still.
        """

        async def attempt() -> Answered[SignInOutcome]:
            snapshot = await self._firestore.read([sign_in_path(sign_in_id)])
            document = snapshot.documents[sign_in_path(sign_in_id)]
            sign_in, now = sign_in_from(document), snapshot.at.now
            approval = None if sign_in is None else sign_in.approval
            standing = Standing(sign_in=sign_in)
            if approval is not None:
                people = await self._people(approval.organization_id, user_id=approval.user_id, at=snapshot.at)
                standing = replace(people, sign_in=sign_in)
            outcome = exchange(standing, code_verifier=code_verifier, code=code, now=now)
            if not isinstance(outcome, Exchanged):
                return Answered(outcome=outcome, now=now)
            assert document is not None  # noqa: S101 the sign-in was read from it; for the type checker
            # Made before the commit, which is the one exchange. If the commit fails, nobody gets the token.
            token = await self._tokens.make(outcome.approval.user_id, _claims(outcome.approval))
            event = signed_in_on_device(outcome.sign_in, outcome.approval, now=now)
            organization_id = outcome.approval.organization_id
            reported = audit_event_write(event, OrganizationPaths(organization_id), self._policy.retention)
            await self._firestore.commit([sign_in_write(document, outcome.sign_in), reported])
            return Answered(outcome=Exchange(custom_token=token), now=now)

        return await self._until_written(attempt)

    async def _read(self, organization_id: str, *, user_id: str, sign_in_id: str) -> _Read:
        snapshot = await self._firestore.read([sign_in_path(sign_in_id)])
        document = snapshot.documents[sign_in_path(sign_in_id)]
        people = await self._people(organization_id, user_id=user_id, at=snapshot.at)
        standing = replace(people, sign_in=sign_in_from(document))
        return _Read(document=document, standing=standing, now=snapshot.at.now)

    async def _people(self, organization_id: str, *, user_id: str, at: ReadTime) -> Standing:
        paths = OrganizationPaths(organization_id)
        stored = (await self._firestore.read([paths.organization, paths.user(user_id)], at=at)).documents
        return Standing(
            organization=organization_from(stored[paths.organization]), user=user_from(stored[paths.user(user_id)])
        )

    async def _until_written(self, attempt: _Attempt) -> Answered[SignInOutcome]:
        within = self._policy.answer_within
        try:
            async with asyncio.timeout(within.total_seconds()):
                answered: Answered[SignInOutcome] = await retrying(within=within)(attempt)()
        except TimeoutError as error:
            message = "Firestore did not answer before the deadline; asking again is safe"
            raise StoreUnavailable(message) from error
        except RetryError as error:
            if isinstance(error.cause, Conflict):
                message = "other writes came first until the deadline; asking again is safe"
                raise Contended(message) from error
            message = "Firestore did not answer until the deadline; asking again is safe"
            raise StoreUnavailable(message) from error
        return answered


def _claims(approval: Approval) -> dict[str, str | int]:
    """What the ID tokens of the device say of the sign-in in the browser. The account's own claims come by themselves.

    Firebase reserves ``auth_time`` and ``firebase``, which tell of the custom token.
    """
    return {"signed_in_at": int(approval.signed_in_at.timestamp()), "signed_in_with": approval.signed_in_with}

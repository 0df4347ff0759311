"""Usage in the store: what the organization's owners and admins see, all of one instant."""

import asyncio
from dataclasses import dataclass

from google.api_core.exceptions import RetryError
from google.api_core.retry_async import AsyncRetry, if_exception_type

from shared.rules.organization import Organization
from shared.rules.session import Session
from shared.rules.usage import UsageOutcome, refuse_viewer, usage
from shared.store import queries
from shared.store.documents import license_from, organization_from, session_from, user_from
from shared.store.errors import StoreUnavailable
from shared.store.firestore import Firestore
from shared.store.groups import Answered
from shared.store.paths import OrganizationPaths
from shared.store.policy import Policy


@dataclass(frozen=True, kw_only=True, slots=True)
class UsageRequest:
    """The caller asks who holds which seat."""

    user_id: str


class Usages:
    """The usage reports of one function instance."""

    def __init__(self, firestore: Firestore, policy: Policy) -> None:
        """Use the connection for every organization."""
        self._firestore = firestore
        self._policy = policy

    async def usage(self, organization_id: str, request: UsageRequest) -> Answered[UsageOutcome]:
        """Report the organization's seats; reads every license and every open session.

        Raises:
            StoreUnavailable: Firestore did not answer until the deadline.
        """
        patiently = AsyncRetry(
            predicate=if_exception_type(StoreUnavailable),
            initial=0.05,
            maximum=1,
            timeout=self._policy.answer_within.total_seconds(),
        )
        try:
            async with asyncio.timeout(self._policy.answer_within.total_seconds()):
                return await patiently(self._report)(OrganizationPaths(organization_id), request)
        except (RetryError, TimeoutError) as error:
            message = "Firestore did not answer before the deadline; asking again is safe"
            raise StoreUnavailable(message) from error

    async def _report(self, paths: OrganizationPaths, request: UsageRequest) -> Answered[UsageOutcome]:
        snapshot = await self._firestore.read([paths.organization, paths.user(request.user_id)])
        at = snapshot.at
        organization = organization_from(snapshot.documents[paths.organization])
        user = user_from(snapshot.documents[paths.user(request.user_id)])
        if (refusal := refuse_viewer(organization=organization, user=user)) is not None:
            return Answered(outcome=refusal, now=at.now)
        assert isinstance(organization, Organization)  # noqa: S101 the refusal leaves nothing else; for the type checker
        licenses, sessions = await asyncio.gather(
            self._firestore.select(paths.organization, queries.all_licenses(), at=at),
            self._firestore.select(paths.organization, queries.open_sessions(), at=at),
        )
        lease_for = self._policy.default_lease_for
        parsed = [(document.document_id, license_from(document, default_lease_for=lease_for)) for document in licenses]
        report = usage(
            organization,
            [(license_id, license_) for license_id, license_ in parsed if license_ is not None],
            [session for document in sessions if isinstance(session := session_from(document), Session)],
            now=at.now,
        )
        return Answered(outcome=report, now=at.now)

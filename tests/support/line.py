"""One function instance that users of an organization ask for seats, or wait for them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from shared.documents.policy import Policy
from shared.rules.acquire import AcquireOutcome, Device, Queued
from shared.rules.release import ReleaseOutcome
from shared.rules.session import session_id_of
from shared.seats.acquire import AcquireRequest, Acquires
from shared.seats.release import ReleaseRequest, Releases
from tests.support.connections import WatchedFirestore
from tests.support.tenant import LICENSE_ID, Tenant


class Instance:
    """One function instance, for one organization."""

    def __init__(self, store: WatchedFirestore, tenant: Tenant, policy: Policy) -> None:
        self.tenant, self._acquires, self._releases = tenant, Acquires(store, policy), Releases(store, policy)
        self._wait_until = datetime.now(UTC) + timedelta(hours=1)

    async def acquire(self, user_id: str, *, waits: bool = True, license_key: str = "", **asked: Any) -> AcquireOutcome:  # noqa: ANN401 a field of the request
        request = AcquireRequest(
            user_id=user_id,
            license_key=license_key or self.tenant.license_key,
            device=Device(hardware_id="d", ip_address=None, user_agent=None),
            wait_until=self._wait_until if waits else None,
            **asked,
        )
        return (await self._acquires.acquire(self.tenant.organization_id, request)).outcome

    async def release(self, user_id: str, *, by: str = "") -> ReleaseOutcome:
        request = ReleaseRequest(user_id=by or user_id, session_id=id_of(user_id))
        return (await self._releases.release(self.tenant.organization_id, request)).outcome

    async def position(self, user_id: str) -> int:
        outcome = await self.acquire(user_id)
        assert isinstance(outcome, Queued), outcome
        return outcome.turn.position


def id_of(user_id: str, license_id: str = LICENSE_ID) -> str:
    return session_id_of(license_id=license_id, user_id=user_id, hardware_id="d")

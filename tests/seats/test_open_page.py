"""What a page costs that is open beside 50 users at work, counted on the wire in twelve minutes as they would pass."""

import asyncio
from datetime import UTC, datetime, timedelta
from random import Random

from google.cloud import firestore

from infra.pages.billed_operations import OPEN_PAGE, OpenPage
from infra.pages.costs import HEARTBEAT_EVERY_SECONDS
from shared.documents.policy import Policy
from shared.firestore.client import Firestore
from shared.firestore.group_commit import Answered
from shared.rules.acquire import Device, Granted
from shared.rules.heartbeat import Extended
from shared.rules.report_version import version_of
from shared.rules.session import session_id_of
from shared.rules.usage import Unchanged, Usage, UsageOutcome, View
from shared.seats.acquire import AcquireRequest, Acquires
from shared.seats.heartbeat import HeartbeatRequest, Heartbeats
from shared.seats.release import ReleaseRequest, Releases
from shared.seats.usage import UsageRequest, Usages
from tests.support.connections import WatchedFirestore
from tests.support.tenant import LICENSE_ID, Tenant
from tests.support.wire import Wire


class Office:
    """Users who each hold a seat, and now and then give it back and take it again."""

    def __init__(self, store: Firestore, console: firestore.Client, policy: Policy, *, users: int) -> None:
        self.tenant = Tenant.create(console, seats=users, members=users)
        self.users = [f"m{number}" for number in range(users)]
        self._acquires, self._releases = Acquires(store, policy), Releases(store, policy)
        self._heartbeats = Heartbeats(store, policy)

    async def take(self, user: str) -> None:
        device = Device(hardware_id="d", ip_address=None, user_agent=None)
        asked = AcquireRequest(user_id=user, license_key=self.tenant.license_key, device=device)
        assert isinstance((await self._acquires.acquire(self.tenant.organization_id, asked)).outcome, Granted)

    async def give_back(self, user: str) -> None:
        asked = ReleaseRequest(user_id=user, session_id=_session_of(user))
        await self._releases.release(self.tenant.organization_id, asked)

    async def beat(self, user: str) -> None:
        aged = {"last_heartbeat_at": datetime.now(UTC) - timedelta(minutes=2)}
        self.tenant.session(_session_of(user)).update(aged)
        asked = HeartbeatRequest(user_id=user, session_id=_session_of(user))
        assert isinstance((await self._heartbeats.heartbeat(self.tenant.organization_id, asked)).outcome, Extended)


def _session_of(user: str) -> str:
    return session_id_of(license_id=LICENSE_ID, user_id=user, hardware_id="d")


class Page:
    """A page that names the report that it has, as if that was as old as in the time that is played."""

    def __init__(self, store: Firestore, policy: Policy, organization_id: str) -> None:
        self._usages, self._organization_id = Usages(store, policy), organization_id
        self._state, self._since, self._clock = "", 0.0, datetime.now(UTC)
        self.whole = self.unchanged = 0

    async def ask(self, at: float) -> None:
        known = version_of(self._state, now=self._clock - timedelta(seconds=at - self._since))
        asked = UsageRequest(
            user_id="olivia", license_key=None, page_size=100, after=None, view=View.NOW, known_versions=[known]
        )
        answered: Answered[UsageOutcome] = await self._usages.usage(self._organization_id, asked)
        self._clock = answered.now
        if isinstance(answered.outcome, Unchanged):
            self.unchanged += 1
            return
        assert isinstance(answered.outcome, Usage)
        self.whole += 1
        self._state, self._since = answered.outcome.version.partition(".")[0], at


async def test_a_page_that_is_open_reads_what_the_page_of_costs_says(
    counted_store: Firestore, wire: Wire, store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    users, seconds, every = OPEN_PAGE.seats, OPEN_PAGE.minutes * 60, OPEN_PAGE.asks_every_seconds
    office = Office(store, console, policy, users=users)
    page = Page(counted_store, policy, office.tenant.organization_id)
    await asyncio.gather(*map(office.take, office.users))
    chance = Random(5)  # noqa: S311 for a repeatable day, not for a secret
    changes = sorted(chance.uniform(0, seconds) for _ in range(OPEN_PAGE.changes))
    beats = [
        (first + number * HEARTBEAT_EVERY_SECONDS, user)
        for user in office.users[1:]  # the first one comes and goes
        for first in [chance.uniform(0, HEARTBEAT_EVERY_SECONDS)]
        for number in range(-(-seconds // HEARTBEAT_EVERY_SECONDS))
    ]

    for at in range(0, seconds, every):
        for number, change in enumerate(changes):
            if at - every < change <= at:
                await (office.take if number % 2 else office.give_back)(office.users[0])
        await asyncio.gather(*(office.beat(user) for beat, user in beats if at - every < beat <= at))
        await page.ask(at)

    counted = OpenPage(whole=page.whole, unchanged=page.unchanged, reads=wire.reads)
    assert (counted, wire.writes) == (OPEN_PAGE, 0)

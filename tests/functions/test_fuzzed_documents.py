"""Documents edited by hand in every way that Hypothesis can think of: every function answers, no cap is exceeded, no
review goes round in circles, and nobody else notices.

Each example begins with the same documents and has the project to itself. What failed is printed with a line that plays
it again.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from google.cloud import firestore
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis.vendor.pretty import RepresentationPrinter

from infra.local.loopback import NO_TLS
from infra.local.processes import Process
from infra.local.seed import firestore_client
from infra.local.tokens import unsigned_token
from shared.admin.accounts import Account, Accounts
from shared.admin.user_claims import UserClaims
from shared.documents.paths import OrganizationPaths, can_be_document_id
from shared.documents.policy import Policy
from shared.documents.writing import Retention
from shared.edge.errors import Code
from shared.firestore.client import Firestore
from shared.seats.counters import NO_LICENSE
from shared.seats.recent_examinations import KEPT_FOR
from tests.support.admin import Edit, edits
from tests.support.client import assert_error, code_of
from tests.support.cloud_event import CloudEvent
from tests.support.doors import are_open, cap_of_license, cap_of_organization
from tests.support.length import fuzzed
from tests.support.servers import StartServers
from tests.support.tenant import LICENSE_ID, Snapshot, Tenant

SERVED = ("acquire", "heartbeat", "release", "usage", "expire_sessions", "reconcile", "review_admin_edit")
LICENSES = {LICENSE_ID: 3, "license-2": 2, "license-3": 0}
MAX_DELIVERIES = 25
"""Of events of the three licenses and the organization, each of which may write all of them anew once or twice."""

INSTANCES = 3
"""Of acquire. They take turns, so that an example need not wait until an examination of the one before is over."""

LONG_AGO = timedelta(hours=1)
MADE_UP = "0aQ9XyPmT7LkRzBvN2We"
"""What the Firebase console proposes as a document's id."""

KINDS: Mapping[str, str] = {
    "organization": "organization",
    "user m0": "user",
    "user olivia": "user",
    LICENSE_ID: "license",
    "license-2": "license",
    "license-3": "license",
    "live session": "session",
    "lapsed session": "session",
    "ended session": "session",
    "session of license-2": "session",
    "made-up session": "session",
    "seats": "seats",
    "latest grant": "event",
    "first grant": "event",
    "denial": "event",
    "review of the organization": "review",
    "review of the license": "review",
}
"""The documents that are edited, and of which kind each one is."""

SESSIONS = {name for name, kind in KINDS.items() if kind == "session"}
REVIEWED = {name: KINDS[name] for name in KINDS if KINDS[name] in {"organization", "license", "review"}}
KEPT_BY_US = {name: KINDS[name] for name in KINDS if KINDS[name] in {"seats", "event", "review"}}

FUZZ = settings(
    fuzzed(1),
    print_blob=True,
    # Not shrunk: an example is four edits at most, and hundreds more of them would take longer than a test may.
    phases=[Phase.explicit, Phase.generate],
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Servers with a project of their own, and the admin's hand on it."""

    http: httpx.Client
    urls: dict[str, str]
    resting: deque[tuple[str, float]]
    project: str
    firestore_host: str
    console: firestore.Client

    def clear(self) -> None:
        """Delete every document there is."""
        url = f"http://{self.firestore_host}/emulator/v1/projects/{self.project}/databases/(default)/documents"
        self.http.delete(url).raise_for_status()

    def change_acquire(self) -> None:
        """Let the instance of acquire answer that rests longest. What it had examined before holds for a second."""
        self.resting.append((self.urls["acquire"], time.monotonic() + KEPT_FOR.total_seconds()))
        self.urls["acquire"], rested_at = self.resting.popleft()
        time.sleep(max(0, rested_at - time.monotonic()))

    def ask(self, function: str, tenant: Tenant, user_id: str, body: Mapping[str, str] | None = None) -> httpx.Response:
        """Ask one of the functions that clients ask: what it answers is in the catalogue, and no fault of ours."""
        token = unsigned_token(project=self.project, organization_id=tenant.organization_id, user_id=user_id)
        method = "GET" if body is None else "POST"
        answer = self.http.request(method, self.urls[function], json=body, headers={"Authorization": f"Bearer {token}"})
        if answer.status_code not in (200, 201, 204):
            note(f"{function} as {user_id}: {answer.text}")
            assert_error(answer, Code[code_of(answer)].status, code_of(answer))
            # Nobody else asks, and the store is there: whoever is told to try again would be told so for ever.
            assert answer.status_code < 500
        return answer

    def review(self, reference: firestore.DocumentReference, *, kind: Any = "written") -> None:  # noqa: ANN401 see CloudEvent
        event = CloudEvent(project=self.project, path=reference.path, kind=kind)
        answer = self.http.post(self.urls["review_admin_edit"], headers=event.headers, content=event.body)
        assert answer.status_code == 200, f"{reference.path}: {answer.text}"

    def run(self, function: str) -> dict[str, Any]:
        """Call a scheduled function."""
        answer = self.http.post(self.urls[function])
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


@pytest.fixture(scope="module")
def stage(
    servers: Mapping[str, Process], start_servers: StartServers, functions_project: str, firestore_host: str
) -> Iterator[Stage]:
    """The shared servers: this file's organizations are alone in their project while it runs."""
    project, urls = functions_project, {name: servers[name].url for name in SERVED}
    others = [start_servers("acquire")["acquire"] for _ in range(INSTANCES - 1)]
    with (
        closing(firestore_client(project=project, firestore_host=firestore_host)) as console,
        # As tests/functions/conftest.py has it: no connection is used twice.
        httpx.Client(verify=NO_TLS, timeout=30, limits=httpx.Limits(max_keepalive_connections=0)) as http,
    ):
        yield Stage(
            http=http,
            urls=urls,
            resting=deque((url, 0) for url in others),
            project=project,
            firestore_host=firestore_host,
            console=console,
        )


@dataclass(frozen=True, kw_only=True)
class World:
    """One organization in which something of every kind has happened, and the hand that edits it."""

    stage: Stage
    tenant: Tenant
    other: Tenant
    documents: Mapping[str, firestore.DocumentReference]
    stored: Mapping[firestore.DocumentReference, dict[str, Any]]

    def _repr_pretty_(self, printer: RepresentationPrinter, _: object) -> None:
        """Say nothing of it beside a failing example: it is the same for all of them."""
        printer.text("the world")

    @classmethod
    def create(cls, stage: Stage) -> "World":
        """m0 holds a seat, m1's has lapsed, m2 gave one back, m3 has one of another license, m0 was denied a third."""
        tenant = Tenant.create(stage.console, seats=LICENSES[LICENSE_ID], organization_seats=4)
        other = Tenant.create(stage.console)
        world = cls(stage=stage, tenant=tenant, other=other, documents={}, stored={})
        for license_id in ("license-2", "license-3"):
            tenant.add_license(license_id, world.key(license_id), seats=LICENSES[license_id])
        named = {"organization": tenant.organization, "seats": tenant.seats}
        named |= {license_id: tenant.license(license_id) for license_id in LICENSES}
        named |= {f"user {user_id}": tenant.user(user_id) for user_id in ("m0", "olivia")}
        named["live session"] = world.takes("m0")
        named["lapsed session"] = world.takes("m1")
        named["ended session"] = world.takes("m2")
        named["session of license-2"] = world.takes("m3", "license-2")
        tenant.let_lapse(named["lapsed session"].id, since=2 * LONG_AGO)
        stage.ask("release", tenant, "m2", {"session_id": named["ended session"].id})
        first, *_, latest = tenant.event_documents("session.acquired")
        named |= {"first grant": first.reference, "latest grant": latest.reference}
        stage.review(tenant.license())
        stage.review(tenant.organization)
        paths = OrganizationPaths(tenant.organization_id)
        named["review of the license"] = stage.console.document(paths.review("licenses", LICENSE_ID))
        named["review of the organization"] = stage.console.document(
            paths.review("organizations", tenant.organization_id)
        )
        named["review of the user"] = stage.console.document(paths.review("users", "m0"))
        named["made-up session"] = tenant.session(MADE_UP)
        body = {"license_key": other.license_key, "hardware_id": "laptop"}
        assert stage.ask("acquire", other, "m0", body).status_code == 201
        everything = [*_below(tenant.organization), *_below(other.organization)]
        stored = {each.reference: each.to_dict() or {} for each in everything}
        # Published, or expire_sessions would stamp it as left behind once this world is some minutes old.
        for event in other.event_documents():
            del stored[event.reference]["unpublished_shard"]
        return cls(stage=stage, tenant=tenant, other=other, documents=named, stored=stored)

    def restored(self) -> "World":
        """The world as it was, with leases that have just begun, and a denial of this minute.

        Its license keys are new: for some seconds an instance remembers that no license had a key.
        """
        tenant = replace(self.tenant, license_key=f"KEY-{uuid4().hex[:10]}")
        world = replace(self, tenant=tenant)
        self.stage.clear()
        self.stage.change_acquire()
        batch, now = self.stage.console.batch(), datetime.now(UTC)
        lease = {"last_heartbeat_at": now, "lease_expires_at": now + timedelta(minutes=6)}
        for reference, fields in self.stored.items():
            is_live = fields.get("lease_expires_at", now) > now - LONG_AGO and fields.get("ended_at", now) is None
            written = _renamed({**fields, **lease} if is_live else fields, self.tenant.license_key, tenant.license_key)
            batch.set(reference, written)
        batch.commit()
        assert code_of(world.acquire("m0", "license-3")) == "SEAT_LIMIT_REACHED"
        (denial,) = tenant.event_documents("session.denied")
        return replace(world, documents={**self.documents, "denial": denial.reference})

    def key(self, license_id: str) -> str:
        """The key that a license has, or had before somebody edited it."""
        return self.tenant.license_key if license_id == LICENSE_ID else f"{self.tenant.license_key}-{license_id}"

    def acquire(self, user_id: str, license_id: str = LICENSE_ID, *, key: str = "") -> httpx.Response:
        body = {"license_key": key or self.key(license_id), "hardware_id": "laptop"}
        return self.stage.ask("acquire", self.tenant, user_id, body)

    def takes(self, user_id: str, license_id: str = LICENSE_ID) -> firestore.DocumentReference:
        answer = self.acquire(user_id, license_id)
        assert answer.status_code == 201, answer.text
        return self.tenant.session(answer.json()["session_id"])

    def edit(self, slips: Sequence[Edit]) -> None:
        """Write the edits. A session is made up by copying one that is live."""
        made_up = {**self.stored[self.documents["live session"]], "user_id": "m4"}
        for slip in slips:
            template = made_up if slip.document == "made-up session" else {}
            slip.apply(self.documents[slip.document], self.stage.console, template=template)

    def open_seats(self) -> Counter[str | None]:
        """The sessions that have not ended, by license and under ``None`` all of them, as the documents have it."""
        found: Counter[str | None] = Counter()
        for document in self.tenant.organization.collection("sessions").stream():
            fields = document.to_dict() or {}
            if "ended_at" in fields and fields["ended_at"] is None:
                found[None] += 1
                found[_license_of(fields)] += 1
        return found

    def reserved_seats(self) -> Counter[tuple[str, str]]:
        """Those of them that are reserved, by license and group."""
        sessions = [each.to_dict() or {} for each in self.tenant.organization.collection("sessions").stream()]
        open_ = [each for each in sessions if "ended_at" in each and each["ended_at"] is None]
        return Counter((_license_of(each), each["pool"]) for each in open_ if each.get("pool") in ("design", "render"))

    def cap(self, license_id: str | None) -> int | None:
        """The cap that is in force, of a license or with ``None`` of the organization."""
        if license_id is None:
            return cap_of_organization(self.tenant.organization.get().to_dict())
        return cap_of_license(self.tenant.license(license_id).get().to_dict())

    def settle(self) -> None:
        """Deliver the events of all that is reviewed, and of what that writes, as Firestore does, to their end."""
        waiting, delivered, before = self.reviewed, 0, self._stored(self.reviewed)
        while waiting:
            delivered += 1
            assert delivered < MAX_DELIVERIES, "the reviews go round in circles"
            self.stage.review(waiting.pop(0))
            after = self._stored(self.reviewed)
            waiting += [each for each in self.reviewed if before[each.path] != after[each.path]]
            before = after

    @property
    def reviewed(self) -> list[firestore.DocumentReference]:
        """The documents whose writing makes the platform call for a review."""
        return [self.documents[name] for name in ("organization", *LICENSES)]

    def _stored(self, references: list[firestore.DocumentReference]) -> dict[str, Any]:
        return {each.reference.path: each.update_time for each in self.stage.console.get_all(references)}

    def problems(self, name: str) -> set[str]:
        """The fields of a document with which an error was found, as the admin reads it there."""
        problems = (self.documents[name].get().to_dict() or {}).get("problems", [])
        return {each["field"] for each in problems if each["level"] == "error"}

    def is_open_to(self, user_id: str, license_id: str) -> bool:
        """Whether nothing but a cap stands between a user and a seat."""
        asked = (self.tenant.organization, self.tenant.user(user_id), self.tenant.license(license_id))
        return are_open(*(reference.get().to_dict() for reference in asked))

    def versions(self, tenant: Tenant | None = None) -> dict[str, Any]:
        """Every document of an organization, and which version of it is stored."""
        return {each.reference.path: each.update_time for each in _below((tenant or self.tenant).organization)}


def _renamed(value: Any, before: str, after: str) -> Any:  # noqa: ANN401 a document holds anything
    """The same value with another text in place of this one, wherever it stands."""
    match value:
        case str():
            return value.replace(before, after)
        case list():
            return [_renamed(each, before, after) for each in value]
        case dict():
            return {name: _renamed(each, before, after) for name, each in value.items()}
        case _:
            return value


def _license_of(session: Mapping[str, Any]) -> str:
    license_id = session.get("license_id")
    return license_id if isinstance(license_id, str) and can_be_document_id(license_id) else NO_LICENSE


def _by_pool(counters: Mapping[str, Any]) -> Counter[tuple[str, str]]:
    of_each = counters.get("by_pool", {}).items()
    return +Counter({(license_id, group): seats for license_id, groups in of_each for group, seats in groups.items()})


def _below(organization: firestore.DocumentReference) -> list[Snapshot]:
    below = (each for collection in organization.collections() for each in collection.stream())
    return [each for each in (organization.get(), *below) if each.exists]


@pytest.fixture(scope="module")
def origin(stage: Stage) -> World:
    """What every example begins with: it is made once, by the functions, and restored for each."""
    return World.create(stage)


@dataclass(frozen=True, kw_only=True)
class Caps:
    """Watches the caps of an organization: nothing that is asked may take a seat beyond them.

    A session that the hand put under a license, the counters do not know of until a refusal or a run of reconcile finds
    it: by so many seats, ``unseen``, and no more, a cap may be exceeded.
    """

    world: World
    unseen: Counter[str | None] = field(default_factory=Counter)

    @classmethod
    def after(cls, slips: Sequence[Edit], world: World) -> "Caps":
        """Write the edits."""
        known = world.open_seats()
        world.edit(slips)
        if SESSIONS.isdisjoint(slip.document for slip in slips):
            return cls(world=world)
        return cls(world=world, unseen=world.open_seats() - known)

    def acquires(self, *asking: tuple[str, str]) -> None:
        """Let these users ask for seats of these licenses, one after the other."""
        before = self.world.open_seats()
        for user_id, license_id in asking:
            answer = self.world.acquire(user_id, license_id)
            assert not answer.is_success or self.world.is_open_to(user_id, license_id)
            after = self.world.open_seats()
            for scope in after:
                if after[scope] > before[scope]:
                    cap = self.world.cap(scope)
                    assert answer.status_code in (200, 201)
                    assert cap is None or after[scope] <= cap + self.unseen[scope], f"{scope}: {after[scope]} of {cap}"
            before = after

    def everybody_asks(self) -> None:
        """Heartbeats, reports, acquires and releases, by who holds a seat and by who does not."""
        world, stage, tenant = self.world, self.world.stage, self.world.tenant
        before = world.open_seats()
        for user_id, name in (("m0", "live session"), ("m1", "lapsed session"), ("m3", "session of license-2")):
            stage.ask("heartbeat", tenant, user_id, {"session_id": world.documents[name].id})
        for user_id in ("m0", "olivia"):
            stage.ask("usage", tenant, user_id)
        assert world.open_seats() <= before
        self.acquires(
            *((user_id, LICENSE_ID) for user_id in ("m4", "m0", "m1", "m2")),
            *((user_id, "license-2") for user_id in ("m4", "m3", "m2")),
            ("m0", "license-3"),
        )
        before = world.open_seats()
        for user_id, name in (("m1", "lapsed session"), ("olivia", "live session"), ("m2", "ended session")):
            stage.ask("release", tenant, user_id, {"session_id": world.documents[name].id})
        assert world.open_seats() <= before


@settings(FUZZ, max_examples=fuzzed(24).max_examples)
@given(slips=edits(KINDS))
def test_whatever_is_edited_every_answer_is_in_the_catalogue_and_no_cap_is_exceeded(
    origin: World, slips: Sequence[Edit]
) -> None:
    caps = Caps.after(slips, origin.restored())

    caps.everybody_asks()


@settings(FUZZ, max_examples=fuzzed(15).max_examples)
@given(slips=edits(KINDS))
@pytest.mark.long
def test_whatever_is_edited_the_scheduled_functions_go_on_and_afterwards_the_counters_are_right(
    origin: World, slips: Sequence[Edit]
) -> None:
    world, stage = origin.restored(), origin.stage
    undisturbed = world.versions(world.other)
    world.edit(slips)

    runs = [stage.run("expire_sessions"), stage.run("reconcile")]

    assert [(run["organizations_failed"], run["is_complete"]) for run in runs] == [(0, True)] * 2
    assert world.versions(world.other) == undisturbed
    counted = world.tenant.counters()
    assert not counted or Counter({**counted["by_license"], None: counted["total"]}) == world.open_seats()
    assert not counted or _by_pool(counted) == world.reserved_seats()
    Caps(world=world).everybody_asks()


@settings(FUZZ, max_examples=fuzzed(40).max_examples)
@given(slips=edits(KEPT_BY_US))
@pytest.mark.long
def test_whatever_is_done_to_counters_trail_and_records_every_free_seat_is_given_away(
    origin: World, slips: Sequence[Edit]
) -> None:
    world = origin.restored()
    world.edit(slips)

    codes = [world.acquire(user_id).status_code for user_id in ("m2", "m4", "olivia", "adam")]

    # The seat of the lapsed session is given away; then the cap of the organization is reached.
    assert codes == [201, 201, 409, 409]
    assert world.open_seats()[LICENSE_ID] == 3


@settings(FUZZ, max_examples=fuzzed(20).max_examples)
@given(slips=edits(REVIEWED))
def test_a_review_of_whatever_is_edited_comes_to_an_end_and_says_what_stands_in_the_way(
    origin: World, slips: Sequence[Edit]
) -> None:
    world = origin.restored()
    world.edit(slips)

    world.settle()

    settled = world.versions()
    for reference in world.reviewed:
        world.stage.review(reference)
    assert world.versions() == settled
    for license_id in (LICENSE_ID, "license-2"):
        key = (world.documents[license_id].get().to_dict() or {}).get("license_key")
        if isinstance(key, str) and 0 < len(key) <= 256 and key.isprintable():
            answer = world.acquire("m4", license_id, key=key)
            if answer.status_code == 403 and code_of(answer) == "LICENSE_MISCONFIGURED":
                told = answer.json()["error"]["details"]
                mentioned = world.problems(license_id if told["document"] == "license" else told["document"])
                assert set(told["fields"]) <= mentioned
            elif world.problems(license_id) or world.problems("organization"):
                assert answer.status_code == 403


@settings(FUZZ, max_examples=fuzzed(10).max_examples)
@given(slips=edits({name: KINDS[name] for name in {*SESSIONS, "first grant", "latest grant", "seats"}}))
@pytest.mark.long
def test_a_deletion_of_whatever_was_edited_is_told_once(origin: World, slips: Sequence[Edit]) -> None:
    world = origin.restored()
    world.edit(slips)
    deleted = [world.documents[name] for name in sorted(SESSIONS)]
    for reference in deleted:
        reference.delete()

    for reference in deleted:
        world.stage.review(reference, kind="deleted")

    told = world.versions()
    for reference in deleted:
        world.stage.review(reference, kind="deleted")
    assert world.versions() == told


@dataclass(kw_only=True)
class AccountsInMemory(Accounts):
    """Accounts that everybody has; Firebase Authentication has no say in what is tried here."""

    claims: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    async def find(self, user_id: str) -> Account | None:
        email = f"{user_id}@example.com"
        return Account(user_id=user_id, email=email, verified_email=email, claims=self.claims.get(user_id, {}))

    async def find_by_email(self, _: str) -> Account | None:
        return None

    async def set_claims(self, user_id: str, claims: Mapping[str, Any]) -> None:
        self.claims[user_id] = dict(claims)

    async def end_sign_ins(self, _: str) -> None:
        """Nobody is signed in."""


@pytest.fixture(scope="module")
def claims(stage: Stage) -> Iterator[UserClaims]:
    """What keeps the claims of users, in this process: its function does not start without Firebase Authentication."""
    retention = Retention(sessions_for=timedelta(days=30), audit_events_for=timedelta(days=400))
    policy = Policy(
        default_lease_for=timedelta(minutes=6),
        default_grace_for=timedelta(0),
        answer_within=timedelta(seconds=8),
        retention=retention,
    )
    with closing(Firestore(project=stage.project, emulator_host=stage.firestore_host)) as connection:
        yield UserClaims(connection, policy, AccountsInMemory())


USERS = {"user m0": "user", "user olivia": "user", "review of the user": "review", "live session": "session"}


@settings(FUZZ, max_examples=fuzzed(12).max_examples)
@given(slips=edits(USERS))
@pytest.mark.long
def test_the_claims_of_whatever_is_edited_are_settled_and_say_what_stands_in_the_way(
    origin: World, claims: UserClaims, slips: Sequence[Edit]
) -> None:
    world = origin.restored()
    users = [world.documents[name].path for name in ("user m0", "user olivia")]
    for path in users:
        asyncio.run(claims.sync(path))
    world.edit(slips)

    for path in [*users, *users]:
        asyncio.run(claims.sync(path))

    settled = world.versions()
    for path in users:
        asyncio.run(claims.sync(path))
    assert world.versions() == settled
    for user_id in ("m0", "olivia"):
        answer = world.acquire(user_id, "license-2")
        if answer.status_code == 403 and code_of(answer) == "LICENSE_MISCONFIGURED":
            assert set(answer.json()["error"]["details"]["fields"]) <= world.problems(f"user {user_id}")
        else:
            assert world.problems(f"user {user_id}") == set()

"""An organization run by editing documents: events really travel to the functions, and none goes round in circles."""

import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import jwt
import pytest
from google.cloud import firestore

from infra.local.audit_topic import create_topic
from infra.local.emulators import register_triggers
from infra.local.processes import Process
from infra.local.seed import firestore_client
from tests.infra.served import until
from tests.support.client import Client, Clients, code_of
from tests.support.event_counter import EventCounter, counting
from tests.support.people import People, people_of
from tests.support.servers import StartFunction, gateway_to
from tests.support.tenant import LICENSE_ID, Tenant

CALLED = ("acquire", "heartbeat", "release", "usage", "reconcile")
TRIGGERED = ("review_admin_edit", "sync_user_claims")


@dataclass(frozen=True, kw_only=True)
class Desk:
    """A project with everything that an admin's edits set going."""

    project: str
    urls: Mapping[str, str]
    events: EventCounter
    console: firestore.Client

    def organization(self, organization_id: str = "") -> firestore.DocumentReference:
        """A document that does not exist yet, of an organization."""
        made: firestore.DocumentReference = self.console.document(
            "organizations", organization_id or f"org-{uuid4().hex[:10]}"
        )
        return made

    def settled(self, *documents: firestore.DocumentReference) -> None:
        """Wait until each of these was looked at."""
        for document in documents:
            self._wait_for_review(document)

    @staticmethod
    def _wait_for_review(document: firestore.DocumentReference) -> None:
        until(lambda: "problems" in fields(document), what=f"a review of {document.path}")

    def quiet(self) -> None:
        """Wait until an edit that comes after everything was looked at: whatever goes round goes on meanwhile."""
        lasts = [self.organization() for _ in range(3)]
        for last in lasts:
            last.set({})
            self.settled(last)
        until(lambda: {self.events.written[last.path] for last in lasts} == {2}, what="the events of these edits")


@pytest.fixture(scope="module")
def desk(
    start_server: StartFunction,
    firestore_host: str,
    pubsub_host: str,
    auth_host: str,
    events_port: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Desk]:
    """One for all tests here, in a project of its own."""
    project = f"test-{uuid4().hex[:12]}"
    told = {"GOOGLE_CLOUD_PROJECT": project, "FIREBASE_AUTH_EMULATOR_HOST": auth_host}
    processes: dict[str, Process] = {name: start_server(name, **told) for name in (*CALLED, *TRIGGERED)}
    for process in processes.values():
        process.wait_until_ready()
    urls = {name: process.url for name, process in processes.items()}
    create_topic(pubsub_host, project=project)
    with ExitStack() as cleanup:
        gateway = cleanup.enter_context(gateway_to(urls, log_folder=tmp_path_factory.mktemp("gateway")))
        events = cleanup.enter_context(counting(events_port, gateway.url))
        register_triggers(firestore_host, project=project, names=TRIGGERED)
        console = firestore_client(project=project, firestore_host=firestore_host)
        cleanup.callback(console.close)
        yield Desk(project=project, urls=urls, events=events, console=console)


@pytest.fixture
def people(desk: Desk, auth_host: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[People]:
    """The accounts of that project."""
    with people_of(desk.project, auth_host, monkeypatch) as everybody:
        yield everybody


@pytest.fixture
def clients(desk: Desk, http: httpx.AsyncClient) -> Clients:
    """Client programs that talk to that project's functions."""
    return Clients(http=http, urls=desk.urls, project=desk.project)


def fields(document: firestore.DocumentReference) -> dict[str, Any]:
    return dict(document.get().to_dict() or {})


def problems(document: firestore.DocumentReference) -> list[tuple[str, str]]:
    return [(each["field"], each["level"]) for each in fields(document).get("problems", [])]


def events(organization: firestore.DocumentReference, kind: str) -> list[dict[str, Any]]:
    found = organization.collection("audit_events").stream()
    return [event.to_dict() or {} for event in found if event.get("type") == kind]


async def test_an_organization_is_set_up_and_run_by_editing_documents_alone(
    desk: Desk, people: People, http: httpx.AsyncClient
) -> None:
    uid = people.sign_up()
    organization = desk.organization()
    license_, user = organization.collection("licenses").document(), organization.collection("users").document(uid)

    organization.set({"name": "Northwind"})
    license_.set({"name": "CAD", "max_concurrent_seats": 2})
    user.set({"role": "member"})
    desk.settled(organization, license_, user)

    token = people.signs_in(uid)
    key = fields(license_)["license_key"]
    client = Client(http=http, urls=desk.urls, token=token, license_key=key, hardware_id="laptop")
    granted = await client.acquire()
    assert granted.status_code == 201, granted.text
    assert granted.json()["seats"] == {"in_use": 1, "max": 2}
    said = jwt.decode(token, options={"verify_signature": False})
    assert said["org_id"] == organization.id


def test_our_own_writes_set_nothing_going(desk: Desk, people: People) -> None:
    uid = people.sign_up()
    organization = desk.organization()
    license_, user = organization.collection("licenses").document("cad"), organization.collection("users").document(uid)
    documents = (organization, license_, user)
    for document in documents:
        document.set({})
    desk.settled(*documents)
    desk.quiet()
    made = [desk.events.written[document.path] for document in documents]
    organization.update({"max_concurrent_seats": None})
    until(lambda: len(events(organization, "organization.edited")) == 2, what="a new cap")
    license_.update({"max_concurrent_seats": "20"})
    user.update({"role": "admin"})
    until(lambda: problems(license_) == [("max_concurrent_seats", "error")], what="a problem")
    until(lambda: len(events(organization, "user.edited")) == 2, what="a new role")

    desk.quiet()

    # The admin's write and ours; of a role nothing needs to be written into the document.
    assert made == [2, 2, 2]
    assert [desk.events.written[document.path] for document in documents] == [4, 4, 3]


def test_a_problem_is_told_and_taken_back(desk: Desk) -> None:
    organization = desk.organization()
    organization.set({"max_concurrent_seats": "5"})
    until(lambda: problems(organization) == [("max_concurrent_seats", "error")], what="a problem")

    organization.update({"max_concurrent_seats": 5})

    until(lambda: fields(organization).get("problems") == [], what="the end of the problem")


def test_a_key_used_twice_is_told_to_both_and_taken_back_from_both(desk: Desk) -> None:
    organization = desk.organization()
    organization.set({})
    licenses = [organization.collection("licenses").document(name) for name in ("cad", "render")]
    for license_ in licenses:
        license_.set({"license_key": "SAME"})
    until(lambda: [problems(each) for each in licenses] == [[("license_key", "error")]] * 2, what="problems of both")

    licenses[1].update({"license_key": firestore.DELETE_FIELD})

    until(lambda: [problems(each) for each in licenses] == [[], []], what="the end of the problems")
    # The review of the other license may take the problem back before its own review makes the key.
    until(lambda: "license_key" in fields(licenses[1]), what="a new key")
    assert re.fullmatch(r"[0-9A-Z]{5}(-[0-9A-Z]{5}){4}", fields(licenses[1])["license_key"])


def test_edits_are_in_the_audit_trail(desk: Desk) -> None:
    organization = desk.organization()
    organization.set({"name": "Northwind"})
    desk.settled(organization)

    organization.update({"name": "Northwind Traders"})

    until(lambda: len(events(organization, "organization.edited")) == 2, what="the second event")
    changed = max(events(organization, "organization.edited"), key=lambda event: event["at"])
    assert changed["details"]["changes"] == [{"field": "name", "before": '"Northwind"', "after": '"Northwind Traders"'}]
    assert changed["actor"] == "console"


@pytest.mark.parametrize("how", ["deleted", "deactivated"])
async def test_a_user_who_is_removed_loses_claims_sign_in_and_seat_at_once(
    desk: Desk, people: People, clients: Clients, how: str
) -> None:
    uid = people.sign_up()
    tenant = Tenant.create(desk.console, seats=1)
    tenant.user(uid).set({})
    desk.settled(tenant.user(uid))
    signed_in = people.signs_in(uid)
    client = clients.of(tenant, uid)
    session_id = await client.acquired()
    if how == "deleted":
        tenant.user(uid).delete()
    else:
        tenant.user(uid).update({"is_active": False})
    until(lambda: people.claims(uid) == {} and not tenant.open_sessions(), what="the end of claims and session")

    late, next_one = await client.heartbeat(session_id), await clients.of(tenant, "m0").acquire()

    assert (late.status_code, code_of(late)) == (410, "SESSION_REVOKED")
    assert late.json()["error"]["details"] == {"reason": "user_deactivated"}
    assert next_one.status_code == 201
    assert people.are_revoked(signed_in)
    (event,) = tenant.events("session.revoked")
    assert (event["user_id"], event["details"]["reason"]) == (uid, "user_deactivated")


def test_a_user_in_two_organizations_is_the_firsts_until_it_lets_go(desk: Desk, people: People) -> None:
    uid = people.sign_up()
    organizations = [desk.organization(), desk.organization()]
    users = [organization.collection("users").document(uid) for organization in organizations]
    for organization, user in zip(organizations, users, strict=True):
        organization.set({})
        user.set({})
        desk.settled(user)
    held = people.claims(uid)["org_id"]
    until(lambda: problems(users[1]) == [("(document id)", "error")], what="a problem of the second")

    users[0].delete()

    until(lambda: people.claims(uid).get("org_id") == organizations[1].id, what="the claims of the second")
    until(lambda: problems(users[1]) == [], what="the end of the problem")
    assert held == organizations[0].id


# Sessions


async def test_a_session_that_an_admin_ends_frees_its_seat_at_once_and_its_client_is_told(
    desk: Desk, clients: Clients
) -> None:
    tenant = Tenant.create(desk.console, seats=1)
    revoked, waiting = clients.of(tenant, "m0"), clients.of(tenant, "m1")
    session_id = await revoked.acquired()
    tenant.session(session_id).update({"ended_at": firestore.SERVER_TIMESTAMP})

    granted, late = await waiting.acquire(), await revoked.heartbeat(session_id)
    await clients.http.post(desk.urls["reconcile"], timeout=60)

    assert granted.status_code == 201
    assert (late.status_code, code_of(late)) == (410, "SESSION_REVOKED")
    (event,) = tenant.events("session.revoked")
    assert (event["actor"], event["session_id"]) == ("console", session_id)
    assert tenant.counters()["by_license"] == {LICENSE_ID: 1}


async def test_a_session_that_an_admin_deletes_frees_its_seat_and_counter_and_trail_follow_by_themselves(
    desk: Desk, clients: Clients
) -> None:
    tenant = Tenant.create(desk.console, seats=2)
    gone = clients.of(tenant, "m0")
    session_id = await gone.acquired()
    await clients.of(tenant, "m1").acquired()
    tenant.session(session_id).delete()

    granted, late = await clients.of(tenant, "m2").acquire(), await gone.heartbeat(session_id)

    assert granted.status_code == 201
    assert (late.status_code, code_of(late)) == (404, "SESSION_NOT_FOUND")
    until(lambda: len(tenant.events("session.revoked")) == 1, what="the end of the deleted session")
    until(lambda: tenant.counters()["total"] == 2, what="counters that are right")
    (event,) = tenant.events("session.revoked")
    assert (event["actor"], event["session_id"]) == ("console", session_id)


async def test_a_session_that_was_released_and_is_purged_is_told_no_second_end(desk: Desk, clients: Clients) -> None:
    tenant = Tenant.create(desk.console)
    client = clients.of(tenant)
    session_id = await client.acquired()
    await client.release(session_id)
    before = desk.events.written[tenant.session(session_id).path]
    tenant.session(session_id).delete()
    until(lambda: desk.events.written[tenant.session(session_id).path] == before + 1, what="the event of the deletion")

    desk.quiet()

    assert tenant.events("session.revoked") == []
    assert len(tenant.events("session.released")) == 1


async def test_what_a_program_writes_into_sessions_sets_nothing_going(desk: Desk, clients: Clients) -> None:
    tenant = Tenant.create(desk.console)
    client = clients.of(tenant)
    session_id = await client.acquired()
    tenant.let_lapse(session_id)
    await client.acquired()

    desk.quiet()

    assert desk.events.written[tenant.session(session_id).path] == 0

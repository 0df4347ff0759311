"""Erasing a person, without the functions: what is refused, what is left, and that it can be cut off anywhere."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
from google.cloud import firestore
from typer.testing import CliRunner, Result

from infra.admin.cli import app, statements
from infra.admin.erasure import SEARCHED, Person, erase, look
from infra.build.stage import ROOT
from infra.doctor.project import variables_file
from infra.judge.cli import app as judge
from shared.documents.paths import OrganizationPaths
from shared.documents.policy import Policy
from shared.documents.writing import audit_event_fields, invitation_fields
from shared.firestore.client import Firestore
from shared.rules.acquire import Device
from shared.rules.admission import Joined, JoinedBy, invitation_id_of
from shared.rules.people_audit import joined
from shared.seats.acquire import AcquireRequest, Acquires
from shared.seats.release import ReleaseRequest, Releases
from tests.rules.make import NOW, a_user, an_invitation, an_organization
from tests.support.tenant import Tenant

ADDRESS, DEVICE, PERSON = "203.0.113.77", "devices-of-olivia", "olivia"


class Killed(BaseException):
    """The program is gone."""


class Mortal(Firestore):
    """A connection whose program is killed at one of its commits, before it or right behind it."""

    def __init__(self, *, survives: int, writes_the_last: bool, **settings: Any) -> None:  # noqa: ANN401 passed on
        super().__init__(**settings)
        self._survives, self._writes_the_last = survives, writes_the_last

    async def commit(self, writes: Sequence[Any]) -> None:
        self._survives -= 1
        if self._survives >= 0 or self._writes_the_last:
            await super().commit(writes)
        if self._survives < 0:
            raise Killed


@pytest.fixture
def tenant(console: firestore.Client, store: Firestore, policy: Policy) -> Tenant:
    """Olivia had a seat, was denied one, and took one from a member; a member was denied too. Nobody holds a seat.

    She waits for one. Her address is invited, and she has invited others, one of whom has joined.

    The topic has everything.
    """
    tenant = Tenant.create(console, seats=1)
    acquires, releases = Acquires(store, policy), Releases(store, policy)

    async def acquire(user_id: str, hardware_id: str) -> None:
        device = Device(hardware_id=hardware_id, ip_address=ADDRESS, user_agent="cad/1")
        asked = AcquireRequest(user_id=user_id, license_key=tenant.license_key, device=device)
        await acquires.acquire(tenant.organization_id, asked)

    async def release_all(user_id: str) -> None:
        for session in tenant.organization.collection("sessions").stream():
            await releases.release(tenant.organization_id, ReleaseRequest(user_id=user_id, session_id=session.id))

    async def story() -> None:
        await acquire(PERSON, DEVICE)
        await acquire("m1", "other-device")
        await release_all(PERSON)
        await acquire("m0", "another-device")
        await acquire(PERSON, DEVICE)
        await release_all(PERSON)

    asyncio.run(story())
    for event in tenant.event_documents():
        event.reference.update({"published_at": event.get("at")})
    tenant.place("a-place").set({"user_id": PERSON, "hardware_id": DEVICE})
    for email in (f"{PERSON}@example.com", "cleo@example.com"):
        invitation = an_invitation(email)
        tenant.invitation(invitation.invitation_id).set(invitation_fields(invitation))
    way = Joined(
        organization=an_organization(),
        user=a_user("m2"),
        by=JoinedBy.INVITATION,
        invitation=an_invitation("m2@example.com"),
    )
    paths = OrganizationPaths(tenant.organization_id)
    by_invitation = joined(way, now=NOW)
    fields = audit_event_fields(by_invitation, paths, policy.retention)
    tenant.console.document(paths.audit_event(by_invitation.name)).set({**fields, "published_at": NOW})
    return tenant


def run(tenant: Tenant, firestore_host: str, *options: str, **changes: str) -> Result:
    """Run the command for Olivia, or as changed."""
    told = {"project": tenant.console.project, "organization": tenant.organization_id, "user": PERSON, **changes}
    given = [f"--{name}={value}" for name, value in told.items()]
    environment = {"FIRESTORE_EMULATOR_HOST": firestore_host, "COLUMNS": "200"}
    return CliRunner().invoke(app, ["erase", *given, *options], env=environment)


def everything(tenant: Tenant) -> dict[str, Any]:
    """Every document of the organization."""
    found = {tenant.organization.path: tenant.organization.get().to_dict()}
    for collection in tenant.organization.collections():
        found |= {document.reference.path: document.to_dict() for document in collection.stream()}
    return found


def naming_olivia(tenant: Tenant) -> list[str]:
    """The paths of the documents in which her id or her device stands."""
    return [
        path for path, fields in everything(tenant).items() if PERSON in f"{path} {fields}" or DEVICE in str(fields)
    ]


def test_without_apply_it_shows_what_there_is_and_writes_nothing(tenant: Tenant, firestore_host: str) -> None:
    before = everything(tenant)

    result = run(tenant, firestore_host)

    assert result.exit_code == 0, result.output
    rows = [[cell.strip() for cell in line.split("│")[1:3]] for line in result.stdout.splitlines() if "│" in line]
    counts = {row[0]: row[1] for row in rows}
    assert counts["users"] == counts["sessions"] == counts["waiting"] == "1"
    assert counts["invitations of the address"] == "1"
    assert counts["invitations by the user"] == "2"
    assert counts["audit_events by the user"] == "2"
    assert counts["audit_events of the user"] == "3"
    assert "Nothing was changed" in result.stdout
    assert everything(tenant) == before


def test_an_erased_person_is_in_no_document_and_the_judge_calls_the_trail_whole(
    tenant: Tenant, firestore_host: str
) -> None:
    before = everything(tenant)

    result = run(tenant, firestore_host, "--apply")

    assert result.exit_code == 0, result.output
    assert 'actor = "olivia"' in result.stdout
    assert naming_olivia(tenant) == []
    events = [path for path in before if "/audit_events/" in path]
    assert len(tenant.events()) == len(events)
    about_others = [event for event in tenant.events() if event["user_id"] in {"m0", "m1"}]
    told = {event["type"]: (event["actor"], event["hardware_id"]) for event in about_others}
    assert told == {
        "session.denied": ("m1", "other-device"),
        "session.acquired": ("m0", "another-device"),
        "session.revoked": ("erased", "another-device"),
    }
    judged = CliRunner().invoke(
        judge,
        [tenant.organization_id, f"--project={tenant.console.project}", "--json"],
        env={"FIRESTORE_EMULATOR_HOST": firestore_host},
    )
    assert judged.exit_code == 0, judged.output
    assert '"events of erased users": 4' in judged.stdout


@pytest.mark.parametrize("writes_the_last", [False, True], ids=["before a commit", "behind a commit"])
def test_cut_off_at_any_commit_and_run_again_it_erases_everything(
    tenant: Tenant, firestore_host: str, *, writes_the_last: bool
) -> None:
    person = Person(paths=OrganizationPaths(tenant.organization_id), user_id=PERSON)
    project = tenant.console.project
    saved = everything(tenant)

    async def erased(survives: int) -> bool:
        mortal = Mortal(
            survives=survives, writes_the_last=writes_the_last, project=project, emulator_host=firestore_host
        )
        with closing(mortal) as store:
            try:
                await erase(store, person, within=timedelta(seconds=60))
            except Killed:
                return False
            return True

    for survives in range(10):
        for path, fields in saved.items():
            tenant.console.document(path).set(fields)
        was_whole = asyncio.run(erased(survives))
        assert asyncio.run(erased(99))
        assert naming_olivia(tenant) == []
        if was_whole:
            break

    assert was_whole
    assert survives > 2


def test_whoever_is_erased_already_is_said_to_be_unknown(tenant: Tenant, firestore_host: str) -> None:
    run(tenant, firestore_host, "--apply")
    before = everything(tenant)

    result = run(tenant, firestore_host, "--apply")

    assert result.exit_code == 0, result.output
    assert "Nothing is kept about this user" in result.stdout
    assert everything(tenant) == before


def test_a_session_that_no_function_ends_stops_the_erasure_behind_its_first_step(
    tenant: Tenant, firestore_host: str
) -> None:
    (session,) = (each for each in tenant.organization.collection("sessions").stream() if each.get("user_id") == PERSON)
    session.reference.update({"ended_at": None, "end_reason": None})
    before = everything(tenant)

    result = run(tenant, firestore_host, "--apply", "--wait-seconds=1")

    assert result.exit_code == 1, result.output
    assert session.reference.path in result.stderr
    assert "Run the same command again later" in result.stderr
    del before[tenant.user(PERSON).path]
    del before[tenant.invitation(invitation_id_of(f"{PERSON}@example.com")).path]
    assert everything(tenant) == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"organization": "nowhere"}, "there is no organization nowhere in"),
        ({"organization": "a/b"}, "not a valid organization id: 'a/b'"),
        ({"organization": ""}, "not a valid organization id: ''"),
        ({"user": "a/b"}, "not a valid user id: 'a/b'"),
        ({"user": ""}, "not a valid user id: ''"),
        ({"user": "console"}, "console is not a person"),
        ({"user": "system"}, "system is not a person"),
        ({"user": "erased"}, "erased is not a person"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    tenant: Tenant, firestore_host: str, changes: dict[str, str], message: str
) -> None:
    result = run(tenant, firestore_host, "--apply", **changes)

    assert result.exit_code == 2, result.output
    assert message in result.stderr


@pytest.mark.parametrize(
    "command", [(app, "erase", f"--user={PERSON}", "--apply"), (app, "resync"), (app, "problems"), (judge,)]
)
def test_a_command_works_on_the_database_in_the_environments_file(
    tenant: Tenant,
    firestore_host: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[typer.Typer, *tuple[str, ...]],
) -> None:
    program, *given = command
    file = tmp_path / variables_file("staging")
    file.parent.mkdir(parents=True)
    file.write_text('database = "seatlease"\n')
    monkeypatch.setattr("infra.doctor.project.ROOT", tmp_path)
    before = everything(tenant)
    where = [f"--project={tenant.console.project}", "--environment=staging"]
    which = tenant.organization_id if program is judge else f"--organization={tenant.organization_id}"

    result = CliRunner().invoke(program, [*given, *where, which], env={"FIRESTORE_EMULATOR_HOST": firestore_host})

    assert result.exit_code == 2, result.output
    assert "there is no " in result.stderr
    assert everything(tenant) == before


def test_an_account_of_the_cloud_is_not_deleted_for_documents_of_an_emulator(
    tenant: Tenant, firestore_host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FIREBASE_AUTH_EMULATOR_HOST", raising=False)

    result = run(tenant, firestore_host, "--apply", "--account")

    assert result.exit_code == 2, result.output
    assert "both, or none" in result.stderr
    assert tenant.user(PERSON).get().exists


def test_an_account_that_another_organization_needs_stays(
    tenant: Tenant, firestore_host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Tenant.create(tenant.console)
    other.organization.collection("reviews").document("r").set({"user_id": PERSON})
    monkeypatch.setenv("FIREBASE_AUTH_EMULATOR_HOST", "127.0.0.1:9")

    result = run(tenant, firestore_host, "--apply", "--account")

    assert result.exit_code == 2, result.output
    assert other.organization_id in result.stderr
    assert tenant.user(PERSON).get().exists


def test_every_field_that_is_searched_has_its_own_index() -> None:
    overrides = json.loads((ROOT / "infra/firestore.indexes.json").read_text())["fieldOverrides"]

    without = {(each["collectionGroup"], each["fieldPath"]) for each in overrides if not each["indexes"]}

    assert without
    assert without.isdisjoint(SEARCHED)


def test_no_id_can_end_its_text_in_the_statements() -> None:
    told = statements(project="p", organization="northwind", user='a"\\ OR TRUE')

    assert 'user_id = "a\\"\\\\ OR TRUE";' in told


def test_it_looks_at_one_organization_only(tenant: Tenant, store: Firestore) -> None:
    other = Tenant.create(tenant.console)

    found = asyncio.run(look(store, Person(paths=OrganizationPaths(other.organization_id), user_id=PERSON)))

    assert (len(found.own), found.sessions, found.events, found.acted) == (1, [], [], [])

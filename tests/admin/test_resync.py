"""Resync on the emulators: documents whose edit no function has seen are looked at like any other."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from google.cloud import firestore
from typer.testing import CliRunner

from infra.admin.cli import app
from infra.admin.resync import touch_all
from infra.local.emulators import export_firestore, import_firestore
from shared.admin.accounts import Accounts
from shared.admin.resync import ROUND, Resync, ResyncReport
from shared.admin.review import Reviews
from shared.admin.user_claims import UserClaims
from shared.documents.paths import run_path
from shared.documents.policy import Policy
from shared.edge.identity import Tokens
from shared.firestore.errors import Conflict, StoreUnavailable
from shared.rules.acquire import Device, Granted
from shared.seats.acquire import AcquireRequest, Acquires
from shared.seats.release import ReleaseRequest, Releases
from tests.support.connections import WatchedFirestore
from tests.support.people import People, people_of
from tests.support.tenant import Tenant

A_MINUTE = timedelta(minutes=1)
EDITED = ("licenses", "users")


@pytest.fixture
def people(project: str, auth_host: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[People]:
    """The accounts of the test's own project."""
    with people_of(project, auth_host, monkeypatch) as everybody:
        yield everybody


@pytest.fixture(autouse=True)
def nothing_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """The emulator lets nobody age the time of a write."""
    monkeypatch.setattr("shared.admin.resync.UNDER_WAY_FOR", timedelta(0))


def documents(tenant: Tenant) -> dict[str, Any]:
    """The documents of the three collections that admins edit."""
    below = [each for name in EDITED for each in tenant.organization.collection(name).stream()]
    found = [tenant.organization.get(), *below]
    return {each.reference.path: each for each in found if each.exists}


async def deliver(tenant: Tenant, reviews: Reviews, claims: UserClaims, before: Mapping[str, Any]) -> None:
    """Call the functions for what was written since, as Firestore does: first of a deleted document."""
    after = documents(tenant)
    for path in before.keys() | after.keys():
        then, now = before.get(path), after.get(path)
        if then is None or now is None or then.update_time != now.update_time:
            await (claims.sync(path) if "/users/" in path else reviews.review(path))


async def test_an_organization_that_was_deleted_and_imported_works_again_after_a_resync(
    store: WatchedFirestore,
    console: firestore.Client,
    policy: Policy,
    people: People,
    project: str,
    firestore_host: str,
    tmp_path: Path,
) -> None:
    reviews, claims = Reviews(store, policy), UserClaims(store, policy, Accounts(project=project))
    acquires, releases, tokens = Acquires(store, policy), Releases(store, policy), Tokens(project=project)
    uid = people.sign_up()
    tenant = Tenant.create(console, members=0)
    tenant.user(uid).set({"role": "member"})
    device = Device(hardware_id="d", ip_address=None, user_agent=None)
    request = AcquireRequest(user_id=uid, license_key=tenant.license_key, device=device)

    async def takes_seats(times: int) -> bool:
        """Sign in, and take and give back a seat so many times. False: the token names no organization."""
        caller = (await tokens.verify(await asyncio.to_thread(people.signs_in, uid))).caller
        if caller is None:
            return False
        for _ in range(times):
            answered = await acquires.acquire(caller.organization_id, request)
            assert isinstance(answered.outcome, Granted)
            session_id = answered.outcome.session.session_id
            await releases.release(caller.organization_id, ReleaseRequest(user_id=uid, session_id=session_id))
        return True

    await deliver(tenant, reviews, claims, {})
    assert await takes_seats(3)
    before, old = documents(tenant), {event.id for event in tenant.event_documents()}
    export = export_firestore(firestore_host, project=project, folder=tmp_path / "export")
    console.recursive_delete(tenant.organization)
    await deliver(tenant, reviews, claims, before)
    import_firestore(firestore_host, project=project, export=export)
    for collection in tenant.organization.collections():
        if collection.id not in EDITED:  # the emulator imports everything, the deploy page only what admins edit
            console.recursive_delete(collection)
    imported = documents(tenant)
    assert (imported.keys(), await takes_seats(1)) == (before.keys(), False)

    command = ["resync", f"--project={project}", f"--organization={tenant.organization_id}"]
    environment = {"FIRESTORE_EMULATOR_HOST": firestore_host}
    done = await asyncio.to_thread(CliRunner().invoke, app, command, env=environment)
    await deliver(tenant, reviews, claims, imported)

    assert (done.exit_code, done.output.partition(" ")[0]) == (0, str(len(imported)))
    assert await takes_seats(5)
    new = {event.id for event in tenant.event_documents()}
    assert len(tenant.events("session.acquired")) == 5
    assert new.isdisjoint(old)


async def test_a_document_whose_edit_no_function_saw_is_touched_once_and_the_others_are_not(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    reviews = Reviews(store, policy)
    tenant = Tenant.create(console, members=0)
    for document in (tenant.user("olivia"), tenant.user("adam"), tenant.user("gus")):
        document.delete()
    await reviews.review(tenant.organization.path)
    missed = tenant.license().get().update_time
    reviewed = tenant.organization.get().update_time

    first = await Resync(store).touch_missed(run_within=A_MINUTE)
    again = await Resync(store).touch_missed(run_within=A_MINUTE)

    assert first == ResyncReport(documents_looked_at=2, documents_touched=1)
    assert again == ResyncReport()  # once a day
    assert tenant.organization.get().update_time == reviewed
    assert tenant.license().get().update_time != missed
    await reviews.review(tenant.license().path)
    assert tenant.license().get().get("problems") == []


async def test_a_key_that_an_earlier_version_left_as_it_was_gets_its_normal_form(
    store: WatchedFirestore, console: firestore.Client, policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = Tenant.create(console, members=0)
    tenant.license().update({"license_key": "abcde-fghjk-mnpqr-stvwx-yz012"})
    with monkeypatch.context() as earlier:
        earlier.setattr("shared.admin.license_review._normalized", lambda _: None)
        await Reviews(store, policy).review(tenant.license().path)

    await Resync(store).touch_missed(run_within=A_MINUTE)
    await Reviews(store, policy).review(tenant.license().path)
    mended = tenant.license().get()
    console.document(run_path(ROUND)).delete()  # a day later
    await Resync(store).touch_missed(run_within=A_MINUTE)

    assert mended.get("license_key") == "ABCDE-FGHJK-MNPQR-STVWX-YZ012"
    assert tenant.license().get().update_time == mended.update_time


async def test_a_touched_document_is_reviewed_although_it_was_reviewed_before(
    store: WatchedFirestore, console: firestore.Client, policy: Policy
) -> None:
    tenant = Tenant.create(console, members=0)
    await Reviews(store, policy).review(tenant.license().path)

    for _ in range(3):  # also a document that is touched and not reviewed, and touched again
        before = tenant.license().get().update_time
        await touch_all(store, None, per_second=100)
        assert tenant.license().get().update_time != before
    await Reviews(store, policy).review(tenant.license().path)

    assert tenant.license().get().get("problems") == []


async def test_a_run_whose_time_was_up_is_gone_on_with(
    store: WatchedFirestore, console: firestore.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.admin.resync.PAGE", 2)
    tenant = Tenant.create(console, members=5)  # nine documents beside the organization
    seconds = count()
    clock = SimpleNamespace(monotonic=lambda: next(seconds))
    monkeypatch.setattr("shared.documents.organizations.time", clock)

    reports = [await Resync(store).touch_missed(run_within=timedelta(seconds=3)) for _ in range(4)]

    assert sum(report.documents_touched for report in reports) == 10
    assert [report.documents_touched > 0 for report in reports] == [True, True, True, False]
    problems = [document.to_dict()["problems"] for document in documents(tenant).values()]
    assert problems == [None] * 10


async def test_an_id_with_a_blank_at_its_end_is_told_in_the_document(
    store: WatchedFirestore, console: firestore.Client
) -> None:
    tenant = Tenant.create(console, members=0)
    tenant.user("member-9 ").set({"role": "member"})

    await Resync(store).touch_missed(run_within=A_MINUTE)

    (problem,) = tenant.user("member-9 ").get().get("problems")
    assert (problem["field"], problem["level"]) == ("(document id)", "error")


async def test_a_store_that_takes_no_write_is_said_to_be_away_and_not_an_unexpected_error(
    store: WatchedFirestore, console: firestore.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    Tenant.create(console, members=0)
    monkeypatch.setattr("shared.admin.resync.READ_WITHIN", timedelta(milliseconds=50))

    async def away(_: Sequence[Any]) -> None:
        message = "UNAVAILABLE: not there"
        raise StoreUnavailable(message)

    monkeypatch.setattr(store, "commit", away)

    with pytest.raises(StoreUnavailable, match="could not be touched"):
        await Resync(store).touch_missed(run_within=A_MINUTE)


async def test_two_runs_that_store_their_place_at_the_same_moment_both_go_on(
    store: WatchedFirestore, console: firestore.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    Tenant.create(console, members=0)
    commit = store.commit
    refused: list[Sequence[Any]] = []

    async def at_first_refused(writes: Sequence[Any]) -> None:
        if writes[0].path == run_path(ROUND) and not refused:
            refused.append(writes)
            message = "ABORTED: another write came first"
            raise Conflict(message)
        await commit(writes)

    monkeypatch.setattr(store, "commit", at_first_refused)

    report = await Resync(store).touch_missed(run_within=A_MINUTE)

    assert refused
    assert report.documents_touched == 5

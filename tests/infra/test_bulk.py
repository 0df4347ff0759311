"""Search and bulk work over all organizations: ``find``, ``import`` and ``problems``, on the emulators."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from google.cloud import firestore
from typer import Exit
from typer.testing import CliRunner, Result

from infra.admin.account import accounts_with
from infra.admin.cli import app
from infra.doctor.database import opened
from shared.admin.accounts import Accounts
from shared.admin.review import Reviews
from shared.admin.user_claims import UserClaims
from shared.documents.policy import Policy
from shared.firestore.client import Firestore
from shared.firestore.errors import DatabaseUnusable
from shared.rules.acquire import Device
from shared.rules.claims import OtherAccount
from shared.seats.acquire import AcquireRequest, Acquires
from tests.support.people import People, people_of
from tests.support.tenant import Tenant

KEY = "7K3QF-9XW2M-QZP4T-H0RGA-5VNBE"


@pytest.fixture
def people(project: str, auth_host: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[People]:
    """The accounts of the test's own project."""
    with people_of(project, auth_host, monkeypatch) as everybody:
        yield everybody


def run(tenant: Tenant, firestore_host: str, command: str, *options: str) -> Result:
    given = [command, f"--project={tenant.console.project}", *options]
    return CliRunner().invoke(app, given, env={"FIRESTORE_EMULATOR_HOST": firestore_host})


def users(tenant: Tenant) -> dict[str, Any]:
    """The user documents by their ids."""
    return {each.id: each.to_dict() for each in tenant.organization.collection("users").stream()}


@pytest.mark.parametrize("typed", [KEY, "7k3qf 9xw2m qzp4t horga 5vnbe", f" {KEY.replace('-', '')} "])
def test_a_license_is_found_in_whatever_form_its_key_is_typed(
    console: firestore.Client, firestore_host: str, typed: str
) -> None:
    tenants = [Tenant.create(console, members=0) for _ in range(2)]
    for tenant in tenants:
        tenant.add_license("studio", KEY, seats=7, is_active=False)

    found = run(tenants[0], firestore_host, "find", typed)

    assert found.exit_code == 0, found.output
    lines = found.stdout.splitlines()
    assert {tenant.license("studio").path for tenant in tenants} <= set(lines)
    assert sum("license: inactive, 7 seats, no end" in line for line in lines) == 2
    assert f"  organization: {tenants[1].organization_id}, active, 'Org'" in lines


def test_a_person_is_found_by_address_and_by_uid_with_their_open_sessions(
    console: firestore.Client, store: Firestore, policy: Policy, firestore_host: str
) -> None:
    tenant, other = (Tenant.create(console, members=0) for _ in range(2))
    device = Device(hardware_id="laptop", ip_address=None, user_agent=None)
    request = AcquireRequest(user_id="olivia", license_key=tenant.license_key, device=device)
    asyncio.run(Acquires(store, policy).acquire(tenant.organization_id, request))
    other.user("olivia").set({"email": None, "role": "guest", "is_active": False, "groups": ["design", "render"]})
    for each in (tenant, other):
        each.organization.collection("reviews").document("r").set({"user_id": "olivia"})

    by_address = run(tenant, firestore_host, "find", "Olivia@example.com")
    by_uid = run(tenant, firestore_host, "find", "olivia")
    nobody = run(tenant, firestore_host, "find", "nobody@example.com")

    assert by_address.exit_code == 0, by_address.output
    assert by_address.stdout == by_uid.stdout
    lines = by_address.stdout.splitlines()
    assert {tenant.user("olivia").path, other.user("olivia").path} <= set(lines)
    assert "  user: active, owner, olivia@example.com" in lines
    assert "  user: inactive, guest, no e-mail address, groups design render" in lines
    (session,) = (line for line in lines if "session:" in line)
    assert "holds a seat, license license-1, device 'laptop'" in session
    assert nobody.exit_code == 1


def test_the_problems_of_all_organizations_are_listed_errors_first(
    console: firestore.Client, store: Firestore, policy: Policy, firestore_host: str
) -> None:
    tenant, other = (Tenant.create(console, members=0) for _ in range(2))
    tenant.license().update({"crm_number": 7})
    other.license().update({"max_concurrent_seats": "20"})
    for each in (tenant, other):
        asyncio.run(Reviews(store, policy).review(each.license().path))

    counted = run(tenant, firestore_host, "problems", "--count")
    errors = run(tenant, firestore_host, "problems")
    everything = run(tenant, firestore_host, "problems", "--all")
    of_one = run(tenant, firestore_host, "problems", f"--organization={tenant.organization_id}")

    assert counted.stdout == "10 documents would be read\n"
    assert errors.exit_code == everything.exit_code == 1
    (error,) = (line for line in errors.stdout.splitlines() if line.startswith("error"))
    assert f'{other.license().path}  max_concurrent_seats: the text "20". Expected: a whole number' in error
    assert "10 documents read. Errors: 1. Notices: 1 (--all lists them)" in errors.stdout
    assert "no function has looked at yet: 8" in errors.stdout
    assert [line.partition(" ")[0] for line in everything.stdout.splitlines()[:2]] == ["error", "notice"]
    assert (of_one.exit_code, "5 documents read. Errors: 0. Notices: 1" in of_one.stdout) == (0, True)


def test_a_session_that_no_function_can_end_is_listed_with_the_way_out(
    console: firestore.Client, store: Firestore, policy: Policy, firestore_host: str
) -> None:
    tenant = Tenant.create(console, members=0)
    request = AcquireRequest(
        user_id="olivia",
        license_key=tenant.license_key,
        device=Device(hardware_id="laptop", ip_address=None, user_agent=None),
    )
    asyncio.run(Acquires(store, policy).acquire(tenant.organization_id, request))
    (session,) = tenant.organization.collection("sessions").stream()

    before = run(tenant, firestore_host, "problems")
    session.reference.update({"user_id": 5})
    listed = run(tenant, firestore_host, "problems")
    of_one = run(tenant, firestore_host, "problems", f"--organization={tenant.organization_id}")
    counted = run(tenant, firestore_host, "problems", "--count")

    assert (before.exit_code, listed.exit_code) == (0, 1), before.output + listed.output
    assert f"error  {session.reference.path}  user_id: cannot be read. Expected:" in listed.stdout
    assert "Delete its document, or correct it" in listed.stdout
    assert of_one.stdout == listed.stdout
    assert counted.stdout.split()[0] == listed.stdout.splitlines()[-2].split()[0]


def test_people_are_imported_once_and_only_with_apply_and_what_an_admin_set_stays(
    console: firestore.Client, people: People, firestore_host: str, tmp_path: Path
) -> None:
    tenant = Tenant.create(console, members=1)
    tenant.user("m0").update({"role": "Admin", "note": "x", "groups": ["Design"]})
    verified = people.sign_up(email="vera@example.com")
    file = tmp_path / "people.csv"
    file.write_text(
        "\ufeffemail;uid;role;is_active;groups\r\n"
        "vera@example.com;;owner;;render design\r\n"
        "Later@example.com;;;;\r\n"
        "m0@example.com;;;false;design\r\n"
        ";given;guest;;\r\n"
        "gus@example.com;;guest;;\r\n",
        encoding="utf-8",
    )
    command = ("import", str(file), f"--organization={tenant.organization_id}")
    before = users(tenant)

    dry = run(tenant, firestore_host, *command)
    untouched = users(tenant)
    done = run(tenant, firestore_host, *command, "--apply")
    after = users(tenant)
    again = run(tenant, firestore_host, *command, "--apply")

    assert (dry.exit_code, done.exit_code, again.exit_code) == (1, 1, 1), dry.output + done.output + again.output
    assert untouched == before
    assert "New: 2. Changed: 1. Unchanged: 1. Left out: 1" in dry.stdout
    assert "line 3: later@example.com: left out, because no account has this address" in dry.stdout
    assert f"line 4: {tenant.user('m0').path}: is_active false where it was left out" in dry.stdout
    assert after == {
        **before,
        verified: {"email": "vera@example.com", "role": "owner", "groups": ["render", "design"]},
        "m0": {"email": "m0@example.com", "role": "Admin", "note": "x", "is_active": False, "groups": ["Design"]},
        "given": {"role": "guest"},
    }
    assert "New: 0. Changed: 0. Unchanged: 4. Left out: 1" in again.stdout
    assert users(tenant) == after


def test_a_document_under_an_address_is_moved_to_the_uid_once_there_is_an_account(
    console: firestore.Client,
    store: Firestore,
    policy: Policy,
    people: People,
    project: str,
    firestore_host: str,
    tmp_path: Path,
) -> None:
    tenant = Tenant.create(console, members=0)
    file = tmp_path / "people.csv"
    file.write_text("email\nlater@example.com\n")
    command = ("import", str(file), f"--organization={tenant.organization_id}", "--apply")
    tenant.user("later@example.com").set({"role": "admin", "note": "x"})
    before = run(tenant, firestore_host, *command)
    uid = people.sign_up(email="later@example.com")
    asyncio.run(UserClaims(store, policy, Accounts(project=project)).sync(tenant.user("later@example.com").path))
    problem = tenant.user("later@example.com").get().get("problems")[0]

    done = run(tenant, firestore_host, *command)

    assert (before.exit_code, "Unchanged: 1" in before.stdout) == (0, True)
    assert f'"{uid}"' in problem["expected"]
    assert done.exit_code == 0, done.output
    assert f"{tenant.user(uid).path}: new, " in done.stdout
    moved = {"email": "later@example.com", "role": "admin", "note": "x", "is_active": True}
    assert {name: fields for name, fields in users(tenant).items() if name not in {"olivia", "adam", "gus"}} == {
        uid: moved
    }


def test_nothing_is_written_when_a_row_is_bad(
    console: firestore.Client, people: People, firestore_host: str, tmp_path: Path
) -> None:
    tenant = Tenant.create(console, members=0)
    uid = people.sign_up(email="anybody@example.com", is_verified=False)
    file = tmp_path / "people.csv"
    command = ("import", str(file), f"--organization={tenant.organization_id}", "--apply")
    before = users(tenant)

    file.write_text("email,uid\n,new\nanybody@example.com,\nolivia@example.com,\n,olivia\n")
    unsure = run(tenant, firestore_host, *command)
    file.write_text("email,role\nnew@example.com,\nolivia@example.com,boss\n")
    wrong = run(tenant, firestore_host, *command)
    file.write_bytes("email\nJürgen@example.com\n".encode("cp1252"))
    unreadable = run(tenant, firestore_host, *command)

    assert (unsure.exit_code, wrong.exit_code, unreadable.exit_code) == (1, 1, 2)
    assert "line 3: nobody verified" in unsure.stderr
    assert uid in unsure.stderr
    assert "line 5: the user olivia stands in line 4 already" in unsure.stderr
    assert "line 3: role 'boss'" in wrong.stderr
    assert "not UTF-8" in unreadable.stderr
    assert users(tenant) == before


def test_a_missing_index_is_named(project: str, firestore_host: str, capsys: pytest.CaptureFixture[str]) -> None:
    given = opened(project=project, environment="production", database=None, emulator_host=firestore_host)
    with pytest.raises(Exit), given:
        raise DatabaseUnusable("FAILED_PRECONDITION: The query requires an index")  # noqa: EM101, TRY003 as Firestore says it

    assert "requires an index" in capsys.readouterr().err


@pytest.mark.usefixtures("people")
def test_an_edit_that_comes_between_is_not_overwritten_and_the_next_run_goes_on(
    console: firestore.Client, firestore_host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = Tenant.create(console, members=0)
    file = tmp_path / "people.csv"
    file.write_text("email,uid,role\n,new,\nolivia@example.com,,guest\n")
    command = ("import", str(file), f"--organization={tenant.organization_id}", "--apply")

    def edited_meanwhile(emails: Sequence[str], *, project: str) -> Mapping[str, OtherAccount]:
        tenant.user("olivia").update({"note": "an admin was here"})
        return accounts_with(emails, project=project)

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr("infra.admin.import_people.accounts_with", edited_meanwhile)
        first = run(tenant, firestore_host, *command)
    between = users(tenant)
    second = run(tenant, firestore_host, *command)

    assert first.exit_code == 1, first.output
    assert "Written: 0 of 2" in first.stderr
    assert "new" not in between
    assert second.exit_code == 0, second.output
    assert users(tenant)["olivia"] == {**between["olivia"], "role": "guest"}
    assert users(tenant)["new"] == {}

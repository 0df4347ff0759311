"""Claims, settled with the real Auth emulator: in whatever order events come, tokens say what the documents say."""

import asyncio
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from google.cloud import firestore

from shared.admin.accounts import Account, Accounts
from shared.admin.user_claims import UserClaims
from shared.documents.policy import Policy
from shared.firestore.errors import StoreUnavailable
from shared.people.join import Joins
from shared.people.members import ChangeRequest
from shared.people.members import People as Members
from shared.rules.acquire import Device, Granted
from shared.rules.admission import Joined
from shared.rules.members import MemberChange
from shared.rules.person import SignedIn
from shared.rules.user import Role
from shared.seats.acquire import AcquireRequest, Acquires
from shared.seats.reconcile import Reconciliations
from shared.seats.release import ReleaseRequest, Releases
from tests.support.connections import WatchedFirestore
from tests.support.people import People, people_of
from tests.support.tenant import Tenant


class WatchedAccounts(Accounts):
    """The accounts themselves, with a note of every change."""

    def __init__(self, *, project: str) -> None:
        super().__init__(project=project)
        self.changes: list[str] = []

    async def set_claims(self, user_id: str, claims: Mapping[str, Any]) -> None:
        self.changes.append("set")
        await super().set_claims(user_id, claims)

    async def end_sign_ins(self, user_id: str) -> None:
        self.changes.append("revoked")
        await super().end_sign_ins(user_id)


@pytest.fixture
def people(project: str, auth_host: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[People]:
    """The accounts of the test's own project."""
    with people_of(project, auth_host, monkeypatch) as everybody:
        yield everybody


@pytest.fixture
def accounts(project: str, people: People) -> WatchedAccounts:
    """What the function uses."""
    assert people
    return WatchedAccounts(project=project)


@pytest.fixture
def claims(store: WatchedFirestore, policy: Policy, accounts: WatchedAccounts) -> UserClaims:
    """What one function instance keeps."""
    return UserClaims(store, policy, accounts)


@pytest.fixture
def tenant(console: firestore.Client) -> Tenant:
    return Tenant.create(console, members=0)


@pytest.fixture
def other(console: firestore.Client) -> Tenant:
    return Tenant.create(console, members=0)


def problems(document: firestore.DocumentReference) -> list[tuple[str, str]]:
    return [(each["field"], each["level"]) for each in (document.get().to_dict() or {})["problems"]]


async def acquire(store: WatchedFirestore, policy: Policy, tenant: Tenant, uid: str, device: str = "laptop") -> str:
    asked = Device(hardware_id=device, ip_address=None, user_agent=None)
    request = AcquireRequest(user_id=uid, license_key=tenant.license_key, device=asked)
    outcome = (await Acquires(store, policy).acquire(tenant.organization_id, request)).outcome
    assert isinstance(outcome, Granted), outcome
    return outcome.session.session_id


# What tokens say


async def test_a_user_who_is_added_gets_the_organization(claims: UserClaims, people: People, tenant: Tenant) -> None:
    uid = people.sign_up(email="ada@example.com")
    tenant.user(uid).set({"role": "admin"})
    written_at = tenant.user(uid).get().update_time

    await claims.sync(tenant.user(uid).path)

    assert people.claims(uid) == {"org_id": tenant.organization_id}
    assert tenant.user(uid).get().to_dict() == {
        "email": "ada@example.com",
        "role": "admin",
        "is_active": True,
        "created_at": written_at,
        "problems": [],
    }


async def test_a_user_of_nothing_but_a_document_is_a_member(claims: UserClaims, people: People, tenant: Tenant) -> None:
    uid = people.sign_up()
    tenant.user(uid).set({})

    await claims.sync(tenant.user(uid).path)

    assert people.claims(uid) == {"org_id": tenant.organization_id}
    said = jwt.decode(people.signs_in(uid), options={"verify_signature": False})
    assert said["org_id"] == tenant.organization_id


async def test_a_new_role_changes_no_claim_and_signs_nobody_out(
    claims: UserClaims, accounts: WatchedAccounts, people: People, tenant: Tenant
) -> None:
    uid = people.sign_up()
    tenant.user(uid).set({"role": "member"})
    await claims.sync(tenant.user(uid).path)
    tenant.user(uid).update({"role": "owner"})

    await claims.sync(tenant.user(uid).path)

    assert people.claims(uid) == {"org_id": tenant.organization_id}
    assert accounts.changes == ["set"]


async def test_claims_of_others_stay(
    claims: UserClaims, accounts: WatchedAccounts, people: People, tenant: Tenant
) -> None:
    uid = people.sign_up()
    await accounts.set_claims(uid, {"newsletter": True, "role": "king"})
    tenant.user(uid).set({})
    await claims.sync(tenant.user(uid).path)
    added = people.claims(uid)
    tenant.user(uid).delete()

    await claims.sync(tenant.user(uid).path)

    assert added == {"newsletter": True, "role": "king", "org_id": tenant.organization_id}
    assert people.claims(uid) == {"newsletter": True, "role": "king"}


async def test_a_claim_that_others_set_meanwhile_stays(
    store: WatchedFirestore, policy: Policy, people: People, tenant: Tenant, project: str
) -> None:
    class Shared(WatchedAccounts):
        async def find(self, user_id: str) -> Account | None:
            found = await super().find(user_id)
            if found is not None and "plan" not in found.claims:
                await super().set_claims(user_id, {**found.claims, "plan": "premium"})  # behind our back
            return found

    uid = people.sign_up()
    tenant.user(uid).set({})

    await UserClaims(store, policy, Shared(project=project)).sync(tenant.user(uid).path)

    assert people.claims(uid) == {"plan": "premium", "org_id": tenant.organization_id}


async def test_a_person_who_joined_gets_the_organization_and_is_not_reported_a_second_time(
    claims: UserClaims, store: WatchedFirestore, policy: Policy, people: People, tenant: Tenant
) -> None:
    uid = people.sign_up(email="ada@acme.example")
    tenant.organization.update({"email_domains": ["acme.example"]})
    person = SignedIn(user_id=uid, email="ada@acme.example", is_email_verified=True, provider="password")
    outcome = (await Joins(store, policy).join(person, asked=None)).outcome
    assert isinstance(outcome, Joined)

    await claims.sync(tenant.user(uid).path)
    await claims.sync(tenant.user(uid).path)

    assert people.claims(uid) == {"org_id": tenant.organization_id}
    assert (tenant.user(uid).get().to_dict() or {})["problems"] == []
    assert [event["type"] for event in tenant.events()] == ["user.joined"]


async def test_a_change_by_an_owner_ends_the_sessions_and_is_not_reported_a_second_time(
    claims: UserClaims, store: WatchedFirestore, policy: Policy, people: People, tenant: Tenant
) -> None:
    uid = people.sign_up()
    tenant.user(uid).set({})
    await claims.sync(tenant.user(uid).path)
    await acquire(store, policy, tenant, uid)
    wanted = ChangeRequest(user_id="olivia", changed_id=uid, change=MemberChange(is_active=False))
    await Members(store, policy).change(tenant.organization_id, wanted)

    await claims.sync(tenant.user(uid).path)

    assert people.claims(uid) == {}
    assert tenant.open_sessions() == []
    edits = [(event["actor"], event["details"]["edit"]) for event in tenant.events("user.edited")]
    assert edits == [("console", "created"), ("olivia", "changed")]


async def test_what_an_admin_edits_beside_a_change_by_an_owner_is_reported_alone(
    claims: UserClaims, store: WatchedFirestore, policy: Policy, people: People, tenant: Tenant
) -> None:
    uid = people.sign_up()
    tenant.user(uid).set({})
    await claims.sync(tenant.user(uid).path)
    tenant.user(uid).update({"groups": ["render"]})
    wanted = ChangeRequest(user_id="olivia", changed_id=uid, change=MemberChange(role=Role.GUEST))
    await Members(store, policy).change(tenant.organization_id, wanted)
    tenant.user(uid).update({"note": "by hand"})

    await claims.sync(tenant.user(uid).path)
    tenant.user(uid).update({"role": "member"})
    await claims.sync(tenant.user(uid).path)

    changed = [
        (event["actor"], sorted(each["field"] for each in event["details"]["changes"]))
        for event in tenant.events("user.edited")[1:]
    ]
    assert changed == [("olivia", ["role"]), ("console", ["groups", "note"]), ("console", ["role"])]


@pytest.mark.parametrize("how", ["deleted", "deactivated"])
async def test_a_user_who_is_gone_has_no_claims_no_sign_in_and_no_seat(
    claims: UserClaims, store: WatchedFirestore, policy: Policy, people: People, tenant: Tenant, how: str
) -> None:
    uid = people.sign_up()
    tenant.user(uid).set({})
    await claims.sync(tenant.user(uid).path)
    signed_in = people.signs_in(uid)
    await acquire(store, policy, tenant, uid)
    await acquire(store, policy, tenant, uid, "workshop")
    kept = await acquire(store, policy, tenant, "olivia")
    if how == "deleted":
        tenant.user(uid).delete()
    else:
        tenant.user(uid).update({"is_active": False})

    await claims.sync(tenant.user(uid).path)

    assert people.claims(uid) == {}
    assert people.are_revoked(signed_in)
    revoked = tenant.events("session.revoked")
    assert [event["details"]["reason"] for event in revoked] == ["user_deactivated"] * 2
    assert {event["user_id"] for event in revoked} == {uid}
    (session,) = tenant.open_sessions()
    assert session["user_id"] == "olivia"
    assert tenant.session(kept).get().get("ended_at") is None
    assert tenant.counters()["total"] == 1


async def test_a_user_made_a_guest_loses_the_seats_and_stays_a_user(
    claims: UserClaims, store: WatchedFirestore, policy: Policy, people: People, tenant: Tenant
) -> None:
    uid = people.sign_up()
    tenant.user(uid).set({})
    await claims.sync(tenant.user(uid).path)
    await acquire(store, policy, tenant, uid)
    tenant.user(uid).update({"role": "guest"})

    await claims.sync(tenant.user(uid).path)

    assert people.claims(uid) == {"org_id": tenant.organization_id}
    assert tenant.open_sessions() == []


async def test_a_user_who_comes_back_gets_the_claims_again(claims: UserClaims, people: People, tenant: Tenant) -> None:
    uid = people.sign_up()
    tenant.user(uid).set({})
    for is_active in (True, False, True):
        tenant.user(uid).update({"is_active": is_active})
        await claims.sync(tenant.user(uid).path)

    assert people.claims(uid) == {"org_id": tenant.organization_id}


# Slips


@pytest.mark.parametrize("slip", ["Owner", " OWNER"])
async def test_a_role_or_group_in_other_letters_counts_and_is_written_as_it_is_read(
    claims: UserClaims, people: People, tenant: Tenant, slip: str
) -> None:
    uid = people.sign_up(email="ada@example.com")
    tenant.user(uid).set({"role": slip, "groups": [f"{slip}s", "cad"]})

    await claims.sync(tenant.user(uid).path)

    assert tenant.user(uid).get().get("role") == "owner"
    assert tenant.user(uid).get().get("groups") == ["owners", "cad"]
    assert problems(tenant.user(uid)) == []


@pytest.mark.parametrize(("edit", "field"), [({"is_active": False}, "is_active"), ({"role": "member"}, "role")])
async def test_the_last_active_owner_is_told(
    claims: UserClaims, people: People, tenant: Tenant, edit: dict[str, Any], field: str
) -> None:
    tenant.user("olivia").delete()
    first, second = (people.sign_up(email=f"{name}@example.com") for name in ("ada", "bob"))
    for uid in (first, second):
        tenant.user(uid).set({"role": "owner"})
        await claims.sync(tenant.user(uid).path)

    for uid in (first, second):
        tenant.user(uid).update(edit)
        await claims.sync(tenant.user(uid).path)

    assert [problems(tenant.user(uid)) for uid in (first, second)] == [[], [(field, "notice")]]


async def test_a_uid_that_nobody_has_is_told(claims: UserClaims, people: People, tenant: Tenant) -> None:
    assert people
    tenant.user("nobody").set({"role": "member"})

    await claims.sync(tenant.user("nobody").path)

    assert problems(tenant.user("nobody")) == [("(document id)", "error")]


async def test_an_account_that_is_made_later_is_found_by_itself(
    claims: UserClaims, people: People, store: WatchedFirestore, policy: Policy, tenant: Tenant
) -> None:
    reconciliations = Reconciliations(store, policy, run_within=timedelta(minutes=1))
    tenant.user("ada").set({"role": "owner"})
    await claims.sync(tenant.user("ada").path)
    told = problems(tenant.user("ada"))
    people.sign_up(uid="ada", email="ada@example.com")

    await reconciliations.reconcile()
    emptied = tenant.user("ada").get().get("problems")
    await claims.sync(tenant.user("ada").path)
    await reconciliations.reconcile()

    assert (told, emptied) == ([("(document id)", "error")], None)
    assert people.claims("ada")["org_id"] == tenant.organization_id
    assert problems(tenant.user("ada")) == []


@pytest.mark.parametrize("uid", ["x" * 129, "ada@example.com", "Zoë 東京"])
async def test_an_id_that_is_no_uid_is_told_with_the_one_that_was_meant(
    claims: UserClaims, people: People, tenant: Tenant, uid: str
) -> None:
    meant = people.sign_up(email="ada@example.com")
    tenant.user(uid).set({"email": "ada@example.com"})

    await claims.sync(tenant.user(uid).path)

    (problem,) = (tenant.user(uid).get().to_dict() or {})["problems"]
    assert f'"{meant}"' in problem["expected"]


async def test_the_uid_of_an_account_that_the_console_made_is_told_with_a_doubt(
    claims: UserClaims, people: People, tenant: Tenant
) -> None:
    unverified = people.sign_up(email="ada@example.com", is_verified=False)
    tenant.user("ada@example.com").set({})

    await claims.sync(tenant.user("ada@example.com").path)

    (problem,) = (tenant.user("ada@example.com").get().to_dict() or {})["problems"]
    assert f'"{unverified}", the User UID of the account' in problem["expected"]
    assert "nobody verified its address" in problem["expected"]


async def test_an_address_that_nobody_verified_names_no_user_until_it_is_verified(
    claims: UserClaims, people: People, tenant: Tenant
) -> None:
    uid = people.sign_up(email="ada@example.com", is_verified=False)
    tenant.user(uid).set({})
    await claims.sync(tenant.user(uid).path)
    before = tenant.user(uid).get().to_dict() or {}
    people.verify(uid)
    tenant.user(uid).update({"problems": firestore.DELETE_FIELD})

    await claims.sync(tenant.user(uid).path)

    assert "email" not in before
    assert [(each["field"], each["level"]) for each in before["problems"]] == [("email", "notice")]
    assert "ada@example.com" not in str(before)
    assert (tenant.user(uid).get().get("email"), problems(tenant.user(uid))) == ("ada@example.com", [])


@pytest.mark.parametrize("stored", ["ada@example.com", None])
async def test_an_address_that_an_admin_wrote_stays_without_a_notice(
    claims: UserClaims, people: People, tenant: Tenant, stored: str | None
) -> None:
    uid = people.sign_up(email="other@example.com", is_verified=False)
    tenant.user(uid).set({"email": stored})

    await claims.sync(tenant.user(uid).path)

    assert (tenant.user(uid).get().get("email"), problems(tenant.user(uid))) == (stored, [])


@pytest.mark.parametrize("email", ["", "@", "a@b@c", "no address", 5, "x" * 400])
async def test_an_address_that_is_none_finds_nobody(
    claims: UserClaims, people: People, tenant: Tenant, email: object
) -> None:
    assert people
    tenant.user("nobody").set({"email": email})

    await claims.sync(tenant.user("nobody").path)

    assert ("(document id)", "error") in problems(tenant.user("nobody"))


async def test_a_role_that_does_not_exist_changes_no_claims_and_ends_no_session(
    claims: UserClaims, store: WatchedFirestore, policy: Policy, people: People, tenant: Tenant
) -> None:
    uid = people.sign_up()
    tenant.user(uid).set({"role": "member"})
    await claims.sync(tenant.user(uid).path)
    await acquire(store, policy, tenant, uid)
    tenant.user(uid).update({"role": "wizard"})

    await claims.sync(tenant.user(uid).path)

    assert people.claims(uid) == {"org_id": tenant.organization_id}
    assert problems(tenant.user(uid)) == [("role", "error")]
    assert len(tenant.open_sessions()) == 1


async def test_a_role_that_does_not_exist_opens_no_door(claims: UserClaims, people: People, tenant: Tenant) -> None:
    uid = people.sign_up()
    tenant.user(uid).set({"role": "Boss"})

    await claims.sync(tenant.user(uid).path)

    assert people.claims(uid) == {}
    assert problems(tenant.user(uid)) == [("role", "error")]


async def test_an_organization_whose_id_no_token_has_room_for_is_told(
    claims: UserClaims, people: People, console: firestore.Client
) -> None:
    tenant = Tenant.create(console, members=0, prefix="x" * 1000)
    uid = people.sign_up()
    tenant.user(uid).set({})

    await claims.sync(tenant.user(uid).path)

    assert people.claims(uid) == {}
    assert problems(tenant.user(uid)) == [("(document id of the organization)", "error")]


async def test_of_an_organization_deleted_with_everything_in_it_no_claim_is_left(
    claims: UserClaims, store: WatchedFirestore, policy: Policy, people: People, tenant: Tenant
) -> None:
    uid = people.sign_up()
    tenant.user(uid).set({})
    await claims.sync(tenant.user(uid).path)
    await acquire(store, policy, tenant, uid)
    signed_in = people.signs_in(uid)
    for record in tenant.organization.collection("reviews").stream():
        record.reference.delete()
    tenant.user(uid).delete()

    for _ in range(2):
        await claims.sync(tenant.user(uid).path)

    assert people.claims(uid) == {}
    assert people.are_revoked(signed_in)
    assert tenant.open_sessions() == []


# Two organizations


async def test_a_record_that_somebody_deleted_hands_the_user_over_to_nobody(
    claims: UserClaims, people: People, tenant: Tenant, other: Tenant
) -> None:
    uid = people.sign_up()
    tenant.user(uid).set({})
    await claims.sync(tenant.user(uid).path)
    for record in tenant.organization.collection("reviews").stream():
        record.reference.delete()
    other.user(uid).set({"role": "owner"})

    await claims.sync(other.user(uid).path)

    assert people.claims(uid) == {"org_id": tenant.organization_id}
    assert problems(other.user(uid)) == [("(document id)", "error")]


async def test_of_two_organizations_the_first_keeps_the_user_and_the_second_is_told(
    claims: UserClaims, people: People, tenant: Tenant, other: Tenant
) -> None:
    uid = people.sign_up()
    tenant.user(uid).set({})
    other.user(uid).set({"role": "owner"})

    for each in (other, tenant, other):
        await claims.sync(each.user(uid).path)

    assert people.claims(uid) == {"org_id": tenant.organization_id}
    assert problems(tenant.user(uid)) == []
    assert problems(other.user(uid)) == [("(document id)", "error")]
    (event,) = other.events("user.belongs_elsewhere")
    assert (event["user_id"], event["actor"]) == (uid, "system")
    assert tenant.events("user.belongs_elsewhere") == []
    assert tenant.organization_id not in str([other.user(uid).get().to_dict(), event])


@pytest.mark.parametrize("how", ["deleted", "deactivated"])
async def test_a_user_whom_the_first_lets_go_is_the_seconds(
    claims: UserClaims, people: People, tenant: Tenant, other: Tenant, how: str
) -> None:
    uid = people.sign_up()
    tenant.user(uid).set({})
    other.user(uid).set({"role": "owner"})
    for each in (tenant, other):
        await claims.sync(each.user(uid).path)
    if how == "deleted":
        tenant.user(uid).delete()
    else:
        tenant.user(uid).update({"is_active": False})

    await claims.sync(tenant.user(uid).path)

    assert people.claims(uid) == {"org_id": other.organization_id}
    assert problems(other.user(uid)) == []
    assert len(other.events("user.belongs_elsewhere")) == 1


async def test_who_is_listed_in_two_at_once_ends_with_one_whatever_comes_first(
    store: WatchedFirestore,
    another_store: WatchedFirestore,
    policy: Policy,
    accounts: WatchedAccounts,
    people: People,
    tenant: Tenant,
    other: Tenant,
) -> None:
    instances = [UserClaims(store, policy, accounts), UserClaims(another_store, policy, accounts)]
    for _ in range(5):
        uid = people.sign_up()
        for each in (tenant, other):
            each.user(uid).set({})

        await asyncio.gather(
            *(instance.sync(each.user(uid).path) for instance in instances for each in (other, tenant))
        )

        assert people.claims(uid) == {"org_id": tenant.organization_id}
        assert (problems(tenant.user(uid)), problems(other.user(uid))) == ([], [("(document id)", "error")])


# No loop, nothing twice


async def test_nothing_new_costs_one_read_and_asks_nobody(
    claims: UserClaims, store: WatchedFirestore, accounts: WatchedAccounts, people: People, tenant: Tenant
) -> None:
    uid = people.sign_up()
    tenant.user(uid).set({})
    await claims.sync(tenant.user(uid).path)
    settled = tenant.user(uid).get().update_time
    store.forget()
    accounts.changes.clear()

    await claims.sync(tenant.user(uid).path)

    assert [kind for kind, _ in store.calls] == ["read"]
    assert accounts.changes == []
    assert tenant.user(uid).get().update_time == settled
    assert len(tenant.events("user.edited")) == 1


async def test_events_that_come_late_change_nothing(claims: UserClaims, people: People, tenant: Tenant) -> None:
    uid = people.sign_up()
    for role in ("member", "admin"):
        tenant.user(uid).set({"role": role})
    tenant.user(uid).delete()
    tenant.user(uid).set({"role": "guest"})

    for _ in range(4):
        await claims.sync(tenant.user(uid).path)

    assert people.claims(uid) == {"org_id": tenant.organization_id}
    assert [event["details"]["edit"] for event in tenant.events("user.edited")] == ["created"]


async def test_an_edit_is_told_with_the_user_and_the_values(claims: UserClaims, people: People, tenant: Tenant) -> None:
    uid = people.sign_up()
    tenant.user(uid).set({"role": "member"})
    await claims.sync(tenant.user(uid).path)
    tenant.user(uid).update({"role": "owner"})

    await claims.sync(tenant.user(uid).path)

    _, changed = tenant.events("user.edited")
    assert (changed["user_id"], changed["actor"]) == (uid, "console")
    assert changed["details"]["changes"] == [{"field": "role", "before": '"member"', "after": '"owner"'}]


async def test_a_user_whom_an_owner_keeps_out_was_edited_by_nobody(
    claims: UserClaims, store: WatchedFirestore, policy: Policy, people: People, tenant: Tenant
) -> None:
    uid = people.sign_up()
    tenant.user(uid).set({"role": "member"})
    await claims.sync(tenant.user(uid).path)
    session_id = await acquire(store, policy, tenant, uid)
    until = datetime.now(UTC) + timedelta(hours=1)
    request = ReleaseRequest(user_id="olivia", session_id=session_id, until=until)

    await Releases(store, policy).release(tenant.organization_id, request)
    await claims.sync(tenant.user(uid).path)
    edits = len(tenant.events("user.edited"))
    tenant.user(uid).update({"kept_out": "until tomorrow"})
    await claims.sync(tenant.user(uid).path)

    assert edits == 1
    assert len(tenant.events("user.edited")) == 2
    assert problems(tenant.user(uid)) == [("kept_out", "error")]


async def test_what_fails_at_the_accounts_is_begun_again_by_the_event_that_comes_again(
    claims: UserClaims, accounts: WatchedAccounts, people: People, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    uid = people.sign_up()
    tenant.user(uid).set({})

    async def away(*_: object) -> None:
        raise ConnectionError

    with monkeypatch.context() as patched:
        patched.setattr(accounts, "set_claims", away)
        with pytest.raises(ConnectionError):
            await claims.sync(tenant.user(uid).path)
    assert "problems" not in (tenant.user(uid).get().to_dict() or {})

    await claims.sync(tenant.user(uid).path)

    assert people.claims(uid) == {"org_id": tenant.organization_id}


async def test_who_sets_the_claims_back_time_and_again_is_given_up_on(
    store: WatchedFirestore, policy: Policy, people: People, tenant: Tenant, project: str
) -> None:
    class Stubborn(WatchedAccounts):
        async def set_claims(self, user_id: str, claims: Mapping[str, Any]) -> None:
            await super().set_claims(user_id, {**claims, "org_id": "elsewhere"})

    uid = people.sign_up()
    tenant.user(uid).set({})
    hasty = Policy(
        default_lease_for=policy.default_lease_for,
        default_grace_for=policy.default_grace_for,
        answer_within=policy.answer_within / 20,
        retention=policy.retention,
    )

    with pytest.raises(StoreUnavailable, match="could not be set in time"):
        await UserClaims(store, hasty, Stubborn(project=f"{project}")).sync(tenant.user(uid).path)


@pytest.mark.parametrize("path", ["", "organizations/a", "organizations/a/licenses/l", "organizations/a/users/u/x/y"])
async def test_what_is_no_user_is_logged_and_done_with(
    claims: UserClaims, store: WatchedFirestore, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    await claims.sync(path)

    assert store.calls == []
    assert [record.message for record in caplog.records] == [
        "an event for a document that is not a user; it is ignored"
    ]

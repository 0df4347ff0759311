"""The users of an organization over HTTP: who sees them, who changes whom, and what the trail says."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from google.cloud import firestore

from tests.support.client import Clients, assert_error
from tests.support.people_calls import PeopleCalls
from tests.support.tenant import Tenant


@pytest.fixture
def calls(clients: Clients) -> PeopleCalls:
    return PeopleCalls(clients=clients)


@pytest.fixture
def tenant(console: firestore.Client) -> Tenant:
    return Tenant.create(console, members=2, seats=2)


async def test_an_owner_sees_each_user_with_seats_and_denials_and_the_open_invitations(
    calls: PeopleCalls, clients: Clients, tenant: Tenant
) -> None:
    ended = clients.of(tenant, "m0", hardware_id="desk")
    await ended.release(await ended.acquired())
    await clients.of(tenant, "m0").acquired()
    await clients.of(tenant, "adam").acquired()
    assert (await clients.of(tenant, "m1").acquire()).status_code == 409
    lapsed = await clients.of(tenant, "adam", hardware_id="x", license_key=tenant.license_key).acquire()
    assert lapsed.status_code == 409
    tenant.user("broken").set({"role": "king"})
    invited = (await calls.invite(tenant, "cleo@acme.example")).json()["invitation"]

    body = (await calls.members(tenant)).json()

    members = {each["user_id"]: each for each in body["members"]}
    assert list(members) == sorted(["adam", "broken", "gus", "m0", "m1", "olivia"])
    assert {name: (each["role"], each["seats_in_use"], each["denied_30_days"]) for name, each in members.items()} == {
        "adam": ("admin", 1, 1),
        "broken": (None, 0, 0),
        "gus": ("guest", 0, 0),
        "m0": ("member", 1, 0),
        "m1": ("member", 0, 1),
        "olivia": ("owner", 0, 0),
    }
    assert members["broken"]["misconfigured_fields"] == ["role"]
    latest = max(each["started_at"] for each in tenant.sessions() if each["user_id"] == "m0")
    assert datetime.fromisoformat(members["m0"]["last_seat_at"]) == latest
    assert members["gus"]["last_seat_at"] is None
    assert body["invitations"] == [invited]
    assert body["next_page_token"] is None


async def test_a_session_whose_lease_has_run_out_is_no_seat_in_use(
    calls: PeopleCalls, clients: Clients, tenant: Tenant
) -> None:
    tenant.let_lapse(await clients.of(tenant, "m0").acquired())

    (member,) = [each for each in (await calls.members(tenant)).json()["members"] if each["user_id"] == "m0"]

    assert member["seats_in_use"] == 0


async def test_the_pages_show_each_user_once_and_the_invitations_on_the_first(
    calls: PeopleCalls, tenant: Tenant
) -> None:
    await calls.invite(tenant, "cleo@acme.example")
    pages = [(await calls.members(tenant, page_size=2)).json()]
    while (token := pages[-1]["next_page_token"]) is not None:
        pages.append((await calls.members(tenant, page_size=2, page_token=token)).json())

    assert [each["user_id"] for page in pages for each in page["members"]] == ["adam", "gus", "m0", "m1", "olivia"]
    assert [len(page["invitations"]) for page in pages] == [1, 0, 0]


@pytest.mark.parametrize("by", ["m0", "gus"])
async def test_members_and_guests_see_no_users_and_change_none(calls: PeopleCalls, tenant: Tenant, by: str) -> None:
    seen = await calls.members(tenant, by=by)
    changed = await calls.change(tenant, by, by=by, role="owner")

    assert_error(seen, 403, "ROLE_NOT_ALLOWED")
    assert_error(changed, 403, "ROLE_NOT_ALLOWED")
    assert tenant.events("user.edited") == []


async def test_a_change_is_written_reported_and_told(calls: PeopleCalls, tenant: Tenant) -> None:
    answer = await calls.change(tenant, "m0", by="adam", role="admin", groups=["Design"])

    assert answer.status_code == 200, answer.text
    member = answer.json()["member"]
    assert (member["role"], member["groups"], member["is_active"]) == ("admin", ["design"], True)
    stored = tenant.user("m0").get().to_dict() or {}
    assert (stored["role"], stored["groups"], stored["email"]) == ("admin", ["design"], "m0@example.com")
    (event,) = tenant.events("user.edited")
    assert (event["actor"], event["user_id"]) == ("adam", "m0")
    assert event["details"] == {
        "edit": "changed",
        "changes": [
            {"field": "groups", "before": None, "after": '["design"]'},
            {"field": "role", "before": '"member"', "after": '"admin"'},
        ],
    }


async def test_a_change_to_what_is_already_so_writes_nothing(calls: PeopleCalls, tenant: Tenant) -> None:
    version = tenant.user("m0").get().update_time

    answers = [await calls.change(tenant, "m0"), await calls.change(tenant, "m0", role="member", is_active=True)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert tenant.user("m0").get().update_time == version
    assert tenant.events() == []


@pytest.mark.parametrize(
    ("by", "user_id", "wanted", "status", "code"),
    [
        ("adam", "olivia", {"is_active": False}, 403, "ROLE_NOT_ALLOWED"),
        ("adam", "m0", {"role": "owner"}, 403, "ROLE_NOT_ALLOWED"),
        ("adam", "adam", {"role": "owner"}, 403, "ROLE_NOT_ALLOWED"),
        ("olivia", "olivia", {"role": "admin"}, 409, "LAST_OWNER"),
        ("olivia", "olivia", {"is_active": False}, 409, "LAST_OWNER"),
        ("olivia", "nobody", {"role": "admin"}, 404, "USER_NOT_FOUND"),
        ("olivia", "broken", {"role": "admin"}, 403, "LICENSE_MISCONFIGURED"),
        ("olivia", "m0", {"role": "king"}, 400, "INVALID_REQUEST"),
        ("olivia", "m0", {"email": "m0@evil.example"}, 400, "INVALID_REQUEST"),
    ],
)
async def test_what_may_not_be_changed_stays_and_is_not_reported(
    calls: PeopleCalls, tenant: Tenant, by: str, user_id: str, wanted: dict[str, object], status: int, code: str
) -> None:
    tenant.user("broken").set({"role": "king"})

    answer = await calls.change(tenant, user_id, by=by, **wanted)

    assert_error(answer, status, code)
    assert tenant.events() == []


async def test_of_two_owners_who_depose_each_other_at_once_one_stays(calls: PeopleCalls, tenant: Tenant) -> None:
    tenant.user("orla").set({"role": "owner"})

    answers = await asyncio.gather(
        calls.change(tenant, "orla", by="olivia", role="member"),
        calls.change(tenant, "olivia", by="orla", role="member"),
    )

    roles = [(tenant.user(each).get().to_dict() or {})["role"] for each in ("olivia", "orla")]
    assert sorted(roles) == ["member", "owner"]
    assert sorted(answer.status_code for answer in answers) == [200, 403]


async def test_denials_of_long_ago_are_not_counted(calls: PeopleCalls, clients: Clients, tenant: Tenant) -> None:
    tenant.license().update({"max_concurrent_seats": 0})
    assert (await clients.of(tenant, "m0").acquire()).status_code == 409
    (denial,) = tenant.event_documents("session.denied")
    denial.reference.update({"at": datetime.now(UTC) - timedelta(days=31)})

    (member,) = [each for each in (await calls.members(tenant)).json()["members"] if each["user_id"] == "m0"]

    assert member["denied_30_days"] == 0

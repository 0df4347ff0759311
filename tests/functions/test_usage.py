"""Usage: who holds which seat, as much as the caller's role shows, and whether there were enough."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from google.cloud import firestore

from shared.documents.paths import OrganizationPaths
from shared.documents.rfc3339 import rfc3339
from shared.documents.usage_days import usage_day_fields
from shared.rules.history import DAY, HALF_HOUR, HALF_HOURS, Records, start_of, usage_day
from tests.support.client import Client, Clients, code_of
from tests.support.tenant import LICENSE_ID, Tenant


def _counted(tenant: Tenant, *, days_ago: int, peak: int, denied: int) -> None:
    """Write a day of the history as the function that counts it does, with numbers in the half hour that is over."""
    now = datetime.now(UTC)
    half_hour = (now - start_of(now.date())) // HALF_HOUR
    day = usage_day(LICENSE_ID, now.date() - days_ago * DAY, Records(), computed_at=now.replace(microsecond=0))
    peaks, people = ([0] * HALF_HOURS for _ in range(2))
    peaks[half_hour], people[half_hour] = peak, denied
    written = replace(day, peak_in_use=tuple(peaks), peak_demand=tuple(peaks), denied_people=tuple(people))
    fields = usage_day_fields(replace(written, people_denied=denied))
    paths = OrganizationPaths(tenant.organization_id)
    tenant.console.document(paths.usage_day(LICENSE_ID, day.date)).set(fields)


@pytest.mark.parametrize("manager", ["olivia", "adam"])
async def test_owners_and_admins_see_who_holds_which_seat(
    clients: Clients, console: firestore.Client, manager: str
) -> None:
    tenant = Tenant.create(console, seats=4, organization_seats=9)
    first = await clients.of(tenant, "m0", hardware_id="d0").acquired()
    second = await clients.of(tenant, "m1", hardware_id="d1").acquired()
    lapsed = await clients.of(tenant, "m2").acquired()
    tenant.let_lapse(lapsed)

    response = await clients.of(tenant, manager).usage()

    assert response.status_code == 200
    body = response.json()
    assert body["organization"] == {
        "organization_id": tenant.organization_id,
        "name": "Org",
        "in_use": 2,
        "max": 9,
    }
    (license_,) = body["licenses"]
    shown = [license_[name] for name in ("license_id", "in_use", "max", "share")]
    assert shown == ["license-1", 2, 4, 0.5]
    assert [session["session_id"] for session in license_["sessions"]] == [first, second]
    assert license_["sessions"][0]["user_email"] == "m0@example.com"
    assert license_["earliest_expiry_at"] == license_["sessions"][0]["lease_expires_at"]
    assert license_["last_24_hours"] is None
    assert datetime.fromisoformat(body["server_time"]).tzinfo == UTC
    role = "owner" if manager == "olivia" else "admin"
    assert body["viewer"] == {"user_id": manager, "email": f"{manager}@example.com", "role": role}
    assert license_["license_key"] == tenant.license_key


async def test_members_see_their_own_sessions_and_the_totals(clients: Clients, console: firestore.Client) -> None:
    tenant = Tenant.create(console)
    own = await clients.of(tenant, "m0").acquired()
    other = await clients.of(tenant, "m1").acquired()

    response = await clients.of(tenant, "m0").usage()

    (license_,) = response.json()["licenses"]
    assert license_["in_use"] == 2
    assert [session["session_id"] for session in license_["sessions"]] == [own]
    assert license_["last_24_hours"] is None
    assert other not in response.text
    assert "m1" not in response.text
    assert tenant.license_key not in response.text
    assert (license_["terms"], response.json()["warnings"]) == (None, [])


async def test_guests_see_the_totals(clients: Clients, console: firestore.Client) -> None:
    tenant = Tenant.create(console)
    await clients.of(tenant, "m0").acquired()

    body = (await clients.of(tenant, "gus").usage()).json()

    (license_,) = body["licenses"]
    assert (body["organization"]["in_use"], license_["in_use"]) == (1, 1)
    assert (license_["sessions"], license_["last_24_hours"]) == ([], None)


async def test_who_is_no_member_sees_nothing(clients: Clients, console: firestore.Client) -> None:
    response = await clients.of(Tenant.create(console), "nobody").usage()

    assert (response.status_code, code_of(response)) == (403, "USER_INACTIVE")


async def test_a_license_key_narrows_it_to_one_license(clients: Clients, console: firestore.Client) -> None:
    tenant = Tenant.create(console)
    tenant.add_license("other", "OTHER-KEY", seats=7)
    here = await clients.of(tenant, "m0").acquired()
    elsewhere = await clients.of(tenant, "m1", license_key="OTHER-KEY").acquired()

    response = await clients.of(tenant, "olivia").usage(license_key="OTHER-KEY")

    (license_,) = response.json()["licenses"]
    assert (license_["license_id"], license_["max"]) == ("other", 7)
    assert [session["session_id"] for session in license_["sessions"]] == [elsewhere]
    assert here not in response.text
    assert response.json()["organization"]["in_use"] == 2


async def test_an_unknown_license_key_is_not_found(clients: Clients, console: firestore.Client) -> None:
    tenant, other = Tenant.create(console), Tenant.create(console)

    response = await clients.of(tenant, "olivia").usage(license_key=other.license_key)

    assert (response.status_code, code_of(response)) == (404, "LICENSE_NOT_FOUND")


async def test_sessions_come_in_pages_with_the_totals_on_each(clients: Clients, console: firestore.Client) -> None:
    tenant = Tenant.create(console, seats=5)
    held = {await clients.of(tenant, f"m{number}").acquired() for number in range(5)}
    owner = clients.of(tenant, "olivia")
    pages: list[dict[str, Any]] = []
    token: str | None = ""

    while token is not None:
        asked = {"page_token": token} if token else {}
        pages.append((await owner.usage(page_size="2", **asked)).json())
        token = pages[-1]["next_page_token"]

    licenses = [page["licenses"][0] for page in pages]
    assert [len(license_["sessions"]) for license_ in licenses] == [2, 2, 1]
    assert {session["session_id"] for license_ in licenses for session in license_["sessions"]} == held
    assert [license_["in_use"] for license_ in licenses] == [5, 5, 5]


async def test_the_last_24_hours_are_those_of_the_history_and_the_present(
    clients: Clients, console: firestore.Client
) -> None:
    tenant = Tenant.create(console)
    _counted(tenant, days_ago=0, peak=2, denied=3)
    _counted(tenant, days_ago=1, peak=99, denied=9)  # its half hour began more than 24 hours ago
    await clients.of(tenant, "m0").acquired()

    now, full = [(await clients.of(tenant, "olivia").usage(view=view)).json() for view in ("now", "full")]
    of_member = (await clients.of(tenant, "m0").usage()).json()

    lately = full["licenses"][0]["last_24_hours"]
    begins_at, computed_at = (datetime.fromisoformat(lately.pop(name)) for name in ("begins_at", "computed_at"))
    assert lately == {"peak_in_use": 2, "peak_demand": 2, "peak_overdraft": 0, "denied_users": 3}
    server_time = datetime.fromisoformat(full["server_time"])
    assert timedelta(hours=23.5) < server_time - begins_at <= timedelta(hours=24)
    assert server_time - timedelta(minutes=10) < computed_at <= server_time
    for body in (now, full):
        assert [(each["code"], each["number"]) for each in body["warnings"]] == [("DENIED_TODAY", 3)]
    assert now["licenses"][0]["last_24_hours"] is None
    assert (of_member["licenses"][0]["last_24_hours"], of_member["warnings"]) == (None, [])


async def test_a_day_that_an_admin_edited_does_not_break_it(clients: Clients, console: firestore.Client) -> None:
    tenant = Tenant.create(console)
    _counted(tenant, days_ago=0, peak=2, denied=3)
    (day,) = tenant.organization.collection("usage_days").list_documents()
    day.update({"peak_in_use": "gone"})

    (license_,) = (await clients.of(tenant, "olivia").usage()).json()["licenses"]

    assert license_["last_24_hours"] is None


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"page_size": "0"}, "page_size"),
        ({"page_size": "501"}, "page_size"),
        ({"page_size": "many"}, "page_size"),
        ({"page_token": "a/b"}, "page_token"),
        ({"page_token": ""}, "page_token"),
        ({"license_key": ""}, "license_key"),
        ({"license_key": "x" * 257}, "license_key"),
        ({"organization_id": "another"}, "organization_id"),
        ({"page_size": ["1", "2"]}, "page_size"),
        ({"view": "later"}, "view"),
    ],
)
async def test_a_query_of_another_form_is_refused_and_says_where(
    clients: Clients, console: firestore.Client, query: dict[str, Any], field: str
) -> None:
    response = await clients.of(Tenant.create(console), "olivia").usage(**query)

    assert (response.status_code, code_of(response)) == (400, "INVALID_REQUEST")
    assert [each["field"] for each in response.json()["error"]["details"]["fields"]] == [field]


async def test_a_license_that_cannot_be_used_says_what_to_mend(clients: Clients, console: firestore.Client) -> None:
    tenant = Tenant.create(console)
    tenant.license().update({"max_concurrent_seats": -1, "expires_at": "tomorrow"})

    body = (await clients.of(tenant, "olivia").usage()).json()

    (license_,) = body["licenses"]
    assert license_["misconfigured_fields"] == ["max_concurrent_seats", "expires_at"]
    assert license_["max"] is None


async def test_a_license_that_gives_no_seat_says_why(clients: Clients, console: firestore.Client) -> None:
    tenant, ended_at = Tenant.create(console), datetime.now(UTC) - timedelta(days=30)
    tenant.add_license("over", "OVER", seats=1, expires_at=ended_at)
    tenant.add_license("off", "OFF", seats=1, is_active=False)
    tenant.add_license("soon", "SOON", seats=1, starts_at=datetime.now(UTC) + timedelta(days=30))
    tenant.add_license("twin", "TWIN", seats=1)
    tenant.add_license("other-twin", "TWIN", seats=1)

    body = (await clients.of(tenant, "olivia").usage()).json()

    told = {each["license_id"]: (each["status"], each["is_active"], each["expires_at"]) for each in body["licenses"]}
    assert told == {
        "license-1": ("active", True, None),
        "over": ("expired", True, rfc3339(ended_at)),
        "off": ("inactive", False, None),
        "soon": ("not_started", True, None),
        "twin": ("misconfigured", None, None),
        "other-twin": ("misconfigured", None, None),
    }


async def test_owners_and_admins_see_the_terms_of_a_license_and_what_is_wrong_with_it(
    clients: Clients, console: firestore.Client
) -> None:
    tenant = Tenant.create(console, reservations={"design": 1}, lease_seconds=600, max_borrow_seconds=86_400)
    about_key = {"field": "license_key", "level": "notice", "found": "another organization's", "expected": "its own"}
    tenant.license().update({"problems": [{**about_key, "field": "name"}, about_key, "not by us"]})
    tenant.add_license("broken", "BROKEN", seats=-1)

    whole, broken = (await clients.of(tenant, "adam").usage()).json()["licenses"][::-1]

    unset = dict.fromkeys(("allowed_groups", "max_devices_per_user", "idle_seconds", "max_borrowed_seats"))
    assert whole["terms"] == {
        **unset,
        "reservations": {"design": 1},
        "overdraft_seats": 0,
        "max_borrow_seconds": 86_400,
        "max_instances_per_seat": None,
        "lease_seconds": 600,
        "grace_seconds": 0,
        "problems": ["name (notice). Found: another organization's. Expected: its own."],
    }
    assert broken["license_key"] is None
    assert broken["terms"] == {**dict.fromkeys(whole["terms"]), "problems": []}


async def test_what_owners_and_admins_should_know_of_stands_in_both_views(
    clients: Clients, console: firestore.Client
) -> None:
    tenant = Tenant.create(console, seats=1, expires_at=datetime.now(UTC) + timedelta(days=5, minutes=5))
    tenant.add_license("busy", "BUSY", seats=5)
    await clients.of(tenant, "m0").acquired()
    held = [await clients.of(tenant, f"m{number}", license_key="BUSY").acquired() for number in range(4)]
    for session_id in held:
        tenant.session(session_id).update({"started_at": datetime.now(UTC) - timedelta(minutes=16)})

    told = [(await clients.of(tenant, "olivia").usage(view=view)).json()["warnings"] for view in ("now", "full")]

    codes = [[(each["code"], each["license_id"], each["number"]) for each in warnings] for warnings in told]
    assert codes[0] == [("FULL", "license-1", 0), ("NEARLY_FULL", "busy", 80), ("LICENSE_ENDS", "license-1", 6)]
    assert codes[1] == codes[0]


def _knowing(client: Client, answer: httpx.Response, *, as_sent: Callable[[str], str] = str) -> Client:
    """The client with the tag of an answer that it has."""
    return replace(client, headers={"If-None-Match": as_sent(answer.headers["ETag"])})


@pytest.mark.parametrize(
    "as_sent",
    [str, lambda tag: tag.removeprefix("W/"), lambda tag: f'"another", {tag}'],
    ids=["as it came", "made strong on its way", "among others"],
)
async def test_who_has_the_answer_is_told_that_it_still_stands(
    clients: Clients, console: firestore.Client, as_sent: Callable[[str], str]
) -> None:
    tenant = Tenant.create(console)
    await clients.of(tenant, "m0").acquired()
    owner = clients.of(tenant, "olivia")
    first = await owner.usage(view="now")

    again = await _knowing(owner, first, as_sent=as_sent).usage(view="now")

    assert (first.status_code, first.json()["licenses"][0]["last_24_hours"]) == (200, None)
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    assert again.headers["Cache-Control"] == first.headers["Cache-Control"] == "private, no-store"


async def test_a_seat_that_is_taken_or_given_back_is_seen_by_the_next_request(
    clients: Clients, console: firestore.Client
) -> None:
    tenant = Tenant.create(console)
    member, owner = clients.of(tenant, "m0"), clients.of(tenant, "olivia")
    before = await owner.usage(view="now")

    session_id = await member.acquired()
    held = await _knowing(owner, before).usage(view="now")
    await member.release(session_id)
    given_back = await _knowing(owner, held).usage(view="now")

    assert [answer.json()["organization"]["in_use"] for answer in (before, held, given_back)] == [0, 1, 0]


async def test_an_answer_stands_for_nobody_else_and_for_no_other_question(
    clients: Clients, console: firestore.Client
) -> None:
    tenant, other = Tenant.create(console), Tenant.create(console)
    await clients.of(tenant, "m0").acquired()
    owner = clients.of(tenant, "olivia")
    first = await owner.usage(view="now")
    people = [clients.of(tenant, "adam"), clients.of(tenant, "m0"), clients.of(tenant, "gus")]
    people.append(clients.of(other, "olivia"))
    questions: list[dict[str, Any]] = [{}, {"view": "now", "page_size": 1}]
    questions.append({"view": "now", "license_key": tenant.license_key})

    of_others = [await _knowing(each, first).usage(view="now") for each in people]
    to_others = [await _knowing(owner, first).usage(**each) for each in questions]

    assert {answer.status_code for answer in (*of_others, *to_others)} == {200}
    assert [answer.json()["viewer"]["user_id"] for answer in of_others] == ["adam", "m0", "gus", "olivia"]
    assert of_others[3].json()["organization"]["organization_id"] == other.organization_id
    tags = [answer.headers["ETag"] for answer in (first, *of_others, *to_others)]
    assert len(set(tags)) == len(tags)


async def test_who_loses_a_role_or_a_membership_has_no_answer_that_stands(
    clients: Clients, console: firestore.Client
) -> None:
    tenant = Tenant.create(console)
    session_id = await clients.of(tenant, "m0").acquired()
    owner = clients.of(tenant, "olivia")
    first = await owner.usage(view="now")

    tenant.user("olivia").update({"role": "member"})
    as_member = await _knowing(owner, first).usage(view="now")
    tenant.user("olivia").update({"is_active": False})
    as_none = await _knowing(owner, as_member).usage(view="now")

    assert session_id in first.text
    assert (as_member.status_code, as_member.json()["viewer"]["role"]) == (200, "member")
    assert session_id not in as_member.text
    assert (as_none.status_code, code_of(as_none)) == (403, "USER_INACTIVE")


async def test_another_organizations_seats_are_not_in_it(clients: Clients, console: firestore.Client) -> None:
    tenant, other = Tenant.create(console), Tenant.create(console)
    session_id = await clients.of(tenant, "m0").acquired()

    response = await clients.of(other, "olivia").usage()

    assert session_id not in response.text
    assert response.json()["organization"]["in_use"] == 0

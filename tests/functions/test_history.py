"""History over HTTP: the days of the licenses and the audit trail, for owners and admins, as JSON and as CSV."""

import csv
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import httpx
import pytest
from google.cloud import firestore

from infra.local.processes import Process
from shared.rules.history import start_of
from tests.support.client import Client, Clients, assert_error
from tests.support.contract import broken_by, the_contract
from tests.support.tenant import LICENSE_ID, Tenant

HOUR = timedelta(hours=1)


@pytest.fixture
def start() -> datetime:
    """The start of a day that has settled."""
    return start_of(datetime.now(UTC).date() - timedelta(days=3))


@pytest.fixture
async def tenant(
    console: firestore.Client, http: httpx.AsyncClient, servers: Mapping[str, Process], start: datetime
) -> Tenant:
    """An organization with one seat, of whose users one worked and another was refused; and the day is counted."""
    tenant = Tenant.create(console, seats=1, name="=1+1")
    lease = {"last_heartbeat_at": start + 2 * HOUR, "lease_expires_at": start + 3 * HOUR}
    tenure = {"started_at": start + HOUR, **lease}
    tenant.organization.collection("audit_events").add(
        {**_event("session.released", start + 2 * HOUR, "m0"), "details": tenure}
    )
    for minutes in range(3):
        at = start + HOUR + timedelta(minutes=minutes)
        tenant.organization.collection("audit_events").add(
            {**_event("session.denied", at, "m1"), "details": {"last_attempt_at": at, "attempts": 1}}
        )
    response = await http.post(servers["summarize_usage"].url)
    assert response.json()["organizations_failed"] == 0, response.text
    return tenant


def _event(kind: str, at: datetime, user: str) -> dict[str, Any]:
    return {
        "type": kind,
        "at": at,
        "actor": user,
        "license_id": LICENSE_ID,
        "session_id": f"of-{user}",
        "user_id": user,
    }


async def _told(client: Client, **query: Any) -> dict[str, Any]:  # noqa: ANN401 a test may ask anything
    answer = await client.history(**query)
    broken = broken_by(
        the_contract(), "history", status=answer.status_code, headers=answer.headers, content=answer.content
    )
    assert (answer.status_code, broken) == (200, []), answer.text
    body: dict[str, Any] = answer.json()
    return body


def _rows(answer: httpx.Response) -> list[dict[str, str]]:
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8", answer.text
    assert answer.content.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(StringIO(answer.content.decode("utf-8-sig"), newline="")))


async def test_an_owner_sees_how_each_license_was_used_and_how_many_seats_would_have_been_enough(
    clients: Clients, tenant: Tenant, start: datetime
) -> None:
    date = start.date().isoformat()

    told = await _told(clients.of(tenant, "olivia"), **{"from": date, "to": date})

    (license_,) = told["licenses"]
    (day,) = license_["days"]
    assert told["organization"] == {"organization_id": tenant.organization_id, "name": "Org"}
    assert (told["from"], told["to"]) == (date, date)
    assert (license_["license_id"], license_["name"], license_["max"]) == (LICENSE_ID, "=1+1", 1)
    assert (day["date"], day["is_settled"], day["is_complete"]) == (date, True, True)
    assert (day["peak_in_use"][2:4], day["peak_demand"][2:4]) == ([1, 1], [2, 1])
    assert (day["seconds_at"], day["seat_seconds"]) == ({"0": 82_800, "1": 3_600}, 3_600)
    assert (day["people_denied"], day["people_turned_away"], day["denied_people"][2]) == (1, 1, 1)
    assert license_["summary"]["seats_enough_for"] == {"95": 1, "99": 2, "100": 2}
    assert license_["summary"]["enough_share"] == pytest.approx(0.95)


@pytest.mark.parametrize(("user_id", "code"), [("m0", "ROLE_NOT_ALLOWED"), ("gus", "ROLE_NOT_ALLOWED")])
@pytest.mark.parametrize("view", ["days", "events"])
async def test_the_history_is_for_owners_and_admins_only(
    clients: Clients, tenant: Tenant, user_id: str, code: str, view: str
) -> None:
    refused = await clients.of(tenant, user_id).history(view=view)

    assert_error(refused, 403, code)
    assert (await clients.of(tenant, "adam").history(view=view)).status_code == 200


async def test_without_dates_the_last_30_days_are_answered_and_a_deleted_license_by_its_id(
    clients: Clients, tenant: Tenant
) -> None:
    client = clients.of(tenant, "olivia")
    tenant.license().delete()

    everything = await _told(client)
    deleted = await _told(client, license_id=LICENSE_ID)

    first, last = (datetime.fromisoformat(everything[name]) for name in ("from", "to"))
    assert (last - first).days == 29
    assert everything["licenses"] == []
    assert (deleted["licenses"][0]["name"], len(deleted["licenses"][0]["days"]) > 2) == (None, True)
    assert_error(await client.history(license_id="no-such-license"), 404, "LICENSE_NOT_FOUND")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"from": "2026-02-30"}, "from"),
        ({"from": "0"}, "from"),
        ({"from": "2026-03-02", "to": "2026-03-01"}, "to"),
        ({"from": "2026-01-01", "to": "2027-02-05"}, "to"),
        ({"license_id": "a/b"}, "license_id"),
        ({"view": "hours"}, "view"),
        ({"view": "events", "page_token": "next"}, "page_token"),
        ({"view": "events", "type": "session.stolen"}, "type"),
        ({"page_size": "501"}, "page_size"),
        ({"organization_id": "other"}, "organization_id"),
    ],
)
async def test_a_query_that_cannot_be_answered_says_which_field_is_wrong(
    clients: Clients, console: firestore.Client, query: dict[str, str], field: str
) -> None:
    answer = await clients.of(Tenant.create(console, members=0), "olivia").history(**query)

    assert_error(answer, 400, "INVALID_REQUEST")
    assert [each["field"] for each in answer.json()["error"]["details"]["fields"]] == [field]


async def test_a_day_and_events_that_an_admin_broke_hide_nothing_else(
    clients: Clients, tenant: Tenant, start: datetime
) -> None:
    client, broken = clients.of(tenant, "olivia"), {"details": {"attempts": float("nan")}, "user_id": 5}
    tenant.organization.collection("audit_events").add({**_event("session.denied", start, "m0"), "type": 5, **broken})
    days = tenant.organization.collection("usage_days")
    days.document(f"{LICENSE_ID}~{(start + 24 * HOUR).date()}").update({"date": "9999-12-31"})
    asked = {"from": start.date().isoformat()}

    events = (await _told(client, view="events"))["events"]
    (license_,) = (await _told(client, **asked))["licenses"]
    files = [await client.history(format="csv", **asked, **more) for more in ({"per": "day"}, {"view": "events"})]

    assert [each["type"] for each in events] == ["session.released", *["session.denied"] * 3, ""]
    assert (events[-1]["user_id"], events[-1]["details"]) == (None, {"attempts": None})
    assert [each["date"] for each in license_["days"]][:2] == [asked["from"], str((start + 48 * HOUR).date())]
    assert [len(_rows(each)) for each in files] == [len(license_["days"]), 5]


async def test_as_csv_there_is_a_row_for_each_half_hour_or_day_and_no_cell_is_a_formula(
    clients: Clients, tenant: Tenant, start: datetime
) -> None:
    client, date = clients.of(tenant, "olivia"), start.date().isoformat()

    by_header = await client.history(accept="text/csv", **{"from": date, "to": date})
    by_query = await client.history(format="csv", per="day", **{"from": date, "to": date})

    half_hours, (day,) = _rows(by_header), _rows(by_query)
    assert len(half_hours) == 48
    assert half_hours[2] | {"computed_at": ""} == {
        "license_id": LICENSE_ID,
        "license_name": "'=1+1",
        "begins_at": (start + HOUR).isoformat(),
        "ends_at": (start + 1.5 * HOUR).isoformat(),
        "peak_in_use": "1",
        "peak_demand": "2",
        "seats": "1",
        "full_seconds": "1800",
        "denied_people": "1",
        "computed_at": "",
        "is_settled": "true",
        "is_complete": "true",
    }
    assert (day["seat_seconds"], day["people_turned_away"], day["waits_p50_seconds"]) == ("3600", "1", "")
    name = f"{tenant.organization_id}_{date}_{date}_UTC.csv"
    assert by_query.headers["Content-Disposition"] == f'attachment; filename="{name}"'
    assert by_query.headers["Cache-Control"] == "private, no-store"


async def test_the_trail_comes_page_by_page_newest_first_and_narrowed_as_asked(
    clients: Clients, tenant: Tenant, start: datetime
) -> None:
    client = clients.of(tenant, "adam")

    pages, token = list[dict[str, Any]](), None
    while token is not None or not pages:
        behind: dict[str, Any] = {} if token is None else {"page_token": token}
        pages.append(await _told(client, view="events", page_size=2, **behind))
        token = pages[-1]["next_page_token"]

    events = [event for page in pages for event in page["events"]]
    assert [event["type"] for event in events] == ["session.released", *["session.denied"] * 3]
    assert events[0]["details"]["started_at"] == (start + HOUR).isoformat(timespec="microseconds").replace(
        "+00:00", "Z"
    )
    assert [len(page["events"]) for page in pages] == [2, 2, 0]
    for query, number in (
        ({"user_id": "m1"}, 3),
        ({"type": "session.denied"}, 3),
        ({"license_id": LICENSE_ID}, 4),
        ({"user_id": "m0", "type": "session.denied"}, 0),
        ({"license_id": LICENSE_ID, "type": "session.released"}, 1),
        ({"to": (start - HOUR).date().isoformat()}, 0),
        ({"from": start.date().isoformat(), "to": start.date().isoformat()}, 4),
    ):
        found = await _told(client, view="events", **query)
        assert (len(found["events"]), found["next_page_token"]) == (number, None), query
    rows = _rows(await client.history(view="events", format="csv", user_id="m1"))
    assert [row["type"] for row in rows] == ["session.denied"] * 3

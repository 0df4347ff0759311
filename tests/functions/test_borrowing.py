"""Borrowed seats over HTTP: how long they last, who gets one, and what stays when one is taken back."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import cycle
from typing import Any

import httpx
import pytest
from google.cloud import firestore

from infra.local.processes import Process
from tests.support.client import Client, Clients, answered, assert_error, code_of
from tests.support.lease import shown_keys, verified
from tests.support.tenant import Tenant

DAY = 24 * 60 * 60
LAPTOPS, LENT = 50, 10


def in_days(days: float) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).isoformat()


@pytest.fixture
async def keys(http: httpx.AsyncClient, servers: Mapping[str, Process]) -> dict[str, Any]:
    return dict((await shown_keys(http, servers["keys"].url)).json())


def lending(console: firestore.Client, **terms: Any) -> Tenant:  # noqa: ANN401 any field of a license
    return Tenant.create(console, **{"seats": 5, "max_borrow_seconds": 7 * DAY, "grace_seconds": 7200, **terms})


async def test_a_borrowed_seat_is_proven_until_then_and_not_a_second_longer(
    clients: Clients, console: firestore.Client, keys: dict[str, Any]
) -> None:
    client, until = clients.of(lending(console)), in_days(3)

    new = await client.acquire(borrow_until=until)
    kept = await client.heartbeat(new.json()["session_id"])

    for answer, status in ((new, 201), (kept, 200)):
        body = answer.json()
        claims = verified(body["lease_token"], keys)
        assert answer.status_code == status
        assert datetime.fromisoformat(body["borrowed_until"]) == datetime.fromisoformat(until)
        assert body["lease_expires_at"] == body["grace_ends_at"] == body["borrowed_until"]
        ends = int(datetime.fromisoformat(until).timestamp())
        assert claims["borrowed"] is True
        assert claims["exp"] == claims["lease_expires_at"] == claims["grace_ends_at"] == ends


async def test_the_seat_that_a_device_holds_is_borrowed_extended_and_given_back_early(
    clients: Clients, console: firestore.Client
) -> None:
    tenant = lending(console)
    client = clients.of(tenant)
    session_id = await client.acquired()

    borrowed = await client.acquire(borrow_until=in_days(1))
    again = await client.acquire(borrow_until=borrowed.json()["borrowed_until"])
    longer = await client.acquire(borrow_until=in_days(6))
    plain = await client.acquire()
    given_back = await client.release(session_id)

    assert [each.status_code for each in (borrowed, again, longer, plain, given_back)] == [200, 200, 200, 200, 204]
    assert borrowed.json()["session_id"] == session_id
    assert plain.json()["borrowed_until"] == longer.json()["borrowed_until"] > borrowed.json()["borrowed_until"]
    assert [event["grant_number"] for event in tenant.events("session.borrowed")] == [2, 3]
    (end,) = tenant.events("session.released")
    assert "overhang_until" not in end["details"]
    assert tenant.counters()["total"] == 0


async def test_each_reason_not_to_lend_a_seat_has_its_code_and_what_a_program_can_do(
    clients: Clients, console: firestore.Client
) -> None:
    off, ending = Tenant.create(console), lending(console, expires_at=datetime.now(UTC) + timedelta(days=2))
    few = lending(console, max_borrowed_seats=1)
    (await clients.of(few, "m1").acquire(borrow_until=in_days(1))).raise_for_status()

    not_lent = await clients.of(off).acquire(borrow_until=in_days(1))
    past = await clients.of(few).acquire(borrow_until=in_days(-1))
    too_long = await clients.of(few).acquire(borrow_until=in_days(8))
    past_the_end = await clients.of(ending).acquire(borrow_until=in_days(3))
    all_lent = await clients.of(few).acquire(borrow_until=in_days(1))

    assert_error(not_lent, 403, "BORROWING_OFF")
    assert_error(past, 400, "INVALID_REQUEST")
    assert past.json()["error"]["details"]["fields"][0]["field"] == "borrow_until"
    for refused, days in ((too_long, 7), (past_the_end, 2)):
        assert_error(refused, 403, "BORROW_TOO_LONG")
        latest = datetime.fromisoformat(refused.json()["error"]["details"]["latest_until"])
        assert timedelta(days=days - 0.1) < latest - datetime.now(UTC) <= timedelta(days=days)
    assert_error(all_lent, 409, "BORROWED_SEATS_LIMIT_REACHED")
    details = all_lent.json()["error"]["details"]
    assert (details["borrowed"], details["max"], details["retry_after_seconds"]) == (1, 1, 60)
    assert (off.sessions(), len(few.open_sessions())) == ([], 1)


async def test_a_borrowed_seat_that_an_owner_takes_back_is_free_on_record_and_its_overhang_is_shown(
    clients: Clients, console: firestore.Client
) -> None:
    tenant = lending(console, max_borrowed_seats=2)
    for user_id in ("m0", "m1"):
        (await clients.of(tenant, user_id).acquire(borrow_until=in_days(3))).raise_for_status()
    owner, lost = clients.of(tenant, "olivia"), clients.of(tenant, "m0")
    (session,) = [each for each in tenant.sessions() if each["user_id"] == "m0"]
    session_id = (await lost.acquire()).json()["session_id"]

    (await owner.release(session_id)).raise_for_status()

    async def seen_by(client: Client) -> dict[str, Any]:
        (license_,) = (await client.usage()).json()["licenses"]
        return dict(license_)

    until = session["borrowed_until"]
    (end,) = tenant.events("session.revoked")
    assert end["details"]["overhang_until"] == until
    for client in (owner, lost):
        license_ = await seen_by(client)
        (overhang,) = license_["borrowed"].pop("overhang")
        assert license_["borrowed"] == {"in_use": 1, "max": 2}
        assert license_["in_use"] == 1
        assert (overhang["session_id"], overhang["user_id"]) == (session_id, "m0")
        assert datetime.fromisoformat(overhang["until"]) == until
    assert (await seen_by(clients.of(tenant, "m1")))["borrowed"]["overhang"] == []
    assert code_of(await lost.heartbeat(session_id)) == "SESSION_REVOKED"


@pytest.mark.parametrize("rounds", [pytest.param(1, id="1"), pytest.param(9, id="9 more", marks=pytest.mark.long)])
async def test_of_fifty_laptops_that_borrow_at_once_exactly_ten_do(
    rounds: int, clients: Clients, console: firestore.Client, four_acquire_processes: list[str]
) -> None:
    for _ in range(rounds):
        tenant = lending(console, seats=LAPTOPS, members=LAPTOPS, max_borrowed_seats=LENT)

        answers = await _all_borrow(clients, tenant, four_acquire_processes)

        assert answers == {"borrowed": LENT, "BORROWED_SEATS_LIMIT_REACHED": LAPTOPS - LENT}
        assert sum(each["borrowed_until"] is not None for each in tenant.open_sessions()) == LENT
        grants = [*tenant.events("session.acquired"), *tenant.events("session.borrowed")]
        assert sorted(event["grant_number"] for event in grants) == list(range(1, 2 * LENT + 1))


async def _all_borrow(clients: Clients, tenant: Tenant, urls: list[str]) -> Counter[str]:
    next_url, until = cycle(urls), in_days(1)

    async def borrow(number: int) -> str:
        of_one = Clients(http=clients.http, urls={"acquire": next(next_url)}, project=clients.project)
        laptop = of_one.of(tenant, f"m{number}", hardware_id=f"laptop-{number}")
        answer = await answered(lambda: laptop.acquire(borrow_until=until))
        return code_of(answer) if answer.is_error else "borrowed"

    return Counter(await asyncio.gather(*map(borrow, range(LAPTOPS))))

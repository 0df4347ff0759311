"""What one user may cause: floods of a member are bounded, and the neighbours are answered."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Mapping

import pytest
from google.cloud import firestore

from infra.local.processes import Process
from shared.edge.identity import AT_A_TIME, BURST, REQUESTS_A_SECOND
from tests.support.client import Clients, assert_error, code_of
from tests.support.tenant import Tenant

FLOOD = 600


async def _flood(clients: Clients, tenant: Tenant) -> tuple[Counter[str], float]:
    """Ask for seats on devices that do not exist, with as many connections as are allowed, and time it."""
    numbers, answers = iter(range(FLOOD)), Counter[str]()

    async def connection() -> None:
        for number in numbers:
            answer = await clients.of(tenant, "m0", hardware_id=f"invented-{number}").acquire()
            answers["granted" if answer.is_success else code_of(answer)] += 1
            if answer.status_code == 429:
                assert_error(answer, 429, "RATE_LIMITED")
                assert answer.headers["Retry-After"] == "1"

    began = time.monotonic()
    await asyncio.gather(*(connection() for _ in range(AT_A_TIME // 2)))
    return answers, time.monotonic() - began


@pytest.mark.parametrize(("seats", "answer"), [(0, "SEAT_LIMIT_REACHED"), (FLOOD + 1, "granted")])
async def test_a_members_flood_is_bounded_and_a_neighbour_is_answered(
    clients: Clients, console: firestore.Client, seats: int, answer: str
) -> None:
    tenant = Tenant.create(console, seats=seats)

    flood = asyncio.create_task(_flood(clients, tenant))
    neighbour = await clients.of(tenant, "m1").acquire()
    answers, took = await flood

    most = BURST + REQUESTS_A_SECOND * took + 1
    assert neighbour.status_code == (201 if seats else 409)
    assert answers.keys() <= {answer, "RATE_LIMITED"}
    assert answers.total() == FLOOD
    assert BURST <= answers[answer] <= most
    if seats:
        assert len(tenant.sessions()) == answers["granted"] + 1
    else:
        # One of the member for each minute that the flood touched, and one of the neighbour.
        assert len(tenant.events("session.denied")) <= took / 60 + 3


@pytest.mark.long
async def test_a_user_who_is_refused_by_one_function_is_answered_by_the_others(
    clients: Clients, console: firestore.Client
) -> None:
    tenant = Tenant.create(console, seats=FLOOD)
    member = clients.of(tenant, "m0")
    session_id = await member.acquired()

    await _flood(clients, tenant)

    assert (await member.heartbeat(session_id)).status_code == 200
    assert (await member.release(session_id)).status_code == 204


async def test_who_asks_for_a_key_that_does_not_exist_is_named_in_the_log(
    clients: Clients, console: firestore.Client, servers: Mapping[str, Process]
) -> None:
    tenant = Tenant.create(console)

    answer = await clients.of(tenant, "m0", license_key="INVENTED").acquire()

    assert_error(answer, 404, "LICENSE_NOT_FOUND")
    lines = servers["acquire"].log.read_text().splitlines()
    told = [json.loads(line) for line in lines if tenant.organization_id in line]
    assert {"severity": "INFO", "organization_id": tenant.organization_id, "user_id": "m0"}.items() <= told[-1].items()
    assert "INVENTED" not in "".join(lines)

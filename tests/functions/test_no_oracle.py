"""What is somebody else's and what is not there get the same answer, byte for byte."""

import re

import pytest
from google.cloud import firestore

from tests.support.client import Client, Clients
from tests.support.tenant import LICENSE_ID, Tenant

MISSING = "a" * 26


@pytest.fixture
def tenant(console: firestore.Client) -> Tenant:
    return Tenant.create(console)


@pytest.fixture
def foreign(console: firestore.Client) -> Tenant:
    """Another organization, with the same users."""
    return Tenant.create(console)


async def _shown(asking: Client, function: str, **request: str) -> tuple[int, str, dict[str, str]]:
    """Ask, and give everything that the answer shows."""
    by_query = {"history": asking.history, "usage": asking.usage}
    asks = by_query.get(function)
    answer = await (asking.post(function, json=request) if asks is None else asks(**request))
    text = re.sub(r'"request_id":"[0-9a-f]{32}"', '"request_id":"…"', answer.text)
    text = re.sub(r'"server_time":"[^"]+"', '"server_time":"…"', text)
    assert len(answer.headers["x-request-id"]) == 32
    headers = {name: value for name, value in answer.headers.items() if name not in {"date", "x-request-id"}}
    return answer.status_code, text, headers


@pytest.mark.parametrize("function", ["heartbeat", "release"])
@pytest.mark.parametrize("holder", ["a colleague", "somebody elsewhere", "the same user elsewhere"])
async def test_somebody_elses_session_is_as_one_that_is_not_there(
    clients: Clients, tenant: Tenant, foreign: Tenant, function: str, holder: str
) -> None:
    where, who = {"a colleague": (tenant, "m1"), "somebody elsewhere": (foreign, "m1")}.get(holder, (foreign, "m0"))
    session_id = await clients.of(where, who).acquired()
    asking = clients.of(tenant)

    missing = await _shown(asking, function, session_id=MISSING)
    others = await _shown(asking, function, session_id=session_id)

    assert others == missing
    assert "SESSION_NOT_FOUND" in missing[1]
    assert len(where.open_sessions()) == 1


@pytest.mark.parametrize("state", ["held", "full", "deactivated", "broken"])
async def test_another_organizations_license_key_is_as_one_that_is_not_there(
    clients: Clients, tenant: Tenant, foreign: Tenant, state: str
) -> None:
    fields: dict[str, dict[str, object]] = {
        "held": {},
        "full": {"max_concurrent_seats": 1},
        "deactivated": {"is_active": False},
        "broken": {"name": 5},
    }
    await clients.of(foreign).acquired()
    foreign.license(LICENSE_ID).set(fields[state], merge=True)
    asking = clients.of(tenant)

    missing = await _shown(asking, "acquire", license_key="no-such-key", hardware_id="laptop")
    others = await _shown(asking, "acquire", license_key=foreign.license_key, hardware_id="laptop")

    assert others == missing
    assert "LICENSE_NOT_FOUND" in missing[1]
    assert tenant.sessions() == tenant.events() == []


@pytest.mark.parametrize("user_id", ["olivia", "m0", "gus"])
async def test_so_it_is_in_the_usage_report(clients: Clients, tenant: Tenant, foreign: Tenant, user_id: str) -> None:
    await clients.of(foreign).acquired()
    asking = clients.of(tenant, user_id)

    missing = await _shown(asking, "usage", license_key="no-such-key")
    others = await _shown(asking, "usage", license_key=foreign.license_key)

    assert others == missing
    assert "LICENSE_NOT_FOUND" in missing[1]


async def test_no_request_can_name_an_organization(clients: Clients, tenant: Tenant, foreign: Tenant) -> None:
    # It is the token's, and nobody can choose what Firebase signs. Asked for by name, one that is there and one that is
    # not are refused in the same words.
    asking = clients.of(tenant)
    bodies = {"acquire": {"license_key": tenant.license_key, "hardware_id": "H"}, "release": {"session_id": MISSING}}
    bodies |= {"heartbeat": bodies["release"], "usage": {}, "history": {}}

    for function, body in bodies.items():
        there, missing = [
            await _shown(asking, function, organization_id=name, **body)
            for name in (foreign.organization_id, "no-such-org")
        ]

        assert there == missing
        assert "INVALID_REQUEST" in there[1]

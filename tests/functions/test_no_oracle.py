"""What is somebody else's and what is not there are the same to who asks: the answer byte for byte, and what it takes.

What it takes is counted on the wire and not with a clock: calls to Firestore, documents read and written. Where these
are the same there is nothing for a clock to tell.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import uuid4

import httpx
import pytest
from google.cloud import firestore

from infra.local.audit_topic import create_topic
from tests.support.client import Client, Clients
from tests.support.servers import StartServers
from tests.support.tenant import LICENSE_ID, Tenant
from tests.support.wire import Wire, counting

MISSING = "a" * 26


@dataclass(frozen=True, kw_only=True)
class Counted:
    """Servers of one project, and the wire between them and Firestore."""

    wire: Wire
    clients: Clients


@pytest.fixture(scope="module")
def own_project(pubsub_host: str) -> str:
    """A project of this file's own: nobody else is counted."""
    project = f"test-{uuid4().hex[:12]}"
    create_topic(pubsub_host, project=project)
    return project


@pytest.fixture(scope="module")
def wired(start_servers: StartServers, firestore_host: str, own_project: str) -> Iterator[tuple[Wire, dict[str, str]]]:
    """The functions that clients call, behind a wire."""
    with counting(firestore_host) as (wire, host):
        told = {"GOOGLE_CLOUD_PROJECT": own_project, "FIRESTORE_EMULATOR_HOST": host}
        yield wire, start_servers("acquire", "heartbeat", "release", "usage", **told)


@pytest.fixture
def project(own_project: str) -> str:
    """Here the project of the servers above."""
    return own_project


@pytest.fixture
def counted(wired: tuple[Wire, dict[str, str]], http: httpx.AsyncClient, project: str) -> Counted:
    return Counted(wire=wired[0], clients=Clients(http=http, urls=wired[1], project=project))


@pytest.fixture
def tenant(console: firestore.Client) -> Tenant:
    return Tenant.create(console)


@pytest.fixture
def foreign(console: firestore.Client) -> Tenant:
    """Another organization, with the same users."""
    return Tenant.create(console)


async def _seen(counted: Counted, asking: Client, function: str, **request: str) -> list[object]:
    """Ask, and give everything that the answer shows, and what it took: twice, for what may be remembered."""
    seen: list[object] = []
    for _ in range(2):
        counted.wire.forget()
        if function == "usage":
            answer = await asking.usage(**request)
        else:
            answer = await asking.post(function, json=request)
        wire = counted.wire
        seen.append((answer.status_code, _without_ids(answer.text), _headers(answer)))
        # Sorted, because some are under way together.
        seen.append((sorted(wire.methods), wire.reads, wire.writes))
    return seen


def _without_ids(text: str) -> str:
    text = re.sub(r'"request_id":"[0-9a-f]{32}"', '"request_id":"…"', text)
    return re.sub(r'"server_time":"[^"]+"', '"server_time":"…"', text)


def _headers(answer: httpx.Response) -> dict[str, str]:
    told = {name: value for name, value in answer.headers.items() if name not in {"date", "x-request-id"}}
    assert len(answer.headers["x-request-id"]) == 32
    return told


@pytest.mark.parametrize("function", ["heartbeat", "release"])
@pytest.mark.parametrize("holder", ["a colleague", "somebody elsewhere", "the same user elsewhere"])
async def test_somebody_elses_session_is_as_one_that_is_not_there(
    counted: Counted, tenant: Tenant, foreign: Tenant, function: str, holder: str
) -> None:
    where, who = {"a colleague": (tenant, "m1"), "somebody elsewhere": (foreign, "m1")}.get(holder, (foreign, "m0"))
    holding = counted.clients.of(where, who)
    session_id = await holding.acquired()
    assert (await holding.heartbeat(session_id)).status_code == 200  # what the instance may remember, it does now
    asking = counted.clients.of(tenant)

    missing = await _seen(counted, asking, function, session_id=MISSING)
    others = await _seen(counted, asking, function, session_id=session_id)

    assert others == missing
    assert missing[0] == missing[2]
    assert "SESSION_NOT_FOUND" in str(missing[0])
    assert len(where.open_sessions()) == 1


@pytest.mark.parametrize("state", ["held", "full", "deactivated", "broken"])
async def test_another_organizations_license_key_is_as_one_that_is_not_there(
    counted: Counted, tenant: Tenant, foreign: Tenant, state: str
) -> None:
    fields: dict[str, dict[str, object]] = {
        "held": {},
        "full": {"max_concurrent_seats": 1},
        "deactivated": {"is_active": False},
        "broken": {"name": 5},
    }
    await counted.clients.of(foreign).acquired()
    foreign.license(LICENSE_ID).set(fields[state], merge=True)
    asking = counted.clients.of(tenant)

    missing = await _seen(counted, asking, "acquire", license_key="no-such-key", hardware_id="laptop")
    others = await _seen(counted, asking, "acquire", license_key=foreign.license_key, hardware_id="laptop")

    assert others == missing
    assert "LICENSE_NOT_FOUND" in str(missing[0])
    assert tenant.sessions() == tenant.events() == []


@pytest.mark.parametrize("user_id", ["olivia", "m0", "gus"])
async def test_so_it_is_in_the_usage_report(counted: Counted, tenant: Tenant, foreign: Tenant, user_id: str) -> None:
    await counted.clients.of(foreign).acquired()
    asking = counted.clients.of(tenant, user_id)

    missing = await _seen(counted, asking, "usage", license_key="no-such-key")
    others = await _seen(counted, asking, "usage", license_key=foreign.license_key)

    assert others == missing
    assert "LICENSE_NOT_FOUND" in str(missing[0])


@pytest.mark.parametrize("user_id", ["olivia", "m0", "gus"])
async def test_a_usage_report_asks_for_nothing_that_a_right_to_read_does_not_cover(
    counted: Counted, tenant: Tenant, user_id: str
) -> None:
    # infra/terraform/access.tf gives usage no right to write.
    for page_size in (1, 100):
        await counted.clients.of(tenant, hardware_id=f"device-{page_size}").acquired()
        counted.wire.forget()

        assert (await counted.clients.of(tenant, user_id).usage(page_size=page_size)).status_code == 200

        assert set(counted.wire.methods) <= {"BatchGetDocuments", "RunQuery", "RunAggregationQuery"}


async def test_no_request_can_name_an_organization(counted: Counted, tenant: Tenant, foreign: Tenant) -> None:
    # It is the token's, and nobody can choose what Firebase signs. Asked for by name, one that is there and one that is
    # not are refused in the same words, and nothing is read.
    asking = counted.clients.of(tenant)
    bodies = {"acquire": {"license_key": tenant.license_key, "hardware_id": "H"}, "release": {"session_id": MISSING}}
    bodies |= {"heartbeat": bodies["release"], "usage": {}}

    for function, body in bodies.items():
        there, missing = [
            await _seen(counted, asking, function, organization_id=name, **body)
            for name in (foreign.organization_id, "no-such-org")
        ]

        assert there == missing
        assert "INVALID_REQUEST" in str(there[0])
        assert there[1] == ([], 0, 0)

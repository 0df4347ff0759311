"""Logs: JSON that Cloud Logging understands, and never a token or a license key in them."""

import json
from collections.abc import Mapping

from google.cloud import firestore

from infra.local.processes import Process
from tests.support.client import Clients
from tests.support.log_lines import lines_of
from tests.support.tenant import Tenant

TRACE = "0af7651916cd43dd8448eb211c80319c"


async def test_every_answer_has_a_line_with_severity_trace_and_request_id(
    clients: Clients, servers: Mapping[str, Process], console: firestore.Client, project: str
) -> None:
    client = clients.of(Tenant.create(console, seats=0))
    headers = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
    body = {"license_key": client.license_key, "hardware_id": "H"}

    response = await client.post("acquire", json=body, headers=headers)

    (line,) = lines_of(servers["acquire"].log, response.headers["X-Request-Id"])
    assert line["severity"] == "INFO"
    assert line["message"] == "answered"
    assert (line["status"], line["code"], line["function"]) == (409, "SEAT_LIMIT_REACHED", "acquire")
    assert line["milliseconds"] > 0
    assert line["logging.googleapis.com/trace"] == f"projects/{project}/traces/{TRACE}"
    assert line["logging.googleapis.com/spanId"] == "b7ad6b7169203331"


async def test_a_document_that_cannot_be_used_is_named_with_its_field(
    clients: Clients, servers: Mapping[str, Process], console: firestore.Client
) -> None:
    tenant = Tenant.create(console)
    tenant.license().update({"max_concurrent_seats": "many"})

    response = await clients.of(tenant).acquire()

    warning, _ = lines_of(servers["acquire"].log, response.headers["X-Request-Id"])
    assert warning["severity"] == "WARNING"
    assert warning["document_path"] == f"organizations/{tenant.organization_id}/licenses/license-1"
    assert warning["fields"] == ["max_concurrent_seats"]


async def test_no_token_no_key_and_no_address_of_a_person_is_ever_logged(
    clients: Clients,
    servers: Mapping[str, Process],
    console: firestore.Client,
    functions_environment: dict[str, str],
) -> None:
    tenant = Tenant.create(console, seats=1)
    client, other = clients.of(tenant, "m0"), clients.of(tenant, "m1")
    granted = (await client.acquire()).json()
    session_id = granted["session_id"]
    await other.acquire()
    await other.acquire(license_key=tenant.license_key + "-wrong")
    await other.acquire(hardware_id="")
    kept = (await client.heartbeat(session_id)).json()
    await client.release(session_id)
    await client.post("acquire", content=f'{{"license_key": "{tenant.license_key}"'.encode())
    tenant.license().update({"expires_at": tenant.license_key})
    await client.acquire()

    logged = "".join(process.log.read_text() for process in servers.values())

    assert logged.count('"answered"') > 5
    tokens = (client.token, other.token, granted["lease_token"], kept["lease_token"])
    parts = [token.split(".")[1] for token in tokens]
    private = json.loads(functions_environment["SEATLEASE_SIGNING_KEYS"])["keys"][0]["d"]
    for secret in (tenant.license_key, *tokens, *parts, private, "@example.com"):
        assert secret not in logged


def test_everything_a_function_prints_while_serving_is_json(servers: Mapping[str, Process]) -> None:
    for process in servers.values():
        for line in process.log.read_text().splitlines():
            # gunicorn's own first words, before the function is loaded, are not ours.
            if "Control server error" not in line:
                json.loads(line)

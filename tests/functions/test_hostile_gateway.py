"""Tricks with paths and headers at the local gateway, which stands where the platform's front end and Hosting stand."""

import json
from collections.abc import Iterator, Mapping

import pytest
from google.cloud import firestore

from infra.local.processes import Process
from infra.local.tokens import unsigned_token
from tests.support.raw import answers
from tests.support.servers import gateway_to
from tests.support.tenant import Tenant

LAST = b"Connection: close"


@pytest.fixture(scope="module")
def gateway(servers: Mapping[str, Process], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A gateway to every function, those that no client may call among them."""
    functions = {name: process.url for name, process in servers.items()}
    with gateway_to(functions, log_folder=tmp_path_factory.mktemp("gateway")) as process:
        yield process.url


@pytest.fixture
def tenant(console: firestore.Client) -> Tenant:
    return Tenant.create(console)


@pytest.fixture
def body(tenant: Tenant) -> bytes:
    return json.dumps({"license_key": tenant.license_key, "hardware_id": "H"}).encode()


@pytest.fixture
def head(project: str, tenant: Tenant) -> bytes:
    token = unsigned_token(project=project, organization_id=tenant.organization_id, user_id="m0")
    usual = f"Host: x\r\nContent-Type: application/json\r\nAuthorization: Bearer {token}\r\n"
    return b"POST /v1/acquire HTTP/1.1\r\n" + usual.encode()


@pytest.mark.parametrize(
    ("target", "status"),
    [
        pytest.param("/v1/acquire", 401, id="as it should be"),
        pytest.param("/v1/%61cquire", 401, id="a letter in percent"),
        pytest.param("http://elsewhere/v1/acquire", 401, id="absolute"),
        pytest.param("//v1/acquire", 404, id="two slashes"),
        pytest.param("/v1//acquire", 404, id="two slashes within"),
        pytest.param("/v1/acquire/", 404, id="a slash behind"),
        pytest.param("/v1/acquire%2f", 404, id="a slash behind in percent"),
        pytest.param("/v1/acquire%00", 404, id="NUL behind"),
        pytest.param("/v1/ACQUIRE", 404, id="in capitals"),
        pytest.param("/v1/acquire/../expire_sessions", 404, id="upwards"),
        pytest.param("/v1/%2e%2e/v1/expire_sessions", 404, id="upwards in percent"),
        pytest.param("/v1/acquire;/expire_sessions", 404, id="with a parameter"),
        pytest.param("/v1/acquire@elsewhere", 404, id="with a host behind"),
        *(
            pytest.param(f"/v1/{name}", 404, id=name)
            for name in ("expire_sessions", "expire%5fsessions", "reconcile", "relay_audit", "sync_user_claims")
        ),
        pytest.param("/functions/projects/p/triggers/acquire-0", 404, id="an event for a client's function"),
        pytest.param("/functions/projects/p/triggers/reconcile-0", 404, id="an event for a scheduled function"),
        pytest.param("/functions/projects/p/triggers/relay_audit-0", 400, id="an event that is none"),
        pytest.param("/", 404, id="nothing"),
    ],
)
def test_a_path_leads_to_a_function_for_clients_or_nowhere(gateway: str, target: str, status: int) -> None:
    (answer,) = answers(gateway, f"POST {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())

    assert answer.status == status


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 6\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\r\nContent-Length: 6",
        b"Content-Length: 6\r\nContent-Length: 7",
        b"X: a\r\n Content-Length: 6",
        b"X: a\nContent-Length: 6",
    ],
    ids=["CL.TE", "TE.CL", "two lengths", "folded", "a bare line feed"],
)
def test_a_request_whose_end_is_in_doubt_reaches_no_function(
    gateway: str, head: bytes, framing: bytes, servers: Mapping[str, Process]
) -> None:
    before = servers["acquire"].log.read_text()

    got = answers(gateway, head, framing, b"\r\n\r\n0\r\n\r\nX", b"GET /v1/keys HTTP/1.1\r\nHost: x\r\n\r\n")

    assert [answer.status for answer in got] == [400]
    assert servers["acquire"].log.read_text() == before


def test_a_chunked_body_arrives_whole(gateway: str, head: bytes, body: bytes) -> None:
    chunks = b"1;a=b\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (body[:1], len(body) - 1, body[1:])

    (answer,) = answers(gateway, head, LAST, b"\r\nTransfer-Encoding: chunked\r\n\r\n", chunks)

    assert answer.status == 201, answer


@pytest.mark.parametrize(
    "header",
    [
        b"X-Forwarded-For: 6.6.6.6",
        b"X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 6.6.6.7",
        b"x-forwarded-FOR: 6.6.6.6,",
        b"Forwarded: for=6.6.6.6",
        b"X-Real-IP: 6.6.6.6",
        b"Connection: X-Forwarded-For",
        b"X_Forwarded_For: 6.6.6.6",
    ],
)
def test_no_header_makes_a_client_come_from_elsewhere(
    gateway: str, head: bytes, body: bytes, tenant: Tenant, header: bytes
) -> None:
    (answer,) = answers(gateway, head, header, b"\r\n", LAST, b"\r\nContent-Length: %d\r\n\r\n" % len(body), body)

    assert answer.status == 201, answer
    assert [session["ip_address"] for session in tenant.sessions()] == ["127.0.0.1"]


def test_who_hangs_up_in_the_middle_of_a_body_disturbs_nobody(gateway: str, head: bytes, body: bytes) -> None:
    for _ in range(5):
        with pytest.raises(TimeoutError):
            answers(gateway, head, LAST, b"\r\nContent-Length: 500\r\n\r\n", body, within=0.2)

    (answer,) = answers(gateway, head, LAST, b"\r\nContent-Length: %d\r\n\r\n" % len(body), body)

    assert answer.status == 201, answer

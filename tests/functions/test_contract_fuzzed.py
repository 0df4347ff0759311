"""Whatever a client sends to the running functions, the answer is one that the OpenAPI document tells of.

Schemathesis makes the requests from the document itself: its examples, the borders of every field, fields that are
missing, doubled or of another type, other methods and media types. Nothing is random: the same requests every time.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
import schemathesis
from google.cloud import firestore
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from infra.build.triggers import public_path
from infra.contracts.openapi.operations import OPERATIONS, function_of
from infra.local.processes import Process
from infra.local.tokens import unsigned_token
from shared.edge.requests import MAX_BODY_BYTES
from shared.rules.session import session_id_of
from tests.support.client import Clients
from tests.support.contract import Document, broken_by, problems, the_contract, told_everything
from tests.support.length import fuzzed
from tests.support.servers import gateway_to
from tests.support.tenant import LICENSE_ID, Tenant

REACHING_FUNCTIONS = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"}
"""Methods that functions-framework hands on. It answers any other one itself, and so does the gateway."""

SETTINGS: dict[str, Any] = {
    "seed": 20_260_302,
    "generation": {"deterministic": True, "max-examples": fuzzed(25).max_examples, "with-security-parameters": False},
    # Each call stands alone here; what follows from what is for the tests of each function.
    "phases": {"stateful": {"enabled": False}},
    "checks": {
        "positive_data_acceptance": {"expected-statuses": ["2xx", "401", "403", "404", "409", "410"]},
        "negative_data_rejection": {"expected-statuses": ["400", "401", "403", "405", "415"]},
    },
    "operations": [
        {
            # One account may try to join five times a minute.
            "include-path": "/v1/join",
            "checks": {
                "positive_data_acceptance": {"expected-statuses": ["2xx", "401", "403", "429"]},
                "negative_data_rejection": {"expected-statuses": ["400", "401", "403", "405", "415", "429"]},
            },
        },
        {
            # One address may begin sixty sign-ins a minute, and one person look at six.
            "include-path": "/v1/sign-ins",
            "checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", "401", "403", "404", "409", "429"]}},
        },
    ],
}

LICENSE_KEY = "ACME-DESIGN-STUDIO"
HOLDERS = {"live": "m0", "another's": "m1", "released": "m0", "lapsed": "m0", "revoked": "m0", "missing": "m0"}
"""Who holds, held or never held the session of each device."""

SESSIONS = {
    device: session_id_of(license_id=LICENSE_ID, user_id=user_id, hardware_id=device)
    for device, user_id in HOLDERS.items()
}
KNOWN = {"session_id": list(SESSIONS.values()), "license_key": [LICENSE_KEY], "page_token": list(SESSIONS.values())}
"""What there is: a client that made everything up would never get past the first refusal."""

SOON = (datetime.now(UTC) + timedelta(hours=3)).isoformat()
TIMES: Mapping[str, list[str | None]] = {
    "wait_until": [None, SOON],
    "from": ["2026-03-01"],
    "to": ["2026-03-02", "2027-03-31"],
}
"""Fields whose times have to be near now, or near each other. The schema cannot say so."""

CALLERS = ["olivia", "m0", "gus", "a stranger", "of no organization", "signed out"]
FIXTURES_STAY = [HealthCheck.function_scoped_fixture]


def _knowing(document: Document, known: Mapping[str, list[str]], times: Mapping[str, list[str | None]]) -> Document:
    """The same document, to a client that takes some values from what there is and makes up the others."""
    document = deepcopy(document)
    schemas: Mapping[str, Any] = document["components"]["schemas"]
    bodies = [schemas[operation.body.__name__] for operation in OPERATIONS.values() if operation.body]
    steps = [schemas[each["$ref"].rpartition("/")[2]] for body in bodies for each in body.get("oneOf", [])]
    fields = [each["properties"] for each in (*bodies, *steps) if "properties" in each]
    parameters = [
        parameter for path in document["paths"].values() for one in path.values() for parameter in one["parameters"]
    ]
    for each in fields:
        for name in each:
            each[name] = _taking(document, each[name], known.get(name, []), times.get(name, []))
    for parameter in parameters:
        name = parameter["name"]
        parameter["schema"] = _taking(document, parameter["schema"], known.get(name, []), times.get(name, []))
    return document


def _taking(
    document: Document, schema: Mapping[str, Any], known: Sequence[str], times: Sequence[str | None]
) -> Mapping[str, Any]:
    """The schema of a field, with the known values that it allows among those that are tried, or only these times."""
    if times:
        return {"enum": times}
    possible = [value for value in known if not problems(document, schema, value)]
    return {"anyOf": [schema, {"enum": possible}]} if possible else schema


DOCUMENT = told_everything(the_contract())
contract = schemathesis.openapi.from_dict(
    _knowing(DOCUMENT, KNOWN, TIMES), config=schemathesis.Config.from_dict(SETTINGS)
)


@pytest.fixture(scope="module")
def gateway(servers: Mapping[str, Process], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The gateway to the functions that clients call."""
    functions = {name: servers[name].url for name in map(function_of, OPERATIONS)}
    with gateway_to(functions, log_folder=tmp_path_factory.mktemp("gateway")) as process:
        yield process.url


@pytest.fixture
async def tenant(console: firestore.Client, clients: Clients) -> Tenant:
    """An organization with sessions of every kind, and one seat that is free."""
    tenant = Tenant.create(console, seats=3)
    tenant.license().update({"license_key": LICENSE_KEY})
    for device, user_id in HOLDERS.items():
        if device == "missing":
            continue
        user = clients.of(tenant, user_id, hardware_id=device, license_key=LICENSE_KEY)
        assert await user.acquired() == SESSIONS[device]
        match device:
            case "released":
                await user.release(SESSIONS[device])
            case "revoked":
                await clients.of(tenant, "adam").release(SESSIONS[device])
            case "lapsed":
                tenant.let_lapse(SESSIONS[device])
    return tenant


@pytest.fixture(params=[CALLERS[0], *(pytest.param(each, marks=pytest.mark.long) for each in CALLERS[1:])])
def headers(request: pytest.FixtureRequest, tenant: Tenant, console: firestore.Client, project: str) -> dict[str, str]:
    """Each kind of caller: by role, of another organization, and without a token that counts."""
    organization_id: str | None = tenant.organization_id
    user_id = "m0"
    match request.param:
        case "signed out":
            return {}
        case "a stranger":
            organization_id = Tenant.create(console, prefix="other").organization_id
        case "of no organization":
            organization_id = None
        case str() as one_of_the_organization:
            user_id = one_of_the_organization
    token = unsigned_token(project=project, organization_id=organization_id, user_id=user_id)
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def tokens(tenant: Tenant, project: str) -> Mapping[str, str]:
    """Tokens of one who may take seats."""

    def token(lifetime_seconds: int) -> str:
        return unsigned_token(
            project=project,
            organization_id=tenant.organization_id,
            user_id="m0",
            lifetime_seconds=lifetime_seconds,
        )

    return {"valid": f"Bearer {token(3600)}", "expired": f"Bearer {token(-3600)}"}


@pytest.fixture
def connection() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


@contract.parametrize()
@settings(fuzzed(60), suppress_health_check=FIXTURES_STAY)
def test_every_request_that_follows_from_the_document_or_breaks_it_has_an_answer_of_the_document(
    case: schemathesis.Case[Any], gateway: str, headers: dict[str, str], connection: requests.Session
) -> None:
    answer = case.call_and_validate(base_url=gateway, session=connection, headers=headers)

    if case.method in REACHING_FUNCTIONS:
        described = DOCUMENT["paths"][case.operation.path]
        one = described.get(case.method.lower()) or next(iter(described.values()))
        broken = broken_by(
            DOCUMENT,
            one["operationId"],
            status=answer.status_code,
            headers=CaseInsensitiveDict({name: values[0] for name, values in answer.headers.items()}),
            content=answer.content,
        )
        assert broken == []
        assert answer.status_code != 500
    else:
        assert answer.status_code == 405


def _nested(depth: int) -> bytes:
    return b'{"license_key": ' + b"[" * depth


JSON_LIKE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["license_key", "hardware_id", "session_id", "nonce"]), inner)
    ),
).map(lambda value: json.dumps(value).encode())

BODIES = st.one_of(
    st.binary(max_size=200),
    JSON_LIKE,
    st.tuples(JSON_LIKE, st.integers(1, 9)).map(lambda cut: cut[0][: -cut[1]]),
    st.integers(1, MAX_BODY_BYTES - 20).map(_nested),
    st.integers(MAX_BODY_BYTES, MAX_BODY_BYTES + 3).map(lambda size: b" " * size),
)
HEADER = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=40)
AUTHORIZATIONS = st.none() | st.builds("{}{}".format, st.sampled_from(["Bearer ", "bearer  ", "Basic ", ""]), HEADER)


@pytest.mark.parametrize("function", OPERATIONS)
@settings(fuzzed(60), suppress_health_check=FIXTURES_STAY)
@given(
    body=BODIES,
    authorization=AUTHORIZATIONS | st.sampled_from(["valid", "expired"]),
    media_type=st.just("application/json") | HEADER,
)
def test_any_bytes_at_all_have_an_answer_of_the_document(
    function: str,
    gateway: str,
    tokens: Mapping[str, str],
    connection: requests.Session,
    body: bytes,
    authorization: str | None,
    media_type: str,
) -> None:
    headers = {"Content-Type": media_type.strip().encode("latin-1")}
    if authorization is not None:
        headers["Authorization"] = tokens.get(authorization, authorization).strip().encode("latin-1")

    answer = connection.request(
        OPERATIONS[function].method,
        gateway + public_path(function_of(function)),
        data=body,
        headers=headers,
        timeout=30,
    )

    broken = broken_by(DOCUMENT, function, status=answer.status_code, headers=answer.headers, content=answer.content)
    assert broken == []
    assert answer.status_code != 500

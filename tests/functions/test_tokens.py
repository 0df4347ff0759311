"""ID tokens with real signatures, verified by a server that has no authentication emulator."""

import asyncio
import socket
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import httpx
import jwt
import pytest
from google.cloud import firestore

from infra.local.processes import Process
from infra.local.serving import UNSIGNED_TOKENS_ARE_FINE
from infra.local.tokens import unsigned_token
from shared.edge.identity import KEYS_WITHIN_SECONDS, MAX_TOKEN_LENGTH
from tests.support.client import code_of
from tests.support.google_keys import GoogleKeys, SigningKey, publishing
from tests.support.servers import StartFunction
from tests.support.tenant import Tenant


@dataclass(frozen=True, kw_only=True)
class Verifying:
    """A server that verifies signatures, the key that it trusts, and the fetches of that key."""

    url: str
    key: SigningKey
    google: GoogleKeys
    process: Process


@pytest.fixture(scope="module")
def verifying(start_server: StartFunction, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Verifying]:
    """A process of acquire without the authentication emulator."""
    key = SigningKey(key_id="key-1")
    with publishing(key, tmp_path_factory.mktemp("google")) as google:
        switched_off: Mapping[str, str] = dict.fromkeys(UNSIGNED_TOKENS_ARE_FINE, "")
        process = start_server("acquire", **switched_off, **google.environment)
        process.wait_until_ready()
        yield Verifying(url=process.url, key=key, google=google, process=process)
        process.stop()


async def _acquire(http: httpx.AsyncClient, server: Verifying, tenant: Tenant, token: str) -> httpx.Response:
    body = {"license_key": tenant.license_key, "hardware_id": "H"}
    return await http.post(server.url, json=body, headers={"Authorization": f"Bearer {token}"})


@pytest.fixture
def tenant(console: firestore.Client) -> Tenant:
    """An organization to ask in."""
    return Tenant.create(console, members=2)


async def test_a_valid_token_is_accepted_and_verified_once(
    http: httpx.AsyncClient, verifying: Verifying, tenant: Tenant, project: str
) -> None:
    token = verifying.key.token(project=project, org_id=tenant.organization_id)

    answers = [await _acquire(http, verifying, tenant, token) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [201, 200, 200]
    assert len(verifying.google.fetches) == 1


async def test_a_token_with_a_companys_groups_is_accepted_and_one_too_long_is_told_so(
    http: httpx.AsyncClient, verifying: Verifying, tenant: Tenant, project: str
) -> None:
    groups = {"sign_in_attributes": {"groups": "g" * 20_000}}
    token = verifying.key.token(project=project, org_id=tenant.organization_id, firebase=groups)
    assert 26_000 < len(token) < MAX_TOKEN_LENGTH

    accepted = await _acquire(http, verifying, tenant, token)
    refused = await _acquire(http, verifying, tenant, token + "x" * MAX_TOKEN_LENGTH)

    assert accepted.status_code == 201, accepted.text
    assert (refused.status_code, code_of(refused)) == (401, "TOKEN_INVALID")
    assert "more than 32,768 characters" in refused.json()["error"]["message"]


async def test_a_token_stops_working_at_its_own_expiry_although_it_was_verified_before(
    http: httpx.AsyncClient, verifying: Verifying, tenant: Tenant, project: str
) -> None:
    token = verifying.key.token(project=project, org_id=tenant.organization_id, exp=int(time.time()) + 2)
    assert (await _acquire(http, verifying, tenant, token)).status_code == 201

    deadline = time.monotonic() + 10
    while (response := await _acquire(http, verifying, tenant, token)).status_code == 200:
        assert time.monotonic() < deadline, "an expired token is still accepted"
        await asyncio.sleep(0.05)  # faster, it would meet the limit of requests first

    assert (response.status_code, code_of(response)) == (401, "TOKEN_EXPIRED")


FOREIGN_KEY = SigningKey(key_id="key-1")


@dataclass(frozen=True, kw_only=True)
class Issuing:
    """Who issues a token, for whom."""

    key: SigningKey
    project: str
    organization_id: str

    def token(self, **changes: object) -> str:
        return self.key.token(project=self.project, **{"org_id": self.organization_id, **changes})

    def claims(self) -> bytes:
        return jwt.utils.base64url_decode(self.token().split(".")[1])

    def tampered_with(self) -> str:
        head, _, signature = self.token().split(".")
        return f"{head}.{self.token(sub='olivia').split('.')[1]}.{signature}"


def _in_an_hour(hours: int = 1) -> int:
    return int(time.time()) + 3600 * hours


BAD_TOKENS: list[tuple[str, str, Callable[[Issuing], str]]] = [
    ("expired", "TOKEN_EXPIRED", lambda by: by.token(iat=_in_an_hour(-2), exp=_in_an_hour(-1))),
    ("just expired", "TOKEN_EXPIRED", lambda by: by.token(iat=_in_an_hour(-1), exp=int(time.time()) - 2)),
    ("of another project", "TOKEN_INVALID", lambda by: by.key.token(project="another-project", org_id="o")),
    ("for another audience", "TOKEN_INVALID", lambda by: by.token(aud="another-project")),
    ("forged", "TOKEN_INVALID", lambda by: replace(by, key=FOREIGN_KEY).token()),
    ("of an unknown key", "TOKEN_INVALID", lambda by: replace(by, key=SigningKey(key_id="key-2")).token()),
    ("tampered with", "TOKEN_INVALID", Issuing.tampered_with),
    (
        "unsigned",
        "TOKEN_INVALID",
        lambda by: unsigned_token(project=by.project, organization_id=by.organization_id, user_id="m0"),
    ),
    (
        "signed with a shared secret",
        "TOKEN_INVALID",
        lambda _: jwt.encode({"sub": "m0"}, "secret" * 8, algorithm="HS256", headers={"kid": "key-1"}),
    ),
    ("unsigned, in other letters", "TOKEN_INVALID", lambda by: _of_parts(b'{"alg":"nOnE"}', by.claims())),
    (
        "a session cookie",
        "TOKEN_INVALID",
        lambda by: by.token(iss=f"https://session.firebase.google.com/{by.project}"),
    ),
    (
        "a custom token",
        "TOKEN_INVALID",
        lambda by: by.token(
            aud="https://identitytoolkit.googleapis.com/google.identity.identitytoolkit.v1.IdentityToolkit"
        ),
    ),
    ("not a token", "TOKEN_INVALID", lambda _: "abc.def.ghi"),
    ("from the future", "TOKEN_INVALID", lambda by: by.token(iat=_in_an_hour(), exp=_in_an_hour(2))),
    ("without a subject", "TOKEN_INVALID", lambda by: by.token(sub="")),
    ("of an Identity Platform tenant", "TOKEN_INVALID", lambda by: by.token(firebase={"tenant": "t-1"})),
    ("very long", "TOKEN_INVALID", lambda _: "x" * 10_000),
    ("of lists", "TOKEN_INVALID", lambda _: _of_parts(b"[]", b"[]")),
    ("nested deeply", "TOKEN_INVALID", lambda _: _of_parts(b"[" * 3_000, b"{}")),
    ("nested deeply in its claims", "TOKEN_INVALID", lambda _: _of_parts(b"{}", b'{"a":' * 1_000)),
    ("in the form of a legacy token", "TOKEN_INVALID", lambda _: _of_parts(b'{"alg": "HS256"}', b'{"v": 0, "d": 5}')),
    ("with claims of other types", "TOKEN_INVALID", lambda _: _of_parts(b'{"kid": {}}', b'{"aud": [], "iss": {}}')),
]


def _of_parts(header: bytes, claims: bytes) -> str:
    """Put together what nobody has signed."""
    return ".".join(urlsafe_b64encode(part).rstrip(b"=").decode() for part in (header, claims, b""))


@pytest.mark.parametrize(("code", "make"), [row[1:] for row in BAD_TOKENS], ids=[row[0] for row in BAD_TOKENS])
async def test_a_token_that_is_not_good_is_401(
    http: httpx.AsyncClient,
    verifying: Verifying,
    tenant: Tenant,
    project: str,
    code: str,
    make: Callable[[Issuing], str],
) -> None:
    token = make(Issuing(key=verifying.key, project=project, organization_id=tenant.organization_id))

    answers = [await _acquire(http, verifying, tenant, token) for _ in range(2)]

    assert [(answer.status_code, code_of(answer)) for answer in answers] == [(401, code)] * 2
    assert tenant.sessions() == []


async def test_the_subject_that_was_signed_is_the_user_whatever_other_claims_say(
    http: httpx.AsyncClient, verifying: Verifying, tenant: Tenant, project: str
) -> None:
    token = verifying.key.token(project=project, org_id=tenant.organization_id, uid="olivia", user_id="olivia")

    response = await _acquire(http, verifying, tenant, token)

    assert response.status_code == 201
    assert [session["user_id"] for session in tenant.sessions()] == ["m0"]


async def test_a_token_made_by_a_clock_that_is_a_little_ahead_is_good(
    http: httpx.AsyncClient, verifying: Verifying, tenant: Tenant, project: str
) -> None:
    token = verifying.key.token(project=project, org_id=tenant.organization_id, iat=int(time.time()) + 5)

    response = await _acquire(http, verifying, tenant, token)

    assert response.status_code == 201


async def test_a_token_without_an_organization_is_403(
    http: httpx.AsyncClient, verifying: Verifying, tenant: Tenant, project: str
) -> None:
    token = verifying.key.token(project=project, org_id=None)

    response = await _acquire(http, verifying, tenant, token)

    assert (response.status_code, code_of(response)) == (403, "NO_ORGANIZATION")


async def test_a_guest_is_403_and_a_role_in_the_token_changes_nothing(
    http: httpx.AsyncClient, verifying: Verifying, tenant: Tenant, project: str
) -> None:
    token = verifying.key.token(project=project, org_id=tenant.organization_id, sub="gus", role="owner")

    response = await _acquire(http, verifying, tenant, token)

    assert (response.status_code, code_of(response)) == (403, "ROLE_NOT_ALLOWED")


async def test_when_googles_keys_cannot_be_had_it_is_503_and_says_so(
    http: httpx.AsyncClient, start_server: StartFunction, tenant: Tenant, project: str
) -> None:
    nowhere = {"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1"}
    process = start_server("acquire", **dict.fromkeys(UNSIGNED_TOKENS_ARE_FINE, ""), **nowhere)
    process.wait_until_ready()
    token = SigningKey(key_id="key-1").token(project=project, org_id=tenant.organization_id)

    response = await http.post(process.url, json={}, headers={"Authorization": f"Bearer {token}"})

    assert (response.status_code, code_of(response)) == (503, "STORE_UNAVAILABLE")
    assert response.headers["Retry-After"] == "1"
    process.stop()


@pytest.mark.long
async def test_while_googles_keys_do_not_come_nobody_waits_for_those_who_asked_before(
    http: httpx.AsyncClient, start_server: StartFunction, tenant: Tenant, project: str
) -> None:
    # What takes connections and says nothing: the library waits, in one of a few threads.
    with socket.create_server(("127.0.0.1", 0), backlog=200) as silent:
        silent_proxy = {"HTTPS_PROXY": f"http://127.0.0.1:{silent.getsockname()[1]}", "NO_PROXY": "127.0.0.1"}
        process = start_server("acquire", **dict.fromkeys(UNSIGNED_TOKENS_ARE_FINE, ""), **silent_proxy)
        process.wait_until_ready()
        key = SigningKey(key_id="key-1")
        tokens = [key.token(project=project, org_id=tenant.organization_id, sub=f"m{number}") for number in range(60)]
        server = Verifying(url=process.url, key=key, google=GoogleKeys(environment={}, fetches=[]), process=process)

        began = time.monotonic()
        answers = await asyncio.gather(*(_acquire(http, server, tenant, token) for token in tokens))
        took = time.monotonic() - began

        process.stop()
    assert {(answer.status_code, code_of(answer)) for answer in answers} == {(503, "STORE_UNAVAILABLE")}
    assert took < KEYS_WITHIN_SECONDS + 4

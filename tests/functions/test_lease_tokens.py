"""Lease tokens: what a program can prove to itself, with the keys of the running service and without the network."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import httpx
import jwt
import pytest
from google.cloud import firestore

from infra.build.signing_keys import new_key, private_text, public_text
from infra.local.processes import Process
from tests.support.client import Clients, assert_error, code_of
from tests.support.lease import shown_keys, verified
from tests.support.servers import StartServers
from tests.support.tenant import Tenant

CLAIMS = {
    "iss",
    "sub",
    "iat",
    "exp",
    "organization_id",
    "license_id",
    "license_key_sha256",
    "session_id",
    "hardware_sha256",
    "lease_expires_at",
    "grace_ends_at",
    "license_expires_at",
    "borrowed",
    "features",
}


@pytest.fixture
async def keys(http: httpx.AsyncClient, servers: Mapping[str, Process]) -> dict[str, Any]:
    """What the running service shows."""
    return dict((await shown_keys(http, servers["keys"].url)).json())


def seconds(text: str) -> int:
    """The whole seconds of a time in an answer."""
    return int(datetime.fromisoformat(text).replace(microsecond=0).timestamp())


async def test_the_token_of_a_new_seat_says_what_was_granted_and_nothing_else(
    clients: Clients, console: firestore.Client, project: str, keys: dict[str, Any]
) -> None:
    features = {"edition": "pro", "export": True, "layers": 64, "scale": 1.5, "größe": "groß"}
    ends_at = datetime(2199, 12, 31, 23, 59, 59, 900_000, tzinfo=UTC)
    tenant = Tenant.create(console, grace_seconds=7200, features=features, expires_at=ends_at)
    key = f"Schlüssel {tenant.license_key}"
    tenant.license().update({"license_key": key})
    client = clients.of(tenant, "m1", hardware_id="Grüße-vom-Mac", license_key=key)

    response = await client.acquire()

    body = response.json()
    claims = verified(body["lease_token"], keys)
    assert response.status_code == 201
    assert claims == {
        "iss": f"seatlease/{project}",
        "sub": "m1",
        "iat": seconds(body["server_time"]),
        "exp": seconds(body["lease_expires_at"]),
        "organization_id": tenant.organization_id,
        "license_id": "license-1",
        "license_key_sha256": sha256(key.encode()).hexdigest(),
        "session_id": body["session_id"],
        "hardware_sha256": sha256("Grüße-vom-Mac".encode()).hexdigest(),
        "lease_expires_at": seconds(body["lease_expires_at"]),
        "grace_ends_at": seconds(body["lease_expires_at"]),
        "license_expires_at": int(ends_at.timestamp()),
        "features": features,
        "borrowed": False,
    }
    assert set(claims) == CLAIMS
    assert (body["features"], body["license_expires_at"]) == (features, "2199-12-31T23:59:59.900000Z")


async def test_the_header_names_the_key_by_its_thumbprint(
    clients: Clients, console: firestore.Client, keys: dict[str, Any]
) -> None:
    body = (await clients.of(Tenant.create(console)).acquire()).json()

    header = jwt.get_unverified_header(body["lease_token"])

    (key,) = keys["keys"]
    members = json.dumps({name: key[name] for name in ("crv", "kty", "x")}, separators=(",", ":"))
    thumbprint = jwt.utils.base64url_encode(sha256(members.encode()).digest()).decode()
    assert header == {"alg": "EdDSA", "kid": thumbprint, "typ": "seatlease-lease+jwt"}


async def test_every_answer_that_gives_a_lease_is_signed(
    clients: Clients, console: firestore.Client, keys: dict[str, Any]
) -> None:
    tenant = Tenant.create(console, grace_seconds=60, features={"edition": "pro"})
    client = clients.of(tenant)
    session_id = await client.acquired()
    renewed = await client.acquire()
    still_fresh = await client.heartbeat(session_id)
    began_at = datetime.now(UTC) - timedelta(minutes=7)
    tenant.session(session_id).update(
        {"started_at": began_at, "last_heartbeat_at": datetime.now(UTC) - timedelta(minutes=2)}
    )

    extended = await client.heartbeat(session_id)

    assert renewed.json()["renewed"] is True
    assert still_fresh.json()["lease_expires_at"] == renewed.json()["lease_expires_at"]
    assert extended.json()["lease_expires_at"] > still_fresh.json()["lease_expires_at"]
    assert [grace(each) for each in (renewed, still_fresh, extended)] == [NONE, NONE, timedelta(seconds=60)]
    for answer in (renewed, still_fresh, extended):
        body = answer.json()
        claims = verified(body["lease_token"], keys)
        assert answer.status_code == 200
        assert set(claims) == CLAIMS
        assert claims["iat"] == seconds(body["server_time"])
        assert claims["lease_expires_at"] == seconds(body["lease_expires_at"])
        assert claims["exp"] == claims["grace_ends_at"] == seconds(body["grace_ends_at"])
        assert claims["license_expires_at"] is body["license_expires_at"] is None
        assert claims["features"] == body["features"] == {"edition": "pro"}
        assert claims["hardware_sha256"] == sha256(b"laptop").hexdigest()


NONE = timedelta(0)
NONCE = "once-0123456789_"


async def test_a_token_repeats_the_nonce_of_its_request_and_of_no_other(
    clients: Clients, console: firestore.Client, keys: dict[str, Any]
) -> None:
    client = clients.of(Tenant.create(console))

    taken = await client.acquire(nonce=NONCE)
    renewed = await client.acquire(nonce="r" * 64)
    without, null = await client.acquire(), await client.acquire(nonce=None)
    session_id = taken.json()["session_id"]
    kept = await client.heartbeat(session_id, nonce="k" * 20)
    kept_without = await client.heartbeat(session_id)

    answers = (taken, renewed, kept, without, null, kept_without)
    assert [answer.status_code for answer in answers] == [201, 200, 200, 200, 200, 200]
    claims = [verified(answer.json()["lease_token"], keys) for answer in answers]
    assert [each.get("nonce") for each in claims] == [NONCE, "r" * 64, "k" * 20, None, None, None]
    assert [set(each) - CLAIMS for each in claims] == [{"nonce"}] * 3 + [set()] * 3


@pytest.mark.parametrize("nonce", ["", "x" * 15, "x" * 65, "x" * 16 + "\n", "x" * 15 + "é", "x" * 15 + ".", 10**16])
async def test_a_nonce_of_another_form_is_refused_and_named(
    clients: Clients, console: firestore.Client, nonce: object
) -> None:
    tenant = Tenant.create(console)
    client = clients.of(tenant)

    answers = [await client.acquire(nonce=nonce), await client.heartbeat("a" * 26, nonce=nonce)]

    for answer in answers:
        assert_error(answer, 400, "INVALID_REQUEST")
        assert [each["field"] for each in answer.json()["error"]["details"]["fields"]] == ["nonce"]
    assert tenant.sessions() == []


async def test_a_token_names_the_key_of_its_license_and_of_no_other(
    clients: Clients, console: firestore.Client, keys: dict[str, Any]
) -> None:
    tenant = Tenant.create(console)
    tenant.add_license("dear", f"DEAR-{tenant.license_key}", seats=1)
    licensed = {key: clients.of(tenant, license_key=key) for key in (tenant.license_key, f"DEAR-{tenant.license_key}")}

    for key, client in licensed.items():
        taken = await client.acquire()
        kept = await client.heartbeat(taken.json()["session_id"])
        for answer in (taken, kept):
            claims = verified(answer.json()["lease_token"], keys)
            assert claims["license_key_sha256"] == sha256(key.encode()).hexdigest()


async def test_without_a_grace_of_its_own_a_license_has_the_settings(
    clients: Clients, console: firestore.Client, start_servers: StartServers, http: httpx.AsyncClient, project: str
) -> None:
    urls = start_servers("acquire", SEATLEASE_DEFAULT_GRACE_SECONDS="90")
    began_at = datetime.now(UTC) - timedelta(minutes=7)
    others = Clients(http=http, urls=urls, project=project)
    plain, null, own = (
        Tenant.create(console, **grace) for grace in ({}, {"grace_seconds": None}, {"grace_seconds": 0})
    )

    for tenant in (plain, null, own):
        tenant.session(await clients.of(tenant).acquired()).update({"started_at": began_at})

    graces = [
        grace(await made.of(tenant).acquire())
        for made, tenant in ((clients, plain), (others, plain), (others, null), (others, own))
    ]

    assert graces == [NONE, timedelta(seconds=90), timedelta(seconds=90), NONE]


def grace(answer: httpx.Response) -> timedelta:
    """How long the answer says that a program may work on after its lease."""
    ends = [datetime.fromisoformat(answer.json()[name]) for name in ("lease_expires_at", "grace_ends_at")]
    return ends[1] - ends[0]


async def test_a_lease_to_the_end_of_all_times_was_typed_in_and_has_run_out(
    clients: Clients, console: firestore.Client
) -> None:
    tenant = Tenant.create(console)
    client = clients.of(tenant)
    session_id = await client.acquired()
    tenant.session(session_id).update({"lease_expires_at": datetime(9999, 12, 31, 23, tzinfo=UTC)})

    answer = await client.heartbeat(session_id)

    assert (answer.status_code, code_of(answer)) == (410, "SESSION_EXPIRED")


async def test_grace_keeps_no_seat(clients: Clients, console: firestore.Client) -> None:
    tenant = Tenant.create(console, seats=1, grace_seconds=86_400)
    first, second = clients.of(tenant, "m0"), clients.of(tenant, "m1")
    tenant.let_lapse(await first.acquired())

    taken = await second.acquire()

    assert taken.status_code == 201
    assert taken.json()["seats"] == {"in_use": 1, "max": 1}


# Keys


async def test_the_public_keys_are_shown_to_anybody_and_may_be_kept_for_an_hour(
    http: httpx.AsyncClient, servers: Mapping[str, Process]
) -> None:
    answer = await shown_keys(http, servers["keys"].url)

    (key,) = answer.json()["keys"]
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.headers["Cache-Control"] == "public, max-age=300, s-maxage=300"
    assert {name: key[name] for name in key if name not in {"x", "kid"}} == {
        "kty": "OKP",
        "crv": "Ed25519",
        "use": "sig",
        "alg": "EdDSA",
    }
    assert set(key) == {"kty", "crv", "x", "kid", "use", "alg"}


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_the_keys_can_only_be_asked_for(
    http: httpx.AsyncClient, servers: Mapping[str, Process], method: str
) -> None:
    answer = await http.request(method, servers["keys"].url, json={})

    assert_error(answer, 405, "METHOD_NOT_ALLOWED")
    assert answer.headers["Allow"] == "GET"


@pytest.mark.long
async def test_while_keys_change_the_tokens_of_both_are_accepted_and_a_strangers_is_not(
    console: firestore.Client, start_servers: StartServers, http: httpx.AsyncClient, project: str
) -> None:
    old, new, strange = new_key(), new_key(), new_key()
    both = {"SEATLEASE_PUBLIC_KEYS": public_text([old, new])}
    before = start_servers("acquire", "keys", **both, SEATLEASE_SIGNING_KEYS=private_text([old, new]))
    after = start_servers("acquire", **both, SEATLEASE_SIGNING_KEYS=private_text([new, old]))
    stranger = start_servers(
        "acquire", SEATLEASE_PUBLIC_KEYS=public_text([strange]), SEATLEASE_SIGNING_KEYS=private_text([strange])
    )
    tenant = Tenant.create(console)
    shown = (await shown_keys(http, before["keys"])).json()

    tokens = [
        (await Clients(http=http, urls=urls, project=project).of(tenant).acquire()).json()["lease_token"]
        for urls in (before, after, stranger)
    ]

    kids = [jwt.get_unverified_header(token)["kid"] for token in tokens]
    assert kids == [old.kid, new.kid, strange.kid]
    assert verified(tokens[0], shown)["session_id"] == verified(tokens[1], shown)["session_id"]
    for key in shown["keys"]:
        with pytest.raises(jwt.InvalidSignatureError):
            jwt.decode(tokens[2], jwt.PyJWK(key), algorithms=["EdDSA"])


async def test_a_token_that_was_changed_is_refused(
    clients: Clients, console: firestore.Client, keys: dict[str, Any]
) -> None:
    header, claims, signature = (await clients.of(Tenant.create(console)).acquire()).json()["lease_token"].split(".")
    longer = {**json.loads(jwt.utils.base64url_decode(claims)), "exp": 4_000_000_000}
    forged = jwt.utils.base64url_encode(json.dumps(longer).encode()).decode()

    with pytest.raises(jwt.InvalidSignatureError):
        verified(f"{header}.{forged}.{signature}", keys)

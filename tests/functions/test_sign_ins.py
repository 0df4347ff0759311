"""Sign-ins of devices over HTTP: begun without a token, confirmed by a person, exchanged once for a custom token."""

import asyncio
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from ipaddress import IPv4Address
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest
from google.cloud import firestore

from infra.local.processes import Process
from infra.local.tokens import unsigned_token
from tests.support.client import assert_error
from tests.support.contract import broken_by, the_contract, told_everything
from tests.support.servers import StartFunction
from tests.support.tenant import Tenant

DOCUMENT = told_everything(the_contract())
PORT = 49_152


@dataclass(kw_only=True)
class Device:
    """A command line that asks to be signed in, and the people who answer it in a browser."""

    http: httpx.AsyncClient
    url: str
    project: str
    # An address of its own, because what one address may ask is bounded, and tests share the server.
    address: str = field(default_factory=lambda: str(IPv4Address(secrets.randbits(32))))
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))

    async def begin(self, **changes: Any) -> httpx.Response:  # noqa: ANN401 a test may send anything
        challenge = urlsafe_b64encode(sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()
        return await self.ask({"step": "begin", "code_challenge": challenge, "device_name": "studio-pc", **changes})

    async def begun(self, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 as above
        answer = await self.begin(**changes)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def exchange(self, sign_in_id: str, **changes: Any) -> httpx.Response:  # noqa: ANN401 as above
        return await self.ask({"step": "exchange", "sign_in_id": sign_in_id, "code_verifier": self.verifier, **changes})

    async def person(
        self, tenant: Tenant, user_id: str, body: Mapping[str, Any], *, provider: str = "password"
    ) -> httpx.Response:
        token = unsigned_token(
            project=self.project,
            organization_id=tenant.organization_id,
            user_id=user_id,
            more={"firebase": {"sign_in_provider": provider}},
        )
        return await self.ask(body, headers={"Authorization": f"Bearer {token}"})

    async def ask(self, body: Mapping[str, Any], *, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """Send a step, and insist that the answer keeps the contract."""
        from_here = {"X-Forwarded-For": self.address, **(headers or {})}
        answer = await self.http.post(self.url, json=body, headers=from_here)
        broken = broken_by(
            DOCUMENT, "sign_ins", status=answer.status_code, headers=answer.headers, content=answer.content
        )
        assert broken == []
        return answer


@pytest.fixture
def device(http: httpx.AsyncClient, servers: Mapping[str, Process], project: str) -> Device:
    return Device(http=http, url=servers["sign_ins"].url, project=project)


@pytest.fixture
def tenant(console: firestore.Client) -> Tenant:
    return Tenant.create(console, members=2)


def _stored(tenant: Tenant, sign_in_id: str) -> firestore.DocumentReference:
    document: firestore.DocumentReference = tenant.console.document("sign_ins", sign_in_id)
    return document


async def test_a_person_confirms_in_the_browser_of_the_same_machine(device: Device, tenant: Tenant) -> None:
    begun = await device.begun(loopback_port=PORT)
    sign_in_id = begun["sign_in_id"]
    pending = await device.exchange(sign_in_id)
    seen = (await device.person(tenant, "gus", {"step": "look", "sign_in_id": sign_in_id})).json()
    decided = (await device.person(tenant, "gus", {"step": "approve", "sign_in_id": sign_in_id})).json()
    redirect = urlsplit(decided["redirect_to"])
    told = parse_qs(redirect.query)
    without = await device.exchange(sign_in_id)
    signed_in = await device.exchange(sign_in_id, code=told["code"][0])
    again = await device.exchange(sign_in_id, code=told["code"][0])

    assert begun["verification_path"] == f"/cli?sign_in={sign_in_id}"
    assert_error(pending, 409, "SIGN_IN_PENDING")
    assert pending.headers["Retry-After"] == "5"
    assert (seen["device_name"], seen["organization"]["name"], seen["needs_code"]) == ("studio-pc", "Org", False)
    assert (redirect.scheme, redirect.netloc, redirect.path) == ("http", f"127.0.0.1:{PORT}", "/")
    assert told["state"] == [sign_in_id]
    assert_error(without, 404, "SIGN_IN_EXPIRED")
    claims = jwt.decode(signed_in.json()["custom_token"], options={"verify_signature": False})
    assert (claims["uid"], set(claims["claims"])) == ("gus", {"signed_in_at", "signed_in_with"})
    assert_error(again, 404, "SIGN_IN_EXPIRED")
    (event,) = tenant.events("user.signed_in_on_device")
    assert (event["user_id"], event["actor"], event["details"]["device_name"]) == ("gus", "gus", "studio-pc")


async def test_for_a_device_without_a_browser_the_person_types_its_code(device: Device, tenant: Tenant) -> None:
    begun = await device.begun()
    sign_in_id, typed = begun["sign_in_id"], begun["user_code"].lower()
    seen = (await device.person(tenant, "m0", {"step": "look", "user_code": typed})).json()
    approve = {"step": "approve", "sign_in_id": sign_in_id}
    untyped = await device.person(tenant, "m0", approve)
    decided = await device.person(tenant, "m0", {**approve, "user_code": typed})
    signed_in = await device.exchange(sign_in_id)

    assert begun["verification_path"] == "/cli"
    assert (seen["sign_in_id"], seen["needs_code"]) == (sign_in_id, True)
    assert_error(untyped, 400, "INVALID_REQUEST")
    assert decided.json()["redirect_to"] is None
    assert signed_in.status_code == 200


async def test_a_device_that_was_signed_in_signs_no_other_in(device: Device, tenant: Tenant) -> None:
    begun = await device.begun(loopback_port=PORT)
    approve = {"step": "approve", "sign_in_id": begun["sign_in_id"]}

    by_a_device = await device.person(tenant, "m0", approve, provider="custom")
    in_a_browser = await device.person(tenant, "m0", approve)

    assert_error(by_a_device, 403, "SIGN_IN_REFUSED")
    assert in_a_browser.status_code == 200


async def test_a_refusal_reaches_the_device_and_nobody_can_approve_any_more(device: Device, tenant: Tenant) -> None:
    begun = await device.begun(loopback_port=PORT)
    sign_in_id = begun["sign_in_id"]

    refused = await device.person(tenant, "m0", {"step": "refuse", "sign_in_id": sign_in_id})
    approved = await device.person(tenant, "m1", {"step": "approve", "sign_in_id": sign_in_id})
    exchanged = await device.exchange(sign_in_id)

    assert parse_qs(urlsplit(refused.json()["redirect_to"]).query)["error"] == ["access_denied"]
    assert_error(approved, 404, "SIGN_IN_EXPIRED")
    assert_error(exchanged, 403, "SIGN_IN_REFUSED")
    assert tenant.events("user.signed_in_on_device") == []


@pytest.mark.parametrize("user_id", ["olivia", "adam", "m0", "gus"])
@pytest.mark.parametrize("step", ["look", "approve", "refuse"])
async def test_what_a_person_of_another_organization_approved_is_as_if_it_did_not_exist(
    device: Device, tenant: Tenant, console: firestore.Client, user_id: str, step: str
) -> None:
    begun = await device.begun(loopback_port=PORT)
    approve = {"step": "approve", "sign_in_id": begun["sign_in_id"]}
    assert (await device.person(Tenant.create(console, members=1), user_id, approve)).status_code == 200

    something = await device.person(tenant, user_id, {"step": step, "sign_in_id": begun["sign_in_id"]})
    nothing = await device.person(tenant, user_id, {"step": step, "sign_in_id": "a" * 26})

    assert_error(something, 404, "SIGN_IN_EXPIRED")
    told = [{**each.json()["error"], "request_id": None} for each in (something, nothing)]
    assert told[0] == told[1]


async def test_of_exchanges_at_the_same_time_one_succeeds(device: Device, tenant: Tenant) -> None:
    begun = await device.begun()
    sign_in_id = begun["sign_in_id"]
    approve = {"step": "approve", "sign_in_id": sign_in_id, "user_code": begun["user_code"]}
    assert (await device.person(tenant, "m0", approve)).status_code == 200

    answers = await asyncio.gather(*(device.exchange(sign_in_id) for _ in range(4)))

    assert sorted(answer.status_code for answer in answers) == [200, 404, 404, 404]
    assert len(tenant.events("user.signed_in_on_device")) == 1


async def test_after_ten_minutes_a_sign_in_is_over_also_before_it_is_purged(device: Device, tenant: Tenant) -> None:
    begun = await device.begun()
    sign_in_id = begun["sign_in_id"]
    approve = {"step": "approve", "sign_in_id": sign_in_id, "user_code": begun["user_code"]}
    assert (await device.person(tenant, "m0", approve)).status_code == 200
    stored = _stored(tenant, sign_in_id).get().to_dict() or {}
    _stored(tenant, sign_in_id).update({"expires_at": datetime.now(UTC) - timedelta(seconds=1)})

    assert stored["purge_at"] - stored["asked_at"] == timedelta(minutes=10)
    assert_error(await device.exchange(sign_in_id), 404, "SIGN_IN_EXPIRED")


async def test_no_code_is_stored(device: Device, tenant: Tenant) -> None:
    begun = await device.begun(loopback_port=PORT)
    sign_in_id = begun["sign_in_id"]
    decided = (await device.person(tenant, "m0", {"step": "approve", "sign_in_id": sign_in_id})).json()
    (code,) = parse_qs(urlsplit(decided["redirect_to"]).query)["code"]

    stored = _stored(tenant, sign_in_id).get()

    texts = repr((stored.id, stored.to_dict()))
    assert all(secret not in texts for secret in (code, device.verifier, begun["user_code"].replace("-", "")))


async def test_who_is_no_member_any_more_is_signed_in_nowhere(device: Device, tenant: Tenant) -> None:
    begun = await device.begun()
    sign_in_id = begun["sign_in_id"]
    approve = {"step": "approve", "sign_in_id": sign_in_id, "user_code": begun["user_code"]}
    assert (await device.person(tenant, "m0", approve)).status_code == 200
    tenant.user("m0").update({"is_active": False})

    assert_error(await device.exchange(sign_in_id), 403, "USER_INACTIVE")
    assert_error(await device.person(tenant, "a stranger", approve), 403, "USER_INACTIVE")


@pytest.mark.parametrize("step", ["look", "approve", "refuse"])
async def test_only_who_is_signed_in_sees_or_decides(device: Device, step: str) -> None:
    begun = await device.begun(loopback_port=PORT)

    answer = await device.ask({"step": step, "sign_in_id": begun["sign_in_id"]})

    assert_error(answer, 401, "TOKEN_MISSING")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"step": "steal"},
        {"step": "begin", "code_challenge": "short", "device_name": "x"},
        {"step": "begin", "code_challenge": "c" * 43, "device_name": "two\nlines"},
        {"step": "begin", "code_challenge": "c" * 43, "device_name": "x" * 101},
        {"step": "begin", "code_challenge": "c" * 43, "device_name": "x", "loopback_port": 22},
        {"step": "look"},
        {"step": "look", "sign_in_id": "a" * 26, "user_code": "BCDF-GHJK"},
        {"step": "look", "user_code": "ABCD-EFGH"},
        {"step": "exchange", "sign_in_id": "../a", "code_verifier": "v" * 43},
    ],
    ids=repr,
)
async def test_a_step_of_another_form_is_refused(device: Device, body: dict[str, object]) -> None:
    answer = await device.ask(body)

    assert_error(answer, 400, "INVALID_REQUEST")
    assert answer.json()["error"]["details"]["fields"]


@pytest.mark.long
async def test_an_address_that_begins_too_many_sign_ins_is_refused_and_no_other(
    device: Device, start_server: StartFunction
) -> None:
    process = start_server("sign_ins")
    process.wait_until_ready()
    device.url = process.url

    async def begin(address: str) -> int:
        headers = {"X-Forwarded-For": address}
        body = {"step": "begin", "code_challenge": "c" * 43, "device_name": "x"}
        return (await device.ask(body, headers=headers)).status_code

    answers = [await begin("192.0.2.7") for _ in range(200)]

    assert set(answers[:60]) == {201}
    assert 429 in answers
    assert await begin("192.0.2.8") == 201
    process.stop()


async def test_a_person_may_not_try_one_code_after_the_other(device: Device, tenant: Tenant) -> None:
    answers = [
        await device.person(tenant, "m0", {"step": "look", "user_code": "BCDFGHJ" + letter})
        for letter in "BCDFGHJKLMNPQRSTVWXZ" * 2
    ]

    assert {answer.status_code for answer in answers[:20]} == {404}
    assert answers[-1].status_code == 429

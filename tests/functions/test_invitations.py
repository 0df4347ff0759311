"""Invitations over HTTP: opened, renewed and taken back, by those who may."""

from datetime import datetime, timedelta
from hashlib import sha256

import pytest
from google.cloud import firestore

from tests.support.client import Clients, assert_error
from tests.support.people_calls import PeopleCalls
from tests.support.tenant import Tenant

EMAIL = "Cleo@Acme.Example"
ID = sha256(b"cleo@acme.example").hexdigest()


@pytest.fixture
def calls(clients: Clients) -> PeopleCalls:
    return PeopleCalls(clients=clients)


@pytest.fixture
def tenant(console: firestore.Client) -> Tenant:
    return Tenant.create(console, members=1)


async def test_an_invitation_is_open_for_two_weeks_and_its_link_holds_no_secret(
    calls: PeopleCalls, tenant: Tenant
) -> None:
    answer = await calls.invite(tenant, EMAIL, role="admin", groups=["Design"])

    assert answer.status_code == 201, answer.text
    assert answer.headers["Cache-Control"] == "private, no-store"
    body = answer.json()
    invitation = body["invitation"]
    created_at, expires_at = (datetime.fromisoformat(invitation[name]) for name in ("created_at", "expires_at"))
    assert expires_at - created_at == timedelta(days=14)
    assert {**invitation, "created_at": 0, "expires_at": 0} == {
        "invitation_id": ID,
        "email": "cleo@acme.example",
        "role": "admin",
        "groups": ["design"],
        "invited_by": "adam",
        "created_at": 0,
        "expires_at": 0,
    }
    assert body["join_path"] == f"/join?org={tenant.organization_id}"
    stored = tenant.invitation(ID).get().to_dict() or {}
    assert (stored["email"], stored["purge_at"]) == ("cleo@acme.example", expires_at)
    (event,) = tenant.events("user.invited")
    assert (event["actor"], event["user_id"]) == ("adam", None)
    assert event["details"] == {
        "edit": "created",
        "invitation_id": ID,
        "role": "admin",
        "groups": ["design"],
        "expires_at": expires_at,
    }
    assert "cleo@acme.example" not in str(event)


async def test_the_same_call_again_renews_the_invitation(calls: PeopleCalls, tenant: Tenant) -> None:
    first = (await calls.invite(tenant, EMAIL)).json()["invitation"]

    second = (await calls.invite(tenant, EMAIL.lower(), role="guest", by="olivia")).json()["invitation"]

    assert second["expires_at"] > first["expires_at"]
    assert (second["role"], second["invited_by"]) == ("guest", "olivia")
    assert len(list(tenant.organization.collection("invitations").stream())) == 1
    assert [each["details"]["edit"] for each in tenant.events("user.invited")] == ["created", "changed"]


async def test_an_invitation_that_is_taken_back_is_gone_and_to_ask_again_is_safe(
    calls: PeopleCalls, tenant: Tenant
) -> None:
    await calls.invite(tenant, EMAIL)

    answers = [await calls.by(tenant, "adam", "DELETE", "invitations", params={"invitation_id": ID}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [204, 204]
    assert not tenant.invitation(ID).get().exists
    assert [each["details"]["edit"] for each in tenant.events("user.invited")] == ["created", "deleted"]
    (refused,) = [await calls.join(calls.token(EMAIL), tenant.organization_id)]
    assert_error(refused, 403, "NO_INVITATION")


@pytest.mark.parametrize(
    ("by", "role", "status"),
    [
        ("olivia", "owner", 201),
        ("adam", "owner", 403),
        ("adam", "admin", 201),
        ("m0", "guest", 403),
        ("gus", "guest", 403),
    ],
)
async def test_owners_invite_everybody_admins_all_but_owners_and_others_nobody(
    calls: PeopleCalls, tenant: Tenant, by: str, role: str, status: int
) -> None:
    answer = await calls.invite(tenant, EMAIL, role=role, by=by)

    assert answer.status_code == status
    if status != 201:
        assert_error(answer, 403, "ROLE_NOT_ALLOWED")
    assert tenant.invitation(ID).get().exists is (status == 201)


@pytest.mark.parametrize("email", ["m0@example.com", "M0@Example.com"])
async def test_the_address_of_a_user_is_not_invited(calls: PeopleCalls, tenant: Tenant, email: str) -> None:
    answer = await calls.invite(tenant, email)

    assert_error(answer, 409, "ALREADY_A_MEMBER")
    assert list(tenant.organization.collection("invitations").stream()) == []


async def test_an_organization_has_at_most_200_open_invitations(
    calls: PeopleCalls, tenant: Tenant, console: firestore.Client
) -> None:
    await calls.invite(tenant, EMAIL)
    stored = tenant.invitation(ID).get().to_dict() or {}
    batch = console.batch()
    for number in range(199):
        batch.set(tenant.invitation(f"{number:064x}"), stored)
    batch.commit()

    refused = await calls.invite(tenant, "dora@acme.example")
    renewed = await calls.invite(tenant, EMAIL)

    assert_error(refused, 409, "INVITATION_LIMIT_REACHED")
    assert refused.json()["error"]["details"] == {"max": 200}
    assert renewed.status_code == 201


@pytest.mark.parametrize(
    "asked",
    [
        {"email": "cleo", "role": "member"},
        {"email": "cleo@acme", "role": "member"},
        {"email": "cleo@acme.example\n", "role": "member"},
        {"email": "a@b@acme.example", "role": "member"},
        {"email": "cleo@acme.example", "role": "king"},
        {"email": "cleo@acme.example"},
        {"email": "cleo@acme.example", "role": "member", "groups": ["a b"]},
        {"email": "cleo@acme.example", "role": "member", "organization_id": "another"},
    ],
    ids=str,
)
async def test_what_is_no_invitation_is_refused_and_nothing_is_written(
    calls: PeopleCalls, tenant: Tenant, asked: dict[str, object]
) -> None:
    answer = await calls.by(tenant, "olivia", "POST", "invitations", json=asked)

    assert_error(answer, 400, "INVALID_REQUEST")
    assert tenant.events() == []

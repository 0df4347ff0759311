"""Joining over HTTP: one commit makes the user, takes the invitation and reports it; nothing else lets a person in."""

import asyncio
from datetime import UTC, datetime
from uuid import uuid4

import httpx
import pytest
from google.cloud import firestore

from shared.rules.admission import invitation_id_of
from tests.support.client import Clients, assert_error, code_of
from tests.support.people_calls import PeopleCalls, signed_in_with
from tests.support.tenant import Tenant


@pytest.fixture
def calls(clients: Clients) -> PeopleCalls:
    return PeopleCalls(clients=clients)


@pytest.fixture
def tenant(console: firestore.Client) -> Tenant:
    return Tenant.create(console, members=1)


@pytest.fixture
def email() -> str:
    """An address that no other test has, whose organizations are all of this project."""
    return f"cleo@{uuid4().hex[:10]}.example"


@pytest.fixture
def uid() -> str:
    """A person of this test's own: people are in one organization of the project."""
    return f"u{uuid4().hex[:20]}"


def _domain(email: str) -> str:
    return email.rpartition("@")[2]


def _told(answer: httpx.Response) -> dict[str, object]:
    assert answer.status_code == 200, answer.text
    body: dict[str, object] = answer.json()
    del body["server_time"]
    return body


@pytest.mark.parametrize("named", ["named", None])
async def test_an_invited_person_becomes_a_user_with_the_role_and_groups_of_the_invitation(
    calls: PeopleCalls, tenant: Tenant, email: str, uid: str, named: str | None
) -> None:
    invited = (await calls.invite(tenant, email, role="admin", groups=["design"])).json()["invitation"]

    answer = await calls.join(calls.token(email.title(), uid=uid), tenant.organization_id if named else None)

    assert _told(answer) == {
        "organization_id": tenant.organization_id,
        "organization_name": "Org",
        "role": "admin",
        "joined": True,
    }
    joined_at = datetime.fromisoformat(answer.json()["server_time"])
    assert tenant.user(uid).get().to_dict() == {
        "email": email,
        "role": "admin",
        "is_active": True,
        "groups": ["design"],
        "created_at": joined_at,
    }
    assert not tenant.invitation(invited["invitation_id"]).get().exists
    (event,) = tenant.events("user.joined")
    assert (event["actor"], event["user_id"], event["at"]) == (uid, uid, joined_at)
    assert event["details"] == {
        "by": "invitation",
        "role": "admin",
        "groups": ["design"],
        "invitation_id": invited["invitation_id"],
        "invited_by": "adam",
        "provider": None,
        "domain": None,
    }


async def test_a_person_with_an_address_of_the_organizations_domain_becomes_a_member(
    calls: PeopleCalls, tenant: Tenant, email: str, uid: str
) -> None:
    tenant.organization.update({"email_domains": [_domain(email)]})

    answer = await calls.join(calls.token(email, uid=uid))

    assert _told(answer)["role"] == "member"
    assert (tenant.user(uid).get().to_dict() or {})["email"] == email
    assert tenant.events("user.joined")[0]["details"]["domain"] == _domain(email)


async def test_a_person_who_signs_in_with_the_organizations_provider_becomes_a_member_whatever_the_address(
    calls: PeopleCalls, tenant: Tenant, email: str, uid: str
) -> None:
    provider = f"saml.{_domain(email).partition('.')[0]}x".replace("saml.", "saml.a")
    tenant.organization.update({"sso_providers": [provider]})
    token = calls.token(email, uid=uid, email_verified=False, firebase=signed_in_with(provider))

    answer = await calls.join(token, tenant.organization_id)

    assert _told(answer)["role"] == "member"
    assert "email" not in (tenant.user(uid).get().to_dict() or {}), "nobody has verified it"
    assert tenant.events("user.joined")[0]["details"]["provider"] == provider


async def test_a_domain_or_provider_of_two_organizations_lets_nobody_in(
    calls: PeopleCalls, tenant: Tenant, email: str, console: firestore.Client
) -> None:
    provider = f"oidc.a{uuid4().hex[:8]}"
    for each in (tenant, Tenant.create(console)):
        each.organization.update({"email_domains": [_domain(email)], "sso_providers": [provider]})

    answers = [
        await calls.join(calls.token(email), tenant.organization_id),
        await calls.join(calls.token(email, firebase=signed_in_with(provider)), tenant.organization_id),
    ]

    for answer in answers:
        assert_error(answer, 403, "NO_INVITATION")


async def test_whatever_is_missing_the_refusal_is_the_same_byte_for_byte_and_nothing_is_written(
    calls: PeopleCalls, tenant: Tenant, email: str, console: firestore.Client
) -> None:
    elsewhere = Tenant.create(console)
    await calls.invite(tenant, email)
    await calls.invite(elsewhere, f"else-{email}")
    await calls.invite(tenant, f"late-{email}")
    tenant.invitation(invitation_id_of(f"late-{email}")).update({"expires_at": datetime.now(UTC)})
    tenant.user("gone").set({"email": f"gone-{email}", "is_active": False})
    tenant.organization.update({"email_domains": [_domain(email), "gmail.com"]})
    asks = {
        "nobody invited": (calls.token("nobody@nowhere.example"), tenant.organization_id),
        "no such organization": (calls.token("nobody@nowhere.example"), "no-such-organization"),
        "no organization named": (calls.token("nobody@nowhere.example"), None),
        "invited elsewhere": (calls.token("else-x@nowhere.example"), tenant.organization_id),
        "not verified": (calls.token(email, email_verified=False), tenant.organization_id),
        "no address": (calls.token(None), tenant.organization_id),
        "ended": (calls.token(f"late-{email}", email_verified=False), tenant.organization_id),
        "a company's sign-on": (
            calls.token(email, firebase=signed_in_with("saml.evil")),
            tenant.organization_id,
        ),
        "an account that has one": (
            calls.token(email, firebase=signed_in_with("password", "oidc.evil")),
            tenant.organization_id,
        ),
        "deactivated": (calls.token(f"gone-{email}", uid="gone"), tenant.organization_id),
        "a public domain": (calls.token("somebody@gmail.com"), tenant.organization_id),
    }
    before = {each.reference.path: each.update_time for each in tenant.organization.collection("users").stream()}

    answers = {name: await calls.join(*ask) for name, ask in asks.items()}

    told = set()
    for answer in answers.values():
        assert_error(answer, 403, "NO_INVITATION")
        error = {**answer.json()["error"], "request_id": None}
        told.add(str(error))
    assert len(told) == 1
    after = {each.reference.path: each.update_time for each in tenant.organization.collection("users").stream()}
    assert after == before
    assert tenant.events("user.joined") == []


async def test_a_user_who_joins_again_is_told_the_same_and_nothing_is_written(
    calls: PeopleCalls, tenant: Tenant, email: str, uid: str
) -> None:
    await calls.invite(tenant, email, role="admin")
    token = calls.token(email, uid=uid)
    first = await calls.join(token, tenant.organization_id)

    again = [await calls.join(token, asked) for asked in (tenant.organization_id, None)]

    assert [_told(answer) for answer in again] == [_told(first)] * 2
    assert len(tenant.events("user.joined")) == 1


async def test_a_person_who_asks_twice_at_once_joins_once(
    calls: PeopleCalls, tenant: Tenant, email: str, uid: str
) -> None:
    await calls.invite(tenant, email)
    token = calls.token(email, uid=uid)

    answers = await asyncio.gather(*(calls.join(token, tenant.organization_id) for _ in range(4)))

    assert [_told(answer)["organization_id"] for answer in answers] == [tenant.organization_id] * 4
    assert len(tenant.events("user.joined")) == 1


async def test_a_user_of_another_organization_is_refused_if_invited_and_otherwise_as_everybody(
    calls: PeopleCalls, tenant: Tenant, email: str, console: firestore.Client
) -> None:
    elsewhere = Tenant.create(console)
    await calls.invite(elsewhere, email)
    token = calls.token(email, uid=f"u{uuid4().hex}")
    assert (await calls.join(token)).status_code == 200

    unasked = await calls.join(token, tenant.organization_id)
    await calls.invite(tenant, email)
    invited = await calls.join(token, tenant.organization_id)

    assert_error(unasked, 403, "NO_INVITATION")
    assert_error(invited, 403, "IN_ANOTHER_ORGANIZATION")
    assert elsewhere.organization_id not in invited.text
    assert tenant.events("user.joined") == []


async def test_a_user_who_was_deactivated_does_not_come_back_by_an_invitation(
    calls: PeopleCalls, tenant: Tenant, email: str, uid: str
) -> None:
    await calls.invite(tenant, email)
    tenant.user(uid).set({"email": "other@acme.example", "is_active": False})

    answer = await calls.join(calls.token(email, uid=uid), tenant.organization_id)

    assert_error(answer, 403, "NO_INVITATION")
    assert (tenant.user(uid).get().to_dict() or {})["is_active"] is False


async def test_a_person_who_was_deactivated_does_not_come_back_with_a_new_account_of_the_same_address(
    calls: PeopleCalls, tenant: Tenant, email: str, uid: str
) -> None:
    provider = f"saml.a{uuid4().hex[:8]}"
    tenant.organization.update({"email_domains": [_domain(email)], "sso_providers": [provider]})
    assert (await calls.join(calls.token(email, uid=uid))).status_code == 200
    await calls.change(tenant, uid, is_active=False)

    answers = [
        await calls.join(calls.token(email)),
        await calls.join(calls.token(email.title(), email_verified=False, firebase=signed_in_with(provider))),
    ]
    colleague = await calls.join(calls.token(f"else-{email}"))

    for answer in answers:
        assert_error(answer, 403, "NO_INVITATION")
    assert colleague.status_code == 200
    assert len(tenant.events("user.joined")) == 2, "the person's own, and the colleague's"


async def test_an_invitation_counts_no_more_when_its_sender_may_not_invite_any_more_until_it_is_renewed(
    calls: PeopleCalls, tenant: Tenant, email: str
) -> None:
    token = calls.token(email)
    await calls.invite(tenant, email, role="admin", by="adam")
    await calls.change(tenant, "adam", role="member")

    refused = await calls.join(token, tenant.organization_id)
    await calls.invite(tenant, email, role="admin", by="olivia")
    renewed = await calls.join(token, tenant.organization_id)

    assert_error(refused, 403, "NO_INVITATION")
    assert _told(renewed)["role"] == "admin"


async def test_an_account_may_try_five_times_a_minute_and_others_are_answered(
    calls: PeopleCalls,
) -> None:
    token = calls.token("nobody@nowhere.example")
    headers = {"Authorization": f"Bearer {token}"}
    http, url = calls.clients.http, calls.clients.urls["join"]

    answers = [await http.post(url, json={}, headers=headers) for _ in range(9)]
    other = await calls.join(calls.token("nobody@nowhere.example"))

    # A slow machine may give back a try or two meanwhile.
    codes = [code_of(answer) for answer in answers]
    assert codes[:5] == ["NO_INVITATION"] * 5
    assert "RATE_LIMITED" in codes
    limited = next(answer for answer in answers if answer.status_code == 429)
    assert 1 <= int(limited.headers["Retry-After"]) <= 12
    assert_error(other, 403, "NO_INVITATION")


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer x.y.z"}])
async def test_without_a_good_token_nobody_joins(calls: PeopleCalls, headers: dict[str, str]) -> None:
    answer = await calls.clients.http.post(calls.clients.urls["join"], json={}, headers=headers)

    assert answer.status_code == 401


async def test_an_expired_token_joins_nothing(calls: PeopleCalls) -> None:
    token = calls.token("cleo@acme.example", exp=1_000_000_000)

    assert_error(await calls.join(token), 401, "TOKEN_EXPIRED")


@pytest.mark.long
async def test_500_people_of_a_company_join_at_once_from_one_address_each_of_them_once(
    calls: PeopleCalls, tenant: Tenant, email: str
) -> None:
    tenant.organization.update({"email_domains": [_domain(email)]})
    people = {f"p{number}-{uuid4().hex[:8]}": f"p{number}@{_domain(email)}" for number in range(500)}

    answers = await asyncio.gather(*(calls.join(calls.token(address, uid=uid)) for uid, address in people.items()))

    assert {answer.status_code for answer in answers} == {200}
    listed = {each.id: (each.to_dict() or {})["email"] for each in tenant.organization.collection("users").stream()}
    assert people.items() <= listed.items()
    assert sorted(event["user_id"] for event in tenant.events("user.joined")) == sorted(people)

"""One value of every kind in every field of every document that an acquire looks at: no seat through a closed door."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any
from uuid import uuid4

import httpx
import pytest
from google.cloud import firestore

from shared.documents.paths import OrganizationPaths
from shared.edge.errors import Code
from shared.rules.audit import grant_name
from shared.rules.seat_use import SeatUse
from shared.rules.session import session_id_of
from tests.support.admin import KNOWN, NEARLY_RIGHT, ONE_OF_EACH, Edit
from tests.support.client import Clients, answered, assert_error, code_of
from tests.support.doors import are_open, cap_of_license, cap_of_organization
from tests.support.tenant import LICENSE_ID, Tenant

ORGANIZATION: Mapping[str, Any] = {"name": "Org", "max_concurrent_seats": None}
USER: Mapping[str, Any] = {"email": "m0@example.com", "role": "member"}
LICENSE: Mapping[str, Any] = {"name": "L", "max_concurrent_seats": 1}

Documents = list[tuple[firestore.DocumentReference, dict[str, Any]]]


def _edits(kind: str, values: Sequence[Any] = (*ONE_OF_EACH, *NEARLY_RIGHT)) -> list[Edit]:
    return [Edit(document=kind, fields={name: value}) for name, value in product(KNOWN[kind], values)]


def _tenant(console: firestore.Client) -> Tenant:
    suffix = uuid4().hex[:10]
    return Tenant(console=console, organization_id=f"org-{suffix}", license_key=f"KEY-{suffix}")


def _write(console: firestore.Client, documents: Documents) -> None:
    for begin in range(0, len(documents), 400):
        batch = console.batch()
        for reference, fields in documents[begin : begin + 400]:
            batch.set(reference, fields)
        batch.commit()


async def _ask(clients: Clients, asking: Sequence[tuple[Tenant, str, str]]) -> list[httpx.Response]:
    """Ask for seats: of a tenant, as a user, with a key. Every answer is in the catalogue, and none a fault of ours."""
    answers = []
    for begin in range(0, len(asking), 20):
        some = asking[begin : begin + 20]
        answers += await asyncio.gather(
            *(answered(clients.of(each, user, license_key=key).acquire) for each, user, key in some)
        )
    for answer in answers:
        if not answer.is_success:
            assert_error(answer, Code[code_of(answer)].status, code_of(answer))
            assert answer.status_code < 500, answer.text
    return answers


@pytest.mark.long
async def test_in_a_license(clients: Clients, console: firestore.Client) -> None:
    tenant, edits = _tenant(console), _edits("license")
    keys = [f"KEY-{number}" for number in range(len(edits))]
    edited = [edit.after({**LICENSE, "license_key": key}, console) for edit, key in zip(edits, keys, strict=True)]
    people = [f"m{number}" for number in range(10)]  # one alone would meet the limit of requests
    written: Documents = [(tenant.organization, dict(ORGANIZATION))]
    written += [(tenant.user(user_id), dict(USER)) for user_id in people]
    written += [(tenant.license(f"l{number}"), fields) for number, fields in enumerate(edited)]
    _write(console, written)

    answers = await _ask(clients, [(tenant, people[number % 10], key) for number, key in enumerate(keys)])

    for key, fields, answer in zip(keys, edited, answers, strict=True):
        may_be = (
            are_open(ORGANIZATION, USER, fields) and cap_of_license(fields) > 0 and fields.get("license_key") == key
        )
        assert may_be or not answer.is_success, fields
    assert 50 < sum(answer.is_success for answer in answers) < len(answers) - 50


async def test_in_a_user(clients: Clients, console: firestore.Client) -> None:
    tenant = _tenant(console)
    edited = [edit.after(USER, console) for edit in _edits("user")]
    written: Documents = [(tenant.organization, dict(ORGANIZATION))]
    written += [(tenant.license(), {"license_key": "KEY", "max_concurrent_seats": 10_000})]
    written += [(tenant.user(f"u{number}"), fields) for number, fields in enumerate(edited)]
    _write(console, written)

    answers = await _ask(clients, [(tenant, f"u{number}", "KEY") for number in range(len(edited))])

    for fields, answer in zip(edited, answers, strict=True):
        assert are_open(ORGANIZATION, fields, LICENSE) or not answer.is_success, fields
    assert 50 < sum(answer.is_success for answer in answers) < len(answers) - 50


@pytest.mark.long
async def test_in_an_organization(clients: Clients, console: firestore.Client) -> None:
    edited = [edit.after(ORGANIZATION, console) for edit in _edits("organization")]
    tenants = [_tenant(console) for _ in edited]
    written: Documents = []
    for tenant, fields in zip(tenants, edited, strict=True):
        license_ = {**LICENSE, "license_key": tenant.license_key}
        written += [(tenant.organization, fields), (tenant.user("m0"), dict(USER)), (tenant.license(), license_)]
    _write(console, written)

    answers = await _ask(clients, [(tenant, "m0", tenant.license_key) for tenant in tenants])

    for fields, answer in zip(edited, answers, strict=True):
        cap = cap_of_organization(fields)
        assert (are_open(fields, USER, LICENSE) and (cap is None or cap > 0)) or not answer.is_success, fields
    assert 50 < sum(answer.is_success for answer in answers) < len(answers) - 50


@pytest.mark.long
async def test_in_a_session(clients: Clients, console: firestore.Client) -> None:
    tenant, now, edits = _tenant(console), datetime.now(UTC), _edits("session", ONE_OF_EACH)
    licenses = [f"l{number}" for number in range(len(edits))]
    written: Documents = [(tenant.organization, dict(ORGANIZATION))]
    written += [(tenant.user(user_id), dict(USER)) for user_id in ("m0", "m1")]
    for license_id, edit in zip(licenses, edits, strict=True):
        session_id = session_id_of(license_id=license_id, user_id="m0", hardware_id="laptop")
        written.append((tenant.license(license_id), {**LICENSE, "license_key": f"KEY-{license_id}"}))
        written.append((tenant.session(session_id), edit.after({**_held(now), "license_id": license_id}, console)))
    _write(console, written)

    for user_id in ("m1", "m0"):
        await _ask(clients, [(tenant, user_id, f"KEY-{license_id}") for license_id in licenses])

    # There are no counters, so the sessions are counted: there is one, or there is room for one.
    open_ = [each.get("license_id") for each in tenant.sessions() if each.get("ended_at", now) is None]
    assert {license_id: open_.count(license_id) for license_id in licenses} == dict.fromkeys(licenses, 1)


@pytest.mark.long
async def test_in_the_counters(clients: Clients, console: firestore.Client) -> None:
    # Besides each field alone, all that say how many seats are in use: they agree with each other, and are wrong.
    empty = [{"total": 0, "by_license": {LICENSE_ID: 0}}, {"total": 0, "by_license": {}}]
    slips = [*empty, {**empty[1], "checksum": 0}, {**empty[1], "grants": 0}]
    edits = [*_edits("seats", ONE_OF_EACH), *(Edit(document="seats", fields=fields) for fields in slips)]
    tenants, now = [_tenant(console) for _ in edits], datetime.now(UTC)
    use = SeatUse(by_license={LICENSE_ID: 1}, grants=1)
    counters = {"total": 1, "by_license": {LICENSE_ID: 1}, "grants": 1, "checksum": use.checksum, "updated_at": now}
    session_id = session_id_of(license_id=LICENSE_ID, user_id="m0", hardware_id="laptop")
    written: Documents = []
    for tenant, edit in zip(tenants, edits, strict=True):
        event = OrganizationPaths(tenant.organization_id).audit_event(grant_name(1))
        written += [(tenant.organization, dict(ORGANIZATION)), (tenant.seats, edit.after(counters, console))]
        written += [(tenant.user(user_id), dict(USER)) for user_id in ("m0", "m1")]
        written.append((tenant.license(), {**LICENSE, "license_key": tenant.license_key}))
        written.append((tenant.session(session_id), {**_held(now), "license_id": LICENSE_ID}))
        written.append((console.document(event), {"type": "session.acquired", "at": now, "grant_number": 1}))
    _write(console, written)

    refused = await _ask(clients, [(tenant, "m1", tenant.license_key) for tenant in tenants])
    kept = await _ask(clients, [(tenant, "m0", tenant.license_key) for tenant in tenants])

    assert [answer.text for answer in refused if answer.is_success] == []
    assert {code_of(answer) for answer in refused} == {"SEAT_LIMIT_REACHED"}
    assert {answer.status_code for answer in kept} == {200}


def _held(now: datetime) -> dict[str, Any]:
    """A seat that m0 holds."""
    times = dict.fromkeys(("started_at", "last_heartbeat_at"), now)
    lease = {**times, "lease_expires_at": now + timedelta(minutes=6), "ended_at": None}
    return {"user_id": "m0", "hardware_id": "laptop", **lease}

"""Review of what admins edit: filled, judged, told once, and never because of our own writes."""

import asyncio
import itertools
import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from google.cloud import firestore

from shared.admin import deleted_sessions
from shared.admin.review import Reviews
from shared.documents.policy import Policy
from shared.firestore.errors import StoreUnavailable
from shared.firestore.writes import Update, Write
from shared.rules.acquire import Device, Granted
from shared.seats.acquire import AcquireRequest, Acquires
from shared.seats.release import ReleaseRequest, Releases
from tests.support.connections import HeldCommit, WatchedFirestore
from tests.support.tenant import LICENSE_ID, Tenant

READABLE_KEY = r"[0-9A-HJKMNP-TV-Z]{5}(-[0-9A-HJKMNP-TV-Z]{5}){4}"


@pytest.fixture
def reviews(store: WatchedFirestore, policy: Policy) -> Reviews:
    """The reviews of one function instance."""
    return Reviews(store, policy)


@pytest.fixture
def tenant(console: firestore.Client) -> Tenant:
    """An organization with a license, nothing of it reviewed yet."""
    return Tenant.create(console)


def fields(document: firestore.DocumentReference) -> dict[str, Any]:
    return dict(document.get().to_dict() or {})


def problems(document: firestore.DocumentReference) -> list[tuple[str, str]]:
    return [(each["field"], each["level"]) for each in fields(document)["problems"]]


async def acquire(store: WatchedFirestore, policy: Policy, tenant: Tenant, user_id: str = "m0") -> str:
    device = Device(hardware_id="laptop", ip_address=None, user_agent=None)
    request = AcquireRequest(user_id=user_id, license_key=tenant.license_key, device=device)
    outcome = (await Acquires(store, policy).acquire(tenant.organization_id, request)).outcome
    assert isinstance(outcome, Granted), outcome
    return outcome.session.session_id


# What is missing is filled


async def test_an_organization_of_nothing_but_a_name_gets_everything_else(reviews: Reviews, tenant: Tenant) -> None:
    name = f"Northwind {tenant.organization_id}"
    tenant.organization.set({"name": name})
    written_at = tenant.organization.get().update_time

    await reviews.review(tenant.organization.path)

    filled = fields(tenant.organization)
    assert {**filled, "problems": problems(tenant.organization)} == {
        "name": name,
        "slug": f"northwind-{tenant.organization_id}",
        "subscription_tier": "free",
        "max_concurrent_seats": 5,
        "is_active": True,
        "created_at": written_at,
        "updated_at": written_at,
        "problems": [("max_concurrent_seats", "notice")],
    }


async def test_a_cap_that_was_filled_in_is_told_until_the_admin_changes_it(reviews: Reviews, tenant: Tenant) -> None:
    tenant.organization.set({"name": "Northwind"})
    await reviews.review(tenant.organization.path)
    tenant.organization.update({"is_active": False})
    await reviews.review(tenant.organization.path)
    told = problems(tenant.organization)
    tenant.organization.update({"max_concurrent_seats": None})

    await reviews.review(tenant.organization.path)

    assert told == [("max_concurrent_seats", "notice")]
    assert problems(tenant.organization) == []


async def test_domains_and_providers_get_their_one_form_and_what_is_wrong_with_them_is_said(
    reviews: Reviews, tenant: Tenant, console: firestore.Client
) -> None:
    name = tenant.organization_id
    other, domain = Tenant.create(console), f"taken.{name}.example"
    other.organization.update({"email_domains": [domain], "sso_providers": [f"saml.{name}"]})
    tenant.organization.update(
        {
            "email_domains": [f" B\u00fccher.{name}.EXAMPLE", "no domain", "gmail.com", domain],
            "sso_providers": [f"saml.{name} ", f"oidc.{name}", "google.com"],
        }
    )

    await reviews.review(tenant.organization.path)
    await reviews.review(tenant.organization.path)

    stored = fields(tenant.organization)
    assert stored["email_domains"] == [f"xn--bcher-kva.{name}.example", "no domain", "gmail.com", domain]
    assert stored["sso_providers"] == [f"saml.{name}", f"oidc.{name}", "google.com"]
    assert problems(tenant.organization) == [("email_domains", "error")] * 3 + [("sso_providers", "error")] * 2
    assert other.organization_id not in str(stored["problems"])
    assert len(tenant.events("organization.edited")) == 1


async def test_of_two_organizations_with_one_slug_the_second_is_told_and_none_is_made_twice(
    reviews: Reviews, tenant: Tenant, console: firestore.Client
) -> None:
    second, third, slug = Tenant.create(console), Tenant.create(console), f"s-{tenant.organization_id}"
    tenant.organization.update({"slug": slug})
    second.organization.update({"slug": slug})
    third.organization.update({"name": slug})

    for each in (second, third):
        await reviews.review(each.organization.path)

    assert problems(second.organization) == [("slug", "notice")]
    assert (fields(third.organization)["slug"], problems(third.organization)) == (None, [])


async def test_of_two_organizations_that_got_one_slug_at_the_same_moment_both_are_told(
    reviews: Reviews,
    store: WatchedFirestore,
    tenant: Tenant,
    console: firestore.Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    both, name = [tenant, Tenant.create(console)], f"Twin {tenant.organization_id}"
    for each in both:
        each.organization.set({"name": name})
    commit, begun = store.commit, asyncio.Barrier(2)

    async def commit_together(writes: Sequence[Write]) -> None:
        if any("slug" in getattr(write, "fields", {}) for write in writes):
            await begun.wait()
        await commit(writes)

    monkeypatch.setattr(store, "commit", commit_together)

    # The first look fills in, as the same moment has it. Firestore calls the function again for each write.
    for _ in range(2):
        await asyncio.gather(*(reviews.review(each.organization.path) for each in both))

    slugs = {fields(each.organization)["slug"] for each in both}
    assert len(slugs) == 1
    assert None not in slugs
    assert ("slug", "notice") in [told for each in both for told in problems(each.organization)]


async def test_an_organization_without_a_session_gets_counters_of_nothing(
    store: WatchedFirestore, policy: Policy, reviews: Reviews, tenant: Tenant
) -> None:
    await reviews.review(tenant.organization.path)

    counted = tenant.counters()
    await acquire(store, policy, tenant)

    assert (counted["total"], counted["by_license"], counted["grants"]) == (0, {}, 0)
    assert (tenant.counters()["total"], tenant.counters()["grants"]) == (1, 1)


async def test_counters_that_are_gone_are_not_begun_anew_while_a_seat_is_in_use(
    store: WatchedFirestore, policy: Policy, reviews: Reviews, tenant: Tenant
) -> None:
    await acquire(store, policy, tenant)
    tenant.seats.delete()

    await reviews.review(tenant.organization.path)

    assert not tenant.seats.get().exists


async def test_counters_begun_anew_go_on_with_the_number_of_the_latest_grant(
    store: WatchedFirestore, policy: Policy, reviews: Reviews, tenant: Tenant
) -> None:
    session_id = await acquire(store, policy, tenant)
    await Releases(store, policy).release(tenant.organization_id, ReleaseRequest(user_id="m0", session_id=session_id))
    tenant.seats.delete()

    await reviews.review(tenant.organization.path)

    assert (tenant.counters()["total"], tenant.counters()["grants"]) == (0, 1)


async def test_an_acquire_that_makes_the_counters_meanwhile_is_counted(
    store: WatchedFirestore,
    another_store: WatchedFirestore,
    policy: Policy,
    tenant: Tenant,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    commit = store.commit
    overtaken: list[str] = []

    async def commit_after_an_acquire(writes: Sequence[Write]) -> None:
        if not overtaken:
            overtaken.append(await acquire(another_store, policy, tenant))
        await commit(writes)

    monkeypatch.setattr(store, "commit", commit_after_an_acquire)

    await Reviews(store, policy).review(tenant.organization.path)

    assert overtaken
    assert (tenant.counters()["total"], tenant.counters()["grants"]) == (1, 1)
    assert len(tenant.events("organization.edited")) == 1


async def test_a_license_of_nothing_at_all_gets_everything_and_a_key_that_can_be_read_out(
    reviews: Reviews, tenant: Tenant
) -> None:
    tenant.license().set({})

    await reviews.review(tenant.license().path)

    filled = fields(tenant.license())
    assert re.fullmatch(READABLE_KEY, filled["license_key"])
    assert (filled["max_concurrent_seats"], filled["expires_at"], filled["is_active"]) == (5, None, True)
    assert "lease_seconds" not in filled
    assert filled["problems"] == []


@pytest.mark.parametrize("key", [None, "", "  "])
async def test_a_key_that_was_left_empty_is_made(reviews: Reviews, tenant: Tenant, key: str | None) -> None:
    tenant.license().update({"license_key": key})

    await reviews.review(tenant.license().path)

    assert re.fullmatch(READABLE_KEY, fields(tenant.license())["license_key"])


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("7k3qf 9xwIm qzpOt h0rga 5vnbe", "7K3QF-9XW1M-QZP0T-H0RGA-5VNBE"),
        ("  Own-Key\u00a0", "Own-Key"),
        ("own-key\n", "own-key"),
    ],
)
async def test_a_key_is_written_in_its_normal_form(reviews: Reviews, tenant: Tenant, typed: str, written: str) -> None:
    tenant.license().update({"license_key": typed})

    await reviews.review(tenant.license().path)

    assert fields(tenant.license())["license_key"] == written
    assert problems(tenant.license()) == []


async def test_the_same_key_in_another_form_is_told_to_both(reviews: Reviews, tenant: Tenant) -> None:
    tenant.license().update({"license_key": "7K3QF-9XW1M-QZP0T-H0RGA-5VNBE"})
    await reviews.review(tenant.license().path)
    tenant.add_license("other", "7k3qf9xw1mqzp0th0rga5vnbe", seats=1)

    await reviews.review(tenant.license("other").path)

    assert [problems(tenant.license(name)) for name in (LICENSE_ID, "other")] == [[("license_key", "error")]] * 2


async def test_no_two_keys_are_the_same(reviews: Reviews, tenant: Tenant) -> None:
    for number in range(5):
        tenant.license(f"l{number}").set({})

    await asyncio.gather(*(reviews.review(tenant.license(f"l{number}").path) for number in range(5)))

    assert len({fields(tenant.license(f"l{number}"))["license_key"] for number in range(5)}) == 5


async def test_what_is_there_stays_as_it_is_even_when_it_is_wrong(reviews: Reviews, tenant: Tenant) -> None:
    made = {"license_key": "MINE", "max_concurrent_seats": "20", "is_active": False, "notes": ["a", {"b": 1}]}
    tenant.license().set(made)

    await reviews.review(tenant.license().path)

    reviewed = fields(tenant.license())
    assert {name: reviewed[name] for name in made} == made


async def test_a_time_of_creation_that_was_removed_comes_back(reviews: Reviews, tenant: Tenant) -> None:
    await reviews.review(tenant.license().path)
    created_at = fields(tenant.license())["created_at"]
    tenant.license().update({"created_at": firestore.DELETE_FIELD})

    await reviews.review(tenant.license().path)

    assert fields(tenant.license())["created_at"] == created_at


async def test_every_edit_sets_the_time_of_the_last_one(reviews: Reviews, tenant: Tenant) -> None:
    await reviews.review(tenant.license().path)
    tenant.license().update({"name": "CAD"})
    edited_at = tenant.license().get().update_time

    await reviews.review(tenant.license().path)

    assert fields(tenant.license())["updated_at"] == edited_at


# What is wrong is said


async def test_what_is_wrong_is_said_and_taken_back_when_it_is_mended(reviews: Reviews, tenant: Tenant) -> None:
    tenant.license().update({"max_concurrent_seats": "20", "expires_at": "2030-01-01"})
    await reviews.review(tenant.license().path)
    wrong = fields(tenant.license())["problems"]
    tenant.license().update({"max_concurrent_seats": 20, "expires_at": None})

    await reviews.review(tenant.license().path)

    assert wrong == [
        {
            "field": "max_concurrent_seats",
            "level": "error",
            "found": 'the text "20"',
            "expected": "a whole number, 0 or more (type number)",
        },
        {
            "field": "expires_at",
            "level": "error",
            "found": 'the text "2030-01-01"',
            "expected": "a time from 1970 to 2199 (type timestamp), or null",
        },
    ]
    assert fields(tenant.license())["problems"] == []


async def test_a_field_that_looks_like_a_slip_is_a_notice(reviews: Reviews, tenant: Tenant) -> None:
    tenant.organization.update({"isActive": False})

    await reviews.review(tenant.organization.path)

    assert problems(tenant.organization) == [("isActive", "notice")]


async def test_of_very_many_problems_the_first_are_told(reviews: Reviews, tenant: Tenant) -> None:
    tenant.organization.set({f"is_active{number}": number for number in range(300)})

    await reviews.review(tenant.organization.path)
    settled = tenant.organization.get().update_time
    await reviews.review(tenant.organization.path)

    assert len(fields(tenant.organization)["problems"]) == 20
    assert tenant.organization.get().update_time == settled


async def test_a_key_used_twice_is_told_to_both_and_mending_one_clears_both(reviews: Reviews, tenant: Tenant) -> None:
    await reviews.review(tenant.license().path)
    tenant.add_license("other", tenant.license_key, seats=1)
    await reviews.review(tenant.license("other").path)
    told = [problems(tenant.license(name)) for name in (LICENSE_ID, "other")]
    tenant.license("other").update({"license_key": "ANOTHER"})

    await reviews.review(tenant.license("other").path)

    assert told == [[("license_key", "error")]] * 2
    assert [problems(tenant.license(name)) for name in (LICENSE_ID, "other")] == [[], []]


async def test_deleting_the_license_with_the_same_key_clears_the_other(reviews: Reviews, tenant: Tenant) -> None:
    await reviews.review(tenant.license().path)
    tenant.add_license("other", tenant.license_key, seats=1)
    await reviews.review(tenant.license("other").path)
    tenant.license("other").delete()

    await reviews.review(tenant.license("other").path)

    assert problems(tenant.license()) == []


async def test_a_new_key_in_place_of_a_shared_one_clears_both(reviews: Reviews, tenant: Tenant) -> None:
    await reviews.review(tenant.license().path)
    tenant.add_license("other", tenant.license_key, seats=1)
    await reviews.review(tenant.license("other").path)
    tenant.license("other").update({"license_key": firestore.DELETE_FIELD})

    await reviews.review(tenant.license("other").path)

    assert re.fullmatch(READABLE_KEY, fields(tenant.license("other"))["license_key"])
    assert [problems(tenant.license(name)) for name in (LICENSE_ID, "other")] == [[], []]


async def test_the_same_key_in_another_organization_is_a_notice(
    reviews: Reviews, tenant: Tenant, console: firestore.Client
) -> None:
    other = Tenant.create(console)
    other.license().update({"license_key": tenant.license_key})

    for each in (tenant, other):
        await reviews.review(each.license().path)

    assert [problems(each.license()) for each in (tenant, other)] == [[("license_key", "notice")]] * 2
    assert other.organization_id not in str(fields(tenant.license()))


async def test_a_cap_below_what_is_in_use_is_a_notice_and_throws_nobody_out(
    reviews: Reviews, store: WatchedFirestore, policy: Policy, tenant: Tenant
) -> None:
    for user_id in ("m0", "m1"):
        await acquire(store, policy, tenant, user_id)
    tenant.license().update({"max_concurrent_seats": 1})
    tenant.organization.update({"max_concurrent_seats": 1})

    await reviews.review(tenant.license().path)
    await reviews.review(tenant.organization.path)

    assert problems(tenant.license()) == [("max_concurrent_seats", "notice")]
    assert problems(tenant.organization) == [("max_concurrent_seats", "notice")]
    assert len(tenant.open_sessions()) == 2


async def test_a_license_larger_than_its_organization_is_a_notice_until_the_organization_grows(
    reviews: Reviews, tenant: Tenant
) -> None:
    tenant.organization.update({"max_concurrent_seats": 5})
    tenant.license().update({"max_concurrent_seats": 20})
    for document in (tenant.organization, tenant.license()):
        await reviews.review(document.path)
    told = problems(tenant.license())
    tenant.organization.update({"max_concurrent_seats": 20})

    await reviews.review(tenant.organization.path)

    assert told == [("max_concurrent_seats", "notice")]
    assert problems(tenant.license()) == []


async def test_removing_the_problems_has_the_document_checked_again_and_is_no_edit(
    reviews: Reviews, tenant: Tenant
) -> None:
    tenant.license().update({"lease_seconds": 1})
    await reviews.review(tenant.license().path)
    tenant.license().update({"problems": firestore.DELETE_FIELD})

    await reviews.review(tenant.license().path)

    assert problems(tenant.license()) == [("lease_seconds", "error")]
    assert len(tenant.events("license.edited")) == 1


# Every edit is told, once


async def test_an_edit_is_told_with_the_values_before_and_after(reviews: Reviews, tenant: Tenant) -> None:
    await reviews.review(tenant.license().path)
    tenant.license().update({"max_concurrent_seats": 20})
    edited_at = tenant.license().get().update_time

    await reviews.review(tenant.license().path)

    created, changed = tenant.events("license.edited")
    assert created["details"]["edit"] == "created"
    assert (changed["actor"], changed["license_id"], changed["at"]) == ("console", LICENSE_ID, edited_at)
    assert changed["details"] == {
        "edit": "changed",
        "changes": [{"field": "max_concurrent_seats", "before": "3", "after": "20"}],
    }
    assert tenant.license_key not in str(tenant.events("license.edited"))


async def test_edits_that_were_not_looked_at_each_are_told_as_one(reviews: Reviews, tenant: Tenant) -> None:
    await reviews.review(tenant.license().path)
    for seats in (20, 30):
        tenant.license().update({"max_concurrent_seats": seats})

    for _ in range(2):
        await reviews.review(tenant.license().path)

    _, changed = tenant.events("license.edited")
    assert changed["details"]["changes"] == [{"field": "max_concurrent_seats", "before": "3", "after": "30"}]


async def test_a_deleted_document_is_told_once_and_made_again_it_is_new(reviews: Reviews, tenant: Tenant) -> None:
    await reviews.review(tenant.license().path)
    made = fields(tenant.license())
    tenant.license().delete()
    for _ in range(2):
        await reviews.review(tenant.license().path)
    tenant.license().set(made)

    await reviews.review(tenant.license().path)

    assert [event["details"]["edit"] for event in tenant.events("license.edited")] == ["created", "deleted", "created"]


async def test_a_document_that_came_and_went_unseen_is_not_told(reviews: Reviews, tenant: Tenant) -> None:
    tenant.license().delete()

    await reviews.review(tenant.license().path)

    assert tenant.events("license.edited") == []


async def test_nothing_new_costs_one_read_and_writes_nothing(
    reviews: Reviews, store: WatchedFirestore, tenant: Tenant
) -> None:
    for document in (tenant.organization, tenant.license()):
        await reviews.review(document.path)
    settled = [document.get().update_time for document in (tenant.organization, tenant.license())]
    store.forget()

    for document in (tenant.organization, tenant.license()):
        await reviews.review(document.path)

    assert [kind for kind, _ in store.calls] == ["read", "read"]
    assert [document.get().update_time for document in (tenant.organization, tenant.license())] == settled
    assert len(tenant.events()) == 2


async def test_the_same_edit_seen_by_many_at_once_is_told_once(
    store: WatchedFirestore, another_store: WatchedFirestore, policy: Policy, tenant: Tenant
) -> None:
    instances = [Reviews(store, policy), Reviews(another_store, policy)]

    await asyncio.gather(*(each.review(tenant.license().path) for each in instances * 4))

    assert len(tenant.events("license.edited")) == 1
    assert len(list(tenant.organization.collection("reviews").stream())) == 1


async def test_an_edit_that_comes_while_another_is_looked_at_is_not_lost(
    store: WatchedFirestore, policy: Policy, tenant: Tenant
) -> None:
    reviews = Reviews(store, policy)
    halting = HeldCommit(store)
    first = asyncio.create_task(reviews.review(tenant.license().path))
    await halting.reached.wait()
    tenant.license().update({"max_concurrent_seats": 20})

    halting.let_go.set()
    await first

    assert halting.outcomes == ["conflict", "written"]
    (created,) = tenant.events("license.edited")
    assert {"field": "max_concurrent_seats", "before": None, "after": "20"} in created["details"]["changes"]
    assert fields(tenant.license())["max_concurrent_seats"] == 20


@pytest.mark.parametrize(
    "slip",
    [{"fields": "gone"}, {"fields": {"name": 5}}, {"fields": {"name": "no JSON"}}, {"problems": 3}, None],
    ids=str,
)
async def test_a_record_that_somebody_edited_does_no_harm(
    reviews: Reviews, tenant: Tenant, slip: dict[str, Any] | None
) -> None:
    await reviews.review(tenant.license().path)
    (record,) = tenant.organization.collection("reviews").stream()
    if slip is None:
        record.reference.delete()
    else:
        record.reference.update(slip)
    tenant.license().update({"lease_seconds": 1})

    for _ in range(2):
        await reviews.review(tenant.license().path)
    settled = tenant.license().get().update_time
    await reviews.review(tenant.license().path)

    assert problems(tenant.license()) == [("lease_seconds", "error")]
    assert tenant.license().get().update_time == settled


async def test_who_is_always_slower_says_so_in_time(store: WatchedFirestore, policy: Policy, tenant: Tenant) -> None:
    hasty = Policy(
        default_lease_for=policy.default_lease_for,
        default_grace_for=policy.default_grace_for,
        answer_within=timedelta(milliseconds=300),
        retention=policy.retention,
    )
    written = store.commit

    async def commit(writes: Any) -> None:  # noqa: ANN401 passed on
        tenant.license().update({"name": firestore.Increment(1)})
        await written(writes)

    store.commit = commit  # type: ignore[method-assign]  # the test stands between the store and Firestore

    with pytest.raises(StoreUnavailable, match="could not be reviewed in time"):
        await Reviews(store, hasty).review(tenant.license().path)


@pytest.mark.parametrize("path", ["", "organizations", "organizations/a/users/u", "organizations/a/b", "o/a"])
async def test_what_is_not_reviewed_is_logged_and_done_with(
    reviews: Reviews, store: WatchedFirestore, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    await reviews.review(path)

    assert store.calls == []
    assert [record.message for record in caplog.records] == [
        "an event for a document that is not reviewed; it is ignored"
    ]


# Sessions that somebody deleted


async def test_a_deleted_session_was_revoked_and_the_counters_follow(
    reviews: Reviews, store: WatchedFirestore, policy: Policy, tenant: Tenant
) -> None:
    tenant.license().update({"reservations": {"design": 1}})
    tenant.user("m0").update({"groups": ["design"]})
    session_id = await acquire(store, policy, tenant)
    await acquire(store, policy, tenant, "m1")
    started_at = fields(tenant.session(session_id))["started_at"]
    tenant.session(session_id).delete()

    await reviews.review(tenant.session(session_id).path)

    (event,) = tenant.events("session.revoked")
    assert (event["session_id"], event["user_id"], event["hardware_id"]) == (session_id, "m0", "laptop")
    assert (event["actor"], event["details"]["reason"]) == ("console", "revoked_by_admin")
    assert (event["details"]["started_at"], event["details"]["pool"]) == (started_at, "design")
    assert (tenant.counters()["total"], tenant.counters()["by_license"]) == (1, {LICENSE_ID: 1})
    assert tenant.counters()["by_pool"] == {}


@pytest.mark.parametrize("edit", [{"user_id": 5}, {"license_id": "a/b"}, {"started_at": "now"}], ids=str)
async def test_to_delete_a_session_that_cannot_be_read_frees_its_seat(
    reviews: Reviews, store: WatchedFirestore, policy: Policy, tenant: Tenant, edit: dict[str, Any]
) -> None:
    tenant.license().update({"max_concurrent_seats": 1})
    session_id = await acquire(store, policy, tenant)
    tenant.session(session_id).update(edit)
    tenant.session(session_id).delete()

    await reviews.review(tenant.session(session_id).path)

    assert tenant.counters()["total"] == 0
    assert [event["session_id"] for event in tenant.events("session.revoked")] == [session_id]


async def test_a_deleted_session_is_found_behind_more_events_than_a_page_has(
    reviews: Reviews, store: WatchedFirestore, policy: Policy, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deleted_sessions, "PAGE", 2)
    acquires = Acquires(store, policy)
    for number in range(5):
        device = Device(hardware_id="laptop", ip_address=f"192.0.2.{number}", user_agent=None)
        request = AcquireRequest(user_id="m0", license_key=tenant.license_key, device=device)
        await acquires.acquire(tenant.organization_id, request)
    (event,) = tenant.events("session.acquired")
    tenant.session(event["session_id"]).delete()

    await reviews.review(tenant.session(event["session_id"]).path)

    assert len(tenant.events("session.renewed")) == 4
    (revoked,) = tenant.events("session.revoked")
    assert revoked["details"]["started_at"] == event["at"]


async def test_after_a_deleted_session_the_counters_follow_also_where_somebody_acquires_meanwhile(
    reviews: Reviews, store: WatchedFirestore, another_store: WatchedFirestore, policy: Policy, tenant: Tenant
) -> None:
    session_id = await acquire(store, policy, tenant)
    tenant.session(session_id).delete()
    written, users = store.commit, iter(["m1", "m2"])

    async def commit(writes: Sequence[Write]) -> None:
        if any(isinstance(write, Update) for write in writes) and (user := next(users, None)) is not None:
            await acquire(another_store, policy, tenant, user)  # just before the counters are written anew
        await written(writes)

    store.commit = commit  # type: ignore[method-assign]  # the test stands between the store and Firestore

    await reviews.review(tenant.session(session_id).path)

    assert len(tenant.events("session.revoked")) == 1
    assert next(users, None) is None, "it lost twice"
    assert (tenant.counters()["total"], tenant.counters()["by_license"]) == (2, {LICENSE_ID: 2})


async def test_a_deleted_session_is_told_once_however_often_it_is_noticed(
    store: WatchedFirestore, another_store: WatchedFirestore, policy: Policy, tenant: Tenant
) -> None:
    session_id = await acquire(store, policy, tenant)
    tenant.session(session_id).delete()
    instances = [Reviews(store, policy), Reviews(another_store, policy)]

    await asyncio.gather(*(each.review(tenant.session(session_id).path) for each in instances * 3))

    assert len(tenant.events("session.revoked")) == 1
    assert len(tenant.events("usage.repaired")) == 1
    assert tenant.counters()["total"] == 0


async def test_a_session_that_had_ended_is_purged_in_silence(
    reviews: Reviews, store: WatchedFirestore, policy: Policy, tenant: Tenant
) -> None:
    session_id = await acquire(store, policy, tenant)
    released = ReleaseRequest(user_id="m0", session_id=session_id)
    await Releases(store, policy).release(tenant.organization_id, released)
    tenant.session(session_id).delete()
    before = tenant.events()

    await reviews.review(tenant.session(session_id).path)

    assert tenant.events() == before


@pytest.mark.parametrize("kind", [{"a": 1}, [1], 5, None])
async def test_an_event_whose_type_somebody_edited_does_not_hide_a_deleted_session(
    reviews: Reviews, store: WatchedFirestore, policy: Policy, tenant: Tenant, kind: object
) -> None:
    session_id = await acquire(store, policy, tenant)
    released = ReleaseRequest(user_id="m0", session_id=session_id)
    await Releases(store, policy).release(tenant.organization_id, released)
    (before,) = tenant.event_documents("session.released")
    await acquire(store, policy, tenant)
    before.reference.update({"type": kind})
    tenant.session(session_id).delete()

    await reviews.review(tenant.session(session_id).path)

    assert tenant.counters()["total"] == 0
    assert len(tenant.events("session.revoked")) == 1


async def test_a_session_ended_by_hand_and_then_deleted_is_told(
    reviews: Reviews, store: WatchedFirestore, policy: Policy, tenant: Tenant
) -> None:
    session_id = await acquire(store, policy, tenant)
    tenant.session(session_id).update({"ended_at": firestore.SERVER_TIMESTAMP})
    tenant.session(session_id).delete()

    await reviews.review(tenant.session(session_id).path)

    assert len(tenant.events("session.revoked")) == 1


async def test_a_device_that_took_a_seat_again_keeps_it_and_its_former_tenure_is_told(
    reviews: Reviews, store: WatchedFirestore, policy: Policy, tenant: Tenant
) -> None:
    session_id = await acquire(store, policy, tenant)
    started_at = fields(tenant.session(session_id))["started_at"]
    tenant.session(session_id).delete()
    again = await acquire(store, policy, tenant)

    for _ in range(2):
        await reviews.review(tenant.session(session_id).path)

    assert again == session_id
    (event,) = tenant.events("session.revoked")
    assert event["details"]["started_at"] == started_at
    assert len(tenant.open_sessions()) == 1
    assert tenant.counters()["total"] == 1


async def test_a_session_nobody_ever_had_is_told_nothing_of(reviews: Reviews, tenant: Tenant) -> None:
    await reviews.review(tenant.session("a" * 26).path)

    assert tenant.events() == []


async def test_a_shared_key_that_is_changed_before_it_was_looked_at_leaves_nobody_told(
    reviews: Reviews, tenant: Tenant
) -> None:
    tenant.add_license("other", tenant.license_key, seats=1)
    await reviews.review(tenant.license().path)
    told = [problems(tenant.license(name)) for name in (LICENSE_ID, "other")]
    tenant.license("other").update({"license_key": "ANOTHER"})

    await reviews.review(tenant.license("other").path)

    assert told == [[("license_key", "error")]] * 2
    assert [problems(tenant.license(name)) for name in (LICENSE_ID, "other")] == [[], []]


async def test_a_review_that_is_cut_off_leaves_what_finds_the_other_license_again(
    reviews: Reviews, store: WatchedFirestore, tenant: Tenant
) -> None:
    await reviews.review(tenant.license().path)
    tenant.add_license("other", tenant.license_key, seats=1)
    written, commits = store.commit, itertools.count(1)

    async def commit(writes: Any) -> None:  # noqa: ANN401 passed on
        if next(commits) > 2:  # noted, and the first license told
            raise ConnectionError
        await written(writes)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(store, "commit", commit)
        with pytest.raises(ConnectionError):
            await reviews.review(tenant.license("other").path)
    tenant.license("other").update({"license_key": "ANOTHER"})

    await reviews.review(tenant.license("other").path)

    assert [problems(tenant.license(name)) for name in (LICENSE_ID, "other")] == [[], []]

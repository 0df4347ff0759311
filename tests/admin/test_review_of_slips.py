"""Review of documents, and of records of what was last seen, that hold what nobody would expect there."""

from datetime import UTC, datetime

import pytest
from google.cloud import firestore

from shared.admin.review import Reviews
from shared.documents.paths import OrganizationPaths
from shared.documents.policy import Policy
from tests.support.connections import WatchedFirestore
from tests.support.tenant import LICENSE_ID, Tenant


@pytest.fixture
def reviews(store: WatchedFirestore, policy: Policy) -> Reviews:
    """The reviews of one function instance."""
    return Reviews(store, policy)


@pytest.fixture
def tenant(console: firestore.Client) -> Tenant:
    """An organization with a license, nothing of it reviewed yet."""
    return Tenant.create(console)


def problems(tenant: Tenant) -> list[tuple[str, str]]:
    return [(each["field"], each["level"]) for each in tenant.license().get().get("problems")]


@pytest.mark.parametrize(
    ("field", "slip", "mended"),
    [
        ("expires_at", "2030-01-01T00:00:00+00:00", datetime(2030, 1, 1, tzinfo=UTC)),
        ("name", b"", "(bytes_value)"),
        ("name", firestore.GeoPoint(1, 2), "(geo_point_value)"),
    ],
    ids=["time", "bytes", "place"],
)
async def test_a_value_of_the_right_type_that_reads_like_the_wrong_one_mends_it(
    reviews: Reviews, tenant: Tenant, field: str, slip: object, mended: object
) -> None:
    tenant.license().update({field: slip})
    await reviews.review(tenant.license().path)
    before = problems(tenant)
    tenant.license().update({field: mended})

    await reviews.review(tenant.license().path)

    assert (before, problems(tenant)) == ([(field, "error")], [])


async def test_what_stands_in_the_way_is_told_before_any_number_of_notices(reviews: Reviews, tenant: Tenant) -> None:
    tenant.add_license("other", tenant.license_key, seats=1)
    tenant.license().update({f"seats{'_' * number}": 1 for number in range(30)})

    await reviews.review(tenant.license().path)

    assert problems(tenant)[0] == ("license_key", "error")
    assert len(problems(tenant)) > 1


async def test_a_group_that_no_user_has_is_a_notice_until_a_user_has_it(reviews: Reviews, tenant: Tenant) -> None:
    tenant.user("m0").update({"groups": ["design", "other"]})
    tenant.license().update({"reservations": {"design": 1, "render": 1}, "allowed_groups": ["design", "render"]})
    await reviews.review(tenant.license().path)
    before = problems(tenant)
    tenant.user("m1").update({"groups": ["render"]})
    tenant.license().update({"problems": firestore.DELETE_FIELD})

    await reviews.review(tenant.license().path)

    assert before == [("allowed_groups", "notice"), ("reservations", "notice")]
    assert problems(tenant) == []


async def test_groups_of_a_license_are_written_as_they_count(reviews: Reviews, tenant: Tenant) -> None:
    tenant.user("m0").update({"groups": ["design"]})
    tenant.license().update({"reservations": {" Design": 1}, "allowed_groups": ["DESIGN"]})
    tenant.license().update({"license_key": firestore.DELETE_FIELD})

    await reviews.review(tenant.license().path)

    stored = tenant.license().get()
    assert (stored.get("reservations"), stored.get("allowed_groups")) == ({"design": 1}, ["design"])
    assert problems(tenant) == []


@pytest.mark.parametrize(
    "remembered",
    [
        "[" * 100_000,
        '{"timestamp": "0001-01-01T00:00:00+14:00"}',
        '{"timestamp": "9999-12-31T23:59:59-14:00"}',
        '{"timestamp": "2030-01-01"}',
        '{"timestamp": 5}',
        '"2030-01-01T00:00:00+00:00"',
    ],
    ids=lambda text: text[:50],
)
async def test_a_record_of_what_can_be_no_time_of_creation_gives_none(
    reviews: Reviews, console: firestore.Client, tenant: Tenant, remembered: str
) -> None:
    await reviews.review(tenant.license().path)
    record = console.document(OrganizationPaths(tenant.organization_id).review("licenses", LICENSE_ID))
    record.update({"fields.created_at": remembered})
    tenant.license().update({"created_at": firestore.DELETE_FIELD})
    edited_at = tenant.license().get().update_time

    await reviews.review(tenant.license().path)

    assert tenant.license().get().get("created_at") == edited_at

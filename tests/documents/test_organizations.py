"""Walking over all organizations: page by page, each document once, and each organization's for itself."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from google.cloud import firestore

from shared.documents.organizations import by_organization, next_page, walk
from shared.documents.paths import Located, OrganizationPaths
from shared.documents.queries import all_licenses, counters_in_use, open_everywhere, open_sessions, unpublished_events
from shared.firestore.client import ALL_ORGANIZATIONS, Document
from shared.firestore.query import Cursor, Query
from shared.firestore.values import Opaque
from tests.support.connections import WatchedFirestore

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
BEFORE = AT + timedelta(days=1)

LONGEST = "x" * 1500
ODD_IDS = ["-", "a b", "Zoë & 東京", "a.b", "...", "100%", "a\nb", "__", "_a_", "organizations", LONGEST]
NO_IDS = ["", ".", "..", "____", "__a__", "__a\nb__", LONGEST + "x", "é" * 751, "\ud800"]


def document(path: str, **fields: object) -> Document:
    return Document(path=path, fields=fields, update_time=None)


async def paths_of(pages: AsyncIterator[Sequence[Document]]) -> list[list[str]]:
    return [[found.path for found in page] async for page in pages]


# The next page


def test_a_query_without_a_limit_has_one_page() -> None:
    query = Query(collection="sessions", everywhere=True)

    following = next_page(query, [document("organizations/a/sessions/1")])

    assert following is None


@pytest.mark.parametrize("found", [0, 1])
def test_a_page_that_is_not_full_is_the_last_one(found: int) -> None:
    query = open_everywhere(limit=2)
    page = [document("organizations/a/sessions/1")] * found

    following = next_page(query, page)

    assert following is None


def test_after_a_full_page_the_next_one_begins_behind_its_last_document() -> None:
    query = open_everywhere(limit=2)
    page = [document("organizations/a/sessions/1"), document("organizations/b/sessions/1")]

    following = next_page(query, page)

    assert following == Query(
        collection="sessions",
        everywhere=True,
        where=query.where,
        limit=2,
        after=Cursor(path="organizations/b/sessions/1", value=None),
    )


def test_the_next_page_of_an_ordered_query_begins_behind_the_last_value_too() -> None:
    query = unpublished_events(before=BEFORE, limit=1)

    following = next_page(query, [document("organizations/a/audit_events/1", at=AT)])

    assert following is not None
    assert following.after == Cursor(path="organizations/a/audit_events/1", value=AT)


def test_the_page_after_the_next_begins_behind_the_next() -> None:
    query = open_everywhere(limit=1)
    second = next_page(query, [document("organizations/a/sessions/1")])
    assert second is not None

    third = next_page(second, [document("organizations/a/sessions/2")])

    assert third is not None
    assert third.after == Cursor(path="organizations/a/sessions/2", value=None)


def test_behind_a_value_that_is_nothing_of_ours_there_is_no_further_page() -> None:
    query = counters_in_use(limit=1)

    following = next_page(query, [document("organizations/a/usage/seats", total=Opaque("bytes_value"))])

    assert following is None


# The walk


async def test_a_walk_finds_every_document_of_every_organization_once(
    store: WatchedFirestore, console: firestore.Client
) -> None:
    written = [f"organizations/{name}/sessions/{number}" for name in ("a", "b", "c") for number in range(3)]
    for path in written:
        console.document(path).set({"ended_at": None})

    pages = await paths_of(walk(store, open_everywhere(limit=2)))

    assert [path for page in pages for path in page] == written
    assert [len(page) for page in pages] == [2, 2, 2, 2, 1]


async def test_a_walk_whose_last_page_is_full_ends_with_an_empty_one(
    store: WatchedFirestore, console: firestore.Client
) -> None:
    written = [f"organizations/a/sessions/{number}" for number in range(4)]
    for path in written:
        console.document(path).set({"ended_at": None})

    pages = await paths_of(walk(store, open_everywhere(limit=2)))

    assert pages == [written[:2], written[2:], []]


async def test_a_walk_over_nothing_is_one_empty_page(store: WatchedFirestore) -> None:
    query = open_everywhere(limit=2)

    pages = await paths_of(walk(store, query))

    assert pages == [[]]


async def test_an_ordered_walk_finds_the_documents_of_one_value_once_although_pages_end_between_them(
    store: WatchedFirestore, console: firestore.Client
) -> None:
    late, early = AT + timedelta(microseconds=1), AT
    for name, at in {"1": late, "2": early, "3": early, "4": late, "5": early}.items():
        console.document(f"organizations/a/audit_events/{name}").set({"unpublished_shard": int(name) % 2, "at": at})

    pages = await paths_of(walk(store, unpublished_events(before=BEFORE, limit=2)))

    names = [[path.rpartition("/")[2] for path in page] for page in pages]
    assert names == [["2", "3"], ["5", "1"], ["4"]]


async def test_what_no_longer_fits_the_query_behind_the_walk_does_not_make_it_lose_its_place(
    store: WatchedFirestore, console: firestore.Client
) -> None:
    written = [f"organizations/a/sessions/{number}" for number in range(5)]
    for path in written:
        console.document(path).set({"ended_at": None})
    found: list[str] = []

    async for page in walk(store, open_everywhere(limit=2)):
        for session in page:
            found.append(session.path)
            console.document(session.path).update({"ended_at": AT})

    assert found == written


async def test_a_value_that_is_no_number_does_not_stop_a_walk_and_bytes_come_last(
    store: WatchedFirestore, console: firestore.Client
) -> None:
    totals = {"a": 2, "b": "two", "c": b"\x02", "d": 1, "e": None, "f": True, "g": [2], "h": 2.5, "i": 0}
    for name, total in totals.items():
        console.document(f"organizations/{name}/usage/seats").set({"total": total})

    pages = await paths_of(walk(store, counters_in_use(limit=1)))

    found = [path.split("/")[1] for page in pages for path in page]
    # Firestore's order of kinds: null (which != does not find), booleans, numbers, times, text, bytes ...
    assert found == ["f", "d", "a", "h", "b", "c"]


@pytest.mark.parametrize("organization_id", ["a b", "Zoë & 東京", "100%", "a.b"])
async def test_a_walk_goes_on_behind_a_document_with_an_odd_id(
    store: WatchedFirestore, console: firestore.Client, organization_id: str
) -> None:
    written = [f"organizations/{organization_id}/sessions/{name}" for name in ("1 of 2", "é")]
    for path in written:
        console.document(path).set({"ended_at": None})

    pages = await paths_of(walk(store, open_everywhere(limit=1)))

    assert pages == [[path] for path in written] + [[]]


# Whose a document is


@pytest.mark.parametrize("odd", ODD_IDS, ids=ascii)
def test_the_path_of_a_document_says_whose_it_is_however_odd_the_ids(odd: str) -> None:
    path = f"organizations/{odd}/sessions/{odd}"

    located = OrganizationPaths.of(path)

    assert located == Located(paths=OrganizationPaths(odd), collection="sessions", document_id=odd)


@pytest.mark.parametrize("wrong", NO_IDS, ids=ascii)
@pytest.mark.parametrize("path", ["organizations/{}/sessions/1", "organizations/acme/sessions/{}"])
def test_a_path_with_what_can_be_no_id_leads_to_no_document(path: str, wrong: str) -> None:
    wrong_path = path.format(wrong)

    located = OrganizationPaths.of(wrong_path)

    assert located is None


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "organizations",
        "organizations/acme",
        "organizations/acme/sessions",
        "organizations/acme/sessions/1/",
        "/organizations/acme/sessions/1",
        "organizations/acme/sessions/1/notes",
        "organizations/acme/sessions/1/notes/2",
        "organizations//sessions/1",
        "Organizations/acme/sessions/1",
        "archive/acme/sessions/1",
        "archive/2026/organizations/acme/sessions/1",
    ],
)
def test_a_path_of_another_shape_leads_to_no_document_of_an_organization(path: str) -> None:
    located = OrganizationPaths.of(path)

    assert located is None


def test_documents_are_sorted_by_organization_in_the_order_in_which_they_come() -> None:
    documents = [
        document(f"organizations/{organization_id}/sessions/{name}")
        for organization_id, name in [("b", "2"), ("a", "9"), ("b", "1"), ("a", "3")]
    ]

    sorted_ = by_organization(documents, collection="sessions")

    assert list(sorted_.items()) == [
        (OrganizationPaths("b"), [documents[0], documents[2]]),
        (OrganizationPaths("a"), [documents[1], documents[3]]),
    ]


@pytest.mark.parametrize(
    "path",
    [
        "organizations/acme/archived/1",
        "archive/2026/sessions/1",
        "organizations/acme/users/ann/sessions/1",
        "sessions/1",
    ],
)
def test_documents_of_another_collection_or_elsewhere_are_left_out(path: str) -> None:
    ours = document("organizations/acme/sessions/1")

    sorted_ = by_organization([document(path), ours], collection="sessions")

    assert sorted_ == {OrganizationPaths("acme"): [ours]}


# Where a query may reach


@pytest.mark.parametrize(
    "query", [open_everywhere(limit=1), counters_in_use(limit=1)], ids=lambda query: query.collection
)
async def test_a_query_over_all_organizations_is_not_asked_below_one(store: WatchedFirestore, query: Query) -> None:
    parent = OrganizationPaths("acme").organization

    with pytest.raises(ValueError, match="over all organizations cannot have the parent 'organizations/acme'"):
        await store.select(parent, query)


@pytest.mark.parametrize("query", [all_licenses(), open_sessions()], ids=lambda query: query.collection)
async def test_a_query_over_one_organization_is_not_asked_over_all_of_them(
    store: WatchedFirestore, query: Query
) -> None:
    parent = ALL_ORGANIZATIONS

    with pytest.raises(ValueError, match="over one organization cannot have the parent ''"):
        await store.select(parent, query)


async def test_a_count_reaches_no_further_than_its_query_either(store: WatchedFirestore) -> None:
    now = await store.now()

    for parent, query in (("organizations/acme", open_everywhere(limit=1)), (ALL_ORGANIZATIONS, open_sessions())):
        with pytest.raises(ValueError, match="a query over"):
            await store.count(parent, query, at=now)

"""The emulator answers a query that has no index; Firestore refuses it. So queries and indexes are compared here."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from infra.build.stage import ROOT
from shared.documents import queries
from shared.documents.paths import OrganizationPaths
from shared.documents.usage_days import usage_day_fields
from shared.documents.writing import (
    Retention,
    audit_event_fields,
    invitation_fields,
    lease_write,
    place_in_line_fields,
    seat_use_fields,
    session_fields,
    sign_in_create,
)
from shared.firestore.client import Document
from shared.firestore.query import Query
from shared.rules.audit import AuditType, acquired
from shared.rules.history import Records, usage_day
from shared.rules.seat_use import SeatUse
from shared.rules.sign_in import SignIn, sign_in_id_of
from tests.rules.make import NOW, a_place, a_session, an_invitation

PATHS = OrganizationPaths("acme")
A_SIGN_IN = SignIn(
    sign_in_id=sign_in_id_of("BCDFGHJK"),
    code_challenge="",
    device_name="studio-pc",
    ip_address=None,
    loopback_port=None,
    asked_at=NOW,
    expires_at=NOW,
)

DEFINITION = json.loads((ROOT / "infra/firestore.indexes.json").read_text())


def every_query() -> Iterator[Query]:
    """One of each query."""
    now = datetime.fromisoformat("2026-01-01T00:00:00+00:00")
    yield queries.licenses_with_key("key")
    yield queries.licenses_with_key(" key ")
    yield queries.licenses_with_key_everywhere("key", limit=1)
    yield queries.users_with_email_everywhere(["ada@example.com"], limit=1)
    yield queries.organizations_with_slug("slug")
    yield queries.organizations_with_domain("acme.example")
    yield queries.organizations_with_provider("saml.acme")
    yield queries.invitations_everywhere("ada@example.com", limit=1)
    yield queries.open_invitations(now=now, limit=1)
    yield queries.invitations_by("user")
    yield queries.users_with_email(["ada@example.com"])
    yield queries.open_sessions_of_users(["user"])
    yield queries.latest_session_of("user")
    yield queries.denials_of("user", since=now)
    yield queries.page_of_users(limit=1, after=None)
    yield queries.owners()
    yield queries.users_in_group("group")
    yield queries.all_licenses()
    yield queries.seats_held()
    yield queries.open_in_pool("license", "group")
    yield queries.licenses_expiring(after=now, until=now, limit=1)
    yield queries.open_sessions_of("user", "license")
    yield queries.borrowed_seats("license", now=now)
    yield queries.held_since("license", until=now)
    yield queries.places_in_line(now=now)
    yield queries.places_given_up(since=now - queries.LOOKS_BACK, now=now, limit=1)
    yield queries.last_grant()
    yield queries.lapsed_everywhere(0, since=now - queries.LOOKS_BACK, now=now)
    yield queries.open_everywhere(limit=1)
    yield queries.ended_by_hand(limit=1)
    yield queries.counters_in_use(limit=1)
    yield queries.all_organizations(limit=1)
    for collection in ("organizations", "licenses", "users"):
        yield queries.all_documents(collection, limit=1)
    yield queries.unpublished_events(before=now)
    yield queries.unpublished_events(before=now, everywhere=False)
    yield queries.tenures_of("session", limit=1)
    yield queries.events_of_types([AuditType.DENIED], since=now, limit=1, only_fields=("at",))
    yield queries.unsettled_days()
    for narrowed_by in (None, ("user_id", "user"), ("license_id", "license"), ("type", "session.denied")):
        yield queries.trail(narrowed_by=narrowed_by, after=now, until=now, limit=1)
    yield queries.reviews_of_user("user")
    yield queries.without_account(limit=1)
    for license_id in (None, "license"):
        yield queries.open_sessions(license_id)
        yield queries.lapsed_sessions(license_id, now=now, limit=1)
        yield queries.next_to_lapse(license_id, now=now)
        yield queries.live_sessions(license_id, now=now)
        for user_id in (None, "user"):
            yield queries.page_of_sessions(license_id, user_id=user_id, limit=1)


@dataclass(frozen=True, kw_only=True)
class Index:
    """A composite index: the collection, of one organization or of all, and its fields in order, with directions."""

    collection: str
    fields: tuple[tuple[str, str], ...]
    everywhere: bool = False

    def serves(self, query: Query) -> bool:
        """Whether this index answers the query."""
        if (self.collection, self.everywhere) != (query.collection, query.everywhere):
            return False
        equal = _equalities(query)
        leading, rest = self.fields[: len(equal)], self.fields[len(equal) :]
        if {name for name, _ in leading} != equal:
            # Equalities may stand in any order and direction: each of them is one point of the index, not a range.
            return False
        # Nothing but equalities: Firestore refuses no such query, because it merges the built-in indexes. An index that
        # begins with these fields has their entries side by side, whatever follows, and their count asks for no order;
        # one more index, for the count alone, would be written with every session and answer nothing new.
        return not _ordered(query) or rest == _ordered(query)


def _equalities(query: Query) -> set[str]:
    return {name for name, comparison, _ in query.where if comparison in {"==", "in"}}


def _ordered(query: Query) -> tuple[tuple[str, str], ...]:
    """The range and the order, with their direction: what must stand last in the index."""
    direction = "DESCENDING" if query.last_first else "ASCENDING"
    return tuple((name, direction) for name in query.index_fields if name not in _equalities(query))


INDEXES = [
    Index(
        collection=index["collectionGroup"],
        fields=tuple((field["fieldPath"], field["order"]) for field in index["fields"]),
        everywhere=index["queryScope"] == "COLLECTION_GROUP",
    )
    for index in DEFINITION["indexes"]
]
FIELDS = {(field["collectionGroup"], field["fieldPath"]): field for field in DEFINITION["fieldOverrides"]}
OVERRIDES = {name: field for name, field in FIELDS.items() if field["indexes"]}
EXEMPT = {name for name, field in FIELDS.items() if not field["indexes"]}
"""The fields without any index of their own."""
QUERIES = list(every_query())
COMPOUND = [query for query in QUERIES if len(query.index_fields) > 1]
SINGLE_EVERYWHERE = [query for query in QUERIES if len(query.index_fields) == 1 and query.everywhere]


def _name(query: Query) -> str:
    return f"{query.collection}-{'-'.join(query.index_fields)}"


@pytest.mark.parametrize("query", COMPOUND, ids=_name)
def test_every_query_over_several_fields_has_its_index(query: Query) -> None:
    # Nothing but equalities, in the order of the documents' names: Firestore merges the built-in indexes.
    has_index = any(index.serves(query) for index in INDEXES)

    assert has_index or not _ordered(query)


@pytest.mark.parametrize("index", INDEXES, ids=lambda index: "-".join(name for name, _ in index.fields))
def test_every_index_has_a_query_that_no_other_index_serves(index: Index) -> None:
    others = [other for other in INDEXES if other != index]

    only_here = [
        query for query in COMPOUND if index.serves(query) and not any(other.serves(query) for other in others)
    ]

    assert only_here


def test_no_index_is_defined_twice() -> None:
    assert len(set(INDEXES)) == len(INDEXES)


def test_only_those_who_join_and_queries_that_no_caller_can_cause_reach_across_organizations() -> None:
    everywhere = {(query.collection, query.index_fields) for query in QUERIES if query.everywhere}

    assert everywhere == {
        ("sessions", ("expiry_shard", "ended_at", "lease_expires_at")),
        ("sessions", ("ended_at",)),
        ("sessions", ("end_reason", "ended_at")),
        ("usage", ("total",)),
        ("licenses", ("license_key",)),
        ("licenses", ("expires_at",)),
        ("users", ("email",)),
        ("organizations", ("slug",)),
        ("audit_events", ("unpublished_shard", "at")),
        ("organizations", ()),
        ("licenses", ()),
        ("users", ()),
        ("reviews", ("user_id",)),
        ("reviews", ("awaits_account",)),
        ("waiting", ("counts_until",)),
        # of those who join, for what their verified tokens say
        ("invitations", ("email",)),
        ("organizations", ("email_domains",)),
        ("organizations", ("sso_providers",)),
    }


@pytest.mark.parametrize("query", SINGLE_EVERYWHERE, ids=_name)
def test_a_query_over_one_field_of_all_organizations_has_its_index(query: Query) -> None:
    # The built-in indexes over single fields are for one collection each.
    override = OVERRIDES[query.collection, query.index_fields[0]]

    assert _everywhere(query) in override["indexes"]


def _everywhere(query: Query) -> dict[str, str]:
    is_list = query.where[0][1] == "array-contains"
    return {"queryScope": "COLLECTION_GROUP", **({"arrayConfig": "CONTAINS"} if is_list else {"order": "ASCENDING"})}


def test_an_override_keeps_the_built_in_indexes_and_adds_one_that_a_query_needs() -> None:
    needed = {(query.collection, query.index_fields[0]) for query in SINGLE_EVERYWHERE}
    # Naming a field's indexes replaces the built-in ones, which other queries need.
    built_in = [{"queryScope": "COLLECTION", "order": order} for order in ("ASCENDING", "DESCENDING")]

    assert OVERRIDES.keys() == needed
    lists = {name for name, override in OVERRIDES.items() if "arrayConfig" in override["indexes"][0]}
    assert lists == {("organizations", "email_domains"), ("organizations", "sso_providers")}, "nobody sorts by these"
    others = [override for name, override in OVERRIDES.items() if name not in lists]
    assert all(index in override["indexes"] for override in others for index in built_in)


@pytest.mark.parametrize("query", QUERIES, ids=_name)
def test_no_query_needs_the_index_of_a_field_that_has_none(query: Query) -> None:
    # What no composite index answers is answered from the built-in indexes of its fields.
    from_built_in = () if any(index.serves(query) for index in INDEXES) else query.index_fields

    assert not {(query.collection, field) for field in from_built_in} & EXEMPT


def test_every_document_that_is_to_be_deleted_one_day_has_its_policy() -> None:
    retention = Retention(sessions_for=timedelta(days=1), audit_events_for=timedelta(days=2))
    written = {
        "sessions": session_fields(a_session(), retention),
        "audit_events": audit_event_fields(acquired(a_session(), grant_number=1, details={}), PATHS, retention),
        "usage": seat_use_fields(SeatUse(), now=NOW),
        "waiting": place_in_line_fields(a_place()),
        "sign_ins": sign_in_create(A_SIGN_IN).fields,
        "invitations": invitation_fields(an_invitation()),
        "usage_days": usage_day_fields(usage_day("cad", NOW.date(), Records(), computed_at=NOW)),
    }

    policies = {name for name, field in FIELDS.items() if field.get("ttl")}

    assert policies == {(collection, "purge_at") for collection, fields in written.items() if "purge_at" in fields}


def test_of_what_every_seat_writes_only_what_is_looked_for_has_an_index_of_its_own() -> None:
    retention = Retention(sessions_for=timedelta(days=1), audit_events_for=timedelta(days=2))
    event = acquired(a_session(), grant_number=1, details={})
    written = {
        "sessions": session_fields(a_session(), retention),
        "audit_events": audit_event_fields(event, PATHS, retention),
    }

    indexed = {name: {field for field in fields if (name, field) not in EXEMPT} for name, fields in written.items()}

    assert indexed == {
        "sessions": {"license_id", "user_id", "ended_at", "pool"},
        "audit_events": {"at", "grant_number", "license_id", "session_id", "user_id"},
    }


def test_of_a_day_of_the_history_only_whether_it_is_settled_has_an_index() -> None:
    written = usage_day_fields(usage_day("cad", NOW.date(), Records(), computed_at=NOW))

    assert {field for field in written if ("usage_days", field) not in EXEMPT} == {"is_settled"}


def test_what_a_heartbeat_writes_has_no_index_of_its_own() -> None:
    stored = Document(path=PATHS.session("s"), fields={}, update_time=NOW)

    written = lease_write(stored, a_session()).fields

    assert {("sessions", str(field)) for field in written} <= EXEMPT


def test_an_index_has_several_fields_because_single_ones_are_built_in() -> None:
    assert all(len(index.fields) > 1 for index in INDEXES)


@pytest.mark.parametrize(
    "query", [queries.all_licenses(), queries.open_sessions(), queries.last_grant()], ids=lambda query: query.collection
)
def test_a_query_over_one_field_or_none_needs_no_index_of_its_own(query: Query) -> None:
    assert query not in COMPOUND


def test_an_index_in_the_wrong_direction_does_not_serve() -> None:
    query = Query(
        collection="sessions", where=(("ended_at", "==", None),), order_by="lease_expires_at", last_first=True
    )
    ascending = Index(collection="sessions", fields=(("ended_at", "ASCENDING"), ("lease_expires_at", "ASCENDING")))
    descending = Index(collection="sessions", fields=(("ended_at", "ASCENDING"), ("lease_expires_at", "DESCENDING")))

    served = [index.serves(query) for index in (ascending, descending)]

    assert served == [False, True]


def test_an_index_of_another_collection_or_with_a_field_too_many_does_not_serve() -> None:
    query = Query(collection="sessions", where=(("ended_at", "==", None),), order_by="lease_expires_at")
    fields = (("ended_at", "ASCENDING"), ("lease_expires_at", "ASCENDING"))
    elsewhere = Index(collection="audit_events", fields=fields)
    longer = Index(collection="sessions", fields=(*fields, ("started_at", "ASCENDING")))

    served = [index.serves(query) for index in (elsewhere, longer)]

    assert served == [False, False]

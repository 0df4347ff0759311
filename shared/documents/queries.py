"""Every query that the functions run. A query that Firestore cannot answer from its built-in single-field indexes needs
a composite index in ``infra/firestore.indexes.json``; a test compares the two.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from shared.firestore.query import Comparison, Cursor, Query
from shared.firestore.values import Plain

FIRST = datetime.fromisoformat("0001-01-01T00:00:00+00:00")
"""The earliest time in Firestore. A field later than this holds a time."""

LOOKS_BACK = timedelta(minutes=15)
"""How far back the frequent queries for lapsed sessions begin. Every heartbeat leaves a deleted index entry behind, and
a query from the first entry on would skip those of the last hour and more. Source: Firestore's best practices."""


def licenses_with_key(license_key: str, *, limit: int = 2) -> Query:
    """The licenses with this key. More than one is an admin's mistake."""
    return Query(collection="licenses", where=(("license_key", "==", license_key),), limit=limit)


def all_licenses() -> Query:
    return Query(collection="licenses")


def open_sessions(license_id: str | None = None) -> Query:
    """The sessions that have not ended, of one license or of the whole organization."""
    return Query(collection="sessions", where=(*_of(license_id), ("ended_at", "==", None)))


def seats_held() -> Query:
    """The ``license_id`` of every session that has not ended. The counters should match their number."""
    return Query(collection="sessions", where=(("ended_at", "==", None),), only_fields=("license_id",))


def last_grant() -> Query:
    """The audit event of the latest grant. A number above 2**31 was typed in by hand, and Firestore has 64 bits."""
    return Query(
        collection="audit_events",
        where=(("grant_number", ">", 0), ("grant_number", "<=", 2**31)),
        order_by="grant_number",
        last_first=True,
        limit=1,
    )


def lapsed_sessions(license_id: str | None, *, since: datetime = FIRST, now: datetime, limit: int) -> Query:
    """The open sessions whose lease has run out after ``since``, oldest end of lease first."""
    return Query(
        collection="sessions",
        where=(*_of(license_id), ("ended_at", "==", None), *_lapsed(since, now)),
        order_by="lease_expires_at",
        limit=limit,
    )


def next_to_lapse(license_id: str | None, *, now: datetime) -> Query:
    """The live session whose lease ends first."""
    return Query(
        collection="sessions",
        where=(*_of(license_id), ("ended_at", "==", None), ("lease_expires_at", ">", now)),
        order_by="lease_expires_at",
        limit=1,
    )


def live_sessions(license_id: str | None, *, now: datetime) -> Query:
    """The sessions that hold a seat at ``now``."""
    return Query(
        collection="sessions",
        where=(*_of(license_id), ("ended_at", "==", None), ("lease_expires_at", ">", now)),
        order_by="lease_expires_at",
    )


def page_of_sessions(license_id: str | None, *, user_id: str | None, limit: int, after: Cursor | None = None) -> Query:
    """The sessions that have not ended, of one license or all, of one user or all, in the order of their ids."""
    of_user: tuple[tuple[str, Comparison, Plain], ...] = () if user_id is None else (("user_id", "==", user_id),)
    where = (*_of(license_id), *of_user, *open_sessions().where)
    return Query(collection="sessions", where=where, limit=limit, after=after)


def events_since(since: datetime, *, license_id: str | None, limit: int) -> Query:
    """The audit events after ``since``, of one license or of all, newest first."""
    return Query(
        collection="audit_events",
        where=(*_of(license_id), ("at", ">", since)),
        order_by="at",
        last_first=True,
        limit=limit,
        only_fields=("at", "type", "license_id", "user_id", "details.attempts"),
    )


def lapsed_everywhere(shard: int, *, since: datetime, now: datetime, limit: int | None = None) -> Query:
    """One shard of the open sessions of all organizations whose lease has run out after ``since``, oldest first."""
    return Query(
        collection="sessions",
        everywhere=True,
        where=(("expiry_shard", "==", shard), ("ended_at", "==", None), *_lapsed(since, now)),
        order_by="lease_expires_at",
        limit=limit,
    )


def open_everywhere(*, limit: int) -> Query:
    """The sessions of all organizations that have not ended, organization by organization."""
    return Query(collection="sessions", everywhere=True, where=(("ended_at", "==", None),), limit=limit)


def ended_by_hand(*, limit: int) -> Query:
    """The sessions of all organizations that an admin ended in the console, and whose end is not reported yet."""
    return Query(
        collection="sessions",
        everywhere=True,
        where=(("end_reason", "==", None), ("ended_at", ">", FIRST)),
        order_by="ended_at",
        limit=limit,
    )


def counters_in_use(*, limit: int) -> Query:
    """The counters of all organizations whose total is not 0, or not a number."""
    return Query(
        collection="usage",
        everywhere=True,
        where=(("total", "!=", 0),),
        order_by="total",
        limit=limit,
        only_fields=("total",),
    )


def tenures_of(session_id: str, *, limit: int, after: Cursor | None = None) -> Query:
    """The audit events of a session, latest first: its tenures, renewals, and denials whose latest attempt it was."""
    return Query(
        collection="audit_events",
        where=(("session_id", "==", session_id),),
        order_by="at",
        last_first=True,
        limit=limit,
        after=after,
    )


def reviews_of_user(user_id: str) -> Query:
    """The review records of a user's documents, in all organizations."""
    return Query(collection="reviews", everywhere=True, where=(("user_id", "==", user_id),))


def unpublished_events(*, before: datetime, after: datetime | None = None, limit: int | None = None) -> Query:
    """The audit events of all organizations from ``before`` or earlier that have not been published, oldest first.

    With ``after`` it leaves out events from ``after`` or earlier.
    """
    later: tuple[tuple[str, Comparison, Plain], ...] = () if after is None else (("at", ">", after),)
    return Query(
        collection="audit_events",
        everywhere=True,
        where=(("published_at", "==", None), ("at", "<=", before), *later),
        order_by="at",
        limit=limit,
    )


def every_query() -> Iterator[Query]:
    """One of each query above, for the test that compares them with the indexes."""
    now = datetime.fromisoformat("2026-01-01T00:00:00+00:00")
    yield licenses_with_key("key")
    yield all_licenses()
    yield seats_held()
    yield last_grant()
    yield lapsed_everywhere(0, since=now - LOOKS_BACK, now=now)
    yield open_everywhere(limit=1)
    yield ended_by_hand(limit=1)
    yield counters_in_use(limit=1)
    yield unpublished_events(before=now)
    yield tenures_of("session", limit=1)
    yield reviews_of_user("user")
    for license_id in (None, "license"):
        yield open_sessions(license_id)
        yield lapsed_sessions(license_id, now=now, limit=1)
        yield next_to_lapse(license_id, now=now)
        yield live_sessions(license_id, now=now)
        yield events_since(now, license_id=license_id, limit=1)
        for user_id in (None, "user"):
            yield page_of_sessions(license_id, user_id=user_id, limit=1)


def _lapsed(since: datetime, now: datetime) -> tuple[tuple[str, Comparison, Plain], ...]:
    return ("lease_expires_at", ">", since), ("lease_expires_at", "<=", now)


def _of(license_id: str | None) -> tuple[tuple[str, Comparison, Plain], ...]:
    return () if license_id is None else (("license_id", "==", license_id),)

"""Every query that the functions run, and those of an operator's search. A query that Firestore cannot answer from its
built-in single-field indexes needs a composite index in ``infra/firestore.indexes.json``; a test compares the two.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from shared.documents.writing import UNPUBLISHED_SHARDS
from shared.firestore.query import Comparison, Cursor, Query
from shared.firestore.values import Plain
from shared.rules.audit import AuditType
from shared.rules.license import normal_key
from shared.rules.user import Role

FIRST = datetime.fromisoformat("0001-01-01T00:00:00+00:00")
"""The earliest time in Firestore. A field later than this holds a time."""

LOOKS_BACK = timedelta(minutes=15)
"""How far back the frequent queries for lapsed sessions begin. Every heartbeat leaves a deleted index entry behind, and
a query from the first entry on would skip those of the last hour and more. Source: Firestore's best practices."""


def licenses_with_key(license_key: str, *, limit: int = 2) -> Query:
    """The licenses with this key. More than one is an admin's mistake.

    Documents hold the normal form, but for one that no function has looked at yet.
    """
    normal = normal_key(license_key)
    where: tuple[str, Comparison, Plain] = ("license_key", "==", normal)
    if normal != license_key:
        where = ("license_key", "in", [normal, license_key])
    return Query(collection="licenses", where=(where,), limit=limit)


def licenses_with_key_everywhere(license_key: str, *, limit: int) -> Query:
    """The licenses of all organizations with this key."""
    return replace(licenses_with_key(license_key, limit=limit), everywhere=True)


def users_with_email_everywhere(emails: Sequence[str], *, limit: int) -> Query:
    """The users of all organizations with one of these addresses in ``email``, letter by letter."""
    return Query(collection="users", everywhere=True, where=(("email", "in", list(emails)),), limit=limit)


def organizations_with_slug(slug: str) -> Query:
    """Two organizations with this slug, if there are two."""
    return Query(collection="organizations", everywhere=True, where=(("slug", "==", slug),), limit=2)


def organizations_with_domain(domain: str) -> Query:
    """Two organizations whose users have addresses of this domain, if there are two."""
    return _two_organizations_with("email_domains", domain)


def organizations_with_provider(provider: str) -> Query:
    """Two organizations whose users sign in with this provider, if there are two."""
    return _two_organizations_with("sso_providers", provider)


def _two_organizations_with(field: str, text: str) -> Query:
    where: tuple[str, Comparison, Plain] = (field, "array-contains", text)
    return Query(collection="organizations", everywhere=True, where=(where,), limit=2, only_fields=("__name__",))


def invitations_everywhere(email: str, *, limit: int) -> Query:
    """The invitations of all organizations for this address, letter by letter."""
    return Query(collection="invitations", everywhere=True, where=(("email", "==", email),), limit=limit)


def open_invitations(*, now: datetime, limit: int) -> Query:
    """The invitations of an organization that are open at ``now``, the one that ends first first."""
    return Query(collection="invitations", where=(("expires_at", ">", now),), order_by="expires_at", limit=limit)


def invitations_by(user_id: str) -> Query:
    """The invitations that a user of the organization has sent."""
    return Query(collection="invitations", where=(("invited_by", "==", user_id),))


def users_with_email(emails: Sequence[str]) -> Query:
    """One user of the organization with one of these addresses in ``email``, letter by letter."""
    return Query(collection="users", where=(("email", "in", list(emails)),), limit=1, only_fields=("__name__",))


def open_sessions_of_users(user_ids: Sequence[str]) -> Query:
    """The sessions of at most 30 users that have not ended."""
    where: tuple[tuple[str, Comparison, Plain], ...] = (("user_id", "in", list(user_ids)), ("ended_at", "==", None))
    return Query(collection="sessions", where=where, only_fields=("user_id", "lease_expires_at"))


def latest_session_of(user_id: str) -> Query:
    """The session of a user that began last, whether or not it has ended."""
    return Query(
        collection="sessions",
        where=(("user_id", "==", user_id),),
        order_by="started_at",
        last_first=True,
        limit=1,
        only_fields=("started_at",),
    )


def denials_of(user_id: str, *, since: datetime) -> Query:
    """The denials of a user after ``since``. Those of one license and minute are one."""
    return Query(
        collection="audit_events",
        where=(("type", "==", AuditType.DENIED.value), ("user_id", "==", user_id), ("at", ">", since)),
        order_by="at",
    )


def page_of_users(*, limit: int, after: Cursor | None) -> Query:
    """The users of the organization, active or not, in the order of their ids."""
    return Query(collection="users", limit=limit, after=after)


def owners() -> Query:
    """The owners of an organization, active or not."""
    return Query(collection="users", where=(("role", "==", Role.OWNER.value),), limit=20)


def users_in_group(group: str) -> Query:
    """One user of the organization who has this group, active or not."""
    return Query(collection="users", where=(("groups", "array-contains", group),), limit=1, only_fields=("__name__",))


def all_licenses() -> Query:
    return Query(collection="licenses")


def open_sessions(license_id: str | None = None) -> Query:
    """The sessions that have not ended, of one license or of the whole organization."""
    return Query(collection="sessions", where=(*_of(license_id), ("ended_at", "==", None)))


def seats_held() -> Query:
    """License and pool of every session that has not ended. The counters should match their number."""
    return Query(collection="sessions", where=(("ended_at", "==", None),), only_fields=("license_id", "pool"))


def open_in_pool(license_id: str, group: str) -> Query:
    """The sessions that hold a seat of a license that is reserved for a group, and have not ended."""
    return Query(collection="sessions", where=(*open_sessions(license_id).where, ("pool", "==", group)))


def licenses_expiring(*, after: datetime, until: datetime, limit: int) -> Query:
    """The licenses of all organizations whose contract ends within this time, the first end first."""
    return Query(
        collection="licenses",
        everywhere=True,
        where=(("expires_at", ">", after), ("expires_at", "<=", until)),
        order_by="expires_at",
        limit=limit,
    )


def open_sessions_of(user_id: str, license_id: str) -> Query:
    """The sessions of a user for a license that have not ended. They are at most as many as the license has seats."""
    return Query(collection="sessions", where=(*open_sessions(license_id).where, ("user_id", "==", user_id)))


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


def held_since(license_id: str, *, until: datetime) -> Query:
    """The sessions of a license that have not ended and began at ``until`` or earlier."""
    where = (*open_sessions(license_id).where, ("started_at", "<=", until))
    return Query(collection="sessions", where=where, order_by="started_at")


def borrowed_seats(license_id: str, *, now: datetime) -> Query:
    """The sessions of a license whose device may work without a connection at ``now``, those that ended too."""
    where = (*_of(license_id), ("borrowed_until", ">", now))
    return Query(collection="sessions", where=where, order_by="borrowed_until")


def places_in_line(*, now: datetime) -> Query:
    """The places in the line that count at ``now``, for all licenses of an organization."""
    return Query(collection="waiting", where=(("counts_until", ">", now),), order_by="counts_until")


def places_given_up(*, since: datetime, now: datetime, limit: int) -> Query:
    """The places of all organizations that have not counted any more since a time after ``since``, oldest first."""
    return Query(
        collection="waiting",
        everywhere=True,
        where=(("counts_until", ">", since), ("counts_until", "<=", now)),
        order_by="counts_until",
        limit=limit,
    )


def page_of_sessions(license_id: str | None, *, user_id: str | None, limit: int, after: Cursor | None = None) -> Query:
    """The sessions that have not ended, of one license or all, of one user or all, in the order of their ids."""
    of_user: tuple[tuple[str, Comparison, Plain], ...] = () if user_id is None else (("user_id", "==", user_id),)
    where = (*_of(license_id), *of_user, *open_sessions().where)
    return Query(collection="sessions", where=where, limit=limit, after=after)


def events_of_types(types: Sequence[AuditType], *, since: datetime, limit: int, only_fields: Sequence[str]) -> Query:
    """The audit events of these types after ``since``, for all licenses of an organization, newest first."""
    return Query(
        collection="audit_events",
        where=(("type", "in", tuple(each.value for each in types)), ("at", ">", since)),
        order_by="at",
        last_first=True,
        limit=limit,
        only_fields=tuple(only_fields),
    )


def trail(
    *, narrowed_by: tuple[str, str] | None, after: datetime, until: datetime, limit: int, cursor: Cursor | None = None
) -> Query:
    """The audit events of a time, newest first: all, or those with this value of ``user_id``, ``license_id`` or
    ``type``. Each of the three has an index, and no two together.
    """
    narrow: tuple[tuple[str, Comparison, Plain], ...] = ()
    if narrowed_by is not None:
        narrow = ((narrowed_by[0], "==", narrowed_by[1]),)
    return Query(
        collection="audit_events",
        where=(*narrow, ("at", ">", after), ("at", "<=", until)),
        order_by="at",
        last_first=True,
        limit=limit,
        after=cursor,
    )


def unsettled_days() -> Query:
    """The days of the history that are to be counted again."""
    return Query(collection="usage_days", where=(("is_settled", "==", False),))


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
    """The sessions of all organizations that an admin ended in the console, and whose end is not reported yet.

    Anything in ``ended_at`` ends a session, also what is no time.
    """
    return Query(
        collection="sessions",
        everywhere=True,
        where=(("end_reason", "==", None), ("ended_at", "!=", None)),
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


def without_account(*, limit: int) -> Query:
    """The review records of all users that have no account yet."""
    return Query(collection="reviews", everywhere=True, where=(("awaits_account", "==", True),), limit=limit)


def all_organizations(*, limit: int) -> Query:
    """The ids of all organizations that have a document."""
    return Query(collection="organizations", everywhere=True, limit=limit, only_fields=("__name__",))


def all_documents(collection: str, *, everywhere: bool = True, limit: int | None = None) -> Query:
    """The documents of a collection, of all organizations or of one, in the order of their paths."""
    return Query(collection=collection, everywhere=everywhere, limit=limit)


def unpublished_events(
    *, everywhere: bool = True, before: datetime, after: datetime | None = None, limit: int | None = None
) -> Query:
    """The audit events from ``before`` or earlier that have not been published, oldest first.

    They are those of all organizations, or of one. With ``after`` it leaves out events from ``after`` or earlier. All
    shards are asked in one query, which costs one read if it finds nothing.
    """
    later: tuple[tuple[str, Comparison, Plain], ...] = () if after is None else (("at", ">", after),)
    return Query(
        collection="audit_events",
        everywhere=everywhere,
        where=(("unpublished_shard", "in", tuple(range(UNPUBLISHED_SHARDS))), ("at", "<=", before), *later),
        order_by="at",
        limit=limit,
    )


def _lapsed(since: datetime, now: datetime) -> tuple[tuple[str, Comparison, Plain], ...]:
    return ("lease_expires_at", ">", since), ("lease_expires_at", "<=", now)


def _of(license_id: str | None) -> tuple[tuple[str, Comparison, Plain], ...]:
    return () if license_id is None else (("license_id", "==", license_id),)

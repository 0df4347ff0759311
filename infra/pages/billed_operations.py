"""How many calls, reads and writes of Firestore each operation makes. A test counts them on the wire."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, kw_only=True, slots=True)
class Billed:
    """Calls, reads and writes. A query that finds nothing, or a document that does not exist, counts as one read."""

    rpcs: int
    reads: int
    writes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class InGroup:
    """The cost of a group of one organization on one license: once for the group, and for each operation in it."""

    rpcs: int
    reads_once: int
    reads_each: int
    writes_once: int
    writes_each: int

    def of(self, size: int) -> Billed:
        """The total of a group of this size."""
        return Billed(
            rpcs=self.rpcs,
            reads=self.reads_once + size * self.reads_each,
            writes=self.writes_once + size * self.writes_each,
        )


GROUP_SIZES = (1, 10, 100)

IN_GROUPS: Mapping[str, InGroup] = MappingProxyType(
    {
        # Once: reads of the organization, the license and the counters. Each: reads of its user and its session, and a
        # write of its event.
        "acquire, granted": InGroup(rpcs=2, reads_once=3, reads_each=2, writes_once=1, writes_each=2),
        # Once: the evidence (two counts and a query). Each: a write of the denial, which nothing is read for.
        "acquire, refused": InGroup(rpcs=5, reads_once=6, reads_each=2, writes_once=0, writes_each=1),
        "acquire, renewed": InGroup(rpcs=2, reads_once=3, reads_each=2, writes_once=0, writes_each=1),
        "heartbeat": InGroup(rpcs=2, reads_once=2, reads_each=2, writes_once=0, writes_each=1),
        "heartbeat, too early": InGroup(rpcs=1, reads_once=2, reads_each=2, writes_once=0, writes_each=0),
        # Only the session itself: users need no right to give back their own seat.
        "release": InGroup(rpcs=2, reads_once=0, reads_each=1, writes_once=1, writes_each=2),
        # The time, a query of each of eight shards (seven find nothing) and one of the line, and the commit. Audit
        # events are not counted.
        "expire_sessions, each that lapsed": InGroup(rpcs=11, reads_once=9, reads_each=1, writes_once=1, writes_each=2),
    }
)
"""Each operation is of another user, which is the most expensive case. For ``expire_sessions`` it is one run, and all
lapsed sessions are in one shard."""

OPERATIONS: Mapping[str, Billed] = MappingProxyType(
    {name: group.of(1) for name, group in IN_GROUPS.items()}
    | {
        # As a refusal, with a read of the own place and a query of the line. It finds the own place here; each other
        # place is one read more. The write keeps the place; a request within a third of the interval makes none.
        "acquire, again from the line": Billed(rpcs=6, reads=10, writes=1),
        "relay of an audit event": Billed(rpcs=2, reads=1, writes=1),
        # The caller's organization and user, and the counters; the licenses, the sessions on the page, three counts,
        # the next lease to end, and today in the history. Each other session is one read more.
        "usage, seats now, one in use": Billed(rpcs=8, reads=10, writes=0),
        "usage, unchanged": Billed(rpcs=1, reads=3, writes=0),
        # The time, a query of each of eight shards and one of the line, and for the audit events the time twice, a
        # query and a count.
        "expire_sessions, nothing to do": Billed(rpcs=14, reads=14, writes=0),
        # The place of the round, four walks, three queries for licenses that end soon, and the time of the latest look
        # at what admins edit.
        "reconcile, nothing open": Billed(rpcs=9, reads=9, writes=0),
        # The place of the round, the organization, and of it: the time, its license, its five latest days, which come
        # from a query and a read, and four queries that find nothing. The day is written.
        "summarize_usage, one organization and license": Billed(rpcs=11, reads=13, writes=1),
    }
)
"""Each operation alone, in a group of one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenPage:
    """What a page reads that shows the seats of an organization with one license, all in use, while it is open.

    It asks for ``view=now`` and names the report that it has. ``changes`` are seats that were given back or taken
    meanwhile: 25 of each in an hour, as in 50 seats that are taken four times in a day of eight hours.
    """

    minutes: int = 12
    asks_every_seconds: int = 15
    seats: int = 50
    changes: int = 10
    whole: int
    unchanged: int
    reads: int


OPEN_PAGE = OpenPage(whole=13, unchanged=35, reads=872)
"""Counted in twelve minutes, as they would pass: with heartbeats, and with changes at random times."""

RECONCILE_READS_OF_A_SESSION = 3
"""The session as the query finds it, the session again, and its user's document."""

RECONCILE_READS_OF_AN_ORGANIZATION = 7
"""The organization, its license, its counters twice, two counts of sessions, and the event of the latest grant."""

SUMMARIZE_READS_OF_A_RUN = 1
"""The place of the round. All else of ``summarize_usage`` is read for each organization."""

DAILY_LOOK_READS_OF_A_DOCUMENT = 2
"""An organization, a license or a user that admins edit, and its review record."""

RECONCILE_EMPTY_QUERIES = 2
"""Queries that cost one read if they find nothing. If they find documents, only these are billed."""


def reconcile_reads(*, sessions: int, organizations: int) -> int:
    nothing_open = OPERATIONS["reconcile, nothing open"].reads
    if organizations == 0:
        return nothing_open
    of_sessions = RECONCILE_READS_OF_A_SESSION * sessions
    of_organizations = RECONCILE_READS_OF_AN_ORGANIZATION * organizations
    return nothing_open - RECONCILE_EMPTY_QUERIES + of_sessions + of_organizations

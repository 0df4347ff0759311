"""What the operations ask of Firestore: calls, documents read, writes. A test counts them on the wire."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, kw_only=True, slots=True)
class Billed:
    """Calls, documents read and written. A query that finds nothing, and a document that is not there, are one read."""

    rpcs: int
    reads: int
    writes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class InGroup:
    """What a group of one organization on one license asks for: once, and for each operation in it."""

    rpcs: int
    reads_once: int
    reads_each: int
    writes_once: int
    writes_each: int

    def of(self, size: int) -> Billed:
        """All of a group of this size together."""
        return Billed(
            rpcs=self.rpcs,
            reads=self.reads_once + size * self.reads_each,
            writes=self.writes_once + size * self.writes_each,
        )


GROUP_SIZES = (1, 10, 100)

IN_GROUPS: Mapping[str, InGroup] = MappingProxyType(
    {
        # Read once: the organization, the license, the counters. Each: its user and its session, then its event.
        "acquire, granted": InGroup(rpcs=2, reads_once=3, reads_each=2, writes_once=1, writes_each=2),
        # The evidence (a count and two queries) once, and each device's denial of this minute.
        "acquire, refused": InGroup(rpcs=6, reads_once=6, reads_each=3, writes_once=0, writes_each=1),
        "acquire, renewed": InGroup(rpcs=2, reads_once=3, reads_each=2, writes_once=0, writes_each=1),
        "heartbeat": InGroup(rpcs=2, reads_once=2, reads_each=2, writes_once=0, writes_each=1),
        "heartbeat, too early": InGroup(rpcs=1, reads_once=2, reads_each=2, writes_once=0, writes_each=0),
        # Its own session alone: nobody needs a right to give back what they hold.
        "release": InGroup(rpcs=2, reads_once=0, reads_each=1, writes_once=1, writes_each=2),
        # The time, a query of each of eight shards, seven of which find nothing, and the commit.
        "expire_sessions, each that lapsed": InGroup(rpcs=10, reads_once=8, reads_each=1, writes_once=1, writes_each=2),
    }
)
"""Each of another user, which shares the least. Of ``expire_sessions`` a run; all that lapsed is in one shard."""

OPERATIONS: Mapping[str, Billed] = MappingProxyType(
    {name: group.of(1) for name, group in IN_GROUPS.items()}
    | {
        "relay of an audit event": Billed(rpcs=2, reads=1, writes=1),
        "expire_sessions, nothing lapsed": Billed(rpcs=9, reads=9, writes=0),
        "reconcile, nothing open": Billed(rpcs=8, reads=8, writes=0),
    }
)
"""Alone, in a group of one."""

RECONCILE_READS_OF_A_SESSION = 3
"""It, as the query finds it and as it is read again with its user's document."""

RECONCILE_READS_OF_AN_ORGANIZATION = 11
"""It, its license, its counters twice, counts of its sessions and of its license's, and five grants' events."""

RECONCILE_EMPTY_QUERIES = 2
"""Queries that cost one read when they find nothing, and nothing on top of what they find."""


def reconcile_reads(*, sessions: int, organizations: int) -> int:
    """Reads of one run over so many open sessions."""
    nothing_open = OPERATIONS["reconcile, nothing open"].reads
    if organizations == 0:
        return nothing_open
    of_sessions = RECONCILE_READS_OF_A_SESSION * sessions
    of_organizations = RECONCILE_READS_OF_AN_ORGANIZATION * organizations
    return nothing_open - RECONCILE_EMPTY_QUERIES + of_sessions + of_organizations

"""Computes the costs of a month: list prices times the reads and writes of the operations.

``python -m infra.pages.costs`` prints the tables. With ``--write`` it puts them into ``infra/docs/costs.md``. A test
checks that they are up to date. Another test counts the reads and writes of the operations.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from math import exp

from infra.build.stage import ROOT
from infra.pages.billed_operations import (
    DAILY_LOOK_READS_OF_A_DOCUMENT,
    GROUP_SIZES,
    IN_GROUPS,
    OPEN_PAGE,
    OPERATIONS,
    RECONCILE_READS_OF_A_SESSION,
    RECONCILE_READS_OF_AN_ORGANIZATION,
    SUMMARIZE_READS_OF_A_RUN,
    reconcile_reads,
)
from infra.pages.marked_sections import replaced

PAGE = ROOT / "infra/docs/costs.md"


# List prices


PRICES_READ_ON = "23 November 2026"

_FIRESTORE = "firebase.google.com/docs/firestore/enterprise/pricing"
_RUN = "cloud.google.com/run/pricing"
_PUBSUB = "cloud.google.com/pubsub/pricing"
_SCHEDULER = "cloud.google.com/scheduler/pricing"
_LOGGING = "cloud.google.com/stackdriver/pricing"


@dataclass(frozen=True, kw_only=True, slots=True)
class Price:
    """A list price in USD, of the region us-central1."""

    usd: float
    per: int
    unit: str
    source: str

    def of(self, amount: float) -> float:
        return self.usd * amount / self.per


READS = Price(usd=0.03, per=100_000, unit="document reads", source=_FIRESTORE)
WRITES = Price(usd=0.09, per=100_000, unit="document writes", source=_FIRESTORE)
DELETES = Price(usd=0.01, per=100_000, unit="document deletes, including those by TTL", source=_FIRESTORE)
STORAGE = Price(usd=0.000_20, per=1, unit="GiB of Firestore and hour", source=_FIRESTORE)
RECOVERY = Price(usd=0.000_20, per=1, unit="GiB of point-in-time recovery and hour", source=_FIRESTORE)
REQUESTS = Price(usd=0.40, per=1_000_000, unit="requests of Cloud Run", source=_RUN)
VCPU = Price(usd=0.000_024, per=1, unit="vCPU-second while a request runs", source=_RUN)
MEMORY = Price(usd=0.000_002_5, per=1, unit="GiB-second while a request runs", source=_RUN)
IDLE_VCPU = Price(usd=0.000_002_5, per=1, unit="vCPU-second of an idle minimum instance", source=_RUN)
IDLE_MEMORY = Price(usd=0.000_002_5, per=1, unit="GiB-second of an idle minimum instance", source=_RUN)
PUBLISHED = Price(usd=40, per=2**40, unit="bytes (a TiB) published to Pub/Sub", source=_PUBSUB)
DELIVERED = Price(
    usd=50, per=2**40, unit="bytes (a TiB) delivered to BigQuery by Pub/Sub", source=f"{_PUBSUB}, not read again"
)
JOBS = Price(usd=0.10, per=1, unit="job of Cloud Scheduler and month", source=_SCHEDULER)
LOGS = Price(usd=0.50, per=1, unit="GiB of logs, kept for 30 days", source=_LOGGING)

ALL_PRICES = (
    READS,
    WRITES,
    DELETES,
    STORAGE,
    RECOVERY,
    REQUESTS,
    VCPU,
    MEMORY,
    IDLE_VCPU,
    IDLE_MEMORY,
    PUBLISHED,
    DELIVERED,
    JOBS,
    LOGS,
)


# What is assumed

HOURS_OF_A_MONTH = 730
OFFICE_DAYS, OFFICE_HOURS = 22, 8
HEARTBEAT_EVERY_SECONDS = 114
"""A third of the lease of 360 s, less a jitter of up to a tenth: 108 to 120 s."""
ACQUIRES_A_DAY = 4
SEATS_OF_AN_ORGANIZATION = 20
EVENTS_OF_A_SEAT_TAKEN = 2
"""``session.acquired`` and ``session.released``."""
KEPT_MONTHS = 400 / 365 * 12
"""Audit events are kept for 400 days. The tables show a later month, in which as many events are purged as are made."""

BYTES_OF_AN_EVENT, BYTES_OF_A_SESSION = 4_096, 4_096
"""An estimate, with index entries: the emulator does not show how much is stored."""
BYTES_OF_A_MESSAGE = 1_000
"""The least that Pub/Sub bills for a request. An event with its attributes has about this length."""

BYTES_OF_A_LOGGED_REQUEST = 1_024
"""An estimate of the platform's line. The functions log nothing about a successful request."""

VCPUS, MEMORY_GIB = 1, 0.5
MINIMUM_INSTANCES = 2
"""One of acquire and one of heartbeat."""
SECONDS_OF_A_REQUEST = 0.1
"""The least that is billed. Two round trips to Firestore fit into it. It was not measured in the cloud yet."""
SECONDS_OF_AN_EXPIRY = 0.3
SECONDS_OF_A_RECONCILIATION, SECONDS_OF_A_SESSION_RECONCILED = 1.0, 0.001
"""Estimates from the emulator."""

SECONDS_OF_A_SUMMARY, SECONDS_OF_AN_ORGANIZATION_SUMMARIZED = 1.0, 0.02
"""As above. Half a CPU takes twice as long, and costs the same."""

SUMMARIES_OF_AN_END = 15
"""So many runs of ``summarize_usage`` read an end: those of the rest of its day, and those that count it once more."""

SCHEDULED_JOBS = 3
_EXPIRIES_AN_HOUR, _RECONCILIATIONS_AN_HOUR = 60, 4

SCENARIOS = (0, 100, 1_000, 10_000)
"""Seats in use in office hours."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """The amounts of a month with ``seats`` seats in use in office hours."""

    seats: int

    @property
    def organizations(self) -> int:
        """Organizations that have a seat in use."""
        return -(-self.seats // SEATS_OF_AN_ORGANIZATION)

    @property
    def office_seconds(self) -> int:
        """The seconds of the month in which seats are in use."""
        return OFFICE_DAYS * OFFICE_HOURS * 3_600

    @property
    def heartbeats(self) -> int:
        return round(self.seats * self.office_seconds / HEARTBEAT_EVERY_SECONDS)

    @property
    def acquires(self) -> int:
        """Seats that are taken in the month. As many are given back."""
        return self.seats * OFFICE_DAYS * ACQUIRES_A_DAY

    @property
    def events(self) -> int:
        return self.acquires * EVENTS_OF_A_SEAT_TAKEN

    @property
    def expiries(self) -> int:
        """Runs of ``expire_sessions``."""
        return HOURS_OF_A_MONTH * _EXPIRIES_AN_HOUR

    @property
    def reconciliations(self) -> int:
        """Runs of ``reconcile``."""
        return HOURS_OF_A_MONTH * _RECONCILIATIONS_AN_HOUR

    @property
    def busy_reconciliations(self) -> int:
        """Runs of ``reconcile`` that find open sessions."""
        return OFFICE_DAYS * OFFICE_HOURS * _RECONCILIATIONS_AN_HOUR

    @property
    def summaries(self) -> int:
        """Runs of ``summarize_usage``."""
        return HOURS_OF_A_MONTH

    @property
    def _summary_reads(self) -> int:
        """Documents that ``summarize_usage`` reads: of each organization, each end of a tenure, each open session."""
        of_an_organization = (
            OPERATIONS["summarize_usage, one organization and license"].reads - SUMMARIZE_READS_OF_A_RUN
        )
        return (
            # Of no organization: the query that finds none.
            self.summaries * (SUMMARIZE_READS_OF_A_RUN + (self.organizations * of_an_organization or 1))
            + self.acquires * SUMMARIES_OF_AN_END
            + OFFICE_DAYS * OFFICE_HOURS * self.seats
        )

    @property
    def reads(self) -> int:
        """Documents read."""
        busy = self.busy_reconciliations
        idle = self.reconciliations - busy
        return (
            self.acquires * (OPERATIONS["acquire, granted"].reads + OPERATIONS["release"].reads)
            + self.heartbeats * OPERATIONS["heartbeat"].reads
            + self.events * OPERATIONS["relay of an audit event"].reads
            + self.expiries * OPERATIONS["expire_sessions, nothing to do"].reads
            + busy * reconcile_reads(sessions=self.seats, organizations=self.organizations)
            + idle * reconcile_reads(sessions=0, organizations=0)
            + self._summary_reads
        )

    @property
    def writes(self) -> int:
        """Documents written."""
        return (
            self.acquires * (OPERATIONS["acquire, granted"].writes + OPERATIONS["release"].writes)
            + self.heartbeats * OPERATIONS["heartbeat"].writes
            + self.events * OPERATIONS["relay of an audit event"].writes
            + self.summaries * self.organizations
        )

    @property
    def stored_gib(self) -> float:
        """Stored in Firestore: a session for each seat, and the audit events of more than a year."""
        stored = self.seats * BYTES_OF_A_SESSION + self.events * KEPT_MONTHS * BYTES_OF_AN_EVENT
        return stored / 2**30

    @property
    def requests(self) -> int:
        """Requests of all functions."""
        scheduled = self.expiries + self.reconciliations + self.summaries
        return self.heartbeats + 2 * self.acquires + self.events + scheduled

    @property
    def _scheduled_seconds(self) -> float:
        open_ones = self.busy_reconciliations * self.seats * SECONDS_OF_A_SESSION_RECONCILED
        counted = self.organizations * SECONDS_OF_AN_ORGANIZATION_SUMMARIZED
        return (
            self.expiries * SECONDS_OF_AN_EXPIRY
            + self.reconciliations * SECONDS_OF_A_RECONCILIATION
            + open_ones
            + self.summaries * (SECONDS_OF_A_SUMMARY + counted)
        )

    @property
    def seconds_apart(self) -> float:
        """Seconds of instances if no two requests of a function run at the same time."""
        apart = self.heartbeats + 2 * self.acquires + self.events
        return apart * SECONDS_OF_A_REQUEST + self._scheduled_seconds

    @property
    def seconds_shared(self) -> float:
        """Seconds of instances if one instance of each function takes all its requests, which come at random."""
        shared = sum(
            # The share of the time in which at least one request runs.
            self.office_seconds * (1 - exp(-calls * SECONDS_OF_A_REQUEST / self.office_seconds))
            for calls in (self.heartbeats, self.acquires, self.acquires, self.events)
        )
        return shared + self._scheduled_seconds


def items(usage: Usage) -> dict[str, float]:
    """USD a month, by item, if no two requests run at the same time."""
    idle_seconds = MINIMUM_INSTANCES * HOURS_OF_A_MONTH * 3_600
    return {
        "Firestore: reads": READS.of(usage.reads),
        "Firestore: writes": WRITES.of(usage.writes),
        "Firestore: purged events (TTL)": DELETES.of(usage.events),
        "Firestore: storage": STORAGE.of(usage.stored_gib * HOURS_OF_A_MONTH),
        "Firestore: point-in-time recovery": RECOVERY.of(usage.stored_gib * HOURS_OF_A_MONTH),
        "Cloud Run: requests": REQUESTS.of(usage.requests),
        "Cloud Run: vCPU": VCPU.of(usage.seconds_apart * VCPUS),
        "Cloud Run: memory": MEMORY.of(usage.seconds_apart * MEMORY_GIB),
        "Cloud Run: minimum instances": IDLE_VCPU.of(idle_seconds * VCPUS) + IDLE_MEMORY.of(idle_seconds * MEMORY_GIB),
        "Pub/Sub: published, and delivered to BigQuery": PUBLISHED.of(usage.events * BYTES_OF_A_MESSAGE)
        + DELIVERED.of(usage.events * BYTES_OF_A_MESSAGE),
        "Cloud Scheduler": JOBS.of(SCHEDULED_JOBS),
        "Cloud Logging": LOGS.of(usage.requests * BYTES_OF_A_LOGGED_REQUEST / 2**30),
    }


def saved_by_sharing(usage: Usage) -> float:
    """USD a month that are saved if requests share instances."""
    seconds = usage.seconds_apart - usage.seconds_shared
    return VCPU.of(seconds * VCPUS) + MEMORY.of(seconds * MEMORY_GIB)


def tables() -> str:
    """The tables in Markdown: costs, amounts, an open page, operations alone and in groups, and prices."""
    parts = (_money(), _amounts(), _open_page(), _operations(), _groups(), _prices())
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def page(before: str) -> str:
    return replaced(before, "costs", tables().rstrip("\n"))


def main(arguments: list[str]) -> None:
    if arguments == ["--write"]:
        PAGE.write_text(page(PAGE.read_text()))
    else:
        sys.stdout.write(tables())


def _headings(first: str) -> list[str]:
    names = [f"{seats:,} seats" if seats else "idle" for seats in SCENARIOS]
    return [f"| {first} | {' | '.join(names)} |", f"|---|{'--:|' * len(names)}"]


def _money() -> Iterator[str]:
    usages = [Usage(seats=seats) for seats in SCENARIOS]
    columns = [items(usage) for usage in usages]
    yield from _headings("USD a month")
    for item in columns[0]:
        yield f"| {item} | {' | '.join(f'{column[item]:,.2f}' for column in columns)} |"
    totals = [sum(column.values()) for column in columns]
    yield f"| **total, no two requests at the same time** | {' | '.join(f'**{total:,.2f}**' for total in totals)} |"
    shared = [total - saved_by_sharing(usage) for total, usage in zip(totals, usages, strict=True)]
    yield f"| total, requests share one instance of each function | {' | '.join(f'{s:,.2f}' for s in shared)} |"
    each = [f"{total / seats:,.3f}" if seats else "" for total, seats in zip(totals, SCENARIOS, strict=True)]
    yield f"| for each seat, no two requests at the same time | {' | '.join(each)} |"


def _amounts() -> Iterator[str]:
    usages = [Usage(seats=seats) for seats in SCENARIOS]
    yield from _headings("a month")
    rows: dict[str, list[str]] = {
        "organizations": [f"{usage.organizations:,}" for usage in usages],
        "heartbeats": [f"{usage.heartbeats:,}" for usage in usages],
        "acquires, and as many releases": [f"{usage.acquires:,}" for usage in usages],
        "audit events": [f"{usage.events:,}" for usage in usages],
        "documents read": [f"{usage.reads:,}" for usage in usages],
        "documents written": [f"{usage.writes:,}" for usage in usages],
        "GiB stored": [f"{usage.stored_gib:,.2f}" for usage in usages],
        "requests of functions": [f"{usage.requests:,}" for usage in usages],
        "instance-seconds, no two requests at the same time": [f"{usage.seconds_apart:,.0f}" for usage in usages],
        "instance-seconds, shared": [f"{usage.seconds_shared:,.0f}" for usage in usages],
    }
    for name, values in rows.items():
        yield f"| {name} | {' | '.join(values)} |"


def open_page_items() -> dict[str, tuple[float, float]]:
    """What one page that is open in office hours adds in a month: the amount and the USD, by item."""
    windows = OFFICE_DAYS * OFFICE_HOURS * 60 / OPEN_PAGE.minutes
    requests, reads = windows * (OPEN_PAGE.whole + OPEN_PAGE.unchanged), windows * OPEN_PAGE.reads
    seconds = requests * SECONDS_OF_A_REQUEST
    gib = requests * BYTES_OF_A_LOGGED_REQUEST / 2**30
    return {
        "documents read": (reads, READS.of(reads)),
        "requests": (requests, REQUESTS.of(requests)),
        "instance-seconds, if no other request runs meanwhile": (
            seconds,
            VCPU.of(seconds * VCPUS) + MEMORY.of(seconds * MEMORY_GIB),
        ),
        "GiB of logs": (gib, LOGS.of(gib)),
    }


def _open_page() -> Iterator[str]:
    yield f"| a page that is open in office hours, beside {OPEN_PAGE.seats} seats in use | a month | USD |"
    yield "|---|--:|--:|"
    found = open_page_items()
    for item, (amount, usd) in found.items():
        yield f"| {item} | {f'{amount:,.2f}' if amount < 1 else f'{amount:,.0f}'} | {usd:,.2f} |"
    both = found["documents read"][1] + found["requests"][1]
    yield f"| **documents and requests** | | **{both:,.2f}** |"
    yield f"| all of it | | {sum(usd for _, usd in found.values()):,.2f} |"


def _usd(reads: float, writes: float) -> float:
    return READS.of(reads) + WRITES.of(writes)


def _operations() -> Iterator[str]:
    yield "| operation, alone | RPCs | reads | writes | USD for a million |"
    yield "|---|--:|--:|--:|--:|"
    for name, billed in OPERATIONS.items():
        million = _usd(billed.reads, billed.writes) * 1_000_000
        yield f"| {name} | {billed.rpcs} | {billed.reads} | {billed.writes} | {million:,.2f} |"
    yield f"| reconcile, for each open session | | {RECONCILE_READS_OF_A_SESSION} | 0 | |"
    yield f"| reconcile, for each organization with one license in use | | {RECONCILE_READS_OF_AN_ORGANIZATION} | 0 | |"
    looked_at = "for each organization, license and user"
    yield f"| reconcile, once a day, {looked_at} | | {DAILY_LOOK_READS_OF_A_DOCUMENT} | 0 | |"


def times_a_month() -> dict[str, int]:
    """How often a seat in use in office hours makes each operation in a month."""
    seat = Usage(seats=1)
    return {"acquire, granted": seat.acquires, "heartbeat": seat.heartbeats, "release": seat.acquires}


def usd_of_a_seats_month(size: int) -> float:
    """USD a month for Firestore's reads and writes of one seat, with its operations in groups of this size.

    Each audit event is relayed alone, whatever the size. Reads of the scheduled functions are not included.
    """
    groups = {name: IN_GROUPS[name].of(size) for name in times_a_month()}
    relay, events = OPERATIONS["relay of an audit event"], Usage(seats=1).events
    return events * _usd(relay.reads, relay.writes) + sum(
        times * _usd(groups[name].reads, groups[name].writes) / size for name, times in times_a_month().items()
    )


def _groups() -> Iterator[str]:
    yield "| operation, each in a group | of | RPCs | reads | writes | USD for a million | USD for a seat and month |"
    yield "|---|--:|--:|--:|--:|--:|--:|"
    for name, group in IN_GROUPS.items():
        for size in GROUP_SIZES:
            billed = group.of(size)
            each = _usd(billed.reads, billed.writes) / size
            counted = (f"{number / size:,.2f}" for number in (billed.rpcs, billed.reads, billed.writes))
            month = f"{times_a_month()[name] * each:,.5f}" if name in times_a_month() else ""
            yield f"| {name} | {size} | {' | '.join(counted)} | {each * 1_000_000:,.2f} | {month} |"
    for size in GROUP_SIZES:
        yield f"| **a seat, its audit events relayed** | {size} | | | | | **{usd_of_a_seats_month(size):,.5f}** |"


def _prices() -> Iterator[str]:
    yield f"| list price, us-central1, read on {PRICES_READ_ON} | USD | source |"
    yield "|---|--:|---|"
    for price in ALL_PRICES:
        amount = max(f"{price.usd:.7f}".rstrip("0"), f"{price.usd:.2f}", key=len)
        per = "" if price.per in {1, 2**40} else f"{price.per:,} "
        yield f"| {per}{price.unit} | {amount} | {price.source} |"


if __name__ == "__main__":
    main(sys.argv[1:])

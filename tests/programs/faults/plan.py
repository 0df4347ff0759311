"""The plan that a seed decides before the run: organizations, clients, and the time of each fault."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.programs.faults.faults import Fault
from tests.programs.faults.schedule import timetable

SERVED = ("acquire", "heartbeat", "release", "usage", "expire_sessions", "reconcile", "summarize_usage")
"""Functions that have several processes."""

EVENT_FUNCTIONS = ("relay_audit", "review_admin_edit")
"""Functions that document events call; each has one process."""

INSTANCES_OF_ONE_DEVICE = 2
"""So many clients of each organization are instances of one user's program on one device."""

_OLD_PROGRAMS = 0.25
"""How many clients send no instance id."""

SHORTEST_LEASE_SECONDS, SHORTEST_IDLE_SECONDS = 3, 60
"""No license may have a shorter lease, or a shorter time of idleness."""

BORROWED_SECONDS = (6, 7)
"""The longest time for which a license lends a seat. It is longer than any lease."""

OWNER = "olivia"
"""The owner of each organization."""

WITH_TERMS = {1, 2}
"""Which of four organizations have a license with terms: a steady one, and one whose terms admins edit."""

RESERVATIONS: Sequence[Mapping[str, int]] = (
    {},
    {"design": 1},
    {"design": 1, "render": 1},
    {"render": 2},
    {"design": 2, "render": 1},
    {"check": 1},
)
"""Some are more than all seats."""

GROUPS: Sequence[tuple[str, ...]] = (
    (),
    ("design",),
    ("render",),
    ("check", "design"),
    ("render", "design"),
    ("check",),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """How much there is of everything; ``seconds`` is how long clients and faults go on.

    ``calm`` lengthens the time between faults: a store that is hardly ever there commits little that could be judged.
    """

    seconds: float
    organizations: int
    clients: int
    processes: int
    calm: float


SHORT = Scale(seconds=36, organizations=4, clients=32, processes=2, calm=1)
LONG = Scale(seconds=560, organizations=10, clients=80, processes=3, calm=2.5)


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedLicense:
    """A license: its seats, how long one is held without a heartbeat, and how many instances may work on one.

    With ``max_borrow_seconds`` of 0 it lends none. ``terms`` are more fields of its document.
    """

    license_id: str
    seats: int
    lease_seconds: int
    max_instances: int | None
    max_borrow_seconds: int
    max_borrowed_seats: int | None
    terms: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedOrganization:
    """An organization. Nobody edits the caps and terms of a steady one.

    The first license of an organization with terms has reservations, overdraft and limits.
    """

    organization_id: str
    seats: int | None
    is_steady: bool
    has_terms: bool
    licenses: tuple[PlannedLicense, ...]
    user_ids: tuple[str, ...]
    groups: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedClient:
    """A user on a device; ``number`` is what its own chance begins with. Some users have several devices.

    Some clients are instances of one device. A client without ``instance_id`` sends none, as old programs do.
    """

    number: int
    organization_id: str
    user_id: str
    hardware_id: str
    instance_id: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """A run."""

    seed: str
    scale: Scale
    organizations: tuple[PlannedOrganization, ...]
    clients: tuple[PlannedClient, ...]
    faults: tuple[Fault, ...]
    instances: tuple[str, ...]

    @property
    def owners(self) -> Sequence[PlannedClient]:
        """The owner of each organization, who takes no seat."""
        first = len(self.clients)
        return [
            PlannedClient(
                number=number,
                organization_id=each.organization_id,
                user_id=OWNER,
                hardware_id="no-device",
                instance_id=None,
            )
            for number, each in enumerate(self.organizations, start=first)
        ]

    def lines(self) -> Iterator[str]:
        """The plan for people."""
        for organization in self.organizations:
            caps = ", ".join(
                f"{each.license_id}: {each.seats} seats, lease {each.lease_seconds} s, "
                f"lent for {each.max_borrow_seconds} s {dict(each.terms) or ''}"
                for each in organization.licenses
            )
            steady = "steady" if organization.is_steady else "edited"
            yield f"{organization.organization_id} ({steady}): {organization.seats} seats altogether; {caps}"
        yield f"{len(self.clients)} clients"
        for fault in self.faults:
            yield f"{fault.at:7.2f} s  {fault.kind:32} {fault.target} {fault.amount or ''} for {fault.lasts:.2f} s"


def make_plan(seed: str, scale: Scale) -> Plan:
    """Decide everything from the seed."""
    chance = Random(seed)  # noqa: S311 chance, no secret
    organizations = tuple(_organization(number, chance) for number in range(scale.organizations))
    clients = tuple(_client(number, organizations, chance) for number in range(scale.clients))
    served = [f"{name}-{number}" for name in SERVED for number in range(1, scale.processes + 1)]
    instances = (*served, *(f"{name}-1" for name in EVENT_FUNCTIONS))
    faults = timetable(
        chance,
        seconds=scale.seconds,
        calm=scale.calm,
        instances=instances,
        clocks=[each for each in instances if not each.endswith("-1")],
        edited=[each.organization_id for each in organizations if not each.is_steady],
        edited_terms=[each.organization_id for each in organizations if each.has_terms and not each.is_steady],
        all_organizations=[each.organization_id for each in organizations],
    )
    return Plan(
        seed=seed,
        scale=scale,
        organizations=organizations,
        clients=clients,
        faults=faults,
        instances=instances,
    )


def _organization(number: int, chance: Random) -> PlannedOrganization:
    has_terms = number % 4 in WITH_TERMS
    licenses = tuple(
        PlannedLicense(
            license_id=f"license-{each}",
            seats=chance.randint(1, 2 if has_terms and each == 1 else 4),
            lease_seconds=chance.randint(SHORTEST_LEASE_SECONDS, SHORTEST_LEASE_SECONDS + 3),
            max_instances=chance.choice([None, None, 1]),
            max_borrow_seconds=chance.choice([0, *BORROWED_SECONDS]),
            max_borrowed_seats=chance.choice([None, 1, 1, 2]),
            terms=_terms(chance) if has_terms and each == 1 else {},
        )
        for each in range(1, chance.randint(2, 3) + 1)
    )
    together = sum(license_.seats for license_ in licenses)
    user_ids = tuple(f"m{each}" for each in range(6))
    # The first user may use reserved seats, so every run has some.
    first = tuple(licenses[0].terms.get("reservations", ()))
    return PlannedOrganization(
        organization_id=f"org-{number}",
        seats=chance.choice([None, None, max(1, together - 1), *([] if has_terms else [max(1, together // 2)])]),
        is_steady=number % 2 == 0,
        has_terms=has_terms,
        licenses=licenses,
        user_ids=user_ids,
        groups=(first, *(chance.choice(GROUPS) if has_terms else () for _ in user_ids[1:])),
    )


def _terms(chance: Random) -> Mapping[str, Any]:
    return {
        "reservations": chance.choice(RESERVATIONS[1:]),
        "overdraft_seats": chance.randint(1, 2),
        "max_devices_per_user": chance.choice([1, 1, 2]),
        "idle_seconds": SHORTEST_IDLE_SECONDS,
        "features": {"tier": "pro", "exports": chance.randint(1, 9)},
    }


def _client(number: int, organizations: tuple[PlannedOrganization, ...], chance: Random) -> PlannedClient:
    organization = organizations[number % len(organizations)]
    is_shared = number // len(organizations) < INSTANCES_OF_ONE_DEVICE
    # Few users with several devices each meet the limit of devices.
    users = organization.user_ids[:3] if organization.has_terms else organization.user_ids
    return PlannedClient(
        number=number,
        organization_id=organization.organization_id,
        user_id=organization.user_ids[0] if is_shared else chance.choice(users),
        hardware_id="shared-device" if is_shared else f"device-{number}",
        instance_id=None if chance.random() < _OLD_PROGRAMS else f"instance-{number:08}",
    )

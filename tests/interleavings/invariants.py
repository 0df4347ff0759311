"""An organization's documents in the memory database: written as acquire leaves them, and audited at every commit."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from shared.documents.paths import OrganizationPaths
from shared.documents.writing import Retention, audit_event_fields, seat_use_fields, session_fields
from shared.rules.audit import ENDS, acquired
from shared.rules.seat_use import SeatUse
from shared.rules.session import Instance, Session, session_id_of
from tests.interleavings.memory_firestore import BEGINNING, MemoryFirestore

LEASE = timedelta(minutes=6)
RETENTION = Retention(sessions_for=timedelta(days=30), audit_events_for=timedelta(days=400))
PEOPLE = {"olivia": "owner", "ann": "member", "ben": "member", "cyd": "member"}


@dataclass(frozen=True, kw_only=True)
class Held:
    """A seat that is held when the run begins, by these programs: the instances of its session.

    ``pool`` is the group whose reserved seat it is.
    """

    user_id: str
    license_id: str = "cad"
    heartbeat_ago: timedelta = timedelta(minutes=1)
    lease_for: timedelta = LEASE
    programs: tuple[str | None, ...] = (None,)
    pool: str | None = None

    @property
    def session_id(self) -> str:
        return session_id_of(license_id=self.license_id, user_id=self.user_id, hardware_id="laptop")


@dataclass(frozen=True, kw_only=True)
class Invariants:
    """One organization of the store."""

    store: MemoryFirestore
    organization_id: str = "acme"

    @property
    def paths(self) -> OrganizationPaths:
        return OrganizationPaths(self.organization_id)

    def open(
        self,
        *,
        caps: dict[str, int],
        cap: int | None = None,
        held: Sequence[Held] = (),
        terms: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        """Write people, all of one group, licenses with these caps and terms, and the seats that are held."""
        self.store.put(self.paths.organization, {"name": "Acme", "max_concurrent_seats": cap})
        for user_id, role in PEOPLE.items():
            user = {"email": f"{user_id}@acme.example", "role": role, "groups": ["design"]}
            self.store.put(self.paths.user(user_id), user)
        for license_id, seats in caps.items():
            license_ = {"license_key": f"KEY-{license_id}", "max_concurrent_seats": seats, **terms}
            self.store.put(self.paths.license(license_id), license_)
        for number, each in enumerate(held, start=1):
            at = BEGINNING - each.heartbeat_ago
            session = Session(
                session_id=each.session_id,
                license_id=each.license_id,
                user_id=each.user_id,
                user_email=None,
                hardware_id="laptop",
                ip_address=None,
                user_agent=None,
                started_at=at,
                last_heartbeat_at=at,
                lease_expires_at=at + each.lease_for,
                instances=tuple(
                    Instance(instance_id=program, ip_address=None, last_heard_at=at) for program in each.programs
                ),
                pool=each.pool,
            )
            event = acquired(session, grant_number=number, details={})
            self.store.put(self.paths.session(each.session_id), session_fields(session, RETENTION))
            self.store.put(self.paths.audit_event(event.name), audit_event_fields(event, self.paths, RETENTION))
        if held:
            pools = Counter((each.license_id, each.pool) for each in held if each.pool is not None)
            use = SeatUse(by_license=Counter(each.license_id for each in held), by_pool=pools, grants=len(held))
            self.store.put(self.paths.seats, seat_use_fields(use, now=BEGINNING))

    def sessions(self, *, at: datetime | None = None) -> dict[str, dict[str, Any]]:
        return self.store.below(f"{self.paths.organization}/sessions", at=at)

    def events(self) -> list[dict[str, Any]]:
        return list(self.store.below(f"{self.paths.organization}/audit_events").values())

    def seats_open(self, *, at: datetime | None = None) -> Counter[str]:
        return Counter(each["license_id"] for each in self.sessions(at=at).values() if each["ended_at"] is None)

    def reserved_open(self) -> Counter[tuple[str, str]]:
        """The reserved seats in use, by license and group."""
        return Counter(
            (each["license_id"], each["pool"])
            for each in self.sessions().values()
            if each["ended_at"] is None and each["pool"] is not None
        )

    def live_of(self, user_id: str, license_id: str, *, at: datetime) -> set[str]:
        """The sessions of a user that hold a seat of a license at an instant."""
        return {
            session_id
            for session_id, each in self.sessions(at=at).items()
            if (each["user_id"], each["license_id"]) == (user_id, license_id)
            and each["ended_at"] is None
            and each["lease_expires_at"] > at
        }

    def borrowed(self, license_id: str, *, at: datetime | None = None) -> set[str]:
        """The borrowed seats of a license, now or at an instant. No run lasts until one of them ends."""
        return {
            session_id
            for session_id, each in self.sessions(at=at).items()
            if each["license_id"] == license_id and each["ended_at"] is None and each["borrowed_until"] is not None
        }

    def cap(self, license_id: str | None, *, at: datetime | None = None) -> int | None:
        path = self.paths.organization if license_id is None else self.paths.license(license_id)
        fields = self.store.get(path, at=at) or {}
        cap: int | None = fields["max_concurrent_seats"]
        return cap

    def audit(self) -> None:
        """Hold the books to what is promised at every instant.

        Raises:
            AssertionError: a cap, a reservation or a limit is exceeded, a counter is wrong, or a tenure was not
                told of as it was.
        """
        held, counted = self.seats_open(), self.store.get(self.paths.seats) or {}
        for license_id, seats in held.items():
            assert seats <= (self.cap(license_id) or 0), f"above the cap of {license_id}"
            most = (self.store.get(self.paths.license(license_id)) or {}).get("max_borrowed_seats")
            assert most is None or len(self.borrowed(license_id)) <= most, f"a seat of {license_id} too many is away"
        cap = self.cap(None)
        assert cap is None or held.total() <= cap, "above the cap of the organization"
        events = self.events()
        numbered = {"session.acquired", "session.borrowed"}
        numbers = sorted(each["grant_number"] for each in events if each["type"] in numbered)
        assert numbers == list(range(1, len(numbers) + 1)), "the grants are not numbered 1, 2, 3 ..."
        by_license = {key: seats for key, seats in counted.get("by_license", {}).items() if seats}
        assert by_license == held, "the counters are not the open sessions"
        assert counted.get("total", 0) == held.total()
        reserved = self.reserved_open()
        by_pool = {
            (license_id, group): seats
            for license_id, groups in counted.get("by_pool", {}).items()
            for group, seats in groups.items()
            if seats
        }
        assert by_pool == reserved, "the counters of pools are not the open sessions"
        use = SeatUse(by_license=held, by_pool=reserved, grants=len(numbers), epoch=counted.get("epoch"))
        assert not counted or counted["checksum"] == use.checksum
        self._terms(reserved)
        self._tenures()

    def _terms(self, reserved: Counter[tuple[str, str]]) -> None:
        for (license_id, group), seats in reserved.items():
            license_ = self.store.get(self.paths.license(license_id)) or {}
            assert seats <= license_["reservations"][group], f"above the reservation of {group}"
        devices = Counter(
            (each["license_id"], each["user_id"]) for each in self.sessions().values() if each["ended_at"] is None
        )
        for (license_id, user_id), number in devices.items():
            most = (self.store.get(self.paths.license(license_id)) or {}).get("max_devices_per_user")
            assert most is None or number <= most, f"{user_id} has a device too many"

    def begun(self) -> Counter[tuple[str, datetime]]:
        """The tenures that the trail says began: each a session and its beginning."""
        return Counter((each["session_id"], each["at"]) for each in self.events() if each["type"] == "session.acquired")

    def ended(self) -> Counter[tuple[str, datetime]]:
        """The tenures that the trail says ended."""
        return Counter(
            (each["session_id"], each["details"]["started_at"]) for each in self.events() if each["type"] in ENDS
        )

    def _tenures(self) -> None:
        begun, ended = self.begun(), self.ended()
        assert set(begun.values()) <= {1}, "a tenure began twice"
        assert set(ended.values()) <= {1}, "a tenure ended twice"
        open_ = {
            (session_id, each["started_at"]) for session_id, each in self.sessions().items() if each["ended_at"] is None
        }
        assert set(begun) - set(ended) == open_, "the trail and the sessions disagree about who holds a seat"

"""Hypothesis' stateful testing: after any actions of users, programs and time the seats agree with the model.

The same machine drives the pure rules and the store on the emulator. A subclass for each implements the actions.
"""

from abc import abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from shared.rules.user import Role
from tests.support.seat_license import Holder, Lease, Rights, SeatLicense

USERS = {"olivia": Role.OWNER, "ann": Role.MEMBER, "ben": Role.MEMBER}
LICENSES = ["cad", "render"]
LEASE = timedelta(minutes=6)

users, licenses = st.sampled_from([*USERS]), st.sampled_from(LICENSES)
holders = st.builds(Holder, licenses, users, st.sampled_from(["desktop", "laptop"]))
# No sum of these is a lease: none runs out in the moment in which it is looked at.
pauses = st.sampled_from([timedelta(seconds=7), timedelta(seconds=61), timedelta(seconds=185), timedelta(seconds=401)])
leases = st.sampled_from([LEASE, timedelta(seconds=100)])


@dataclass(frozen=True, kw_only=True)
class Told:
    """An answer: the name of its kind, when it was decided, and the lease that it gives."""

    kind: str
    now: datetime
    until: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What is stored: the sessions that have not ended, the counters, and what the audit trail tells."""

    leases: Mapping[Holder, datetime]
    counters: Mapping[str, int]
    begun: Counter[Holder]
    ended: Counter[Holder]
    denied: Counter[tuple[str, str]]


class SeatMachine(RuleBasedStateMachine):
    """An organization of three users with two devices each and two licenses, and an admin who edits everything."""

    def __init__(self) -> None:
        super().__init__()
        self.model = SeatLicense(caps={"cad": 2, "render": 3}, cap=4)
        self.rights = Rights(roles=dict(USERS), leases_for=dict.fromkeys(LICENSES, LEASE))
        self.known: set[Holder] = set()
        """Whose session there is, ended or not."""
        self.begun: Counter[Holder] = Counter()
        self.over: Counter[Holder] = Counter()
        """Tenures that are certainly over, told of yet or not."""
        self.denied: Counter[tuple[str, str]] = Counter()
        self.has_drifted = False
        """Whether an admin has changed sessions behind the counters' back."""

    # How it is done

    @abstractmethod
    def to_acquire(self, group: Sequence[Holder]) -> list[Told]: ...
    @abstractmethod
    def to_heartbeat(self, user_id: str, holder: Holder) -> Told: ...
    @abstractmethod
    def to_release(self, user_id: str, holder: Holder) -> Told: ...
    @abstractmethod
    def to_expire(self) -> datetime: ...
    @abstractmethod
    def to_edit(self) -> None:
        """Write organization, users and licenses as the model has them."""

    @abstractmethod
    def to_pass(self, pause: timedelta) -> None: ...
    @abstractmethod
    def see(self) -> Seen: ...

    # What happens

    @rule(group=st.lists(holders, min_size=1, max_size=5))
    def acquire(self, group: list[Holder]) -> None:
        answers = self.to_acquire(group)
        for holder, told in zip(group, answers, strict=True):
            expected = self._taken(holder, told.now)
            assert told.kind == expected, f"{holder}: {told.kind}, not {expected}"
            assert told.until == (self.model.leases[holder].until if expected in {"Granted", "Renewed"} else None)
        self._compare(max(told.now for told in answers))

    def _taken(self, holder: Holder, now: datetime) -> str:
        refusal = self.rights.refusal(holder.user_id, holder.license_id)
        if refusal is not None:
            return refusal
        is_renewed = holder in self.model.holders(now)
        if not is_renewed:
            limit = self.model.in_the_way(holder, now)
            if limit is not None:
                self.denied[holder.license_id, holder.user_id] += 1
                return limit
            self._end(holder)
            self.begun[holder] += 1
        self.model.leases[holder] = Lease(now, now + self.rights.leases_for[holder.license_id])
        self.known.add(holder)
        return "Renewed" if is_renewed else "Granted"

    @rule(holder=holders, user_id=users, is_own=st.sampled_from([True, True, False]))
    def heartbeat(self, holder: Holder, user_id: str, is_own: bool) -> None:  # noqa: FBT001 hypothesis names it
        user_id = holder.user_id if is_own else user_id
        told = self.to_heartbeat(user_id, holder)

        expected = self._kept(user_id, holder, told.now)
        if expected == "lapsed":  # it may have been ended already, by whoever looked
            assert told.kind in {"Stopped", "SessionOver"}
        else:
            assert told.kind == expected, f"{holder}: {told.kind}, not {expected}"
        assert told.until == (self.model.leases[holder].until if expected in {"Extended", "StillFresh"} else None)
        self._compare(told.now)

    def _kept(self, user_id: str, holder: Holder, now: datetime) -> str:
        if holder not in self.known or holder.user_id != user_id:
            return "SessionNotFound"
        if holder not in self.model.holders(now):
            self._end(holder)
            return "lapsed"
        if self.rights.refusal(user_id, holder.license_id) is not None:
            self._end(holder)
            return "Stopped"
        lease, lease_for = self.model.leases[holder], self.rights.leases_for[holder.license_id]
        if now - lease.given_at < lease_for / 12 and lease.until - lease.given_at >= lease_for:
            return "StillFresh"
        self.model.leases[holder] = Lease(now, now + lease_for)
        return "Extended"

    @rule(holder=holders, user_id=users, is_own=st.booleans())
    def release(self, holder: Holder, user_id: str, is_own: bool) -> None:  # noqa: FBT001 hypothesis names it
        user_id = holder.user_id if is_own else user_id
        told = self.to_release(user_id, holder)

        if holder not in self.known or not (holder.user_id == user_id or self.rights.may_revoke(user_id)):
            assert told.kind == "SessionNotFound"
        elif holder in self.model.holders(told.now):
            assert told.kind == "Released"
            self._end(holder)
        else:  # lapsed, it may have been ended already, by whoever looked
            assert told.kind in {"Released", "AlreadyEnded"}
            self._end(holder)
        self._compare(told.now)

    @rule()
    def expire(self) -> None:
        now = self.to_expire()

        for holder in self.model.leases.keys() - self.model.holders(now):
            self._end(holder)
        seen = self._compare(now)
        assert seen.leases.keys() == self.model.leases.keys(), "a lapsed session was left open"

    @rule(pause=pauses)
    def pass_time(self, pause: timedelta) -> None:
        self.to_pass(pause)

    @rule(cap=st.none() | st.integers(0, 5), is_active=st.sampled_from([True, True, True, False]))
    def edit_the_organization(self, cap: int | None, is_active: bool) -> None:  # noqa: FBT001 hypothesis names it
        self.model.cap, self.rights.is_active = cap, is_active
        self.to_edit()

    @rule(license_id=licenses, cap=st.integers(0, 4), lease_for=leases, is_active=st.sampled_from([True, True, False]))
    def edit_a_license(self, license_id: str, cap: int, lease_for: timedelta, is_active: bool) -> None:  # noqa: FBT001 hypothesis names it
        self.model.caps[license_id], self.rights.leases_for[license_id] = cap, lease_for
        (self.rights.inactive_licenses.discard if is_active else self.rights.inactive_licenses.add)(license_id)
        self.to_edit()

    @rule(user_id=users, role=st.sampled_from([*Role, Role.MEMBER]), is_active=st.sampled_from([True, True, False]))
    def edit_a_user(self, user_id: str, role: Role, is_active: bool) -> None:  # noqa: FBT001 hypothesis names it
        self.rights.roles[user_id] = role
        (self.rights.inactive_users.discard if is_active else self.rights.inactive_users.add)(user_id)
        self.to_edit()

    # What has to be so

    def _end(self, holder: Holder) -> None:
        if self.model.leases.pop(holder, None) is not None:
            self.over[holder] += 1

    def _compare(self, now: datetime) -> Seen:
        """Compare what is stored with the model at ``now``."""
        seen = self.see()
        live = {holder: until for holder, until in seen.leases.items() if now < until}
        expected = {holder: self.model.leases[holder].until for holder in self.model.holders(now)}
        assert live == expected, "not the seats that are held"
        if not self.has_drifted:
            assert seen.counters == Counter(holder.license_id for holder in seen.leases), "the counters are wrong"
        assert seen.begun == self.begun, "not the tenures that began"
        gone = self.over + Counter(self.model.leases.keys() - self.model.holders(now))
        assert seen.ended <= gone, "an end that was none"
        assert seen.denied == self.denied, "not the attempts that were denied"
        return seen

"""Caps hold whatever happens, in whatever order: Hypothesis looks for a sequence of operations that breaks one."""

from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from shared.rules.acquire import AcquireOutcome, Granted, OrganizationSeatLimitReached, Renewed, SeatLimitReached
from shared.rules.audit import AuditType
from shared.rules.heartbeat import Extended
from shared.rules.license import License
from shared.rules.organization import Organization
from shared.rules.refusal import Unusable
from shared.rules.session import Session, is_live, is_open, session_id_of
from shared.rules.user import Role, User
from tests.rules.make import INSTANT, LEASE, UNUSABLE, a_license, a_user, an_organization
from tests.rules.world import World

USERS = st.sampled_from(["olivia", "ann", "ben"])
LICENSES = st.sampled_from(["cad", "render"])
HARDWARE = st.sampled_from(["desktop", "laptop"])

LICENSE_CAPS = st.integers(min_value=0, max_value=3)
ORGANIZATION_CAPS = st.none() | st.integers(min_value=0, max_value=5)
LEASES = st.sampled_from([LEASE, LEASE / 6, LEASE * 10])
DAMAGE = st.sampled_from(["inactive", "misconfigured", "removed"])
PAUSES = st.sampled_from([INSTANT, timedelta(seconds=29), timedelta(minutes=2), LEASE / 2, LEASE])

Edited = TypeVar("Edited", Organization, License, User)


class Caps(RuleBasedStateMachine):
    """An organization of three users with two devices each, two licenses, and an admin who edits everything."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(
            organization=an_organization(seats=4),
            users={"olivia": a_user("olivia", role=Role.OWNER), "ann": a_user("ann"), "ben": a_user("ben")},
            licenses={"cad": a_license("cad", seats=2), "render": a_license("render", seats=3)},
        )

    session_ids: Bundle[str] = Bundle("session_ids")

    @rule(target=session_ids, group=st.lists(st.tuples(USERS, LICENSES, HARDWARE), min_size=1, max_size=8))
    def acquire(self, group: list[tuple[str, str, str]]) -> MultipleResults[str]:
        return multiple(
            *(
                outcome.session.session_id
                for user_id, license_id, hardware_id in group
                if isinstance(outcome := self._acquire_one(user_id, license_id, hardware_id), Granted)
            )
        )

    def _acquire_one(self, user_id: str, license_id: str, hardware_id: str) -> AcquireOutcome:
        session_id = session_id_of(license_id=license_id, user_id=user_id, hardware_id=hardware_id)
        own, at = self.world.sessions.get(session_id), self.world.now
        before = self.world.open_seats()

        outcome = self.world.acquire(user_id=user_id, license_id=license_id, hardware_id=hardware_id)

        after = self.world.open_seats()
        match outcome:
            case Granted(session=session, in_use=in_use):
                license_, organization = self.world.licenses[license_id], self.world.organization
                assert isinstance(license_, License)
                assert isinstance(organization, Organization)
                assert is_live(session, now=at)
                assert in_use == after[license_id] <= license_.max_concurrent_seats, "above the cap of the license"
                cap = organization.max_concurrent_seats
                assert cap is None or after.total() <= cap, "above the cap of the organization"
            case Renewed(in_use=in_use):
                assert own is not None
                assert is_live(own, now=at), "a lapsed session was renewed"
                assert after == before, "a renewed seat changed the number of seats"
                assert in_use == after[license_id]
            case SeatLimitReached(in_use=in_use, max_seats=cap):
                assert after == before
                assert in_use >= cap, "refused although the license has a seat left"
                assert in_use == before[license_id] - _open_seats_of(own)
            case OrganizationSeatLimitReached(in_use=in_use, max_seats=cap):
                assert after == before
                assert in_use >= cap, "refused although the organization has a seat left"
                assert in_use == before.total() - _open_seats_of(own)
            case _:
                assert after == before
        return outcome

    @rule(user_id=USERS)
    def heartbeat(self, user_id: str) -> None:
        for session_id in [held.session_id for held in self.world.sessions.values() if held.user_id == user_id]:
            own, at = self.world.sessions[session_id], self.world.now
            before = self.world.open_seats()

            outcome = self.world.heartbeat(user_id=user_id, session_id=session_id)

            assert self.world.open_seats() <= before, "a heartbeat took a seat"
            if not is_live(own, now=at):
                over = self.world.sessions[session_id]
                assert not is_open(over), "a heartbeat left a session open whose lease had run out"
                assert replace(own, ended_at=over.ended_at, end_reason=over.end_reason) == over
                if not is_open(own):
                    assert over == own, "a heartbeat changed a session that was over"
            if isinstance(outcome, Extended):
                assert is_live(outcome.session, now=at)

    @rule(session_id=session_ids, user_id=USERS)
    def release(self, session_id: str, user_id: str) -> None:
        session = self.world.sessions[session_id]
        others, before = self.world.others_than([session]), self.world.open_seats()

        self.world.release(user_id=user_id, session_id=session_id)

        assert self.world.open_seats() <= before, "a release took a seat"
        assert self.world.others_than([session]) == others

    @rule()
    def expire(self) -> None:
        lapsed, others = self.world.lapsed(), self.world.others_than(self.world.lapsed())

        self.world.expire()

        assert not any(is_open(self.world.sessions[held.session_id]) for held in lapsed)
        assert self.world.others_than(lapsed) == others

    @rule(pause=PAUSES)
    def pass_time(self, pause: timedelta) -> None:
        self.world.now += pause

    @precondition(lambda self: any(is_live(held, now=self.world.now) for held in self.world.sessions.values()))
    @rule(before=st.sampled_from([INSTANT, timedelta(0)]))
    def pass_time_until_the_next_lease_expires(self, before: timedelta) -> None:
        live = [held for held in self.world.sessions.values() if is_live(held, now=self.world.now)]

        self.world.now = max(self.world.now, min(held.lease_expires_at for held in live) - before)

    @rule(cap=ORGANIZATION_CAPS)
    def edit_the_organization(self, cap: int | None) -> None:
        self.world.organization = an_organization(seats=cap)

    @rule(license_id=LICENSES, cap=LICENSE_CAPS, lease_for=LEASES)
    def edit_a_license(self, license_id: str, cap: int, lease_for: timedelta) -> None:
        self.world.licenses[license_id] = a_license(license_id, seats=cap, lease_for=lease_for)

    @rule(user_id=USERS, role=st.sampled_from([Role.OWNER, Role.MEMBER, Role.MEMBER, Role.GUEST]))
    def edit_a_user(self, user_id: str, role: Role) -> None:
        self.world.users[user_id] = a_user(user_id, role=role)

    @rule(damage=DAMAGE, what=st.sampled_from(["organization", "ann", "cad", "render"]))
    def spoil_a_document_until_it_is_edited_again(self, damage: str, what: str) -> None:
        if what in self.world.users:
            self.world.users[what] = _spoiled(self.world.users[what], damage)
        elif what in self.world.licenses:
            self.world.licenses[what] = _spoiled(self.world.licenses[what], damage)
        else:
            self.world.organization = _spoiled(self.world.organization, damage)

    @rule(license_id=LICENSES, pause=PAUSES)
    def let_a_license_expire(self, license_id: str, pause: timedelta) -> None:
        license_ = self.world.licenses[license_id]
        if isinstance(license_, License):
            self.world.licenses[license_id] = replace(license_, expires_at=self.world.now + pause)

    @invariant()
    def the_counters_are_the_open_sessions(self) -> None:
        assert dict(self.world.use.by_license) == self.world.open_seats()

    @invariant()
    def the_seal_kept_by_additions_is_the_seal_of_the_counters(self) -> None:
        assert self.world.checksum == self.world.use.checksum

    @invariant()
    def every_grant_and_every_end_has_an_event_of_its_own(self) -> None:
        grants = [event.grant_number for event in self.world.events if event.type is AuditType.ACQUIRED]
        ended = len(self.world.events) - len(grants)
        assert grants == list(range(1, self.world.use.grants + 1))
        assert len({event.name for event in self.world.events}) == len(self.world.events)
        assert len(grants) - ended == self.world.open_seats().total()


def _open_seats_of(own: Session | None) -> int:
    """Count the asking device's own session when it is open: a refusal counts without it."""
    return 0 if own is None or not is_open(own) else 1


def _spoiled(record: Edited | Unusable | None, damage: str) -> Edited | Unusable | None:
    if damage == "misconfigured":
        return UNUSABLE
    if damage == "removed" or record is None or isinstance(record, Unusable):
        return None
    return replace(record, is_active=False)


def test_no_sequence_of_operations_ever_grants_beyond_a_cap() -> None:
    run_state_machine_as_test(
        Caps,
        settings=settings(max_examples=80, stateful_step_count=50),
    )

"""The terms of a license hold whatever happens: Hypothesis looks for operations and edits that break one.

Reservations, groups, overdraft, device limits, caps, a start and an idle limit are edited while seats are in use.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from shared.rules.acquire import (
    AcquireOutcome,
    DeviceLimitReached,
    Granted,
    OrganizationSeatLimitReached,
    Renewed,
    SeatLimitReached,
)
from shared.rules.heartbeat import Extended, StillFresh, Stopped
from shared.rules.license import License
from shared.rules.organization import Organization
from shared.rules.refusal import LicenseNotAllowed, LicenseNotStarted
from shared.rules.session import EndReason, Session, SessionOver, is_live, is_open, session_id_of
from shared.rules.user import User
from tests.rules.make import INSTANT, LEASE, NOW, a_license, a_user, an_organization
from tests.rules.world import World

USERS = st.sampled_from(["ann", "ben", "cyd", "dan"])
HARDWARE = st.sampled_from(["desktop", "laptop", "tablet"])
GROUPS = st.lists(st.sampled_from(["design", "render", "sales"]), unique=True, max_size=3)
PAUSES = st.sampled_from([INSTANT, timedelta(minutes=2), LEASE / 2, LEASE])
IDLE_FOR = timedelta(minutes=10)

EDITS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.fixed_dictionaries({"max_concurrent_seats": st.integers(1, 8), "overdraft_seats": st.integers(0, 2)}),
    st.fixed_dictionaries({"reservations": st.dictionaries(st.sampled_from(["design", "render"]), st.integers(1, 3))}),
    st.fixed_dictionaries({"max_devices_per_user": st.none() | st.integers(1, 2)}),
    st.fixed_dictionaries(
        {"allowed_groups": st.sampled_from([None, None, frozenset({"design"}), frozenset({"sales"})])}
    ),
    st.fixed_dictionaries(
        {"idle_for": st.sampled_from([None, IDLE_FOR]), "starts_at": st.sampled_from([None, NOW, NOW + LEASE])}
    ),
)


class Terms(RuleBasedStateMachine):
    """Four users with three devices each, one license, and an admin who edits its terms and the users' groups."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(
            organization=an_organization(),
            users={
                "ann": a_user("ann", groups=["design"]),
                "ben": a_user("ben", groups=["render", "design"]),
                "cyd": a_user("cyd"),
                "dan": a_user("dan"),
            },
            licenses={"cad": replace(a_license(seats=4), reservations={"design": 2, "render": 1})},
        )

    @property
    def license(self) -> License:
        license_ = self.world.licenses["cad"]
        assert isinstance(license_, License)
        return license_

    def held(self, *, without: Session | None = None) -> Counter[str | None]:
        """Count the sessions of each pool that have not ended, but for the one that makes room for itself."""
        own = None if without is None else without.session_id
        return Counter(each.pool for each in self.world.sessions.values() if is_open(each) and each.session_id != own)

    @initialize(edits=st.lists(EDITS, max_size=4))
    def begin(self, edits: list[dict[str, Any]]) -> None:
        for edit in edits:
            self.edit_the_license(edit)

    @rule(group=st.lists(st.tuples(USERS, HARDWARE), min_size=1, max_size=6))
    def acquire(self, group: list[tuple[str, str]]) -> None:
        for user_id, hardware_id in group:
            self._acquire_one(user_id, hardware_id)

    def _acquire_one(self, user_id: str, hardware_id: str) -> None:
        now, sessions = self.world.now, dict(self.world.sessions)
        session_id = session_id_of(license_id="cad", user_id=user_id, hardware_id=hardware_id)
        own, user = sessions.get(session_id), self.world.users[user_id]
        assert isinstance(user, User)
        live = [each for each in sessions.values() if each.user_id == user_id and is_live(each, now=now)]
        before = self.held(without=own)

        outcome = self.world.acquire(user_id=user_id, license_id="cad", hardware_id=hardware_id)

        if own is not None and is_live(own, now=now):
            assert isinstance(outcome, Renewed), "a user who holds a seat keeps it, whatever was edited"
            assert (outcome.session.pool, outcome.session.is_overdraft) == (own.pool, own.is_overdraft)
        elif isinstance(outcome, Granted):
            self._was_right_to_grant(outcome.session, user, live, before)
        else:
            self._was_right_to_refuse(outcome, user, live, before)
            assert self.world.sessions == sessions

    def _was_right_to_grant(
        self, session: Session, user: User, live: list[Session], before: Mapping[str | None, int]
    ) -> None:
        license_, after = self.license, self.held()
        cap, reservations = license_.max_concurrent_seats, license_.reservations
        own_common = max(0, cap - sum(reservations.values()))
        assert after.total() <= cap + license_.overdraft_seats, "above the cap and the overdraft"
        assert license_.max_devices_per_user is None or len(live) < license_.max_devices_per_user, "a device too many"
        assert license_.starts_at is None or license_.starts_at <= session.started_at, "before the start"
        assert license_.allowed_groups is None or license_.allowed_groups & {*user.groups}, "to a user of other groups"
        if session.pool is None:
            assert _common(after, reservations) <= own_common + license_.overdraft_seats, "a seat reserved for others"
        else:
            assert session.pool in user.groups, "a seat reserved for another group"
            assert after[session.pool] <= reservations[session.pool], "above the reservation"
        is_above = session.pool is None and _common(before, reservations) >= own_common
        assert session.is_overdraft == (sum(before.values()) >= cap or is_above)
        organization = self.world.organization
        assert isinstance(organization, Organization)
        most = organization.max_concurrent_seats
        assert most is None or after.total() <= most, "above the cap of the organization"

    def _was_right_to_refuse(
        self, outcome: AcquireOutcome, user: User, live: list[Session], before: Mapping[str | None, int]
    ) -> None:
        license_ = self.license
        match outcome:
            case SeatLimitReached(in_use=in_use, reserved_for_others=others):
                assert not self._has_seat_for(user.groups, before), "refused although a pool of the user has a seat"
                assert in_use == sum(before.values())
                room = license_.max_concurrent_seats + license_.overdraft_seats - in_use
                assert others <= max(0, room), "more seats are said to be kept for others than there are"
            case OrganizationSeatLimitReached(in_use=in_use, max_seats=most):
                assert in_use == sum(before.values()) >= most
                assert self._has_seat_for(user.groups, before)
            case DeviceLimitReached(own=own, max_devices=most):
                assert {each.session_id for each in own} == {each.session_id for each in live}
                assert len(live) >= most == license_.max_devices_per_user
            case LicenseNotStarted(starts_at=starts_at):
                assert starts_at == license_.starts_at
            case LicenseNotAllowed():
                assert license_.allowed_groups is not None
                assert license_.allowed_groups.isdisjoint(user.groups)
            case _:
                message = f"no edit here is a reason for {outcome}"
                raise AssertionError(message)

    def _has_seat_for(self, groups: Iterable[str], held: Mapping[str | None, int]) -> bool:
        license_ = self.license
        cap, reservations = license_.max_concurrent_seats, license_.reservations
        if sum(held.values()) >= cap + license_.overdraft_seats:
            return False
        own_common = max(0, cap - sum(reservations.values()))
        return (
            any(held.get(group, 0) < reservations.get(group, 0) for group in groups)
            or _common(held, reservations) < own_common + license_.overdraft_seats
        )

    @rule(user_id=USERS, idle_for=st.sampled_from([None, timedelta(0), IDLE_FOR - INSTANT, IDLE_FOR]))
    def heartbeat(self, user_id: str, idle_for: timedelta | None) -> None:
        is_idle = self.license.idle_for is not None and idle_for == IDLE_FOR
        for own in [held for held in self.world.sessions.values() if held.user_id == user_id]:
            is_held = is_live(own, now=self.world.now)

            outcome = self.world.heartbeat(user_id=user_id, session_id=own.session_id, idle_for=idle_for)

            after = self.world.sessions[own.session_id]
            assert (after.pool, after.is_overdraft) == (own.pool, own.is_overdraft)
            if is_held and is_idle:
                assert isinstance(outcome, Stopped)
                assert outcome.because == SessionOver(reason=EndReason.IDLE)
                assert not is_open(after)
            elif is_held:
                assert isinstance(outcome, Extended | StillFresh), "no edit of the terms ends a session"

    @rule(group=st.lists(st.tuples(USERS, HARDWARE), min_size=1, max_size=6))
    def release(self, group: list[tuple[str, str]]) -> None:
        for user_id, hardware_id in group:
            session_id = session_id_of(license_id="cad", user_id=user_id, hardware_id=hardware_id)
            self.world.release(user_id=user_id, session_id=session_id)

    @rule()
    def expire(self) -> None:
        self.world.expire()

    @rule(pause=PAUSES)
    def pass_time(self, pause: timedelta) -> None:
        self.world.now += pause

    @rule(edit=EDITS)
    def edit_the_license(self, edit: dict[str, Any]) -> None:
        self.world.licenses["cad"] = replace(self.license, **edit)

    @rule(user_id=USERS, groups=GROUPS)
    def edit_the_groups_of_a_user(self, user_id: str, groups: list[str]) -> None:
        self.world.users[user_id] = a_user(user_id, groups=groups)

    @rule(cap=st.sampled_from([None, None, 0, 3, 5]))
    def edit_the_organization(self, cap: int | None) -> None:
        self.world.organization = an_organization(seats=cap)

    @invariant()
    def the_counters_are_the_open_sessions(self) -> None:
        held = self.held()
        assert self.world.use.of("cad") == held.total()
        assert dict(self.world.use.by_pool) == {("cad", group): seats for group, seats in held.items() if group}

    @invariant()
    def the_checksum_kept_by_additions_is_that_of_the_counters(self) -> None:
        assert self.world.checksum == self.world.use.checksum


def _common(held: Mapping[str | None, int], reservations: Mapping[str, int]) -> int:
    """The seats that count as common: those that are, and what a group holds beyond its reservation."""
    beyond = (max(0, seats - reservations.get(pool, 0)) for pool, seats in held.items() if pool is not None)
    return held.get(None, 0) + sum(beyond)


def test_no_sequence_of_operations_and_edits_breaks_a_term_of_the_license() -> None:
    run_state_machine_as_test(Terms, settings=settings(max_examples=200, stateful_step_count=40))

"""The rules do what the ten-line model of a seat license says, whatever happens in whatever order."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from shared.rules.acquire import Granted, OrganizationSeatLimitReached, Renewed, SeatLimitReached
from shared.rules.audit import ENDS, AuditType
from shared.rules.heartbeat import Extended, StillFresh
from shared.rules.session import is_open, session_id_of
from tests.rules.make import a_license, a_user, an_organization
from tests.rules.world import World
from tests.support.seat_license import Holder
from tests.support.seat_machine import SeatMachine, Seen, Told


def _session_id(holder: Holder) -> str:
    return session_id_of(license_id=holder.license_id, user_id=holder.user_id, hardware_id=holder.hardware_id)


class Rules(SeatMachine):
    """The machine on the documents of ``World``."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(organization=None, users={}, licenses={})
        self.to_edit()

    def to_acquire(self, group: Sequence[Holder]) -> list[Told]:
        return [self._acquire(holder) for holder in group]

    def _acquire(self, holder: Holder) -> Told:
        now, outcome = self.world.now, self.world.acquire(**holder._asdict())
        if isinstance(outcome, SeatLimitReached | OrganizationSeatLimitReached):
            # Before anybody is refused, what has lapsed is ended.
            self.world.expire()
            now, outcome = self.world.now, self.world.acquire(**holder._asdict())
        return self._told(outcome, now)

    def to_heartbeat(self, user_id: str, holder: Holder) -> Told:
        now = self.world.now
        return self._told(self.world.heartbeat(user_id=user_id, session_id=_session_id(holder)), now)

    def to_release(self, user_id: str, holder: Holder) -> Told:
        now = self.world.now
        return self._told(self.world.release(user_id=user_id, session_id=_session_id(holder)), now)

    def to_expire(self) -> datetime:
        now = self.world.now
        self.world.expire()
        return now

    def to_edit(self) -> None:
        rights = self.rights
        self.world.organization = replace(an_organization(seats=self.model.cap), is_active=rights.is_active)
        self.world.users = {
            user_id: replace(a_user(user_id, role=role), is_active=user_id not in rights.inactive_users)
            for user_id, role in rights.roles.items()
        }
        self.world.licenses = {
            license_id: replace(
                a_license(license_id, seats=seats, lease_for=rights.leases_for[license_id]),
                is_active=license_id not in rights.inactive_licenses,
            )
            for license_id, seats in self.model.caps.items()
        }

    def to_pass(self, pause: timedelta) -> None:
        self.world.now += pause

    def see(self) -> Seen:
        tenures = {
            session_id: Holder(each.license_id, each.user_id, each.hardware_id)
            for session_id, each in self.world.sessions.items()
        }
        events = [(event.type, tenures[event.session_id]) for event in self.world.events if event.session_id]
        return Seen(
            leases={
                tenures[session_id]: each.lease_expires_at
                for session_id, each in self.world.sessions.items()
                if is_open(each)
            },
            counters=self.world.use.by_license,
            begun=Counter(holder for kind, holder in events if kind is AuditType.ACQUIRED),
            ended=Counter(holder for kind, holder in events if kind in ENDS),
            denied=self.denied,  # the rules tell of each; what a minute adds up to is the store's
        )

    @staticmethod
    def _told(outcome: Any, now: datetime) -> Told:  # noqa: ANN401 an outcome of any operation
        gives = isinstance(outcome, Granted | Renewed | Extended | StillFresh)
        return Told(kind=type(outcome).__name__, now=now, until=outcome.session.lease_expires_at if gives else None)


def test_whatever_happens_the_rules_give_and_refuse_seats_as_the_model_does() -> None:
    run_state_machine_as_test(Rules, settings=settings(stateful_step_count=40))

"""The store on the emulator does what the ten-line model of a seat license says, whatever happens in whatever order.

Time is the database's, so it passes by hand: every lease that has not ended is moved back. Beside what the rules are
tested with, two instances take turns, and sessions are ended and deleted in the console.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from google.cloud import firestore
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test

from infra.local.seed import firestore_client
from shared.admin.deleted_sessions import Removals
from shared.documents.paths import OrganizationPaths
from shared.documents.policy import Policy
from shared.firestore.client import Firestore
from shared.firestore.group_commit import Answered
from shared.firestore.query import Query
from shared.rules.acquire import Device, Granted, Renewed
from shared.rules.audit import ENDS
from shared.rules.heartbeat import Extended, StillFresh
from shared.rules.session import session_id_of
from shared.seats.acquire import AcquireRequest, Acquires
from shared.seats.expire import Expiries
from shared.seats.heartbeat import HeartbeatRequest, Heartbeats
from shared.seats.reconcile import Reconciliations
from shared.seats.release import ReleaseRequest, Releases
from tests.support.length import IN_THE_GATE, is_long
from tests.support.seat_license import Holder, Lease
from tests.support.seat_machine import LICENSES, USERS, SeatMachine, Seen, Told

RUN_WITHIN = timedelta(minutes=1)
PATHS = OrganizationPaths("acme")


def _session_id(holder: Holder) -> str:
    return session_id_of(license_id=holder.license_id, user_id=holder.user_id, hardware_id=holder.hardware_id)


class _Instance:
    def __init__(self, connection: Firestore, policy: Policy) -> None:
        self.acquires = Acquires(connection, policy)
        self.heartbeats = Heartbeats(connection, policy)
        self.releases = Releases(connection, policy)


class Store(SeatMachine):
    """The machine on a project of its own at the emulator."""

    firestore_host: str
    policy: Policy

    def __init__(self) -> None:
        super().__init__()
        project = f"test-{uuid4().hex[:12]}"
        self.runner = asyncio.Runner()
        self.console = firestore_client(project=project, firestore_host=self.firestore_host)
        self.connection = Firestore(project=project, emulator_host=self.firestore_host)
        self.instances = [_Instance(self.connection, self.policy) for _ in range(2)]
        self.turn = 0
        self.to_edit()

    def teardown(self) -> None:
        try:
            if self.begun:
                self.reconcile()
        finally:
            self.connection.close()
            self.console.close()
            self.runner.close()

    # How it is done

    def _examine_again(self) -> None:
        """Time passes here by edits of documents, and what an examination found holds for a second of real time."""
        self.instances = [_Instance(self.connection, self.policy) for _ in range(2)]

    def _next_instance(self) -> _Instance:
        self.turn += 1
        return self.instances[self.turn % 2]

    def to_acquire(self, group: Sequence[Holder]) -> list[Told]:
        instance = self._next_instance()

        async def all_at_once() -> list[Answered[Any]]:
            requests = [
                AcquireRequest(
                    user_id=holder.user_id,
                    license_key=f"KEY-{holder.license_id}",
                    device=Device(hardware_id=holder.hardware_id, ip_address=None, user_agent=None),
                )
                for holder in group
            ]
            return await asyncio.gather(*(instance.acquires.acquire("acme", request) for request in requests))

        return [_told(answered) for answered in self.runner.run(all_at_once())]

    def to_heartbeat(self, user_id: str, holder: Holder) -> Told:
        request = HeartbeatRequest(user_id=user_id, session_id=_session_id(holder))
        return _told(self.runner.run(self._next_instance().heartbeats.heartbeat("acme", request)))

    def to_release(self, user_id: str, holder: Holder) -> Told:
        request = ReleaseRequest(user_id=user_id, session_id=_session_id(holder))
        return _told(self.runner.run(self._next_instance().releases.release("acme", request)))

    def to_expire(self) -> datetime:
        report = self.runner.run(Expiries(self.connection, self.policy, run_within=RUN_WITHIN).expire())
        assert report.is_complete
        assert report.organizations_failed == report.sessions_left == 0
        return report.now

    def to_edit(self) -> None:
        batch, rights = self.console.batch(), self.rights
        batch.set(self._at(), {"max_concurrent_seats": self.model.cap, "is_active": rights.is_active})
        for user_id in USERS:
            fields = {"role": rights.roles[user_id].value, "is_active": user_id not in rights.inactive_users}
            batch.set(self._at("users", user_id), fields)
        for license_id in LICENSES:
            written: dict[str, Any] = {
                "license_key": f"KEY-{license_id}",
                "max_concurrent_seats": self.model.caps[license_id],
                "is_active": license_id not in rights.inactive_licenses,
                "lease_seconds": int(rights.leases_for[license_id].total_seconds()),
            }
            batch.set(self._at("licenses", license_id), written)
        batch.commit()

    def to_pass(self, pause: timedelta) -> None:
        self._examine_again()
        batch = self.console.batch()
        for session_id, fields in self._below("sessions").items():
            if fields["ended_at"] is None:
                moved = {name: fields[name] - pause for name in ("last_heartbeat_at", "lease_expires_at")}
                batch.update(self._at("sessions", session_id), moved)
        batch.commit()
        self.model.leases = {
            holder: Lease(lease.given_at - pause, lease.until - pause) for holder, lease in self.model.leases.items()
        }

    def see(self) -> Seen:
        sessions, events = self._below("sessions"), list(self._below("audit_events").values())
        by_license = self._below("usage").get("seats", {}).get("by_license", {})
        return Seen(
            leases={_of(each): each["lease_expires_at"] for each in sessions.values() if each["ended_at"] is None},
            counters={license_id: seats for license_id, seats in by_license.items() if seats},
            begun=Counter(_of(each) for each in events if each["type"] == "session.acquired"),
            ended=Counter(_of(each) for each in events if each["type"] in ENDS),
            denied=sum(
                (
                    Counter({(each["license_id"], each["user_id"]): each["details"]["attempts"]})
                    for each in events
                    if each["type"] == "session.denied"
                ),
                Counter(),
            ),
        )

    def _at(self, *below: str) -> firestore.DocumentReference:
        reference: firestore.DocumentReference = self.console.document("organizations", "acme", *below)
        return reference

    def _below(self, collection: str) -> dict[str, dict[str, Any]]:
        found = self.runner.run(self.connection.select(PATHS.organization, Query(collection=collection)))
        return {document.document_id: document.fields for document in found}

    # What else happens

    @rule()
    def reconcile(self) -> None:
        """Afterwards whoever holds a seat has the right to, the counters are right, and every end is told of."""
        report = self.runner.run(Reconciliations(self.connection, self.policy, run_within=RUN_WITHIN).reconcile())
        assert report.is_complete
        assert report.organizations_failed == 0

        self.has_drifted = False
        for holder in [*self.model.leases]:
            is_gone = self.rights.refusal(holder.user_id, holder.license_id) is not None
            if is_gone or holder not in self.model.holders(report.now):
                self._end(holder)
        seen = self._compare(report.now)
        assert seen.leases.keys() == self.model.leases.keys()
        assert seen.ended == self.over, "an end that nobody is told of"

    @precondition(lambda self: self.model.leases)
    @rule(data=st.data())
    def end_by_hand(self, data: st.DataObject) -> None:
        self._examine_again()
        holder = data.draw(st.sampled_from(sorted(self.model.leases)))
        session = self._below("sessions")[_session_id(holder)]
        if session["ended_at"] is None:
            self._at("sessions", _session_id(holder)).update({"ended_at": datetime.now(UTC)})
            self.has_drifted = True
        self._end(holder)

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def delete_a_session(self, data: st.DataObject) -> None:
        """And the function is called that Firestore calls then."""
        holder = data.draw(st.sampled_from(sorted(self.known)))
        self._at("sessions", _session_id(holder)).delete()
        self._end(holder)
        self.known.discard(holder)

        self.runner.run(Removals(self.connection, self.policy).tell(PATHS, _session_id(holder)))


def _of(fields: dict[str, Any]) -> Holder:
    return Holder(fields["license_id"], fields["user_id"], fields["hardware_id"])


def _told(answered: Answered[Any]) -> Told:
    outcome = answered.outcome
    gives = isinstance(outcome, Granted | Renewed | Extended | StillFresh)
    return Told(
        kind=type(outcome).__name__, now=answered.now, until=outcome.session.lease_expires_at if gives else None
    )


def test_whatever_happens_the_store_gives_and_refuses_seats_as_the_model_does(
    firestore_host: str, policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Store, "firestore_host", firestore_host, raising=False)
    monkeypatch.setattr(Store, "policy", policy, raising=False)
    run_state_machine_as_test(
        Store,
        settings=settings(
            max_examples=500 if is_long() else IN_THE_GATE,
            stateful_step_count=25,
            print_blob=True,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
            phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
        ),
    )

"""Instances on Firestore: what a session and the trail say of the programs that work on one seat."""

import asyncio
from datetime import UTC, datetime, timedelta

from google.cloud import firestore

from shared.documents.policy import Policy
from shared.firestore.client import Firestore
from shared.rules.acquire import Device, Granted, Renewed
from shared.rules.heartbeat import Extended
from shared.rules.release import Left, Released
from shared.seats.acquire import AcquireRequest, Acquires
from shared.seats.heartbeat import HeartbeatRequest, Heartbeats
from shared.seats.release import ReleaseRequest, Releases
from tests.support.tenant import Tenant

MACHINES = {f"instance-{number:08}": f"198.51.100.{number}" for number in range(12)}
"""Twelve instances, each with the address of its own machine."""
A, B = list(MACHINES)[:2]


class Program:
    """A user's program on one device name, however many machines it runs on."""

    def __init__(self, store: Firestore, console: firestore.Client, policy: Policy) -> None:
        self.tenant = Tenant.create(console, seats=1)
        self._acquires, self._heartbeats = Acquires(store, policy), Heartbeats(store, policy)
        self._releases = Releases(store, policy)
        self.session_id = ""

    async def acquire(self, instance_id: str | None, address: str | None = None) -> Granted | Renewed:
        device = Device(
            hardware_id="web",
            ip_address=address or MACHINES.get(instance_id or ""),
            user_agent="cad/4.2",
            instance_id=instance_id,
        )
        request = AcquireRequest(user_id="m0", license_key=self.tenant.license_key, device=device)
        outcome = (await self._acquires.acquire(self.tenant.organization_id, request)).outcome
        assert isinstance(outcome, Granted | Renewed)
        self.session_id = outcome.session.session_id
        return outcome

    async def heartbeat(self, instance_id: str | None, address: str | None = None) -> Extended:
        request = HeartbeatRequest(
            user_id="m0",
            session_id=self.session_id,
            instance_id=instance_id,
            ip_address=address or MACHINES.get(instance_id or ""),
            user_agent="cad/4.2",
        )
        outcome = (await self._heartbeats.heartbeat(self.tenant.organization_id, request)).outcome
        assert isinstance(outcome, Extended)
        return outcome

    async def release(self, instance_id: str | None) -> Released | Left:
        request = ReleaseRequest(user_id="m0", session_id=self.session_id, instance_id=instance_id)
        outcome = (await self._releases.release(self.tenant.organization_id, request)).outcome
        assert isinstance(outcome, Released | Left)
        return outcome

    def age(self) -> None:
        """Let two minutes pass since the last heartbeats, so that the next ones are due."""
        document = self.tenant.session(self.session_id)
        ago = datetime.now(UTC) - timedelta(minutes=2)
        instances = [{**each, "last_heard_at": ago} for each in (document.get().to_dict() or {})["instances"]]
        document.update({"last_heartbeat_at": ago, "instances": instances})

    def renewals(self) -> list[tuple[str | None, str | None]]:
        details = [event["details"] for event in self.tenant.events("session.renewed")]
        return sorted((each["instance_id"], each["ip_address"]) for each in details)

    def instances(self) -> dict[str | None, str | None]:
        (session,) = self.tenant.sessions()
        return {each["instance_id"]: each["ip_address"] for each in session["instances"]}


async def test_twelve_machines_on_one_seat_are_in_the_trail_each_once(
    store: Firestore, console: firestore.Client, policy: Policy
) -> None:
    program = Program(store, console, policy)
    first = await program.acquire(A)

    for _ in range(2):
        await asyncio.gather(*map(program.acquire, MACHINES))
        program.age()
        await asyncio.gather(*map(program.heartbeat, MACHINES))

    assert isinstance(first, Granted)
    assert program.renewals() == sorted(MACHINES.items())[1:]
    assert program.instances() == MACHINES
    assert program.tenant.counters()["total"] == 1


async def test_an_instance_that_goes_to_and_fro_between_addresses_is_reported_once_at_each(
    store: Firestore, console: firestore.Client, policy: Policy
) -> None:
    program = Program(store, console, policy)
    await program.acquire(A, "192.0.2.1")

    for address in ["192.0.2.2", "192.0.2.1", "192.0.2.2"]:
        program.age()
        await program.heartbeat(A, address)
    for address in ["192.0.2.1", "192.0.2.3", "192.0.2.1"]:
        await program.acquire(A, address)

    assert program.renewals() == [(A, "192.0.2.1"), (A, "192.0.2.2"), (A, "192.0.2.3")]
    assert program.instances() == {A: "192.0.2.1"}


async def test_instances_that_leave_together_give_one_seat_back_once(
    store: Firestore, console: firestore.Client, policy: Policy
) -> None:
    program = Program(store, console, policy)
    await asyncio.gather(*map(program.acquire, MACHINES))

    left = await program.release(A)
    held = program.tenant.open_sessions()
    others = await asyncio.gather(*(program.release(each) for each in MACHINES if each != A))

    assert isinstance(left, Left)
    assert len(held) == 1
    assert [type(each) for each in others].count(Released) == 1
    assert [event["details"]["reason"] for event in program.tenant.events("session.released")] == ["released"]
    assert program.tenant.counters()["total"] == 0


async def test_a_session_of_an_earlier_version_goes_on_for_the_program_that_names_no_instance(
    store: Firestore, console: firestore.Client, policy: Policy
) -> None:
    program = Program(store, console, policy)
    await program.acquire(None, "192.0.2.1")
    program.tenant.session(program.session_id).update({"instances": firestore.DELETE_FIELD})

    await program.acquire(A)
    left = await program.release(A)
    program.age()
    await program.heartbeat(None, "192.0.2.1")
    last = await program.release(None)

    assert isinstance(left, Left)
    assert isinstance(last, Released)
    assert [event["details"]["reason"] for event in program.tenant.events("session.released")] == ["released"]

"""The line on the emulator: places, silent ones, races of two instances, and what it costs."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.cloud import firestore

from shared.documents.policy import Policy
from shared.rules.acquire import Granted, OrganizationSeatLimitReached, Queued, SeatLimitReached
from shared.rules.line import GaveUp
from shared.rules.refusal import SessionNotFound
from shared.rules.release import LeftTheLine
from shared.seats.expire import Expiries
from tests.support.connections import HeldCommit, WatchedFirestore
from tests.support.line import Instance, id_of
from tests.support.tenant import LICENSE_ID, Tenant

RUN_WITHIN = timedelta(seconds=45)


@pytest.fixture
def make(store: WatchedFirestore, console: firestore.Client, policy: Policy) -> Callable[..., Instance]:
    def make(**organization: Any) -> Instance:  # noqa: ANN401 passed on as it is
        return Instance(store, Tenant.create(console, **organization), policy)

    return make


async def all_seats_taken(instance: Instance, *users: str) -> None:
    for user in users:
        assert isinstance(await instance.acquire(user), Granted)


async def test_users_get_seats_in_the_order_in_which_they_came(make: Callable[..., Instance]) -> None:
    instance = make(seats=1)
    await all_seats_taken(instance, "m0")
    positions = [await instance.position(user) for user in ("m1", "m2", "m3")]

    await instance.release("m0")

    assert positions == [1, 2, 3]
    assert isinstance(await instance.acquire("m2"), Queued)
    newcomer = await instance.acquire("m4", waits=False)
    assert isinstance(newcomer, SeatLimitReached)
    assert (newcomer.in_use, newcomer.waiting, newcomer.for_waiting) == (0, 3, 1)
    first = await instance.acquire("m1")
    assert isinstance(first, Granted)
    assert first.waited_for is not None
    assert [*instance.tenant.places()] == [id_of("m2"), id_of("m3")]
    (granted,) = instance.tenant.events("session.acquired")[1:]
    assert granted["details"]["waited_seconds"] == int(first.waited_for.total_seconds())


async def test_a_place_has_its_events_and_who_waits_is_not_denied(make: Callable[..., Instance]) -> None:
    instance = make(seats=1)
    await all_seats_taken(instance, "m0")
    await instance.acquire("m1")

    left = await instance.release("m1")

    assert isinstance(left, LeftTheLine)
    assert isinstance(await instance.release("m1"), SessionNotFound)
    (queued,), (gave_up,) = (instance.tenant.events(f"session.{kind}") for kind in ("queued", "gave_up"))
    assert (queued["actor"], queued["details"]["position"]) == ("m1", 1)
    assert (gave_up["actor"], gave_up["details"]["reason"]) == ("m1", "left")
    assert gave_up["details"]["since"] == queued["details"]["since"] == queued["at"]
    assert instance.tenant.places() == {}
    assert instance.tenant.events("session.denied") == []


async def test_a_silent_place_is_reported_and_its_user_starts_at_the_end(make: Callable[..., Instance]) -> None:
    instance = make(seats=1)
    await all_seats_taken(instance, "m0")
    for user in ("m1", "m2"):
        await instance.acquire(user)
    instance.tenant.fall_silent(id_of("m1"))

    assert await instance.position("m2") == 1
    assert await instance.position("m1") == 2

    (gave_up,) = instance.tenant.events("session.gave_up")
    assert (gave_up["user_id"], gave_up["actor"], gave_up["details"]["reason"]) == ("m1", "system", "silent")
    assert [*instance.tenant.places()] == [id_of("m2"), id_of("m1")]


async def test_a_scheduled_run_removes_places_that_count_no_more(
    make: Callable[..., Instance], store: WatchedFirestore, policy: Policy
) -> None:
    instance = make(seats=1)
    tenant = instance.tenant
    await all_seats_taken(instance, "m0")
    for user in ("m1", "m2", "m3"):
        await instance.acquire(user)
    tenant.fall_silent(id_of("m1"))
    over = datetime.now(UTC) - timedelta(seconds=2)
    tenant.place(id_of("m2")).update({"wait_until": over, "counts_until": over})

    for _ in range(2):
        report = await Expiries(store, policy, run_within=RUN_WITHIN).expire()
        assert (report.is_complete, report.organizations_failed) == (True, 0)

    assert [*tenant.places()] == [id_of("m3")]
    reasons = {event["user_id"]: event["details"]["reason"] for event in tenant.events("session.gave_up")}
    assert reasons == {"m1": GaveUp.SILENT, "m2": GaveUp.TIME_OVER}


async def test_a_run_leaves_out_a_place_whose_user_asks_again_meanwhile(
    make: Callable[..., Instance], another_store: WatchedFirestore, policy: Policy
) -> None:
    instance = make(seats=1)
    await all_seats_taken(instance, "m0")
    await instance.acquire("m1")
    instance.tenant.fall_silent(id_of("m1"))
    halt = HeldCommit(another_store)
    tidying = asyncio.create_task(Expiries(another_store, policy, run_within=RUN_WITHIN).expire())
    await halt.reached.wait()

    assert await instance.position("m1") == 1
    halt.let_go.set()
    await tidying

    assert [*instance.tenant.places()] == [id_of("m1")]
    assert len(instance.tenant.events("session.gave_up")) == 1


async def test_two_instances_give_one_free_seat_to_one_of_two_waiters(
    make: Callable[..., Instance], another_store: WatchedFirestore, policy: Policy
) -> None:
    instance = make(seats=1)
    await all_seats_taken(instance, "m0")
    for user in ("m1", "m2"):
        await instance.acquire(user)
    await instance.release("m0")
    other = Instance(another_store, instance.tenant, policy)
    halt = HeldCommit(another_store)
    first = asyncio.create_task(other.acquire("m1"))
    await halt.reached.wait()

    # The first place leaves while its grant is under way: the second one is served, and the first starts over.
    await instance.release("m1")
    second = await instance.acquire("m2")
    halt.let_go.set()

    assert isinstance(second, Granted)
    assert isinstance(await first, Queued)
    assert halt.outcomes[0] == "conflict"
    assert len(instance.tenant.open_sessions()) == instance.tenant.counters()["total"] == 1


async def test_a_lapsed_seat_goes_to_the_first_in_line_and_not_to_who_finds_it(make: Callable[..., Instance]) -> None:
    instance = make(seats=1)
    await all_seats_taken(instance, "m0")
    await instance.acquire("m1")
    instance.tenant.let_lapse(id_of("m0"))
    await asyncio.sleep(1.1)  # an examination counts for a second

    found, first = await instance.acquire("m2"), await instance.acquire("m1")

    assert isinstance(found, Queued)
    assert isinstance(first, Granted)


async def test_a_free_seat_that_is_reserved_for_others_holds_up_nobody(make: Callable[..., Instance]) -> None:
    instance = make(seats=2, reservations={"design": 1})
    instance.tenant.user("m3").update({"groups": ["design"]})
    await all_seats_taken(instance, "m0")
    assert await instance.position("m1") == 1

    outcome = await instance.acquire("m3")

    assert isinstance(outcome, Granted)
    assert outcome.session.pool == "design"


async def test_the_organizations_cap_serves_the_oldest_place_over_two_licenses(make: Callable[..., Instance]) -> None:
    instance = make(seats=5, organization_seats=1)
    instance.tenant.add_license("other", "OTHER-KEY", seats=5)
    await all_seats_taken(instance, "m0")
    assert await instance.position("m1") == 1
    later = await instance.acquire("m2", license_key="OTHER-KEY")
    assert isinstance(later, Queued)
    assert (later.turn.position, later.turn.of) == (1, 1)

    await instance.release("m0")

    behind = await instance.acquire("m2", license_key="OTHER-KEY")
    assert isinstance(behind, Queued)
    assert isinstance(behind.refusal, OrganizationSeatLimitReached)
    assert isinstance(await instance.acquire("m1"), Granted)


async def test_a_seat_can_be_borrowed_after_a_wait(make: Callable[..., Instance]) -> None:
    instance = make(seats=1, max_borrow_seconds=86_400)
    until = datetime.now(UTC) + timedelta(hours=8)
    await all_seats_taken(instance, "m0")
    waiting = await instance.acquire("m1", borrow_until=until)
    await instance.release("m0")

    outcome = await instance.acquire("m1", borrow_until=until)

    assert isinstance(waiting, Queued)
    assert isinstance(outcome, Granted)
    assert outcome.session.borrowed_until == until


async def test_an_owner_takes_a_place_out_of_the_line_and_another_member_does_not(
    make: Callable[..., Instance],
) -> None:
    instance = make(seats=1)
    await all_seats_taken(instance, "m0")
    await instance.acquire("m1")

    outcomes = [await instance.release("m1", by=user) for user in ("m2", "olivia")]

    assert isinstance(outcomes[0], SessionNotFound)
    assert isinstance(outcomes[1], LeftTheLine)
    (gave_up,) = instance.tenant.events("session.gave_up")
    assert gave_up["actor"] == "olivia"


async def test_the_line_survives_a_repair_of_the_counters(make: Callable[..., Instance]) -> None:
    instance = make(seats=1)
    await all_seats_taken(instance, "m0")
    await instance.acquire("m1")
    instance.tenant.seats.update({"total": 7})

    assert isinstance(await instance.acquire("m2", waits=False), SeatLimitReached)

    assert len(instance.tenant.events("usage.repaired")) == 1
    assert await instance.position("m2") == 2


async def test_a_place_that_an_admin_made_unusable_holds_up_nobody_and_mends(make: Callable[..., Instance]) -> None:
    instance = make(seats=1)
    await all_seats_taken(instance, "m0")
    for user in ("m1", "m2"):
        await instance.acquire(user)
    instance.tenant.place(id_of("m1")).update({"since": "yesterday"})

    assert await instance.position("m2") == 1
    assert await instance.position("m1") == 2


@pytest.mark.parametrize(
    ("document", "edit"),
    [
        ("seats", {"line_until": "soon"}),
        ("seats", {"line_until": {"a/b": 2**62, LICENSE_ID: 2**62, "gone": 2**62}}),
        ("seats", {"line_until": {LICENSE_ID: "soon"}}),
        ("place", {"license_id": "a/b"}),
        ("place", {"license_id": "gone"}),
        ("place", {"groups": "design"}),
        ("place", {"counts_until": "never"}),
        ("place", {"since": datetime(2190, 1, 1, tzinfo=UTC), "counts_until": datetime(2190, 1, 1, tzinfo=UTC)}),
        ("place", {"since": None, "user_id": 7}),
    ],
)
async def test_no_edit_by_hand_of_the_line_breaks_it(
    make: Callable[..., Instance], document: str, edit: dict[str, Any]
) -> None:
    instance = make(seats=1, organization_seats=2)
    tenant = instance.tenant
    await all_seats_taken(instance, "m0")
    await instance.acquire("m1")
    {"seats": tenant.seats, "place": tenant.place(id_of("m1"))}[document].update(edit)

    assert isinstance(await instance.acquire("m2"), Queued)
    assert isinstance(await instance.acquire("m1"), Queued)
    await instance.release("m0")
    served = [await instance.acquire(user) for user in ("m1", "m2", "m1")]

    assert any(isinstance(outcome, Granted) for outcome in served)
    assert max(event["at"] for event in tenant.events()) < datetime.now(UTC) + timedelta(minutes=1)


async def test_a_first_line_of_an_organization_without_seats_makes_its_counters(make: Callable[..., Instance]) -> None:
    instance = make(seats=0)

    positions = [await instance.position(user) for user in ("m0", "m1")]

    assert positions == [1, 2]
    assert instance.tenant.counters()["total"] == 0
    assert instance.tenant.events("usage.repaired") == []


# What it costs


async def costs_of(store: WatchedFirestore, ask: Sequence[Callable[[], Any]]) -> list[list[tuple[str, int]]]:
    costs = []
    for each in ask:
        store.forget()
        await each()
        costs.append(list(store.calls))
    return costs


async def test_without_a_line_nothing_is_read_or_written_for_it(
    make: Callable[..., Instance], store: WatchedFirestore
) -> None:
    instance = make(seats=2)
    await all_seats_taken(instance, "m0")

    granted, refused, released = await costs_of(
        store,
        [
            lambda: instance.acquire("m1", waits=False),
            lambda: instance.acquire("m2", waits=False),
            lambda: instance.release("m1"),
        ],
    )

    assert granted == [("read", 5), ("commit", 3)]
    assert refused[0] == ("read", 5)
    assert sorted(refused[1:4]) == [("count", 1), ("count", 1), ("select", 1)]
    assert refused[4:] == [("commit", 1)]
    assert released == [("read", 1), ("commit", 3)]


async def test_a_waiting_place_costs_one_query_and_is_written_at_most_every_third_of_its_interval(
    make: Callable[..., Instance], store: WatchedFirestore
) -> None:
    instance = make(seats=1)
    await all_seats_taken(instance, "m0")

    joined, asked_soon = await costs_of(store, [lambda: instance.acquire("m1"), lambda: instance.acquire("m1")])
    instance.tenant.let_ask_again(id_of("m1"))
    (asked_later,) = await costs_of(store, [lambda: instance.acquire("m1")])

    # The place, its event, and in the counters that there is a line.
    assert joined[-1] == ("commit", 3)
    assert joined[0] == ("read", 6)
    # The query comes first; within a second of an examination nothing else is asked.
    assert asked_soon[:2] == [("read", 6), ("select", 1)]
    assert "commit" not in dict(asked_soon)
    assert asked_later[-1] == ("commit", 1)

"""A line in memory, over any course of events: nobody is overtaken, everybody who asks is served, no seat lies idle."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.rules.acquire import Granted, Queued, Standing, acquire
from shared.rules.license import License
from shared.rules.line import SILENT_INTERVALS, Line, PlaceInLine, counts, interval_at
from shared.rules.seat_use import SeatUse
from shared.rules.session import Session, pool_change
from tests.rules.make import NOW, a_device, a_license, a_place, a_user, an_organization
from tests.support.length import is_long

GROUPS = ("design", "render")


@dataclass(kw_only=True)
class Waiter:
    """A program that asks when it was told to, until it has a seat or falls silent; then it works for a while."""

    user_id: str
    groups: tuple[str, ...]
    comes_at: datetime
    works_for: timedelta
    asks: int
    asks_at: datetime
    served_at: datetime | None = None
    waits_since: datetime = NOW
    seat_free_since: datetime = NOW


@dataclass(kw_only=True)
class Shop:
    """One license, its seats, and its line. What the rule decides is done."""

    license_: License
    use: SeatUse = field(default_factory=SeatUse)
    held: list[tuple[datetime, Session]] = field(default_factory=list)
    places: dict[str, PlaceInLine] = field(default_factory=dict)
    free: list[datetime] = field(init=False)
    """Since when each free seat is free. The next user gets the first of them."""
    longest_line: int = 0

    def __post_init__(self) -> None:
        self.free = [NOW] * self.license_.max_concurrent_seats

    def give_back(self, *, now: datetime) -> None:
        for until, session in sorted((each for each in self.held if each[0] <= now), key=lambda each: each[0]):
            self.free.append(until)
            self.held.remove((until, session))
            self.use = self.use.changed({"cad": -1}, granted=0, pools=pool_change(session, -1))

    def ask(self, waiter: Waiter, *, now: datetime) -> None:
        own = self.places.get(a_place(waiter.user_id).session_id)
        waiter.waits_since = own.since if own is not None and counts(own, now=now) else now
        live = tuple(sorted((p for p in self.places.values() if counts(p, now=now)), key=lambda place: place.order))
        standing = Standing(
            organization=an_organization(),
            user=replace(a_user(waiter.user_id), groups=waiter.groups),
            license=self.license_,
            session=None,
            use=self.use,
            line=Line(places=live, licenses={"cad": self.license_}),
        )
        outcome = acquire(standing, a_device(), now=now, wait_until=now + timedelta(hours=3))
        if isinstance(outcome, Queued):
            place = outcome.turn.place
            self.places[place.session_id] = place
            self.longest_line = max(self.longest_line, outcome.turn.of)
            waiter.waits_since = place.since
            waiter.asks_at = now + outcome.turn.ask_again_for
        else:
            assert isinstance(outcome, Granted)
            waiter.served_at, waiter.seat_free_since = now, self.free.pop(0)
            self.use = self.use.changed({"cad": 1}, granted=1, pools=pool_change(outcome.session, 1))
            self.held.append((now + waiter.works_for, outcome.session))
            self.places.pop(outcome.session.session_id, None)


seconds = st.integers(0, 120).map(lambda number: timedelta(seconds=number))
silent_at_times = st.one_of(st.just(10_000), st.integers(1, 4))
people = st.lists(
    st.tuples(seconds, seconds, silent_at_times, st.sampled_from([(), *((each,) for each in GROUPS), GROUPS])),
    min_size=1,
    max_size=16,
)
licenses = st.builds(
    lambda seats, reserved: replace(a_license(seats=seats), reservations=reserved),
    st.integers(1, 4),
    st.dictionaries(st.sampled_from(GROUPS), st.integers(1, 2), max_size=2),
)


def waiters_of(people: list[tuple[timedelta, timedelta, int, tuple[str, ...]]]) -> list[Waiter]:
    return [
        Waiter(
            user_id=f"u{number:02}",
            groups=groups,
            comes_at=NOW + comes,
            works_for=works + timedelta(seconds=1),
            asks=asks,
            asks_at=NOW + comes,
        )
        for number, (comes, works, asks, groups) in enumerate(people)
    ]


def asking(waiters: list[Waiter]) -> list[Waiter]:
    return [each for each in waiters if each.served_at is None and each.asks]


def run(shop: Shop, waiters: list[Waiter], *, within: timedelta) -> Iterator[tuple[datetime, Waiter]]:
    """Let everybody who asks ask, each at its time. Yields after each request."""
    while waiting := asking(waiters):
        waiter = min(waiting, key=lambda each: (each.asks_at, each.user_id))
        now = waiter.asks_at
        if now > NOW + within:
            return
        waiter.asks -= 1
        shop.give_back(now=now)
        shop.ask(waiter, now=now)
        yield now, waiter


@settings(max_examples=300 if is_long() else 20)
@given(people=people, license_=licenses)
def test_nobody_with_a_place_is_overtaken_by_a_user_of_the_same_groups(
    people: list[tuple[timedelta, timedelta, int, tuple[str, ...]]], license_: License
) -> None:
    shop, waiters = Shop(license_=license_), waiters_of(people)

    for now, waiter in run(shop, waiters, within=timedelta(hours=1)):
        if waiter.served_at != now:
            continue
        # A place is overtaken if a later one takes the last seat that the earlier one could have had.
        earlier = [
            place
            for place in shop.places.values()
            if counts(place, now=now) and place.since < waiter.waits_since and place.groups == waiter.groups
        ]
        left = Shop(license_=license_, use=shop.use, places={p.session_id: p for p in earlier})
        for place in sorted(earlier, key=lambda place: place.order):
            first = Waiter(
                user_id=place.user_id,
                groups=place.groups,
                comes_at=now,
                works_for=timedelta(hours=2),
                asks=1,
                asks_at=now,
            )
            left.ask(first, now=now)
            assert first.served_at == now, f"{waiter.user_id} was served before {place.user_id}"


@settings(max_examples=300 if is_long() else 20)
@given(people=people, license_=licenses)
def test_every_waiter_who_keeps_asking_gets_a_seat_that_its_groups_may_use(
    people: list[tuple[timedelta, timedelta, int, tuple[str, ...]]], license_: License
) -> None:
    shop, waiters = Shop(license_=license_), waiters_of(people)
    common = license_.max_concurrent_seats - sum(license_.reservations.values())

    for _ in run(shop, waiters, within=timedelta(hours=2)):
        pass

    may = [each for each in waiters if common > 0 or any(license_.reservations.get(group) for group in each.groups)]
    assert [each.user_id for each in may if each.served_at is None and each.asks] == []


@settings(max_examples=300 if is_long() else 20)
@given(people=people, seats=st.integers(1, 4))
def test_no_seat_is_free_for_longer_than_the_bound_while_a_waiter_asks(
    people: list[tuple[timedelta, timedelta, int, tuple[str, ...]]], seats: int
) -> None:
    """The time counts for each seat by itself, while it is free, a user who asks waits, and no place falls silent.

    A place that fell silent before counts for two and a half intervals at most. Then only those who ask are left. As
    many of them as seats are free come first, and each asks within one interval. The last place of the longest line has
    the longest interval. So a seat is free for 17.5 s at most in a line of two, and for 105 s in a long one. If no
    place fell silent, 5 s and 30 s are the most. Each place that falls silent meanwhile begins the time anew.
    """
    shop, waiters = Shop(license_=a_license(seats=seats)), waiters_of(people)
    silent: dict[str, datetime] = {}

    for now, waiter in run(shop, waiters, within=timedelta(hours=2)):
        in_line = [each for each in asking(waiters) if a_place(each.user_id).session_id in shop.places]
        free = shop.free
        if waiter.served_at == now:
            in_line, free = [waiter, *in_line], [waiter.seat_free_since, *free]
        if in_line and free:
            interval = interval_at(shop.longest_line, free=0)
            since = max(free[0], min(each.waits_since for each in in_line), *silent.values(), NOW)
            held_up_until = max([since, *(shop.places[each].counts_until for each in silent)])
            assert held_up_until - since <= SILENT_INTERVALS * interval
            assert now - held_up_until <= interval
        if waiter.served_at is None and not waiter.asks:
            silent[a_place(waiter.user_id).session_id] = now

"""The scenes that are played in every way there is, up to a number of faults."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from tests.interleavings.invariants import PEOPLE, Held, Invariants
from tests.interleavings.memory_firestore import MemoryFirestore
from tests.interleavings.scenario import POISON, AdminEdit, Ask, Scenario

_A_MINUTE = timedelta(minutes=1)
_NEARLY_A_LEASE = timedelta(minutes=6) - timedelta(seconds=2)
_A_LEASE_AND_MORE = timedelta(minutes=7)
_LAPSED = Held(user_id="cyd", heartbeat_ago=_A_LEASE_AND_MORE)
_ABOUT_TO_LAPSE = Held(user_id="ann", heartbeat_ago=_NEARLY_A_LEASE)


def _opened(*held: Held, seats: int, cap: int | None = None, **terms: Any) -> Callable[[MemoryFirestore], None]:  # noqa: ANN401 a license holds anything
    def opens(store: MemoryFirestore) -> None:
        Invariants(store=store).open(caps={"cad": seats, "render": seats}, cap=cap, held=held, terms=terms)

    return opens


def _two_organizations(store: MemoryFirestore) -> None:
    for organization_id in ("acme", "other"):
        Invariants(store=store, organization_id=organization_id).open(caps={"cad": 1}, held=[_LAPSED])


def _acquire(
    user_id: str,
    *,
    instance: int = 0,
    license_id: str = "cad",
    organization_id: str = "acme",
    program: str | None = None,
    device: str = "laptop",
    borrows: bool = False,
) -> Ask:
    return Ask(
        kind="acquire",
        device=device,
        user_id=user_id,
        instance=instance,
        license_id=license_id,
        organization_id=organization_id,
        program=program,
        borrows=borrows,
    )


def _heartbeat(user_id: str, *, instance: int = 0) -> Ask:
    return Ask(kind="heartbeat", user_id=user_id, instance=instance)


def _release(user_id: str, *, instance: int = 0, of: str | None = None, program: str | None = None) -> Ask:
    return Ask(kind="release", user_id=user_id, instance=instance, of=of, program=program)


def _deactivates_ben(store: MemoryFirestore) -> None:
    store.edit("organizations/acme/users/ben", is_active=False)


SCENARIOS: Mapping[str, Scenario] = {
    "one takes a seat": Scenario(opens=_opened(Held(user_id="ben"), seats=2), asks=[_acquire("ann")], faults=2),
    "one is denied": Scenario(opens=_opened(Held(user_id="ben"), seats=1), asks=[_acquire("ann")], faults=1),
    "one is denied twice, by two instances": Scenario(
        opens=_opened(Held(user_id="ben"), seats=1), asks=[_acquire("ann"), _acquire("ann", instance=1)], faults=0
    ),
    "one sends a heartbeat": Scenario(opens=_opened(Held(user_id="ann"), seats=1), asks=[_heartbeat("ann")], faults=2),
    "one gives back": Scenario(opens=_opened(Held(user_id="ann"), seats=1), asks=[_release("ann")], faults=2),
    "two want the last seat": Scenario(
        opens=_opened(Held(user_id="cyd"), seats=2), asks=[_acquire("ann"), _acquire("ben")], faults=1
    ),
    "two want the last seat, of two instances": Scenario(
        opens=_opened(Held(user_id="cyd"), seats=2), asks=[_acquire("ann"), _acquire("ben", instance=1)], faults=0
    ),
    "two want the organization's last seat": Scenario(
        opens=_opened(Held(user_id="cyd"), seats=2, cap=2),
        asks=[_acquire("ann"), _acquire("ben", license_id="render", instance=1)],
        faults=0,
    ),
    "two want the last reserved seat, of two instances": Scenario(
        opens=_opened(Held(user_id="cyd", pool="design"), seats=2, reservations={"design": 2}),
        asks=[_acquire("ann"), _acquire("ben", instance=1)],
        faults=0,
    ),
    "two devices want the last seat of their user, of two instances": Scenario(
        opens=_opened(Held(user_id="ann"), seats=9, max_devices_per_user=2),
        asks=[_acquire("ann", device="desk"), _acquire("ann", device="tablet", instance=1)],
        faults=0,
    ),
    "two borrow the seats that they hold where one may, of two instances": Scenario(
        opens=_opened(
            Held(user_id="ann"), Held(user_id="ben"), seats=2, max_borrow_seconds=86_400, max_borrowed_seats=1
        ),
        asks=[_acquire("ann", borrows=True), _acquire("ben", borrows=True, instance=1)],
        faults=0,
    ),
    "two want a lapsed seat, of two instances": Scenario(
        opens=_opened(_LAPSED, seats=1), asks=[_acquire("ann"), _acquire("ben", instance=1)], faults=0
    ),
    "three want two seats": Scenario(
        opens=_opened(_LAPSED, seats=3), asks=[_acquire("ann"), _acquire("ben"), _acquire("olivia")], faults=0
    ),
    "one asks twice, of two instances": Scenario(
        opens=_opened(Held(user_id="cyd"), seats=2), asks=[_acquire("ann"), _acquire("ann", instance=1)], faults=0
    ),
    "a heartbeat against a release by an admin": Scenario(
        opens=_opened(Held(user_id="ann"), Held(user_id="ben"), seats=2),
        asks=[_heartbeat("ann"), _heartbeat("ben"), _release("olivia", instance=1, of="ann")],
        faults=0,
    ),
    "a heartbeat at the end of its lease": Scenario(
        opens=_opened(_ABOUT_TO_LAPSE, seats=1), asks=[_heartbeat("ann"), _acquire("ben", instance=1)], faults=0
    ),
    "one sends a heartbeat at the end of its lease": Scenario(
        opens=_opened(_ABOUT_TO_LAPSE, seats=1), asks=[_heartbeat("ann")], faults=1
    ),
    "a release that makes room": Scenario(
        opens=_opened(Held(user_id="cyd"), seats=1), asks=[_release("cyd"), _acquire("ann", instance=1)], faults=0
    ),
    "two give back the same seat": Scenario(
        opens=_opened(Held(user_id="ann"), seats=1),
        asks=[_release("ann"), _release("olivia", of="ann"), _release("ann", instance=1)],
        faults=0,
    ),
    "a program leaves as another joins": Scenario(
        opens=_opened(Held(user_id="ann", programs=("a",)), seats=1),
        asks=[_release("ann", program="a"), _acquire("ann", instance=1, program="b")],
        faults=0,
    ),
    "two programs leave one seat": Scenario(
        opens=_opened(Held(user_id="ann", programs=("a", "b")), seats=1),
        asks=[_release("ann", program="a"), _release("ann", instance=1, program="b")],
        faults=0,
    ),
    "a request that cannot be decided among others": Scenario(
        opens=_opened(Held(user_id="cyd"), seats=3), asks=[_acquire("ann"), _acquire(POISON), _acquire("ben")], faults=0
    ),
    "two organizations": Scenario(
        opens=_two_organizations,
        asks=[_acquire("ann"), _acquire("ann", organization_id="other")],
        faults=0,
        audited=["acme", "other"],
    ),
    "a user is deactivated under the heartbeat": Scenario(
        opens=_opened(Held(user_id="ben"), seats=1),
        asks=[_heartbeat("ben"), AdminEdit(name="deactivation", edit=_deactivates_ben), _heartbeat("ben", instance=1)],
        faults=0,
    ),
}


@st.composite
def any_scene(draw: st.DrawFn) -> Scenario:
    """Up to eight requests of all kinds, of one or two instances, and whatever seats are held when they come."""
    held = [
        Held(user_id=user_id, heartbeat_ago=draw(st.sampled_from([_A_MINUTE, _NEARLY_A_LEASE, _A_LEASE_AND_MORE])))
        for user_id in draw(st.lists(st.sampled_from(["ann", "ben", "cyd"]), unique=True))
    ]
    seats = draw(st.integers(max(1, len(held)), 4))
    cap = draw(st.none() | st.integers(max(1, len(held)), 4))
    someone, instance = st.sampled_from([*PEOPLE]), st.integers(0, 1)
    requests = st.one_of(
        st.builds(_acquire, someone, instance=instance, license_id=st.sampled_from(["cad", "cad", "render"])),
        st.builds(_heartbeat, st.sampled_from(held).map(lambda each: each.user_id), instance=instance)
        if held
        else st.nothing(),
        st.builds(
            _release, st.just("olivia"), instance=instance, of=st.sampled_from(held).map(lambda each: each.user_id)
        )
        if held
        else st.nothing(),
    )
    asks = draw(st.lists(requests, min_size=1, max_size=8))
    return Scenario(opens=_opened(*held, seats=seats, cap=cap), asks=asks, faults=draw(st.integers(0, 4)))

"""How much is measured: everything, for figures to quote, or a quick look."""

from dataclasses import dataclass, replace

from tests.programs.bench.measurement import Work
from tests.programs.bench.parts import Part

JUDGED_CLIENTS = 32
"""How many clients ask where nothing else is said."""


ANSWERING_PROCESSES = 2
"""So many processes answer each load: cycles one of acquire and one of release, refusals and heartbeats two."""

STORE_DELAYS_SECONDS = (0.0, 0.02)
STORE_PROCESSES = (1, 2, 4)
WITH_A_SEAT_EACH, MORE_THAN_SEATS = 48, 64
"""What the part store20 compares: calls that take longer, processes, and clients on 50 seats."""

PASSES = ((STORE_DELAYS_SECONDS[0], 1), (STORE_DELAYS_SECONDS[1], 1), (STORE_DELAYS_SECONDS[1], 4))
"""What the part many compares: how much longer each call takes, and how many workers share all organizations."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What is measured, how often and for how long.

    ``clients`` are those of cycles, and beside each load the empty function is asked by as many. ``sessions`` are as
    many as heartbeats need so that each of them is written, even at the rate that is aimed at: the shortest lease is
    3 s, and within a twelfth of it none is. ``organizations`` are those of the part many, which has one round, and
    ``sessions_of_each`` their open sessions. ``starts`` is how often each function is imported, and ``first_answers``
    how often it is served. ``is_quick`` says that nothing but errors is judged.
    """

    parts: tuple[Part, ...] = tuple(Part)
    seconds: float = 3
    rounds: int = 3
    sessions: int = 2000
    organizations: int = 400
    sessions_of_each: int = 50
    clients: tuple[int, ...] = (1, 8, 32, 64, 128)
    clients_of_heartbeats: tuple[int, ...] = (8, 32, 64)
    clients_of_refusals: tuple[int, ...] = (JUDGED_CLIENTS,)
    clients_of_locking: tuple[int, ...] = (1, 8, 32)
    processes: tuple[int, ...] = (1, 2, 4, 8)
    clients_of_processes: tuple[int, ...] = (32, 128)
    processes_of_heartbeats: tuple[int, ...] = (1, 2)
    warm_up_seconds: float = 3
    max_warm_ups: int = 30
    starts: int = 9
    first_answers: int = 3
    is_quick: bool = False

    def clients_of(self, work: Work) -> tuple[int, ...]:
        """How many clients there are for one of the loads of the part requests, one after the other."""
        return {
            Work.CYCLES: self.clients,
            Work.REFUSALS: self.clients_of_refusals,
            Work.HEARTBEATS: self.clients_of_heartbeats,
        }[work]

    def changed(
        self,
        *,
        only: Part | None,
        seconds: float | None,
        rounds: int | None,
        sessions: int | None,
        organizations: int | None,
        sessions_of_each: int | None,
    ) -> "Plan":
        """Follow what was asked for; ``None`` leaves it as it is."""
        return replace(
            self,
            parts=self.parts if only is None else (only,),
            seconds=self.seconds if seconds is None else seconds,
            rounds=self.rounds if rounds is None else rounds,
            sessions=self.sessions if sessions is None else sessions,
            organizations=self.organizations if organizations is None else organizations,
            sessions_of_each=self.sessions_of_each if sessions_of_each is None else sessions_of_each,
        )


WHOLE = Plan()
QUICK = Plan(
    parts=(Part.REQUESTS, Part.PROCESSES),
    seconds=1,
    rounds=1,
    sessions=600,
    clients=(8, 32),
    clients_of_heartbeats=(8, 32),
    clients_of_locking=(),
    processes=(1, 2),
    clients_of_processes=(32,),
    processes_of_heartbeats=(),
    warm_up_seconds=1,
    max_warm_ups=2,
    starts=3,
    first_answers=1,
    is_quick=True,
)

"""All records of one run."""

from dataclasses import dataclass, field
from typing import assert_never

from tests.programs.bench.cold import ColdStart
from tests.programs.bench.machine import Machine
from tests.programs.bench.measurement import Measurement
from tests.programs.bench.memory import Memory
from tests.programs.bench.plan import Plan

Recorded = Measurement | ColdStart | Memory

NOT_TO_QUOTE = "A quick run is a glance: its figures are no measurement to quote."


@dataclass(eq=False, kw_only=True, slots=True)
class Results:
    """What was recorded, by kind, of which plan and on what machine."""

    plan: Plan
    machine: Machine
    measurements: list[Measurement] = field(default_factory=list)
    starts: list[ColdStart] = field(default_factory=list)
    memory: list[Memory] = field(default_factory=list)

    def add(self, each: Recorded) -> None:
        """Keep it with its kind."""
        match each:
            case Measurement():
                self.measurements.append(each)
            case ColdStart():
                self.starts.append(each)
            case Memory():
                self.memory.append(each)
            case _:
                assert_never(each)

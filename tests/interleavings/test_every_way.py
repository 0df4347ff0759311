"""The group commit in every interleaving: whatever the store answers, whoever leaves, and whenever.

The deciding code, the groups and the connection run as they are deployed. Only the four calls of the API go to a
database in memory, whose every answer is a choice. However a scenario is played, each waiter is answered exactly once,
by its deadline, and truly. Nobody fails because of a neighbour. What was done and not answered is not done twice.
Nothing is left behind, and every later request is served.
"""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.interleavings.exploring import explore
from tests.interleavings.scenario import Scenario
from tests.interleavings.scenarios import SCENARIOS, any_scene
from tests.support.length import is_long

BIGGER = 60
"""Bigger scenarios played at random in the gate."""


SLOW = frozenset(
    {
        "a heartbeat against a release by an admin",
        "one asks twice, of two instances",
        "one gives back",
        "one is denied twice, by two instances",
        "one sends a heartbeat",
        "one takes a seat",
        "two devices want the last seat of their user, of two instances",
        "two organizations",
        "two want a lapsed seat, of two instances",
        "two want the last reserved seat, of two instances",
        "two want the last seat",
        "two want the organization's last seat",
    }
)
"""Scenarios with so many interleavings that they take seconds. Others show the same in the gate."""


def _marks(name: str) -> list[pytest.MarkDecorator]:
    return [pytest.mark.long] if name in SLOW else []


@pytest.fixture(autouse=True)
def _same_pauses() -> None:
    """The pauses before another attempt are random: the same in every session."""
    random.seed(20_260_302)


@pytest.mark.parametrize(
    "scenario", [pytest.param(each, id=name, marks=_marks(name)) for name, each in SCENARIOS.items()]
)
def test_a_scene_ends_well_in_every_way_it_can_be_played(scenario: Scenario) -> None:
    faults = scenario.faults + is_long()

    runs = explore(lambda choices: scenario.play(choices, faults=faults))

    assert runs > 1


class _Drawn:
    def __init__(self, data: st.DataObject) -> None:
        self._data = data

    def choose(self, options: list[str]) -> int:
        return self._data.draw(st.integers(0, len(options) - 1))


@settings(max_examples=5 * settings().max_examples if is_long() else BIGGER)
@given(scenario=any_scene(), data=st.data())
def test_a_bigger_scene_ends_well_however_it_is_played(scenario: Scenario, data: st.DataObject) -> None:
    scenario.play(_Drawn(data))

"""The group commit under the microscope: whatever the store answers, whoever leaves, and whenever.

Played are the deciding code, the groups and the store's connection as they are deployed; only the four calls of the API
go to a database in memory, whose every answer is a choice. However a scene is played, each waiter is answered exactly
once, by its deadline, and truly; nobody fails because of a neighbour; what was done and not answered is not done twice;
nothing is left behind; and whoever comes afterwards is served.
"""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.interleavings.exploring import explore
from tests.interleavings.scenario import Scene
from tests.interleavings.scenarios import SCENES, any_scene
from tests.support.length import is_long


@pytest.fixture(autouse=True)
def _same_pauses() -> None:
    """The pauses before another attempt are random: the same in every session."""
    random.seed(20_260_302)


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
def test_a_scene_ends_well_in_every_way_it_can_be_played(scene: Scene) -> None:
    faults = scene.faults + is_long()

    runs = explore(lambda choices: scene.play(choices, faults=faults))

    assert runs > 1


class _Drawn:
    def __init__(self, data: st.DataObject) -> None:
        self._data = data

    def choose(self, options: list[str]) -> int:
        return self._data.draw(st.integers(0, len(options) - 1))


@settings(deadline=None, max_examples=5 * settings().max_examples)
@given(scene=any_scene(), data=st.data())
def test_a_bigger_scene_ends_well_however_it_is_played(scene: Scene, data: st.DataObject) -> None:
    scene.play(_Drawn(data))

"""The tests are shared out among workers when that pays, and a few of them are run at once."""

from collections.abc import Sequence

import pytest

from infra.build.stage import ROOT
from tests.workers import MOST, workers_for

FILE = str(ROOT / "tests/infra/test_workers.py")
RULES, SEATS = str(ROOT / "tests/rules"), str(ROOT / "tests/seats")


@pytest.mark.parametrize("asked", [[f"{FILE}::test_one"], [FILE], [FILE, f"{FILE}::test_one[a/b]"]])
def test_what_is_asked_by_file_or_test_needs_no_worker(asked: Sequence[str]) -> None:
    assert workers_for(asked, processors=8) == 0


@pytest.mark.parametrize(("processors", "workers"), [(1, 2), (2, 2), (3, 3), (64, MOST)])
def test_folders_get_a_worker_for_each_processor_but_two_at_least_and_not_too_many(
    processors: int, workers: int
) -> None:
    assert workers_for([RULES, SEATS], processors=processors) == workers


def test_a_folder_beside_a_file_is_a_folder() -> None:
    assert workers_for([FILE, SEATS], processors=2) == 2

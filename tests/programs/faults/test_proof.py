"""The short form of ``make proof``: a minute in which everything breaks, and every promise is kept."""

import io

import pytest
from rich.console import Console

from tests.programs.faults.plan import SHORT, make_plan
from tests.programs.faults.run import run
from tests.programs.faults.summary import show
from tests.programs.faults.verdict import judged


@pytest.mark.timeout(400)
async def test_whatever_breaks_no_seat_is_given_too_many_and_none_is_lost() -> None:
    outcome = await run(make_plan("2026", SHORT))

    verdict = judged(outcome)
    told = io.StringIO()
    show(outcome, verdict, Console(file=told, width=120))
    assert verdict.is_kept, told.getvalue()

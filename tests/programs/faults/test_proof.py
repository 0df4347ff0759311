"""The short form of ``make proof``: every kind of fault comes, and every promise is kept."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from tests.programs.faults.faults import Kind
from tests.programs.faults.plan import SHORT, make_plan
from tests.programs.faults.run import run
from tests.programs.faults.summary import show
from tests.programs.faults.verdict import judged


@pytest.mark.timeout(400)
async def test_whatever_breaks_no_seat_is_given_too_many_and_none_is_lost() -> None:
    plan = make_plan("4458", replace(SHORT, seconds=22, clients=20))

    outcome = await run(plan)

    assert {fault.kind for fault in plan.faults} == set(Kind)
    verdict = judged(outcome)
    told = io.StringIO()
    show(outcome, verdict, Console(file=told, width=120))
    assert verdict.is_kept, told.getvalue()

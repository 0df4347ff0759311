"""A run can fail: against a copy of the product with one mistake it does, and shows in few lines why."""

from dataclasses import replace
from pathlib import Path

import pytest

from infra.build.stage import ROOT
from infra.judge.violation import Kind
from shared.rules.audit import AuditType
from tests.programs.faults.broken_copy import MISTAKES, doctored
from tests.programs.faults.failing import lines
from tests.programs.faults.plan import Scale, make_plan
from tests.programs.faults.run import run
from tests.programs.faults.shrinking import shrunk
from tests.programs.faults.verdict import judged

_FEW = Scale(seconds=8, organizations=2, clients=30, processes=2, calm=1)


def test_every_line_that_may_be_doctored_is_there_once() -> None:
    assert {name: (ROOT / each.module).read_text().count(each.right) for name, each in MISTAKES.items()} == (
        dict.fromkeys(MISTAKES, 1)
    )


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_a_broken_seat_rule_is_caught(tmp_path: Path) -> None:
    # Nothing has to break for this one to show, and nothing but the licenses' own caps stands in the way.
    plan = make_plan("2026", _FEW)
    plan = replace(plan, faults=(), organizations=tuple(replace(each, seats=None) for each in plan.organizations))

    verdict = judged(await run(plan, root=doctored("off by one", tmp_path)))

    of_the_cap = [each for each in verdict.violations if each[1].kind is Kind.LICENSE_CAP_EXCEEDED]
    assert of_the_cap
    history, violation = of_the_cap[0]
    shortest = shrunk(history, violation, within=10)
    # Nobody is left but who held a seat then, each with a borrow and its end, and the edit that tells the terms.
    assert [event.type for event in shortest.events].count(AuditType.ACQUIRED) == len(violation.events)
    shown = list(lines(shortest))
    assert len(shown) <= 3 * len(violation.events) + 1, "\n".join(shown)

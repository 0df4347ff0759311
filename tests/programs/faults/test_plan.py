"""The plan: a seed says everything before anything runs."""

from collections import Counter
from itertools import pairwise

import pytest

from tests.programs.faults.faults import OF_THE_STORE, Kind
from tests.programs.faults.plan import LONG, SHORT, Scale, make_plan
from tests.programs.faults.schedule import OF_TERMS


def test_the_same_seed_makes_the_same_plan_and_another_seed_another() -> None:
    assert make_plan("7", SHORT) == make_plan("7", SHORT)
    assert make_plan("7", SHORT).faults != make_plan("8", SHORT).faults


@pytest.mark.parametrize("scale", [SHORT, LONG])
def test_every_kind_of_fault_is_in_every_plan(scale: Scale) -> None:
    plans = {seed: make_plan(str(seed), scale) for seed in range(20)}

    missing = {seed: set(Kind) - {fault.kind for fault in plan.faults} for seed, plan in plans.items()}

    assert not any(missing.values()), missing


def test_faults_of_the_store_come_one_after_the_other() -> None:
    faults = [fault for fault in make_plan("7", LONG).faults if fault.kind in OF_THE_STORE]

    assert all(before.at + before.lasts < after.at for before, after in pairwise(faults))


def test_terms_are_edited_only_where_a_license_has_some() -> None:
    plan = make_plan("7", LONG)
    with_terms = {each.organization_id for each in plan.organizations if each.licenses[0].terms}

    edited = {fault.target for fault in plan.faults if fault.kind in OF_TERMS}

    assert edited
    assert edited < with_terms


def test_nobody_edits_the_caps_of_a_steady_organization() -> None:
    plan = make_plan("7", LONG)
    steady = {each.organization_id for each in plan.organizations if each.is_steady}

    edited = Counter(
        fault.target for fault in plan.faults if fault.kind in (Kind.ORGANIZATION_CAP_EDITED, Kind.LICENSE_CAP_EDITED)
    )

    assert steady
    assert edited
    assert not steady & set(edited)

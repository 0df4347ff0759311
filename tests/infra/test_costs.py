"""The table of costs in the docs is what the script makes, and the script reckons right."""

import re
import subprocess
import sys

import pytest

from infra.build.stage import ROOT, function_names
from infra.build.triggers import OnSchedule, triggers
from infra.pages import costs
from infra.pages.billed_operations import GROUP_SIZES, OPEN_PAGE, OPERATIONS, reconcile_reads
from infra.pages.costs import (
    PAGE,
    SCENARIOS,
    Usage,
    items,
    open_page_items,
    page,
    saved_by_sharing,
    tables,
    usd_of_a_seats_month,
)


def test_the_tables_in_the_docs_are_what_the_script_makes() -> None:
    written = PAGE.read_text()

    generated = page(written)

    assert written == generated


def test_the_script_prints_the_tables() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "infra.pages.costs"], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert ran.stdout == tables()


# By hand


def test_a_month_of_a_hundred_seats_reckoned_by_hand() -> None:
    usage = Usage(seats=100)

    # 22 days of 8 hours are 633,600 s: 5,557.9 heartbeats of 114 s for each seat; 88 acquires and as many releases.
    assert usage.heartbeats == 555_789
    assert (usage.acquires, usage.events) == (8_800, 17_600)
    reads = 8_800 * (5 + 1) + 555_789 * 4 + 17_600 * 1 + 43_800 * 14 + 704 * (9 - 2 + 100 * 3 + 5 * 7) + 2_216 * 9
    history = 730 * (1 + 5 * 12) + 8_800 * 15 + 22 * 8 * 100
    assert usage.reads == reads + history
    assert usage.writes == 8_800 * (3 + 3) + 555_789 * 1 + 17_600 * 1 + 730 * 5
    assert usage.requests == 555_789 + 2 * 8_800 + 17_600 + 43_800 + 2_920 + 730
    money = items(usage)
    assert money["Firestore: reads"] == pytest.approx(usage.reads / 100_000 * 0.03)
    assert money["Firestore: writes"] == pytest.approx(usage.writes / 100_000 * 0.09)
    assert money["Cloud Run: requests"] == pytest.approx(usage.requests / 1_000_000 * 0.40)
    # One vCPU and half a GiB for 730 hours, twice.
    assert money["Cloud Run: minimum instances"] == pytest.approx(2 * 730 * 3_600 * 0.0000025 * 1.5)


def test_a_seats_month_reckoned_by_hand() -> None:
    reads = 88 * (5 + 1) + 5_558 * 4 + 176
    writes = 88 * (3 + 3) + 5_558 + 176
    in_hundreds = 88 * (2.03 + 1.00) + 5_558 * 2.02 + 176, 88 * (2.01 + 2.01) + 5_558 + 176

    assert usd_of_a_seats_month(1) == pytest.approx(reads / 100_000 * 0.03 + writes / 100_000 * 0.09)
    assert usd_of_a_seats_month(100) == pytest.approx(in_hundreds[0] / 100_000 * 0.03 + in_hundreds[1] / 100_000 * 0.09)


def test_the_larger_the_group_the_cheaper_the_seat() -> None:
    months = [usd_of_a_seats_month(size) for size in GROUP_SIZES]

    assert months == sorted(months, reverse=True)
    assert len(set(months)) == len(months)


def test_nobody_at_work_costs_what_runs_by_itself() -> None:
    usage = Usage(seats=0)

    assert (usage.heartbeats, usage.writes, usage.stored_gib) == (0, 0, 0)
    assert usage.reads == 43_800 * 14 + 2_920 * 9 + 730 * 2
    assert usage.requests == 43_800 + 2_920 + 730


@pytest.mark.parametrize(("seats", "organizations"), [(0, 0), (1, 1), (20, 1), (21, 2), (10_000, 500)])
def test_an_organization_that_is_not_full_is_one_too(seats: int, organizations: int) -> None:
    assert Usage(seats=seats).organizations == organizations


def test_requests_that_share_an_instance_cost_no_more_than_apart_and_no_less_than_nothing() -> None:
    savings = [saved_by_sharing(Usage(seats=seats)) for seats in SCENARIOS]

    assert savings[0] == 0
    assert savings == sorted(savings)
    assert all(saved < sum(items(Usage(seats=seats)).values()) for saved, seats in zip(savings, SCENARIOS, strict=True))


def test_one_instance_of_each_function_is_never_busy_for_longer_than_the_month_of_work() -> None:
    usage = Usage(seats=1_000_000)

    at_most = 4 * usage.office_seconds
    scheduled = usage.busy_reconciliations * 1_000 + usage.summaries * 1_000
    assert usage.seconds_shared - Usage(seats=0).seconds_shared <= at_most + scheduled


def test_reconcile_without_anything_open_reads_what_the_table_of_operations_says() -> None:
    assert reconcile_reads(sessions=0, organizations=0) == OPERATIONS["reconcile, nothing open"].reads


def test_a_page_that_is_open_all_day_costs_at_most_a_quarter_of_a_dollar_a_month() -> None:
    found = open_page_items()

    # 22 days of 8 hours, with a request every 15 s.
    assert found["requests"][0] == 22 * 8 * 240
    assert found["documents read"][0] == 22 * 8 * 5 * OPEN_PAGE.reads
    assert found["documents read"][1] + found["requests"][1] <= 0.25


# What is assumed is what is deployed


def test_the_scheduled_runs_are_those_of_the_functions() -> None:
    schedules = {name: trigger.schedule for name, trigger in triggers().items() if isinstance(trigger, OnSchedule)}

    assert schedules == {
        "expire_sessions": "* * * * *",
        "reconcile": "*/15 * * * *",
        "summarize_usage": "5 * * * *",
    }
    hourly = Usage(seats=0)
    assert (hourly.expiries, hourly.reconciliations, hourly.summaries) == (730 * 60, 730 * 4, 730)
    assert len(schedules) == costs.SCHEDULED_JOBS
    assert schedules.keys() <= set(function_names())


def test_the_instances_are_as_big_and_as_many_as_terraform_makes_them() -> None:
    functions = (ROOT / "infra/terraform/functions.tf").read_text()
    production = (ROOT / "infra/terraform/environments/production.tfvars").read_text()

    sizes = re.findall(r"^    (\w+) +=.* memory = \"(\w+)\".* minimum = ([\w.]+)", functions, re.MULTILINE)

    assert {name for name, _, _ in sizes} == set(function_names())
    assert {memory for _, memory, _ in sizes} == {f"{round(costs.MEMORY_GIB * 1024)}Mi"}
    smaller = {
        name
        for name, cpu in re.findall(r"^    (\w+) +=.* cpu = \"([\d.]+)\"", functions, re.MULTILINE)
        if cpu != str(costs.VCPUS)
    }
    # People call three of them by hand, seldom. The fourth costs as a whole one: half a CPU takes twice as long.
    assert smaller == {"invitations", "members", "sign_ins", "summarize_usage"}
    warm = [name for name, _, minimum in sizes if minimum == "var.warm_instances"]
    assert re.search(r"^warm_instances += 1$", production, re.MULTILINE)
    assert len(warm) == costs.MINIMUM_INSTANCES


def test_every_price_has_a_source_and_every_one_is_told() -> None:
    told = tables()

    assert all(price.usd > 0 and price.source for price in costs.ALL_PRICES)
    assert all(price.unit in told for price in costs.ALL_PRICES)

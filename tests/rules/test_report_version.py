"""The version of a report: until when a program that has it needs no other."""

from datetime import timedelta

import pytest

from shared.rules.report_version import STANDS_FOR, standing, version_of
from tests.rules.make import NOW

STATE, SECOND = "abc", timedelta(seconds=1)


@pytest.mark.parametrize(
    ("later", "stands"),
    [(timedelta(0), True), (STANDS_FOR - SECOND, True), (STANDS_FOR, False), (-SECOND, False)],
    ids=["at once", "just", "no longer", "of a time to come"],
)
def test_a_report_stands_for_less_than_a_minute_and_a_half(later: timedelta, *, stands: bool) -> None:
    version = version_of(STATE, now=NOW)

    assert standing([version], STATE, now=NOW + later) == (version if stands else None)


def test_a_report_of_another_state_does_not_stand() -> None:
    assert standing([version_of("other", now=NOW)], STATE, now=NOW) is None


@pytest.mark.parametrize("text", ["", "*", STATE, f"{STATE}.", f"{STATE}.x", f"{STATE}.-1", f"{STATE}.{'9' * 5_000}"])
def test_what_is_no_version_stands_for_nothing(text: str) -> None:
    known = version_of(STATE, now=NOW)

    assert standing([text], STATE, now=NOW) is None
    assert standing([text, known], STATE, now=NOW) == known

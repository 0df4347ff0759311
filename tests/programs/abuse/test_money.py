"""What a flood costs a day, by the list prices."""

from collections import Counter

import pytest

from infra.pages.costs import DELETES, READS, WRITES
from tests.programs.abuse.floods import Caused, Flood
from tests.programs.abuse.money import DAY_SECONDS, dollars_a_day, gib_a_day


def _caused(**changes: int) -> Caused:
    """A second in which one seat was taken and given back, in two commits that read 6 documents."""
    return Caused(
        flood=Flood.CHURN,
        seconds=1,
        answers=Counter({("acquire", 201): 1, ("release", 204): 1, ("acquire", 429): changes.get("refused", 0)}),
        documents=3,
        calls=Counter({"Commit": 2, "documents_read": 6}),
        log_bytes=0,
    )


def test_what_is_read_written_and_purged_is_most_of_what_churn_costs() -> None:
    # Two sessions, two events, twice the counters; each event is read and written once more when it is relayed.
    documents = READS.of(6 + 2) + WRITES.of(6 + 2) + DELETES.of(3)

    service = dollars_a_day(_caused())["service"]

    assert documents * DAY_SECONDS < service < 2 * documents * DAY_SECONDS


def test_a_refused_request_costs_what_the_platform_bills_for_any() -> None:
    few, many = dollars_a_day(_caused()), dollars_a_day(_caused(refused=98))

    assert many["service"] == few["service"]
    assert many["requests"] == pytest.approx(50 * few["requests"])


def test_three_documents_a_second_are_a_gib_a_day() -> None:
    assert gib_a_day(_caused()) == pytest.approx(0.99, abs=0.01)

"""What the soak calls flat: a server that grows is caught, whatever it is that grows."""

import os
from dataclasses import replace

import pytest

from tests.programs.bench import proc
from tests.programs.soak.flat import Sample, trends
from tests.programs.soak.held import Held, held

STILL = Held(resident_bytes=200_000_000, open_files=40, threads=20)
CALM = Sample(p50_seconds=0.010, p99_seconds=0.040, completed=1000, errors=0, held={"acquire": STILL})


def growing(name: str, by: float) -> list[Sample]:
    """An hour in which one thing gets more with every sample, by a share of what it was."""
    return [
        replace(CALM, held={"acquire": replace(STILL, **{name: round(getattr(STILL, name) * (1 + by * number))})})
        for number in range(12)
    ]


def test_what_stays_is_flat() -> None:
    assert all(trend.is_flat for trend in trends([CALM] * 12))


@pytest.mark.parametrize(("name", "by"), [("resident_bytes", 0.01), ("open_files", 0.02), ("threads", 0.05)])
def test_what_grows_is_told(name: str, by: float) -> None:
    grown = [trend for trend in trends(growing(name, by)) if not trend.is_flat]

    assert len(grown) == 1
    assert grown[0].after > grown[0].before


def test_latency_that_doubles_is_told() -> None:
    slower = [replace(CALM, p99_seconds=0.08 if number > 7 else 0.04) for number in range(12)]

    assert [trend.what for trend in trends(slower) if not trend.is_flat] == ["p99, ms"]


def test_what_the_first_minutes_fill_is_no_growth() -> None:
    small = replace(CALM, held={"acquire": replace(STILL, resident_bytes=100_000_000)})

    assert all(trend.is_flat for trend in trends([small] * 4 + [CALM] * 8))


def test_too_few_samples_are_no_verdict() -> None:
    with pytest.raises(ValueError, match="too few"):
        list(trends([CALM] * 5))


@pytest.mark.skipif(not proc.is_there(), reason="there is no /proc")
def test_what_this_process_holds_is_seen() -> None:
    mine = held(os.getsid(0))

    assert mine.resident_bytes > 1_000_000
    assert mine.threads >= 1
    assert mine.open_files >= 3

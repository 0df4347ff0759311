"""``seatlease usage --history``: how the licenses were used, as a chart, as JSON, or as a file."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import httpx
import pytest
from rich.console import Console

from infra.local.processes import Process
from seatlease.cli import exit_status
from seatlease.cli.history import chart_of
from seatlease.errors import ServiceUnreachable
from tests.client.backends import RealBackend
from tests.client.commands import environment_of, run
from tests.client.conftest import BuildBackend


def _day(date: str, *, in_use: int, demand: int, seats: int, turned_away: int = 0) -> dict[str, Any]:
    lists = {"peak_in_use": [0, in_use], "peak_demand": [0, demand], "seats": [None, seats]}
    return {"date": date, **lists, "people_turned_away": turned_away}


def _license(*days: Mapping[str, Any], **summary: Any) -> dict[str, Any]:  # noqa: ANN401 parts of an answer
    told = {"seats_enough_for": {"95": 2, "99": 3, "100": 4}, "enough_share": 0.972, **summary}
    return {"license_id": "cad", "name": "Design", "max": 2, "days": list(days), "summary": told}


def _shown(answer: dict[str, Any]) -> str:
    output = StringIO()
    Console(file=output, width=120).print(chart_of(answer))
    return output.getvalue()


def test_the_chart_has_a_bar_for_each_day_and_says_how_many_seats_would_have_been_enough() -> None:
    quiet = _day("2026-03-01", in_use=1, demand=1, seats=2)
    busy = _day("2026-03-02", in_use=2, demand=3, seats=2, turned_away=1)

    name, first, second, sentence = _shown({"licenses": [_license(quiet, busy)]}).splitlines()

    assert name == "Design"
    assert first.split() == ["2026-03-01", "█" * 13 + "·" * 14, "1", "of", "2"]
    assert second == f"  2026-03-02  {'█' * 27}{'▒' * 13}  2 of 2, 3 wanted, 1 turned away"
    assert sentence.strip() == (
        "2 seats were enough for 97.2 % of the busy time; 3 would have been enough for 99 %, 4 for all of it"
    )


@pytest.mark.parametrize(
    ("cap", "summary", "said"),
    [
        (1, {"enough_share": 1.0, "seats_enough_for": {"99": 2, "100": 2}}, "2 seats would have been enough for 100 %"),
        (2, {"enough_share": 0.99996, "seats_enough_for": {"99": 2, "100": 3}}, "2 seats were enough for 99.9 %"),
        (2, {"enough_share": 1.0, "seats_enough_for": {"99": 1, "100": 2}}, "; 1 would have been enough for 99 %"),
        (2, {"enough_share": 0.5, "seats_enough_for": {"99": 3, "100": 3}}, "; 3 would have been enough for all of it"),
    ],
)
def test_the_sentence_claims_no_more_than_the_days_show(cap: int, summary: dict[str, Any], said: str) -> None:
    day = _day("2026-03-01", in_use=1, demand=3, seats=cap)

    *_, sentence = _shown({"licenses": [_license(day, **summary)]}).splitlines()

    assert said in sentence


def test_more_than_two_months_have_a_row_for_each_month() -> None:
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    dates = [(begin + timedelta(days=number)).date().isoformat() for number in range(90)]
    days = [_day(date, in_use=number % 5, demand=4, seats=5, turned_away=1) for number, date in enumerate(dates)]

    lines = _shown({"licenses": [_license(*days)]}).splitlines()

    assert [line.split()[0] for line in lines[1:-1]] == ["2026-01", "2026-02", "2026-03"]
    assert lines[1].endswith("4 of 5, 31 turned away")


def test_a_day_that_was_not_counted_whole_is_named() -> None:
    days = [_day(f"2026-03-0{number}", in_use=1, demand=1, seats=2) for number in (1, 2, 3)]
    days[1] |= {"is_settled": True, "is_complete": False}
    days[2] |= {"is_settled": True, "is_complete": True}

    *_, last = _shown({"licenses": [_license(*days)]}).splitlines()

    assert last.strip() == "Not all of these days was counted, because too much happened: 2026-03-02"


def test_before_the_first_day_is_counted_it_says_when_there_will_be_numbers() -> None:
    nothing = {"seats_enough_for": dict.fromkeys(["95", "99", "100"]), "enough_share": None}

    assert "within an hour" in _shown({"licenses": [_license()]})
    assert "No seat was in use or wanted." in _shown(
        {"licenses": [_license(_day("2026-03-01", in_use=0, demand=0, seats=2), **nothing)]}
    )


def test_what_is_no_answer_of_the_service_is_not_drawn() -> None:
    with pytest.raises(ServiceUnreachable):
        chart_of({"licenses": [{"name": "Design"}]})


@pytest.fixture
def backend(build_real: BuildBackend) -> RealBackend:
    return build_real(seats=2)


@pytest.mark.long
def test_an_owner_sees_the_history_in_each_form_and_a_member_is_refused(
    backend: RealBackend, servers: Mapping[str, Process]
) -> None:
    assert httpx.post(servers["summarize_usage"].url, timeout=60).status_code == 200
    owner = environment_of(backend, "olivia")

    chart = run("usage", "--history", "400d", environment=owner)
    as_json = run("usage", "--history", "3d", "--json", environment=owner)
    as_csv = run("usage", "--history", "3d", "--csv", environment=owner)
    refused = run("usage", "--history", "3d", environment=environment_of(backend, "m0"))

    assert (chart.returncode, "0 of 2" in chart.stdout) == (0, True), chart.stderr
    (license_,) = json.loads(as_json.stdout)["licenses"]
    assert license_["max"] == 2
    assert "license_id,license_name,begins_at" in as_csv.stdout.splitlines()[0]
    assert (refused.returncode, "role" in refused.stderr) == (exit_status.NOT_ALLOWED, True), refused.stderr


@pytest.mark.parametrize(
    "words", [["--csv"], ["--history", "401d"], ["--history", "2h"], ["--history", "3d", "--watch"]]
)
def test_what_cannot_be_asked_is_wrong_use(backend: RealBackend, words: list[str]) -> None:
    assert run("usage", *words, environment=environment_of(backend, "olivia")).returncode == 2

"""``seatlease usage --history``: how licenses were used, as a small chart, or as a file for a spreadsheet."""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import typer
from rich.console import Group
from rich.text import Text

from seatlease._service.answers import NOT_THE_SERVICE
from seatlease._service.credentials import Credentials
from seatlease._service.service import Service
from seatlease.cli.saying import printable
from seatlease.errors import ServiceUnreachable

MOST_DAYS = 400
"""The service answers no more at once."""

_MOST_ROWS = 62
"""Two months of days. A longer time has a row for each month."""

_NEARLY_ALL = 0.99
_WIDTH = 40
_DAY, _MONTH = len("2026-03-02"), len("2026-03")


def first_day(history: timedelta) -> str:
    """The first of so many days until today, in UTC.

    Raises:
        BadParameter: there are none, or too many.
    """
    if not 1 <= history.days <= MOST_DAYS:
        message = f"--history takes 1d to {MOST_DAYS}d"
        raise typer.BadParameter(message)
    return (datetime.now(timezone.utc) - timedelta(days=history.days - 1)).date().isoformat()


async def fetch_history(
    url: str, credentials: Credentials, *, license_key: str | None, first: str, as_csv: bool
) -> dict[str, Any] | bytes:
    """Give the service's answer, as JSON or as a CSV file.

    Raises:
        SeatleaseError: it was refused, or the service did not answer.
    """
    async with Service(url, credentials) as service:
        license_id = None
        if license_key is not None:
            (license_, *_) = (await service.usage(license_key=license_key))["licenses"]
            license_id = str(license_["license_id"])
        return await service.history(first=first, license_id=license_id, as_csv=as_csv)


def chart_of(answer: dict[str, Any]) -> Group:
    """Draw for each license a row for each day or month, and say how many seats would have been enough.

    Raises:
        ServiceUnreachable: it is not an answer of the service.
    """
    try:
        shown = [Text("\n".join(map(printable, _license(each)))) for each in answer["licenses"]]
    except (KeyError, TypeError, ValueError):
        raise ServiceUnreachable(NOT_THE_SERVICE) from None
    return Group(*(shown or [Text("There is no license yet.")]))


def _license(license_: Mapping[str, Any]) -> Iterator[str]:
    yield str(license_["name"] or license_["license_id"])
    days: Sequence[Mapping[str, Any]] = license_["days"]
    if not days:
        yield "  No day is counted yet. The first numbers come within an hour."
        return
    rows = _rows(days)
    highest = max(1, *(max(demand, seats or 0) for _, _, demand, seats, _ in rows))
    for date, in_use, demand, seats, turned_away in rows:
        of_seats = "" if seats is None else f" of {seats}"
        more = f", {demand} wanted" if demand > in_use else ""
        people = f", {turned_away} turned away" if turned_away else ""
        bar = _bar(in_use, demand, seats or 0, highest=highest)
        yield f"  {date}  {bar}  {in_use}{of_seats}{more}{people}"
    yield f"  {_sentence(license_['summary'], days, license_['max'])}"
    # An earlier version of the service does not say so.
    if given_up := [str(day["date"]) for day in days if day.get("is_settled") and not day.get("is_complete", True)]:
        yield f"  Not all of these days was counted, because too much happened: {', '.join(given_up)}"


def _rows(days: Sequence[Mapping[str, Any]]) -> list[tuple[str, int, int, int | None, int]]:
    """Date or month, the most seats in use, the highest demand, the highest cap, and the users turned away."""
    length = _DAY if len(days) <= _MOST_ROWS else _MONTH
    rows: dict[str, tuple[str, int, int, int | None, int]] = {}
    for day in days:
        date = str(day["date"])[:length]
        _, in_use, demand, seats, people = rows.get(date, (date, 0, 0, None, 0))
        caps = [cap for cap in (*day["seats"], seats) if cap is not None]
        rows[date] = (
            date,
            max(in_use, *day["peak_in_use"]),
            max(demand, *day["peak_demand"]),
            max(caps, default=None),
            people + day["people_turned_away"],
        )
    return list(rows.values())


def _bar(in_use: int, demand: int, seats: int, *, highest: int) -> str:
    """Seats in use, then what was wanted beyond them, then free seats up to the cap."""
    used, wanted, most = (round(number * _WIDTH / highest) for number in (in_use, max(in_use, demand), seats))
    return ("█" * used + "▒" * (wanted - used) + "·" * max(0, most - wanted)).ljust(_WIDTH)


def _sentence(summary: Mapping[str, Any], days: Sequence[Mapping[str, Any]], seats: int | None) -> str:
    """What the page says, too. Seats that an admin changed meanwhile would have been enough; others were."""
    enough, share = summary["seats_enough_for"], summary["enough_share"]
    most, every = enough["99"], enough["100"]
    if every is None:
        return "No seat was in use or wanted."
    if share is None or seats is None:
        return f"{_seats(every)} would have been enough for all of the busy time"
    was_same = all(cap in {None, seats} for day in days for cap in day["seats"])
    were = ("was" if seats == 1 else "were") if was_same else "would have been"
    said = f"{_seats(seats)} {were} enough for {_percent(share)} of the busy time"
    # Between 99 and 100 % only all of it is news.
    is_news = most < every and not _NEARLY_ALL <= share < 1
    wanted = [f"{most} would have been enough for 99 %"] if is_news else []
    if every != seats:
        wanted.append(f"{every} for all of it" if wanted else f"{every} would have been enough for all of it")
    return f"{said}; {', '.join(wanted)}" if wanted else said


def _seats(number: int) -> str:
    return "1 seat" if number == 1 else f"{number} seats"


def _percent(share: float) -> str:
    """Rounded down, so that 100 % means all of it. The small number is for what a float cannot hold."""
    return f"{math.floor(share * 1000 + 1e-9) / 10:g} %"

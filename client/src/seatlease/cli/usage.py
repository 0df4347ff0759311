"""``seatlease usage``: who holds which seat, as a table, as JSON, or watched."""

import asyncio
import json
import time
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import Annotated, Any

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from seatlease._service.answers import NOT_THE_SERVICE, time_of
from seatlease._service.credentials import Credentials
from seatlease.cli.environment import OneLicenseKey, Url, fetch_usage, find_credentials, read_duration
from seatlease.cli.history import chart_of, fetch_history, first_day
from seatlease.cli.saying import ending_soon, explained, in_words, printable, sentence_of, shortened, why_no_seat
from seatlease.errors import NotEntitled, SeatleaseError, ServiceUnreachable, SignInRequired

SHORTEST_INTERVAL_SECONDS = 2.0
"""Each refresh reads all sessions of the organization."""

_Json = Annotated[
    bool, typer.Option("--json", help="Print the service's answer as JSON, with the sessions of all pages.")
]
_Watch = Annotated[bool, typer.Option("--watch", help="Refresh in place until Ctrl-C.")]
_Interval = Annotated[
    timedelta,
    typer.Option(
        parser=read_duration,
        metavar="DURATION",
        show_default=False,
        help="Refresh this often with --watch. The default is 5s, the shortest time 2s.",
    ),
]


_History = Annotated[
    timedelta | None,
    typer.Option(
        parser=read_duration,
        metavar="DURATION",
        show_default=False,
        help="Show how the licenses were used in the last days, such as 30d, instead of the seats now. "
        "For owners and admins.",
    ),
]
_Csv = Annotated[bool, typer.Option("--csv", help="With --history: print a CSV file for a spreadsheet.")]


def usage(  # noqa: PLR0913 an option each
    *,
    url: Url,
    license_key: OneLicenseKey = None,
    as_json: _Json = False,
    watch: _Watch = False,
    interval: _Interval = timedelta(seconds=5),
    history: _History = None,
    as_csv: _Csv = False,
) -> None:
    """Show licenses and who holds their seats.

    Owners and admins see all sessions, members their own, and guests only the totals.
    """
    pause = interval.total_seconds()
    if watch and (as_json or pause < SHORTEST_INTERVAL_SECONDS):
        message = "--watch cannot be used with --json, and needs an interval of at least 2s"
        raise typer.BadParameter(message)
    if (as_csv and (history is None or as_json)) or (history is not None and watch):
        message = "--csv needs --history and no --json, and --history cannot be watched"
        raise typer.BadParameter(message)
    first = None if history is None else first_day(history)
    with explained():
        if first is not None:
            _show_history(url, license_key, first=first, as_json=as_json, as_csv=as_csv)
            return
        credentials = find_credentials(url).credentials
        output = Console(highlight=False)
        if watch:
            _watch(output, url, credentials, license_key=license_key, pause_seconds=pause)
        else:
            answer = _fetch(url, credentials, license_key)
            if as_json:
                typer.echo(json.dumps(answer, indent=2))
            else:
                output.print(tables_of(answer))


def _show_history(url: str, license_key: str | None, *, first: str, as_json: bool, as_csv: bool) -> None:
    asked = fetch_history(url, find_credentials(url).credentials, license_key=license_key, first=first, as_csv=as_csv)
    answer = asyncio.run(asked)
    if isinstance(answer, bytes):
        typer.echo(answer, nl=False)
    elif as_json:
        typer.echo(json.dumps(answer, indent=2))
    else:
        Console(highlight=False, soft_wrap=True).print(chart_of(answer))


def _fetch(url: str, credentials: Credentials, license_key: str | None) -> dict[str, Any]:
    return asyncio.run(fetch_usage(url, credentials, license_key=license_key))


def _watch(
    output: Console, url: str, credentials: Credentials, *, license_key: str | None, pause_seconds: float
) -> None:
    """Refresh until Ctrl-C. A failed request is reported below the last answer."""
    shown = Group(Text("asking ..."))
    try:
        with Live(shown, console=output, auto_refresh=False, vertical_overflow="ellipsis") as live:
            while True:
                try:
                    shown = fitting(output, _fetch(url, credentials, license_key))
                    note = f"at {datetime.now().astimezone():%H:%M:%S}; Ctrl-C ends"
                except (NotEntitled, SignInRequired):
                    raise  # no later request will go better
                except SeatleaseError as error:
                    note = f"at {datetime.now().astimezone():%H:%M:%S}, not refreshed: {sentence_of(error)}"
                live.update(Group(shown, Text(printable(note))), refresh=True)
                time.sleep(pause_seconds)
    except KeyboardInterrupt:
        return


_LINES_OF_THE_NOTE = 2
"""The line below the tables may be wrapped once."""


def fitting(output: Console, answer: dict[str, Any]) -> Group:
    """Make the tables with as much as fits the window, and count the rest: first licenses without a session go.

    Raises:
        ServiceUnreachable: it is not an answer of the service.
    """
    shown = tables_of(answer)
    licenses = len(answer["licenses"])
    held = sum(bool(license_["sessions"]) for license_ in answer["licenses"])
    sessions = sum(len(license_["sessions"]) for license_ in answer["licenses"])
    for few_licenses, few_sessions in [
        *((few, sessions) for few in range(licenses, held, -1) if sessions <= output.height),
        *((held, few) for few in range(min(sessions, output.height), -1, -1)),
        *((few, 0) for few in range(held - 1, -1, -1)),
    ]:
        counts = ((licenses, few_licenses, "licenses"), (sessions, few_sessions, "sessions"))
        if left_out := [f"{every - few} of {every} {what}" for every, few, what in counts if few < every]:
            hint = f"not shown: {', '.join(left_out)}. Enlarge the window, or give --license-key."
            shown = Group(tables_of(_with_first(few_licenses, few_sessions, answer)), Text(hint))
        if len(output.render_lines(shown)) <= output.height - _LINES_OF_THE_NOTE:
            break
    return shown


def _with_first(number_of_licenses: int, number_of_sessions: int, answer: dict[str, Any]) -> dict[str, Any]:
    licenses = []
    for license_ in sorted(answer["licenses"], key=lambda each: not each["sessions"])[:number_of_licenses]:
        licenses.append({**license_, "sessions": license_["sessions"][:number_of_sessions]})
        number_of_sessions -= len(licenses[-1]["sessions"])
    return {**answer, "licenses": licenses}


_NEARLY_FULL = 0.8


def tables_of(answer: dict[str, Any]) -> Group:
    """Make the tables of licenses and of sessions, below the service's warnings.

    Raises:
        ServiceUnreachable: it is not an answer of the service.
    """
    try:
        licenses, now = answer["licenses"], time_of(answer["server_time"])
        warnings = answer.get("warnings", [])  # older services have none, and others get none
        shown: list[Text | Table] = [_warning(each) for each in warnings]
        ends_told = {each["license_id"] for each in warnings if each["code"] == "LICENSE_ENDS"}
        shown.append(_licenses(answer["organization"], licenses, ends_told=ends_told, now=now))
        shown += [_sold(license_) for license_ in licenses if license_.get("features")]  # older services have none
        shown += [_sessions(license_, now=now) for license_ in licenses if license_["sessions"]]
    except (KeyError, TypeError, ValueError):
        raise ServiceUnreachable(NOT_THE_SERVICE) from None
    return Group(*shown)


def _warning(warning: dict[str, Any]) -> Text:
    return Text(printable(str(warning["message"])), style="bold red" if warning["code"] == "FULL" else "yellow")


def _licenses(
    organization: dict[str, Any], licenses: list[dict[str, Any]], *, ends_told: Collection[str], now: datetime
) -> Table:
    title = f"{organization['name']}: {organization['in_use']} of {_cap(organization['max'])} seats in use"
    table = Table(title=Text(printable(title)), title_justify="left")
    table.add_column("license", overflow="fold")
    for heading in ("in use", "max", "share"):
        table.add_column(heading, justify="right")
    table.add_column("first lease ends")
    table.add_column("last 24 hours", no_wrap=True)
    for license_ in licenses:
        share, ends, day = license_["share"], license_["earliest_expiry_at"], license_["last_24_hours"]
        _row(
            table,
            _described(license_, is_end_told=license_["license_id"] in ends_told, now=now),
            license_["in_use"],
            "" if license_["max"] is None else license_["max"],
            "" if share is None else Text(f"{share:.0%}", style=_style_of(share)),
            "" if ends is None else f"in {in_words(time_of(ends) - now)}",
            "" if day is None else f"peak {day['peak_in_use']}, {day['denied_users']} denied",
        )
        for name, in_use, most, lately in _parts(license_):
            _row(table, Text(f"  {printable(name)}", style="dim"), in_use, most, "", "", lately)
    return table


_LONGEST_SOLD = 150


def _sold(license_: dict[str, Any]) -> Text:
    """Say what was sold with a license, in two lines of 80 columns at most. ``--json`` has all of it."""
    sold = [
        f"{name} {value if isinstance(value, str) else json.dumps(value)}"
        for name, value in sorted(license_["features"].items())
    ]
    told = printable(f"{license_['name'] or license_['license_id']} has: {', '.join(sold)}")
    return Text(told if len(told) <= _LONGEST_SOLD else f"{told[:_LONGEST_SOLD]}…")


def _parts(license_: dict[str, Any]) -> Iterator[tuple[str, int, object, str]]:
    """Give name, seats, number of seats and a remark on each pool, overdraft, borrowed seats and the line.

    Older services have none of them.
    """
    for pool in license_.get("pools", []):
        name = "common" if pool["group"] is None else f"for {pool['group']}"
        yield name, pool["in_use"], pool["max"], ""
    overdraft, day = license_.get("overdraft", {"in_use": 0, "max": 0}), license_["last_24_hours"]
    if overdraft["max"] or overdraft["in_use"]:
        lately = "" if day is None or "peak_overdraft" not in day else f"peak {day['peak_overdraft']}"
        yield "overdraft", overdraft["in_use"], overdraft["max"], lately
    borrowed = license_.get("borrowed", {"in_use": 0, "overhang": []})
    if borrowed["in_use"] or borrowed["overhang"]:
        lost = len(borrowed["overhang"])
        most = "" if borrowed["max"] is None else borrowed["max"]
        yield "borrowed", borrowed["in_use"], most, f"{lost} more work on" if lost else ""
    if waiting := license_.get("waiting", {"count": 0})["count"]:
        yield "waiting", waiting, "", ""


def _style_of(share: float) -> str:
    if share >= 1:
        return "bold red"
    return "yellow" if share >= _NEARLY_FULL else "green"


def _described(license_: dict[str, Any], *, is_end_told: bool, now: datetime) -> Text:
    """Name the license. A second line says when it ends, or in red why it gives no seat.

    The last week is marked, unless a warning says it.
    """
    name, because = str(license_["name"] or license_["license_id"]), why_no_seat(license_)
    if because is not None:
        return Text.assemble(printable(name), "\n", (f"gives no seat: {printable(because)}", "bold red"))
    if license_.get("expires_at") is not None:
        ends_at = time_of(license_["expires_at"])
        soon = None if is_end_told else ending_soon(ends_at, now=now)
        marked = ("", "") if soon is None else (f"\n({soon})", "yellow")
        return Text.assemble(printable(name), "\n", f"until {ends_at.astimezone():%Y-%m-%d}", marked)
    return Text(printable(name))


def _sessions(license_: dict[str, Any], *, now: datetime) -> Table:
    table = Table(title=Text(printable(str(license_["name"] or license_["license_id"]))), title_justify="left")
    table.add_column("user, session", overflow="fold")
    for heading in ("device", "since", "lease ends"):
        table.add_column(heading)
    for session in license_["sessions"]:
        since, ends = time_of(session["started_at"]), time_of(session["lease_expires_at"])
        user, session_id = session["user_email"] or session["user_id"], session["session_id"]
        lines = [str(user), str(session_id)]
        if session.get("pool") is not None:
            lines.append(f"a seat for {session['pool']}")
        if session.get("is_overdraft"):
            lines.append("overdraft")
        if session.get("borrowed_until") is not None:
            lines.append(f"borrowed until {time_of(session['borrowed_until']).astimezone():%Y-%m-%d %H:%M}")
        _row(
            table,
            Text("\n".join(map(printable, lines))),
            _device(session),
            f"{since.astimezone():%Y-%m-%d %H:%M}",
            f"in {in_words(ends - now)}",
        )
    return table


def _device(session: dict[str, Any]) -> Text:
    """Name the device. A second line counts the instances on the seat where there are several."""
    device, instances = str(session["hardware_id"]), session.get("instances", 1)  # older services leave them out
    shown = printable(shortened(device))
    return Text(f"{shown}\n{instances:d} instances" if instances > 1 else shown)


def _row(table: Table, *cells: object) -> None:
    table.add_row(*(cell if isinstance(cell, Text) else Text(printable(str(cell))) for cell in cells))


def _cap(seats: int | None) -> str:
    return "unlimited" if seats is None else str(seats)

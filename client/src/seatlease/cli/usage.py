"""``seatlease usage``: who holds which seat, as a table, as JSON, or watched."""

import asyncio
import json
import time
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
from seatlease.cli.saying import explained, in_words, printable, sentence_of
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


def usage(
    *,
    url: Url,
    license_key: OneLicenseKey = None,
    as_json: _Json = False,
    watch: _Watch = False,
    interval: _Interval = timedelta(seconds=5),
) -> None:
    """Show licenses and who holds their seats.

    Owners and admins see all sessions, members their own, and guests only the totals.
    """
    pause = interval.total_seconds()
    if watch and (as_json or pause < SHORTEST_INTERVAL_SECONDS):
        message = "--watch cannot be used with --json, and needs an interval of at least 2s"
        raise typer.BadParameter(message)
    with explained():
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
                    shown = tables_of(_fetch(url, credentials, license_key))
                    note = f"at {datetime.now().astimezone():%H:%M:%S}; Ctrl-C ends"
                except (NotEntitled, SignInRequired):
                    raise  # no later request will go better
                except SeatleaseError as error:
                    note = f"at {datetime.now().astimezone():%H:%M:%S}, not refreshed: {sentence_of(error)}"
                live.update(Group(shown, Text(printable(note))), refresh=True)
                time.sleep(pause_seconds)
    except KeyboardInterrupt:
        return


_ENOUGH_OF_AN_ID = 12


def tables_of(answer: dict[str, Any]) -> Group:
    """Make the tables of licenses and of sessions.

    Raises:
        ServiceUnreachable: it is not an answer of the service.
    """
    try:
        licenses, now = answer["licenses"], time_of(answer["server_time"])
        shown = [_licenses(answer["organization"], licenses, now=now)]
        if any(license_["sessions"] for license_ in licenses):
            shown.append(_sessions(licenses, now=now))
    except (KeyError, TypeError, ValueError):
        raise ServiceUnreachable(NOT_THE_SERVICE) from None
    return Group(*shown)


def _licenses(organization: dict[str, Any], licenses: list[dict[str, Any]], *, now: datetime) -> Table:
    title = f"{organization['name']}: {organization['in_use']} of {_cap(organization['max'])} seats in use"
    table = Table(title=Text(printable(title)), title_justify="left")
    for heading in ("license", "in use", "max", "share", "first lease ends", "last 24 hours"):
        table.add_column(heading, justify="right" if heading in {"in use", "max", "share"} else "left")
    for license_ in licenses:
        share, ends, day = license_["share"], license_["earliest_expiry_at"], license_["last_24_hours"]
        name = str(license_["name"] or license_["license_id"])
        if license_["misconfigured_fields"]:
            name += f" (fields to correct: {', '.join(license_['misconfigured_fields'])})"
        _row(
            table,
            name,
            license_["in_use"],
            "" if license_["max"] is None else license_["max"],
            "" if share is None else f"{share:.0%}",
            "" if ends is None else f"in {in_words(time_of(ends) - now)}",
            "" if day is None else _lately(day, now=now),
        )
    return table


def _lately(day: dict[str, Any], *, now: datetime) -> str:
    shown = f"peak {day['peak_in_use']}, {day['denied_users']} users denied"
    since = time_of(day["begins_at"]) if "begins_at" in day else None  # older services leave it out
    if since is None or now - since >= timedelta(days=1):
        return shown
    return f"{shown} (only since {since.astimezone():%H:%M:%S})"


def _sessions(licenses: list[dict[str, Any]], *, now: datetime) -> Table:
    table = Table()
    for heading in ("license", "user", "device", "since", "last heartbeat", "lease ends"):
        table.add_column(heading)
    for license_ in licenses:
        for session in license_["sessions"]:
            since, last, ends = (time_of(session[at]) for at in ("started_at", "last_heartbeat_at", "lease_expires_at"))
            device = str(session["hardware_id"])
            _row(
                table,
                license_["name"] or license_["license_id"],
                session["user_email"] or session["user_id"],
                device if len(device) <= _ENOUGH_OF_AN_ID else f"{device[:_ENOUGH_OF_AN_ID]}…",
                f"{since.astimezone():%Y-%m-%d %H:%M}",
                f"{in_words(max(now - last, timedelta()))} ago",
                f"in {in_words(ends - now)}",
            )
    return table


def _row(table: Table, *cells: object) -> None:
    table.add_row(*(Text(printable(str(cell))) for cell in cells))


def _cap(seats: int | None) -> str:
    return "unlimited" if seats is None else str(seats)

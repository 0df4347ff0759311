"""The tables of ``seatlease usage``. Names from the service are shown as text, never read as markup."""

from datetime import datetime, timedelta
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from seatlease._service.answers import NOT_THE_SERVICE, time_of
from seatlease.cli.durations import in_words
from seatlease.errors import ServiceUnreachable

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
    table = Table(title=Text(title), title_justify="left")
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
            "" if day is None else f"peak {day['peak_in_use']}, {day['denied_users']} users denied",
        )
    return table


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
    table.add_row(*(Text(str(cell)) for cell in cells))


def _cap(seats: int | None) -> str:
    return "unlimited" if seats is None else str(seats)

"""What the commands say: lines and durations."""

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import typer
from rich.console import Console

from seatlease._service.answers import time_of
from seatlease.cli import exit_status
from seatlease.errors import SeatleaseError

errors = Console(stderr=True, highlight=False)
PREFIX = "seatlease: "


class Misconfigured(Exception):  # noqa: N818 it is the caller's slip, told as a sentence
    """Something that the environment or this machine gives cannot be used."""


def say(text: str, *, style: str | None = None) -> None:
    """Write one line, on a terminal in this style. Markup in it is shown as text."""
    errors.print(PREFIX + printable(text), style=style, markup=False, soft_wrap=True)


def say_now(text: str, *, style: str | None = None) -> None:
    """Write one line with the time of day, for what may come hours after the start."""
    say(f"{datetime.now().astimezone():%H:%M:%S} {text}", style=style)


def printable(text: str) -> str:
    """Escape what is not printable. From a server or another user, it could steer this terminal or hide a text."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


ENOUGH_OF_AN_ID = 12
"""So many characters tell devices apart."""


def shortened(hardware_id: str) -> str:
    """Cut the id of a device to what tells it from others: ``release`` takes it, too."""
    return hardware_id if len(hardware_id) <= ENOUGH_OF_AN_ID else f"{hardware_id[:ENOUGH_OF_AN_ID]}…"


def sentence_of(error: SeatleaseError) -> str:
    """Put an error in one line: its message, its code, and its request id."""
    known = [error.code, None if error.request_id is None else f"request {error.request_id}"]
    told = ", ".join(part for part in known if part)
    return f"{error.message} ({told})" if told else error.message


_SOON = timedelta(days=7)


def ending_soon(ends_at: datetime | None, *, now: datetime) -> str | None:
    """Say in how many days an end comes, from a week before; ``None`` before that, after it, or without an end."""
    if ends_at is None or not now < ends_at <= now + _SOON:
        return None
    local = ends_at.astimezone()
    days = (local.date() - now.astimezone().date()).days
    if days == 0:
        return f"today at {local:%H:%M}"
    return "in 1 day" if days == 1 else f"in {days} days"


def why_no_seat(license_: Mapping[str, Any]) -> str | None:
    """Say why a license of usage's answer gives no seat; ``None`` if it gives seats. An older service has no status."""
    if license_["misconfigured_fields"]:
        return f"fields to correct: {', '.join(license_['misconfigured_fields'])}"
    status = license_.get("status", "active")
    if status == "expired":
        return f"expired on {time_of(license_['expires_at']).astimezone():%Y-%m-%d}"
    if status == "not_started":
        return f"begins on {time_of(license_['starts_at']).astimezone():%Y-%m-%d}"
    if status != "active":
        return "deactivated" if status == "inactive" else str(status)
    return "its max is 0" if license_["max"] == 0 else None


@contextmanager
def explained() -> Iterator[None]:
    """On an error, exit with a sentence and a status instead of a traceback."""
    _library_says_it_likewise()
    try:
        yield
    except SeatleaseError as error:
        say(sentence_of(error))
        raise typer.Exit(exit_status.of_error(error)) from None
    except Misconfigured as error:
        say(str(error))
        raise typer.Exit(exit_status.MISCONFIGURED) from None


def _library_says_it_likewise() -> None:
    logger = logging.getLogger("seatlease")
    if not logger.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter(PREFIX + "%(asctime)s %(message)s", datefmt="%H:%M:%S"))
        logger.addHandler(handler)


_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_LONGEST = timedelta(days=400)


def duration(text: str) -> timedelta:
    """Read ``90s``, ``10m``, ``1h30m`` or a plain number of seconds.

    Raises:
        typer.BadParameter: it is not a duration, or longer than 400 days.
    """
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhd])", text)
    if parts and "".join(number + unit for number, unit in parts) == text:
        seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    elif re.fullmatch(r"\d+(?:\.\d+)?", text):
        seconds = float(text)
    else:
        message = f"{text!r} is not a duration: write it as 90s, 10m, 1h30m or 0"
        raise typer.BadParameter(message)
    if seconds > _LONGEST.total_seconds():
        message = "a duration is at most 400 days"
        raise typer.BadParameter(message)
    return timedelta(seconds=seconds)


def in_words(span: timedelta) -> str:
    """Write the two largest units, in whole seconds, and never below zero."""
    seconds = max(0, round(span.total_seconds()))
    if seconds < _UNITS["m"]:
        return f"{seconds}s"
    if seconds < _UNITS["h"]:
        return f"{seconds // 60}m {seconds % 60:02}s"
    if seconds < _UNITS["d"]:
        return f"{seconds // 3600}h {seconds % 3600 // 60:02}m"
    return f"{seconds // 86_400}d {seconds % 86_400 // 3600:02}h"

import re
from datetime import timedelta

import typer

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_LONGEST = timedelta(days=365)


def duration(text: str) -> timedelta:
    """Read ``90s``, ``10m``, ``1h30m`` or a plain number of seconds.

    Raises:
        typer.BadParameter: it is not a duration, or longer than a year.
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
        message = "a duration is at most one year"
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

import asyncio
import json
import time
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from seatlease._service.credentials import Credentials
from seatlease.cli.durations import duration
from seatlease.cli.environment import find_credentials
from seatlease.cli.fetching import fetch_usage
from seatlease.cli.options import OneLicenseKey, Url
from seatlease.cli.saying import explained, sentence_of
from seatlease.cli.usage_table import tables_of
from seatlease.errors import NotEntitled, SeatleaseError, SignInRequired

SHORTEST_INTERVAL_SECONDS = 2.0
"""Each refresh reads all sessions of the organization."""

_Json = Annotated[bool, typer.Option("--json", help="Print the service's answer as JSON, all pages in one.")]
_Watch = Annotated[bool, typer.Option("--watch", help="Refresh in place until Ctrl-C.")]
_Interval = Annotated[str, typer.Option(metavar="DURATION", help="How often --watch refreshes; at least 2s.")]


def usage(
    *,
    url: Url,
    license_key: OneLicenseKey = None,
    as_json: _Json = False,
    watch: _Watch = False,
    interval: _Interval = "5s",
) -> None:
    """Show the licenses and who holds their seats, as far as your role allows."""
    pause = duration(interval).total_seconds()
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
                live.update(Group(shown, Text(note)), refresh=True)
                time.sleep(pause_seconds)
    except KeyboardInterrupt:
        return

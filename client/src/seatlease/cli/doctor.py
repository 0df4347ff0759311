"""``seatlease doctor``: finds out why this machine gets no seat."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from seatlease.cli import exit_status
from seatlease.cli.checks import (
    Finding,
    check_address,
    check_device,
    check_emulator,
    check_keys,
    check_proxies,
    check_sharing,
    check_user,
)
from seatlease.cli.environment import HardwareId, OneLicenseKey, Url
from seatlease.cli.saying import explained, printable

_Json = Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")]


def doctor(
    *, url: Url, license_key: OneLicenseKey = None, hardware_id: HardwareId = None, as_json: _Json = False
) -> None:
    """Find out why there is no seat.

    It checks the address, the sign-in, the license and this machine. It takes no seat and shows no token.
    """
    with explained():
        findings = list(_findings(url, license_key, hardware_id))
    is_well = all(finding.status == "ok" for finding in findings)
    if as_json:
        typer.echo(json.dumps({"ok": is_well, "findings": [asdict(finding) for finding in findings]}, indent=2))
    else:
        show(Console(highlight=False), findings)
    raise typer.Exit(0 if is_well else exit_status.PROBLEM)


def _findings(url: str, license_key: str | None, hardware_id: str | None) -> Iterator[Finding]:
    address = asyncio.run(check_address(url))
    yield from address
    if len(address) > 1:  # it is the service: it told the time
        yield check_keys(url)
        yield from asyncio.run(check_user(url, license_key, hardware_id=hardware_id))
    yield from check_emulator(url)
    yield check_device(license_key, given=hardware_id)
    yield check_sharing()
    yield check_proxies(url)


def show(output: Console, findings: list[Finding]) -> None:
    for finding in findings:
        style = "green" if finding.status == "ok" else "bold red"
        beginning = Text.assemble((f"{finding.status:8}", style), f"{finding.name:9}")
        _show_line(output, beginning, printable(finding.says))
        if finding.advice:
            _show_line(output, Text(" " * len(beginning)), f"-> {finding.advice}")


def _show_line(output: Console, beginning: Text, says: str) -> None:
    """On a terminal, wrap at words, and begin each line where the first one begins. Elsewhere a line stays one."""
    if not output.is_terminal:
        output.print(beginning + Text(says), soft_wrap=True)
        return
    columns = Table.grid(Column(width=len(beginning)), Column(overflow="fold"))
    columns.add_row(beginning, Text(says))
    output.print(columns)

"""The judge's command line: ``python -m infra.judge --help``.

Exit status: 0 if every promise was kept, 1 if one was broken, 2 if the judge could not read.
"""

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console

from infra.doctor.database import EmulatorOption, end, opened
from infra.doctor.options import DatabaseOption, Environment, EnvironmentOption, ProjectOption, program
from infra.judge.extent import documents_to_read, organizations_of
from infra.judge.history import History
from infra.judge.reading import read_history
from infra.judge.report import as_json, judged, tell
from shared.documents.paths import can_be_document_id
from shared.firestore.client import Firestore

app = program("Check whether Seatlease kept its promises in a deployed project. Writes nothing.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What to read. No organizations means all of them."""

    organizations: tuple[str, ...]
    since: datetime | None
    imported_at: datetime | None


@app.command()
def judge_organizations(
    organization: Annotated[list[str] | None, typer.Argument(help="Organization ids.")] = None,
    *,
    project: ProjectOption,
    environment: EnvironmentOption = Environment.PRODUCTION,
    database: DatabaseOption = None,
    since: Annotated[
        datetime | None, typer.Option(help="Read only events after this time (UTC). Default: all.")
    ] = None,
    imported_at: Annotated[
        datetime | None, typer.Option(help="When an export was last imported into the database (UTC).")
    ] = None,
    everyone: Annotated[bool, typer.Option("--all", help="Judge every organization of the project.")] = False,
    only_count: Annotated[
        bool, typer.Option("--count", help="Only count the documents to read. Each read is billed.")
    ] = False,
    as_json_text: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    emulator_host: EmulatorOption = None,
) -> None:
    """Read the audit trails and documents of organizations, each at one instant, and report broken promises."""
    given = organization or []
    unusable = [each for each in given if not can_be_document_id(each)]
    if unusable:
        end(f"not a valid organization id: {', '.join(map(repr, unusable))}")
    if bool(given) == everyone:
        end("give organization ids, or --all")
    wanted = Wanted(organizations=tuple(given), since=_utc(since), imported_at=_utc(imported_at))
    with opened(project=project, environment=environment, database=database, emulator_host=emulator_host) as store:
        if only_count:
            sys.stdout.write(f"{asyncio.run(_count(store, wanted))} documents would be read\n")
            return
        histories = asyncio.run(_read(store, wanted))
    _insist_on_something(histories, project=project)
    found = [judged(history) for history in histories]
    if as_json_text:
        sys.stdout.write(as_json(found, project=project) + "\n")
    else:
        console = Console()
        for each in found:
            tell(each, console)
    if any(each.violations for each in found):
        raise typer.Exit(1)


async def _read(store: Firestore, wanted: Wanted) -> list[History]:
    return [
        await read_history(store, each, since=wanted.since, imported_at=wanted.imported_at)
        for each in wanted.organizations or await organizations_of(store)
    ]


async def _count(store: Firestore, wanted: Wanted) -> int:
    organizations = wanted.organizations or await organizations_of(store)
    return sum([await documents_to_read(store, each, since=wanted.since) for each in organizations])


def _insist_on_something(histories: Sequence[History], *, project: str) -> None:
    """Exit with an error if there is nothing to judge."""
    if not histories:
        end(f"there is no organization in {project}")
    for history in histories:
        if history.present is None or (history.present.organization is None and not history.events):
            end(f"there is no organization {history.organization_id} in {project}")


def _utc(given: datetime | None) -> datetime | None:
    return None if given is None else given.replace(tzinfo=UTC)

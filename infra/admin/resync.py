"""After a restore: have the functions look at every document that admins edit as if it had just been edited."""

import asyncio
import sys
from contextlib import closing
from typing import Annotated, NoReturn

import typer
from google.auth.exceptions import GoogleAuthError

from infra.doctor.database import EmulatorOption, connect
from infra.doctor.options import DatabaseOption, Environment, EnvironmentOption, ProjectOption
from shared.admin.resync import Resync, ResyncReport
from shared.documents.paths import OrganizationPaths, can_be_document_id
from shared.firestore.errors import DatabaseUnusable, StoreUnavailable


def resync(
    *,
    project: ProjectOption,
    organization: Annotated[str | None, typer.Option(help="Only this organization. Default: all.")] = None,
    environment: EnvironmentOption = Environment.PRODUCTION,
    database: DatabaseOption = None,
    per_second: Annotated[int, typer.Option(min=1, help="The most documents that are touched a second.")] = 50,
    emulator_host: EmulatorOption = None,
) -> None:
    """Have the functions look at every organization, license and user as if it had just been edited.

    Firestore calls no function for documents that are imported. The command may be repeated.
    """
    if organization is not None and not can_be_document_id(organization):
        _end(f"not a valid organization id: {organization!r}", status=2)
    paths = None if organization is None else OrganizationPaths(organization)
    try:
        with closing(
            connect(project=project, environment=environment, database=database, emulator_host=emulator_host)
        ) as store:
            report = asyncio.run(Resync(store).touch_all(paths, per_second=per_second))
    except (StoreUnavailable, DatabaseUnusable, GoogleAuthError) as error:
        _end(f"some documents may be left; run the command again: {error}", status=1)
    if report == ResyncReport():
        _end("there is no organization, license or user", status=2)
    sys.stdout.write(f"{report.documents_touched} documents touched. The functions look at each within seconds.\n")


def _end(problem: str, *, status: int) -> NoReturn:
    sys.stderr.write(f"{problem}\n")
    raise typer.Exit(status)

"""The Firestore database that an operator's program works on: of a project, or of an emulator."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import Annotated, Any, NoReturn

import grpc
import typer
from google.auth.exceptions import GoogleAuthError
from rich.console import Console

from infra.doctor.project import ANSWER_WITHIN_SECONDS, Project, database_of, firestore_host_of
from shared.firestore.client import Firestore
from shared.firestore.errors import DatabaseUnusable, StoreError

EmulatorOption = Annotated[
    str | None, typer.Option(hidden=True, envvar="FIRESTORE_EMULATOR_HOST", help="HOST:PORT of an emulator.")
]

_PAGE_WITHIN = timedelta(seconds=60)
_problems = Console(stderr=True)


@contextmanager
def opened(*, project: str, environment: str, database: str | None, emulator_host: str | None) -> Iterator[Firestore]:
    """Connect to the database. If it does not answer or refuses, end the program with a message and status 2."""
    try:
        with closing(
            connect(project=project, environment=environment, database=database, emulator_host=emulator_host)
        ) as firestore:
            yield firestore
    except (StoreError, DatabaseUnusable, GoogleAuthError) as error:
        end(f"could not use the database: {error}{'' if error.__cause__ is None else f' ({error.__cause__})'}")
    except grpc.RpcError as error:
        end(f"could not use the database: {_told_by(error)}")


def connect(*, project: str, environment: str, database: str | None, emulator_host: str | None) -> Firestore:
    """Connect to this database or the environment's own, where the functions call it."""
    return Firestore(
        project=project,
        database=database or database_of(environment),
        host=firestore_host_of(environment),
        emulator_host=emulator_host,
        answer_within=_PAGE_WITHIN,
    )


def firestore_of(project: Project) -> Firestore:
    """Connect to the database of a deployed project."""
    return Firestore(
        project=project.project,
        database=project.database,
        host=firestore_host_of(project.environment),
        emulator_host=project.endpoints.get("firestore-data"),
        answer_within=timedelta(seconds=ANSWER_WITHIN_SECONDS),
    )


def end(problem: str, *, status: int = 2) -> NoReturn:
    """Print a problem and end the program."""
    _problems.print(problem, highlight=False, markup=False, soft_wrap=True)
    raise typer.Exit(status)


def _told_by(error: Any) -> str:  # noqa: ANN401 the raised object is an error and a call at once
    return f"{error.code().name}: {error.details()}"

"""After a restore: have the functions look at every document that admins edit as if it had just been edited."""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from functools import partial
from typing import Annotated

import typer
from google.auth.exceptions import GoogleAuthError

from infra.doctor.database import EmulatorOption, connect, end
from infra.doctor.options import DatabaseOption, Environment, EnvironmentOption, ProjectOption
from shared.admin.resync import EDITED, PAGE, Resync, target_of
from shared.documents import queries
from shared.documents.organizations import walk
from shared.documents.paths import OrganizationPaths, can_be_document_id
from shared.firestore.client import Document, Firestore
from shared.firestore.errors import DatabaseUnusable, StoreUnavailable
from shared.firestore.retry import read_with_retry


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
        end(f"not a valid organization id: {organization!r}")
    paths = None if organization is None else OrganizationPaths(organization)
    try:
        with closing(
            connect(project=project, environment=environment, database=database, emulator_host=emulator_host)
        ) as store:
            touched = asyncio.run(touch_all(store, paths, per_second=per_second))
    except (StoreUnavailable, DatabaseUnusable, GoogleAuthError) as error:
        end(f"some documents may be left; run the command again: {error}", status=1)
    if not touched:
        end("there is no organization, license or user")
    sys.stdout.write(f"{touched} documents touched. The functions look at each within seconds.\n")


async def touch_all(store: Firestore, organization: OrganizationPaths | None, *, per_second: int) -> int:
    """Touch every document that admins edit, of one organization or of all, and say how many there are."""
    touched = 0
    for collection in EDITED:
        async for page in _pages(store, organization, collection):
            documents = [document for document in page if target_of(document) is not None]
            touched += len(documents)
            for begin in range(0, len(documents), per_second):
                await Resync(store).touch(documents[begin : begin + per_second])
                # Each touch calls a function. Firestore delivers the events at its own pace, so this only spreads.
                await asyncio.sleep(1 if begin + per_second < len(documents) else 0)
    return touched


async def _pages(
    store: Firestore, organization: OrganizationPaths | None, collection: str
) -> AsyncIterator[Sequence[Document]]:
    if organization is None:
        async for page in walk(store, queries.all_documents(collection, limit=PAGE)):
            yield page
    elif collection == "organizations":
        stored = await read_with_retry(partial(store.read, [organization.organization]))
        yield [each for each in stored.documents.values() if each is not None]
    else:
        query = queries.all_documents(collection, everywhere=False)
        yield await read_with_retry(partial(store.select, organization.organization, query))

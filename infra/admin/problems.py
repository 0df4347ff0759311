"""``problems``: what is wrong with the documents that admins edit, in all organizations or one. Writes nothing.

It also lists the open sessions that cannot be read since an admin edited them: no function can end them.

It reads each of these documents. An index over ``problems`` would serve no exact answer: Firestore cuts the values of
an index at 1,500 bytes, and a list of problems may be longer.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated

import typer

from infra.admin.erasure import pages
from infra.doctor.database import EmulatorOption, end, opened
from infra.doctor.options import DatabaseOption, Environment, EnvironmentOption, ProjectOption
from shared.documents import queries
from shared.documents.organizations import walk
from shared.documents.paths import OrganizationPaths, can_be_document_id
from shared.documents.reading import FIELDS_OF_A_TENURE, session_from
from shared.firestore.client import ALL_ORGANIZATIONS, Document, Firestore
from shared.firestore.query import Query
from shared.firestore.retry import read_with_retry
from shared.rules.refusal import Unusable
from shared.rules.review import Level

_COLLECTIONS = ("organizations", "licenses", "users")
_FIELD = "problems"
_PAGE = 1_000


@dataclass(frozen=True, kw_only=True, slots=True)
class _Scan:
    """What the documents say of themselves. ``lines`` are (is no error, path, text): sorted, errors come first."""

    documents_read: int
    lines: Sequence[tuple[bool, str, str]]
    not_looked_at: int


def problems(
    *,
    project: ProjectOption,
    organization: Annotated[
        str | None, typer.Option(metavar="ID", help="Only this organization. Default: all.")
    ] = None,
    environment: EnvironmentOption = Environment.PRODUCTION,
    database: DatabaseOption = None,
    with_notices: Annotated[bool, typer.Option("--all", help="List the notices too, behind the errors.")] = False,
    only_count: Annotated[
        bool, typer.Option("--count", help="Only count the documents to read. Each read is billed.")
    ] = False,
    emulator_host: EmulatorOption = None,
) -> None:
    """List every document that has problems, and every session that nothing can end, errors first."""
    if organization is not None and not can_be_document_id(organization):
        end(f"not a valid organization id: {organization!r}")
    paths = None if organization is None else OrganizationPaths(organization)
    with opened(project=project, environment=environment, database=database, emulator_host=emulator_host) as firestore:
        if only_count:
            sys.stdout.write(f"{asyncio.run(_count(firestore, paths))} documents would be read\n")
            return
        scan = asyncio.run(_scan(firestore, paths))
    if not scan.documents_read:
        end(f"there is no such organization, license or user in {project}")
    errors = [each for each in scan.lines if not each[0]]
    notices = len(scan.lines) - len(errors)
    for is_notice, path, text in scan.lines if with_notices else errors:
        sys.stdout.write(f"{Level.NOTICE if is_notice else Level.ERROR}  {path}  {text}\n")
    hidden = " (--all lists them)" if notices and not with_notices else ""
    sys.stdout.write(f"{scan.documents_read} documents read. Errors: {len(errors)}. Notices: {notices}{hidden}\n")
    if scan.not_looked_at:
        sys.stdout.write(f"Documents that no function has looked at yet: {scan.not_looked_at}\n")
    if errors:
        raise typer.Exit(1)


async def _count(firestore: Firestore, paths: OrganizationPaths | None) -> int:
    at = await firestore.now()
    sessions = replace(_open_sessions(paths), limit=None)
    if paths is None:
        everywhere = [*map(queries.all_documents, _COLLECTIONS), sessions]
        return sum([await firestore.count(ALL_ORGANIZATIONS, query, at=at) for query in everywhere])
    below = [*(queries.all_documents(each, everywhere=False) for each in _COLLECTIONS[1:]), sessions]
    return 1 + sum([await firestore.count(paths.organization, query, at=at) for query in below])


async def _scan(firestore: Firestore, paths: OrganizationPaths | None) -> _Scan:
    documents_read, not_looked_at, lines = 0, 0, []
    async for page in _pages(firestore, paths):
        documents_read += len(page)
        for document in page:
            found = document.fields.get(_FIELD)
            if isinstance(found, list):
                lines += [_line(document.path, each) for each in found if isinstance(each, Mapping)]
            else:
                not_looked_at += 1
    async for page in _found(firestore, paths, _open_sessions(paths)):
        open_ = [each for each in page if _is_ours(each.path, "sessions")]
        documents_read += len(open_)
        lines += [_unreadable(read) for each in open_ if isinstance(read := session_from(each), Unusable)]
    return _Scan(documents_read=documents_read, lines=sorted(lines), not_looked_at=not_looked_at)


def _line(path: str, problem: Mapping[str, object]) -> tuple[bool, str, str]:
    text = f"{problem.get('field')}: {problem.get('found')}. Expected: {problem.get('expected')}"
    return problem.get("level") != Level.ERROR, path, text


def _unreadable(session: Unusable) -> tuple[bool, str, str]:
    way_out = "no function can end this session, and it keeps its seat. Delete its document, or correct it"
    return False, session.document_path, f"{', '.join(session.fields)}: cannot be read. Expected: {way_out}"


async def _pages(firestore: Firestore, paths: OrganizationPaths | None) -> AsyncIterator[list[Document]]:
    for collection in _COLLECTIONS:
        query = queries.all_documents(collection, everywhere=paths is None, limit=_PAGE)
        if paths is not None and collection == "organizations":
            stored = await read_with_retry(partial(firestore.read, [paths.organization], only_fields=(_FIELD,)))
            yield [each for each in stored.documents.values() if each is not None]
            continue
        async for page in _found(firestore, paths, replace(query, only_fields=(_FIELD,))):
            yield [each for each in page if _is_ours(each.path, collection)]


def _open_sessions(paths: OrganizationPaths | None) -> Query:
    query = queries.open_everywhere(limit=_PAGE)
    return replace(query, everywhere=paths is None, only_fields=FIELDS_OF_A_TENURE)


def _found(firestore: Firestore, paths: OrganizationPaths | None, query: Query) -> AsyncIterator[list[Document]]:
    return walk(firestore, query) if paths is None else pages(firestore, paths, query)


def _is_ours(path: str, collection: str) -> bool:
    """Whether it is a document of ours: another program of the project may have a collection of this name."""
    if collection == "organizations":
        return OrganizationPaths.of_organization(path) is not None
    located = OrganizationPaths.of(path)
    return located is not None and located.collection == collection

"""``find``: a license by its key, or a person by e-mail address or UID, in all organizations. Writes nothing."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated

import typer

from infra.doctor.database import EmulatorOption, end, opened
from infra.doctor.options import DatabaseOption, Environment, EnvironmentOption, ProjectOption
from shared.documents import queries
from shared.documents.organizations import by_organization, walk
from shared.documents.paths import OrganizationPaths, can_be_document_id
from shared.documents.policy import Policy
from shared.documents.reading import license_from, organization_from, session_from, user_from
from shared.documents.writing import Retention
from shared.firestore.client import ALL_ORGANIZATIONS, Document, Firestore
from shared.firestore.query import Query
from shared.firestore.retry import read_with_retry
from shared.rules.refusal import Unusable
from shared.rules.session import Session, is_live
from shared.rules.usage import status_of

_PAGE = 100
_NO_TIME = timedelta(0)
_NO_POLICY = Policy(
    default_lease_for=_NO_TIME,
    default_grace_for=_NO_TIME,
    answer_within=_NO_TIME,
    retention=Retention(sessions_for=_NO_TIME, audit_events_for=_NO_TIME),
)
"""The status of a license depends on none of it."""


def find(
    key_or_address: Annotated[
        str, typer.Argument(metavar="KEY_OR_ADDRESS", help="A license key, an e-mail address or a UID.")
    ],
    *,
    project: ProjectOption,
    environment: EnvironmentOption = Environment.PRODUCTION,
    database: DatabaseOption = None,
    emulator_host: EmulatorOption = None,
) -> None:
    """Find a license by its key, or a person by e-mail address or UID, in all organizations."""
    wanted = key_or_address.strip()
    if not wanted:
        end("give a license key, an e-mail address or a UID")
    with opened(project=project, environment=environment, database=database, emulator_host=emulator_host) as firestore:
        told = asyncio.run(_told(firestore, wanted))
    if not told:
        end(f"no organization of {project} has it", status=1)
    sys.stdout.write("".join(f"{line}\n" for line in told))


async def _told(firestore: Firestore, wanted: str) -> list[str]:
    now = (await read_with_retry(firestore.now)).now
    licenses = await _all(firestore, queries.licenses_with_key_everywhere(wanted, limit=_PAGE))
    users = await _users(firestore, wanted)
    of_organization = {**by_organization(licenses, collection="licenses"), **by_organization(users, collection="users")}
    known = await _read(firestore, [paths.organization for paths in of_organization])
    told = []
    for paths, found in by_organization(licenses, collection="licenses").items():
        for each in found:
            told += [each.path, _organization(known, paths), f"  license: {_license(each, now=now)}"]
    for paths, found in by_organization(users, collection="users").items():
        for each in found:
            told += [each.path, _organization(known, paths), f"  user: {_user(each)}"]
            told += [f"  session: {line}" async for line in _open_sessions(firestore, paths, each, now=now)]
    return told


async def _all(firestore: Firestore, query: Query) -> list[Document]:
    return [document async for page in walk(firestore, query) for document in page]


async def _read(firestore: Firestore, paths: Iterable[str]) -> Mapping[str, Document]:
    wanted = sorted(set(paths))
    stored = (await read_with_retry(partial(firestore.read, wanted))).documents if wanted else {}
    return {path: document for path, document in stored.items() if document is not None}


async def _users(firestore: Firestore, wanted: str) -> list[Document]:
    """Find the user's documents: by the address in ``email``, and by the id, which may be an address too.

    A document in another organization may have the same id, and no address.
    """
    spellings = {wanted, wanted.lower()}
    found = await _all(firestore, queries.users_with_email_everywhere(sorted(spellings), limit=_PAGE))
    listed = set()
    for user_id in sorted(spellings | {each.document_id for each in found}):
        if can_be_document_id(user_id):
            select = partial(firestore.select, ALL_ORGANIZATIONS, queries.reviews_of_user(user_id))
            places = [OrganizationPaths.of(record.path) for record in await read_with_retry(select)]
            listed |= {place.paths.user(user_id) for place in places if place is not None}
    also = await _read(firestore, listed - {each.path for each in found})
    return sorted([*found, *also.values()], key=lambda each: each.path)


def _organization(known: Mapping[str, Document], paths: OrganizationPaths) -> str:
    organization = organization_from(known.get(paths.organization))
    if organization is None:
        state = "has no document"
    elif isinstance(organization, Unusable):
        state = _unusable(organization)
    else:
        state = f"{'active' if organization.is_active else 'inactive'}, {organization.name!r}"
    return f"  organization: {paths.organization_id}, {state}"


def _license(document: Document, *, now: datetime) -> str:
    license_ = license_from(document, _NO_POLICY)
    if license_ is None or isinstance(license_, Unusable):
        return _unusable(license_)
    ends = "no end" if license_.expires_at is None else f"ends {_time(license_.expires_at)}"
    begins = "" if license_.starts_at is None else f"begins {_time(license_.starts_at)}, "
    return f"{status_of(license_, now=now)}, {license_.max_concurrent_seats} seats, {begins}{ends}, {license_.name!r}"


def _user(document: Document) -> str:
    user = user_from(document)
    if user is None or isinstance(user, Unusable):
        return _unusable(user)
    groups = f", groups {' '.join(user.groups)}" if user.groups else ""
    return f"{'active' if user.is_active else 'inactive'}, {user.role}, {user.email or 'no e-mail address'}{groups}"


async def _open_sessions(
    firestore: Firestore, paths: OrganizationPaths, user: Document, *, now: datetime
) -> AsyncIterator[str]:
    query = queries.page_of_sessions(None, user_id=user.document_id, limit=_PAGE)
    for document in await read_with_retry(partial(firestore.select, paths.organization, query)):
        session = session_from(document)
        if isinstance(session, Session):
            held = "holds a seat" if is_live(session, now=now) else "lapsed"
            device = f"license {session.license_id}, device {session.hardware_id!r}"
            yield f"{document.document_id}, {held}, {device}, since {_time(session.started_at)}"
        else:
            yield f"{document.document_id}, {_unusable(session)}"


def _unusable(read: Unusable | None) -> str:
    fields = "" if read is None else f": {', '.join(read.fields)}"
    return f"misconfigured{fields}"


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"

"""Members: the users of an organization as an owner or admin sees them, and changes of a user."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from shared.documents import queries
from shared.documents.paths import OrganizationPaths
from shared.documents.policy import Policy
from shared.documents.reading import invitation_from, organization_from, user_from
from shared.documents.remembering import remembered
from shared.documents.writing import audit_event_write, changed_user_write, reported_change_write
from shared.firestore.client import Document, Firestore, ReadTime
from shared.firestore.group_commit import Answered
from shared.firestore.query import Cursor
from shared.firestore.retry import retry_until
from shared.firestore.values import Plain, decode_time
from shared.firestore.writes import Update, Write
from shared.rules.admission import MAX_INVITATIONS, Invitation
from shared.rules.audit import AuditType, edited
from shared.rules.members import (
    DENIALS_FOR,
    Changed,
    ChangeRefusal,
    Changing,
    Member,
    MemberChange,
    Members,
    MembersOutcome,
    change,
)
from shared.rules.refusal import Unusable, refuse_manager
from shared.rules.user import Role, User

_IN_ONE_QUERY = 30
"""The most values that Firestore takes in one ``in``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MembersRequest:
    """A caller's request for a page of users."""

    user_id: str
    page_size: int
    after: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangeRequest:
    """A caller's request to change a user."""

    user_id: str
    changed_id: str
    change: MemberChange


class People:
    """The users of all organizations."""

    def __init__(self, firestore: Firestore, policy: Policy) -> None:
        self._firestore = firestore
        self._policy = policy

    async def members(self, organization_id: str, request: MembersRequest) -> Answered[MembersOutcome]:
        """Report a page of users, all of one instant; on the first page also the open invitations.

        Each user costs a read for the latest session, one for the denials, and one for each seat in use.

        Raises:
            StoreUnavailable: Until the deadline, Firestore did not answer.
        """
        attempt = partial(self._members, OrganizationPaths(organization_id), request)
        message = "the users could not be read in time; asking again is safe"
        return await retry_until(attempt, within=self._policy.answer_within, otherwise=message)

    async def change(self, organization_id: str, request: ChangeRequest) -> Answered[Member | ChangeRefusal]:
        """Change a user. Asking again is safe.

        ``sync_user_claims`` sees the change, and ends the sessions of a user who may hold no seat any more.

        Raises:
            StoreUnavailable: Until the deadline, Firestore did not answer or other writes came first.
        """
        attempt = partial(self._change, OrganizationPaths(organization_id), request)
        message = "a user could not be changed in time; asking again is safe"
        return await retry_until(attempt, within=self._policy.answer_within, otherwise=message)

    async def _members(self, paths: OrganizationPaths, request: MembersRequest) -> Answered[MembersOutcome]:
        snapshot = await self._firestore.read([paths.organization, paths.user(request.user_id)])
        at = snapshot.at
        organization = organization_from(snapshot.documents[paths.organization])
        caller = user_from(snapshot.documents[paths.user(request.user_id)])
        if (refusal := refuse_manager(organization=organization, user=caller)) is not None:
            return Answered(outcome=refusal, now=at.now)
        after = None if request.after is None else Cursor(path=paths.user(request.after))
        query = queries.page_of_users(limit=request.page_size, after=after)
        page = await self._firestore.select(paths.organization, query, at=at)
        described, invitations = await asyncio.gather(
            self._described(paths, page, at), self._invitations(paths, at) if after is None else _none()
        )
        report = Members(
            members=described,
            invitations=invitations,
            next_page=page[-1].document_id if len(page) == request.page_size else None,
        )
        return Answered(outcome=report, now=at.now)

    async def _invitations(self, paths: OrganizationPaths, at: ReadTime) -> Sequence[Invitation]:
        query = queries.open_invitations(now=at.now, limit=MAX_INVITATIONS)
        found = await self._firestore.select(paths.organization, query, at=at)
        return [invitation for each in found if (invitation := invitation_from(each)) is not None]

    async def _described(self, paths: OrganizationPaths, users: Sequence[Document], at: ReadTime) -> list[Member]:
        ids = [each.document_id for each in users]
        some = [ids[first : first + _IN_ONE_QUERY] for first in range(0, len(ids), _IN_ONE_QUERY)]
        pages, latest, denials = await asyncio.gather(
            asyncio.gather(
                *(
                    self._firestore.select(paths.organization, queries.open_sessions_of_users(each), at=at)
                    for each in some
                )
            ),
            asyncio.gather(
                *(self._firestore.select(paths.organization, queries.latest_session_of(each), at=at) for each in ids)
            ),
            asyncio.gather(
                *(
                    self._firestore.count(
                        paths.organization, queries.denials_of(each, since=at.now - DENIALS_FOR), at=at
                    )
                    for each in ids
                )
            ),
        )
        held = Counter(each.fields.get("user_id") for page in pages for each in page if _holds_a_seat(each, now=at.now))
        return [
            _member(document, seats=held[document.document_id], latest=sessions, denials=denied)
            for document, sessions, denied in zip(users, latest, denials, strict=True)
        ]

    async def _change(self, paths: OrganizationPaths, request: ChangeRequest) -> Answered[Member | ChangeRefusal]:
        changed, record_path = paths.user(request.changed_id), paths.review("users", request.changed_id)
        snapshot = await self._firestore.read([paths.organization, paths.user(request.user_id), changed, record_path])
        stored, at = snapshot.documents, snapshot.at
        owners = await self._firestore.select(paths.organization, queries.owners(), at=at)
        other_owner = next((each for each in owners if each.path != changed and _is_active(each)), None)
        standing = Changing(
            organization=organization_from(stored[paths.organization]),
            caller=user_from(stored[paths.user(request.user_id)]),
            user=user_from(stored[changed]),
            has_other_owner=other_owner is not None,
        )
        outcome = change(standing, request.change)
        document = stored[changed]
        if not isinstance(outcome, Changed):
            return Answered(outcome=outcome, now=at.now)
        assert document is not None  # noqa: S101 the user was read from it; for the type checker
        if outcome.user != outcome.before:
            writes = self._writes(paths, outcome, document, stored[record_path], actor=request.user_id, now=at.now)
            if outcome.took_owner and other_owner is not None:
                # It changes nothing. But if that owner stops to be one at the same time, this commit fails.
                owner: dict[str, Plain] = {"role": Role.OWNER.value}
                writes.append(Update(path=other_owner.path, fields=owner, unchanged_since=other_owner.update_time))
            await self._firestore.commit(writes)
        (member,) = await self._described(paths, [document], at)
        return Answered(outcome=replace(member, user=outcome.user), now=at.now)

    def _writes(  # noqa: PLR0913 each is named at the call
        self,
        paths: OrganizationPaths,
        changed: Changed,
        document: Document,
        record: Document | None,
        *,
        actor: str,
        now: datetime,
    ) -> list[Write]:
        write = changed_user_write(document, before=changed.before, after=changed.user)
        before = {name: remembered(document.fields[name]) for name in write.fields if name in document.fields}
        after = {name: remembered(value) for name, value in write.fields.items()}
        event = edited(AuditType.USER_EDITED, changed.user.user_id, at=now, before=before, after=after, actor=actor)
        reported = reported_change_write(record, write.fields)
        written: list[Write] = [write, audit_event_write(event, paths, self._policy.retention)]
        return written if reported is None else [*written, reported]


async def _none() -> Sequence[Invitation]:
    return ()


def _is_active(owner: Document) -> bool:
    user = user_from(owner)
    return isinstance(user, User) and user.is_active


def _holds_a_seat(session: Document, *, now: datetime) -> bool:
    until = session.fields.get("lease_expires_at")
    return isinstance(until, datetime) and now < until


def _member(document: Document, *, seats: int, latest: Sequence[Document], denials: int) -> Member:
    user = user_from(document)
    assert isinstance(user, User | Unusable)  # noqa: S101 the document is there; for the type checker
    began = latest[0].fields.get("started_at") if latest else None
    return Member(
        user_id=document.document_id,
        user=user,
        created_at=decode_time(document.create_time),
        seats_in_use=seats,
        last_seat_at=began if isinstance(began, datetime) else None,
        denials=denials,
    )

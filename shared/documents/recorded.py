"""Reads what the history of a license is counted from: the trail, the sessions that are open, and the line."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from pydantic import ValidationError

from shared.documents.forms import LicenseDocument, RecordedDocument
from shared.firestore.client import Document
from shared.rules.audit import ENDS, AuditType, EditKind, whole_seconds
from shared.rules.denial import WINDOW_FOR
from shared.rules.history import BorrowSeen, CapChange, Records, RefusalSeen, TenureSeen, WaitSeen
from shared.rules.license import License
from shared.rules.line import PlaceInLine
from shared.rules.refusal import Unusable
from shared.rules.session import Session

RECORDED = tuple(
    sorted({*ENDS, AuditType.BORROWED, AuditType.DENIED, AuditType.QUEUED, AuditType.GAVE_UP, AuditType.LICENSE_EDITED})
)
"""The events that a history is counted from. No grant is needed: an end names the start of its tenure."""

FIELDS_OF_RECORDED = (
    "at",
    "type",
    "license_id",
    "session_id",
    "user_id",
    *(
        f"details.{name}"
        for name in (
            "started_at",
            "last_heartbeat_at",
            "lease_expires_at",
            "borrowed_until",
            "last_attempt_at",
            "since",
            "waited_seconds",
            "edit",
            "changes",
        )
    ),
)

_CAP = "max_concurrent_seats"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Collected:
    """The records of a license, while they are collected."""

    tenures: list[TenureSeen] = field(default_factory=list)
    borrows: list[BorrowSeen] = field(default_factory=list)
    refusals: list[RefusalSeen] = field(default_factory=list)
    waits: list[WaitSeen] = field(default_factory=list)
    cap_changes: list[CapChange] = field(default_factory=list)


class Recorded:
    """Collects the records of an organization, by license. An event that was edited by hand is left out."""

    def __init__(self) -> None:
        self._collected: dict[str, _Collected] = {}

    def add_events(self, events: Iterable[Document]) -> None:
        for document in events:
            try:
                event = RecordedDocument.model_validate(document.fields)
            except ValidationError:
                continue
            self._add(event)

    def add_open(self, sessions: Iterable[Session | Unusable | None]) -> None:
        for each in sessions:
            if isinstance(each, Session):
                self._of(each.license_id).tenures.append(_open_tenure(each))

    def add_line(self, places: Iterable[PlaceInLine | None]) -> None:
        for each in places:
            if each is not None:
                # As an event tells it when the place is given up: in whole seconds.
                until = each.since + timedelta(seconds=whole_seconds(each.counts_until - each.since))
                wait = WaitSeen(session_id=each.session_id, user_id=each.user_id, since=each.since, until=until)
                self._of(each.license_id).waits.append(wait)

    def records(self, licenses: Mapping[str, License | Unusable]) -> Mapping[str, Records]:
        """The records of each license that is there, or of which something is recorded."""
        return {license_id: self._records(license_id, licenses) for license_id in {*licenses, *self._collected}}

    def _records(self, license_id: str, licenses: Mapping[str, License | Unusable]) -> Records:
        found, license_ = self._of(license_id), licenses.get(license_id)
        return Records(
            tenures=found.tenures,
            borrows=found.borrows,
            refusals=found.refusals,
            waits=found.waits,
            cap_changes=found.cap_changes,
            seats=license_.max_concurrent_seats if isinstance(license_, License) else None,
        )

    def _of(self, license_id: str) -> _Collected:
        return self._collected.setdefault(license_id, _Collected())

    def _add(self, event: RecordedDocument) -> None:
        found, told = self._of(event.license_id), event.details
        if event.type is AuditType.LICENSE_EDITED:
            found.cap_changes.extend(_cap_changes(event))
            return
        session_id, user_id = event.session_id, event.user_id
        if session_id is None or user_id is None:
            return
        if event.type in ENDS and told.started_at is not None:
            found.tenures.append(
                TenureSeen(
                    session_id=session_id,
                    user_id=user_id,
                    started_at=told.started_at,
                    last_heartbeat_at=told.last_heartbeat_at,
                    lease_expires_at=told.lease_expires_at,
                    ended_at=event.at,
                )
            )
        elif event.type is AuditType.BORROWED and told.started_at is not None and told.borrowed_until is not None:
            found.borrows.append(
                BorrowSeen(session_id=session_id, started_at=told.started_at, at=event.at, until=told.borrowed_until)
            )
        elif event.type is AuditType.DENIED and told.last_attempt_at is not None:
            refusal = RefusalSeen(
                session_id=session_id,
                user_id=user_id,
                at=event.at,
                last_attempt_at=told.last_attempt_at,
                complete_at=event.at + WINDOW_FOR,
            )
            found.refusals.append(refusal)
        elif event.type in {AuditType.QUEUED, AuditType.GAVE_UP} and told.since is not None:
            waited = None if told.waited_seconds is None else timedelta(seconds=told.waited_seconds)
            until = None if waited is None else told.since + waited
            found.waits.append(WaitSeen(session_id=session_id, user_id=user_id, since=told.since, until=until))


def _open_tenure(session: Session) -> TenureSeen:
    return TenureSeen(
        session_id=session.session_id,
        user_id=session.user_id,
        started_at=session.started_at,
        last_heartbeat_at=session.last_heartbeat_at,
        lease_expires_at=session.lease_expires_at,
        ended_at=None,
    )


def _cap_changes(event: RecordedDocument) -> Iterator[CapChange]:
    """What an edit tells of the cap before it. A cap that was left out had its default."""
    default = LicenseDocument.model_fields[_CAP].get_default()
    change = next((each for each in event.details.changes if each.field == _CAP), None)
    if event.details.edit is EditKind.CREATED:
        yield CapChange(at=event.at, before=None)
    elif change is not None:
        yield CapChange(at=event.at, before=default if change.before is None else _whole_number(change.before))
    elif event.details.edit is EditKind.DELETED:
        yield CapChange(at=event.at, before=default)


def _whole_number(told: str) -> int | None:
    """The cap in JSON; ``None`` if it was no possible one."""
    try:
        cap = json.loads(told)
    except ValueError:
        return None
    return cap if isinstance(cap, int) and not isinstance(cap, bool) and cap >= 0 else None

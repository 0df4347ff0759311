"""No user was given a seat of a license that an owner or admin kept them out of.

::

    revocation   read .. commit |------------- kept out --------------| until
    grants            ^ read                ^ read: a violation         ^ read

A grant that was read before the revocation's commit may be committed after it. An admin may remove the entry by hand.
If edits were not noted, the trail tells only that somebody edited it: then nothing that follows is a violation.
"""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime

from infra.judge.history import Event, History
from infra.judge.tenure import ALWAYS, moment
from infra.judge.terms import time_of
from infra.judge.violation import Kind, Violation
from shared.rules.audit import ERASED, AuditType, EditKind

_FIELD = "kept_out"


def violations(history: History) -> Iterator[Violation]:
    """Check each grant."""
    revoked: dict[tuple[str | None, str | None], list[Event]] = defaultdict(list)
    for event in sorted(history.events, key=moment):
        if event.type == AuditType.REVOKED and isinstance(event.details.get("kept_out_until"), datetime):
            revoked[event.license_id, event.user_id].append(event)
    edited = _edited(history)
    for grant in history.events:
        if grant.type != AuditType.ACQUIRED or grant.committed_at is None or grant.user_id == ERASED:
            continue
        read_at, decided_by = time_of(grant)
        before = [each for each in revoked[grant.license_id, grant.user_id] if moment(each) <= read_at]
        if not before:
            continue
        # The last one counts. Of one commit nobody knows which was the last.
        since = moment(before[-1])
        until = min(each.details["kept_out_until"] for each in before if moment(each) == since)
        if read_at < until and not any(
            since <= latest and earliest <= decided_by for earliest, latest in edited[grant.user_id]
        ):
            yield Violation(
                kind=Kind.GRANTED_WHILE_KEPT_OUT,
                organization_id=history.organization_id,
                at=read_at,
                message=f"{grant.user_id} was granted a seat of {grant.license_id}, but was kept out until {until}",
                events=(before[-1], grant),
                is_certain=history.edits is not None,
            )


def _edited(history: History) -> dict[str | None, list[tuple[datetime, datetime]]]:
    """By user: between when and when an admin may have changed until when the user is kept out."""
    found: dict[str | None, list[tuple[datetime, datetime]]] = defaultdict(list)
    for edit in history.edits or ():
        if edit.collection == "users" and (edit.fields is None or _FIELD in edit.fields):
            found[edit.document_id].append((edit.at, edit.not_after or edit.at))
    for event in history.events if history.edits is None else ():
        if event.type == AuditType.USER_EDITED and _is_told(event):
            found[event.user_id].append((ALWAYS, moment(event)))
    return found


def _is_told(edited: Event) -> bool:
    """Whether an edit of a user may have changed until when the user is kept out."""
    changes = edited.details.get("changes", ())
    is_whole = edited.details.get("edit") != EditKind.CHANGED
    return is_whole or any(each["field"] == _FIELD for each in changes)

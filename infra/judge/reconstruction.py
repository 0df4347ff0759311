"""The tenures of a history, put together from events, sessions, and what admins did or may have done.

An end by the functions has one time, its commit. An end by an admin is audited later, when a function notices it. Its
time is known if the edit was noted. If edits were not noted, a session that an admin may have changed is never
certainly open.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from infra.judge.admin_edits import AdminEdits
from infra.judge.history import Event, History, Stored
from infra.judge.soundness import only
from infra.judge.tenure import ALWAYS, NEVER, Tenure, is_open, moment, started_at_of
from shared.rules.audit import CONSOLE, ENDS, AuditType
from shared.rules.denial import SETTLES_FOR


def tenures_of(history: History) -> tuple[Tenure, ...]:
    """Group the trail by tenure. Add tenures from sessions whose start is no longer in the trail."""
    told: dict[tuple[str, datetime], list[Event]] = defaultdict(list)
    for event in history.events:
        if (started_at := started_at_of(event)) is not None and event.session_id is not None:
            told[event.session_id, started_at].append(event)
    sessions: dict[tuple[str, datetime], Stored] = {}
    for session in history.present.sessions if history.present else ():
        if isinstance(started_at := session.fields.get("started_at"), datetime):
            sessions[session.document_id, started_at] = session
    admin_edits = AdminEdits(history.edits)
    found = [_told(key, events, sessions.get(key), admin_edits, history) for key, events in told.items()]
    found += [
        _untold(key, stored, admin_edits, history)
        for key, stored in sessions.items()
        if key not in told and is_open(stored)
    ]
    return tuple(sorted(found, key=lambda tenure: (tenure.opens_at, tenure.started_at, tenure.session_id)))


def _told(
    key: tuple[str, datetime],
    events: Sequence[Event],
    session: Stored | None,
    admin_edits: AdminEdits,
    history: History,
) -> Tenure:
    session_id, started_at = key
    starts = tuple(event for event in events if event.type == AuditType.ACQUIRED)
    ends = tuple(sorted((event for event in events if event.type in ENDS), key=moment))
    borrows = (event for event in events if event.type == AuditType.BORROWED)
    began_before = _began_before(started_at, history)
    opens_at = min(map(moment, starts), default=started_at)
    told = (*starts, *ends, *events)[0]
    tenure = Tenure(
        session_id=session_id,
        license_id=told.license_id or "",
        user_id=told.user_id or "",
        hardware_id=told.hardware_id or "",
        started_at=started_at,
        starts=starts,
        ends=ends,
        borrows=tuple(sorted(borrows, key=lambda event: (moment(event), event.grant_number or 0))),
        session=session,
        opens_from=opens_at if starts or began_before else ALWAYS,
        opens_at=opens_at,
        closes_from=max(opens_at, min(map(moment, ends), default=NEVER)),
        # An imported event has only the time of the decision. Its commit followed within this time.
        closes_by=min((event.committed_at or _later(event.at) for event in ends), default=NEVER),
        began_before=began_before,
    )
    return _as_noted(tenure, admin_edits) if admin_edits.known else _as_nobody_noted(tenure, history)


def _later(at: datetime) -> datetime:
    return at + min(SETTLES_FOR, NEVER - at)


def _as_noted(tenure: Tenure, admin_edits: AdminEdits) -> Tenure:
    changed_at = admin_edits.changed_since(tenure.session_id)
    if changed_at is not None and changed_at < tenure.closes_by:
        certain_until = max(tenure.opens_at, min(tenure.closes_from, changed_at))
        return replace(tenure, closes_from=certain_until, closes_by=NEVER, is_changed=True)
    if changed_at is not None:  # the session may have been reopened
        return replace(tenure, closes_by=NEVER, is_changed=True)
    hand = admin_edits.end(tenure.session_id, since=max(tenure.opens_at, tenure.started_at), before=tenure.closes_by)
    if hand is not None and hand.not_after is None:
        return replace(tenure, closes_from=hand.at, closes_by=hand.at)
    if hand is not None:
        return replace(tenure, closes_from=max(tenure.opens_at, min(tenure.closes_from, hand.at)))
    return tenure if tenure.starts or tenure.began_before else replace(tenure, closes_from=tenure.opens_at)


def _as_nobody_noted(tenure: Tenure, history: History) -> Tenure:
    """Allow for edits that were not noted: from the time of a possible edit on, nothing is certainly open."""
    licenses = {event.license_id for event in tenure.events}
    if tenure.session is not None:
        licenses.add(only(str, tenure.session.fields.get("license_id")))
    may_be_gone = history.present is not None and (tenure.session is None or not is_open(tenure.session))
    doubtful = (
        not (tenure.starts or tenure.began_before)
        or len(licenses) > 1
        or (tenure.ends[0].actor == CONSOLE if tenure.ends else may_be_gone)
    )
    return replace(tenure, closes_from=tenure.opens_at) if doubtful else tenure


def _untold(key: tuple[str, datetime], session: Stored, admin_edits: AdminEdits, history: History) -> Tenure:
    """A session without a start in the trail: it is older than the trail, or an admin created it."""
    session_id, started_at = key
    began_before = _began_before(started_at, history)
    license_id, user_id, hardware_id = (session.fields.get(name) for name in ("license_id", "user_id", "hardware_id"))
    return Tenure(
        session_id=session_id,
        license_id=str(license_id),
        user_id=str(user_id),
        hardware_id=str(hardware_id),
        started_at=started_at,
        session=session,
        opens_from=started_at if began_before else ALWAYS,
        opens_at=started_at,
        closes_from=NEVER if began_before else started_at,
        closes_by=NEVER,
        is_changed=admin_edits.changed_since(session_id) is not None,
        began_before=began_before,
    )


def _began_before(started_at: datetime, history: History) -> bool:
    return history.begins_at is not None and started_at <= history.begins_at

"""How admins changed sessions: ends, and other changes. After any other change a session proves nothing."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime

from infra.judge.history import AdminEdit


class AdminEdits:
    """The noted edits of sessions. ``known`` is ``False`` if edits were not noted."""

    def __init__(self, edits: Iterable[AdminEdit] | None) -> None:
        self.known = edits is not None
        self.touched_counters: list[datetime] = []
        self._ends: Mapping[str, list[AdminEdit]] = defaultdict(list)
        self._changes: dict[str, AdminEdit] = {}
        for edit in sorted(edits or (), key=lambda each: each.at):
            if edit.collection in {"sessions", "usage"}:
                self.touched_counters.append(edit.at)
            if edit.collection == "sessions" and is_end(edit):
                self._ends[edit.document_id].append(edit)
            elif edit.collection == "sessions":
                self._changes.setdefault(edit.document_id, edit)

    def end(self, session_id: str, *, since: datetime, before: datetime) -> AdminEdit | None:
        """The first end of the session by an admin in that time."""
        ends = self._ends.get(session_id, ())
        return next((edit for edit in ends if since <= (edit.not_after or edit.at) and edit.at < before), None)

    def changed_since(self, session_id: str) -> datetime | None:
        """When an admin first changed the session other than by ending it: reopened, moved or created it."""
        change = self._changes.get(session_id)
        return None if change is None else change.at

    @property
    def changed_any(self) -> bool:
        """Whether an admin changed any session other than by ending it."""
        return bool(self._changes)

    @property
    def touched_any(self) -> bool:
        """Whether admins may have made the counters wrong. Always true if edits were not noted."""
        return not self.known or bool(self.touched_counters)


def is_end(edit: AdminEdit) -> bool:
    """Whether the edit only ended the session."""
    return edit.fields is None or (edit.fields.keys() == {"ended_at"} and edit.fields["ended_at"] is not None)

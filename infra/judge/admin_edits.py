"""What hands did to sessions: the ends that they made, and everything else, after which a session proves nothing."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime

from infra.judge.history import AdminEdit


class AdminEdits:
    """The noted edits of sessions. ``known`` of ``False``: nobody noted them."""

    def __init__(self, edits: Iterable[AdminEdit] | None) -> None:
        """Sort the edits."""
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
        """The first end by hand of a session in that time."""
        ends = self._ends.get(session_id, ())
        return next((edit for edit in ends if since <= (edit.not_after or edit.at) and edit.at < before), None)

    def changed_since(self, session_id: str) -> datetime | None:
        """When a hand first wrote something else into the session than an end: opened it again, moved it, made it."""
        change = self._changes.get(session_id)
        return None if change is None else change.at

    @property
    def changed_any(self) -> bool:
        """Whether any session was changed so."""
        return bool(self._changes)

    @property
    def touched_any(self) -> bool:
        """Whether the counters may be wrong because of a hand: always, where nobody noted."""
        return not self.known or bool(self.touched_counters)


def is_end(edit: AdminEdit) -> bool:
    """Whether the edit of a session ended it and did nothing else."""
    return edit.fields is None or (edit.fields.keys() == {"ended_at"} and edit.fields["ended_at"] is not None)

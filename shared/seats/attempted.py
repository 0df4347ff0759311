"""Refused attempts that a commit may have counted whose answer never came: read again, they are not counted twice."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.firestore.client import Document


@dataclass(frozen=True, kw_only=True, slots=True)
class _Counted:
    """The requests that the denials of a commit count, and the time that it writes into them."""

    at: datetime
    requests: Sequence[object]


class Attempted:
    """What the commits of one group were to count, for as long as somebody waits whom they counted."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._commits: list[_Counted] = []

    def is_counted(self, request: object, denial: Document | None) -> bool:
        """Whether the stored denial is what one of these commits wrote for this very request, not one that equals it.

        Told by the time of the attempt. So it is not recognized when another instance has counted the same device
        since, or when the minute is over; and two instances that ask in the same microsecond are taken for one.
        """
        details = None if denial is None else denial.fields.get("details")
        last_attempt_at = details.get("last_attempt_at") if isinstance(details, dict) else None
        return any(
            each is request for commit in self._commits if commit.at == last_attempt_at for each in commit.requests
        )

    def note(self, requests: Sequence[object], *, now: datetime) -> None:
        """Note whom the next commit counts, those included who were counted before."""
        if requests:
            self._commits.append(_Counted(at=now, requests=requests))

    def forget_others_than(self, waiting: Iterable[object]) -> None:
        """Forget the commits of whose requests none waits any more."""
        if self._commits:
            waiting = {id(request) for request in waiting}
            self._commits = [
                commit for commit in self._commits if any(id(request) in waiting for request in commit.requests)
            ]

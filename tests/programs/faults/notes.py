"""The half of the history that is not in the database: the clients' answers and the admins' edits."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from infra.judge.history import Acknowledged, AdminEdit
from tests.programs.faults.faults import Kind


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """An answer as it came, for the contract."""

    function: str
    status: int
    headers: Mapping[str, str]
    content: bytes


@dataclass(eq=False, kw_only=True, slots=True)
class Notes:
    """Everything that was noted; by organization where it belongs to one.

    ``outcomes`` counts by function and by status or code, ``done`` the faults by kind. ``slowest`` is in seconds.
    """

    requests: dict[str, list[Acknowledged]] = field(default_factory=lambda: defaultdict(list))
    edits: dict[str, list[AdminEdit]] = field(default_factory=lambda: defaultdict(list))
    answers: list[Answer] = field(default_factory=list)
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    done: Counter[Kind] = field(default_factory=Counter)
    slowest: float = 0

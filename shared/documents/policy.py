"""The settings that the operations on seats need."""

from dataclasses import dataclass
from datetime import timedelta

from shared.documents.writing import Retention


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """The same for every organization.

    ``default_lease_for`` and ``default_grace_for`` are for licenses that set no lease or grace. Every request is
    answered within ``answer_within``.
    """

    default_lease_for: timedelta
    default_grace_for: timedelta
    answer_within: timedelta
    retention: Retention

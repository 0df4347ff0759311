"""What the operations need to know of the settings."""

from dataclasses import dataclass
from datetime import timedelta

from shared.documents.writing import Retention


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """How the store behaves, the same for every organization.

    ``default_lease_for`` and ``default_grace_for`` hold for licenses that say nothing of them; every request is
    answered within ``answer_within``.
    """

    default_lease_for: timedelta
    default_grace_for: timedelta
    answer_within: timedelta
    retention: Retention

"""Removal: a session that somebody deleted before it had ended was revoked, and somebody should be told."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.rules.audit import ENDS, AuditType, Tenure


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """What the audit trail says of a tenure: that it began, or that it ended."""

    type: AuditType
    tenure: Tenure


def tenure_without_end(told: Sequence[Told], *, held_since: datetime | None) -> Tenure | None:
    """Find the latest tenure of a session of whose end nothing is told, or ``None``. ``told`` is latest first.

    ``held_since`` is the beginning of the tenure that is under way, if the device has taken a seat again.
    """
    ended = {each.tenure.started_at for each in told if each.type in ENDS}
    begun = (each.tenure for each in told if each.type is AuditType.ACQUIRED)
    return next((tenure for tenure in begun if tenure.started_at not in {*ended, held_since}), None)

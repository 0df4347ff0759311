"""The documents of the history: one for each license and day."""

from dataclasses import asdict, fields
from datetime import timedelta

from pydantic import TypeAdapter, ValidationError

from shared.documents.forms import UsageDayDocument
from shared.firestore.client import Document
from shared.firestore.values import Plain
from shared.rules.history import UsageDay, start_of

KEPT_FOR = timedelta(days=762)
"""How long a day is kept before Firestore's TTL policy may delete it: 25 months, so that years can be compared."""

_USAGE_DAY = TypeAdapter(UsageDay)


def usage_day_fields(day: UsageDay) -> dict[str, Plain]:
    """All fields of a day. It names no user and no device."""
    return {
        **{each.name: getattr(day, each.name) for each in fields(day)},
        "date": day.date.isoformat(),
        "waits": asdict(day.waits),
        "seconds_at": {str(level): seconds for level, seconds in day.seconds_at.items()},
        "demand_seconds_at": {str(level): seconds for level, seconds in day.demand_seconds_at.items()},
        "purge_at": start_of(day.date) + KEPT_FOR,
    }


def usage_day_from(document: Document | None) -> UsageDay | None:
    """Read a day; ``None`` if there is none, or an edit by hand made it unusable or another day's."""
    if document is None:
        return None
    try:
        form = UsageDayDocument.model_validate(document.fields)
        day = _USAGE_DAY.validate_python(form.model_dump())
    except ValidationError:
        return None
    return day if document.document_id == f"{form.license_id}~{form.date}" else None

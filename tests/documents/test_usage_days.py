"""The documents of the history, and what it is counted from."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from shared.documents.recorded import Recorded
from shared.documents.usage_days import KEPT_FOR, usage_day_fields, usage_day_from
from shared.firestore.client import Document
from shared.rules.history import DAY, CapChange, Records, UsageDay, start_of, usage_day
from tests.rules.make import a_license

DATE = date(2026, 3, 2)
AT = datetime(2026, 3, 2, 9, tzinfo=UTC)


def _a_day(**records: Any) -> UsageDay:  # noqa: ANN401 records of any kind
    return usage_day("cad", DATE, Records(**records), computed_at=AT)


def _stored(fields: dict[str, Any]) -> Document:
    return Document(path="organizations/acme/usage_days/cad~2026-03-02", fields=fields, update_time=None)


def _edit(edit: str, *changes: dict[str, Any]) -> Document:
    details = {"edit": edit, "changes": list(changes)}
    fields = {"type": "license.edited", "at": AT, "license_id": "cad", "user_id": None, "details": details}
    return Document(path="organizations/acme/audit_events/x", fields=fields, update_time=None)


def test_a_day_is_read_as_it_was_written_and_kept_for_25_months() -> None:
    day = _a_day(seats=3)
    fields: dict[str, Any] = usage_day_fields(day)
    as_stored = {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}

    assert usage_day_from(_stored(as_stored)) == day
    assert fields["purge_at"] == start_of(DATE) + KEPT_FOR
    assert 25 * timedelta(days=30) + 12 * DAY <= KEPT_FOR


@pytest.mark.parametrize(
    "edit",
    [
        {"date": "2026-02-30"},
        {"date": "2026-03-03"},
        {"license_id": "cam"},
        {"seats": [1]},
        {"seconds_at": {"many": 1}},
        {"waits": None},
    ],
)
def test_a_day_that_was_edited_by_hand_is_none(edit: dict[str, Any]) -> None:
    fields: dict[str, Any] = usage_day_fields(_a_day())
    as_stored = {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}

    assert usage_day_from(_stored(as_stored)) is not None
    assert usage_day_from(_stored({**as_stored, **edit})) is None


@pytest.mark.parametrize("date_", ["0001-01-01", "1969-12-31", "2200-01-01", "9999-12-31"])
def test_a_day_that_no_time_of_a_document_can_be_on_is_none(date_: str) -> None:
    fields: dict[str, Any] = usage_day_fields(_a_day())
    as_stored = {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}
    path = f"organizations/acme/usage_days/cad~{date_}"

    day = usage_day_from(Document(path=path, fields={**as_stored, "date": date_}, update_time=None))

    assert day is None


@pytest.mark.parametrize(
    ("event", "before"),
    [
        (_edit("created", {"field": "max_concurrent_seats", "before": None, "after": "5"}), [None]),
        (_edit("changed", {"field": "max_concurrent_seats", "before": "7", "after": "5"}), [7]),
        (_edit("changed", {"field": "max_concurrent_seats", "before": None, "after": "7"}), [5]),
        (_edit("changed", {"field": "max_concurrent_seats", "before": '"many"', "after": "7"}), [None]),
        (_edit("changed", {"field": "name", "before": '"A"', "after": '"B"'}), []),
        (_edit("deleted", {"field": "name", "before": '"A"', "after": None}), [5]),
    ],
    ids=["created", "changed", "left out before", "impossible before", "another field", "deleted"],
)
def test_an_edit_of_a_license_tells_the_cap_that_was_in_force_before(event: Document, before: list[int | None]) -> None:
    recorded = Recorded()

    recorded.add_events([event])

    expected = [CapChange(at=AT, before=each) for each in before]
    assert recorded.records({"cad": a_license()})["cad"].cap_changes == expected


def test_an_event_that_was_edited_by_hand_is_left_out() -> None:
    recorded, wrong = Recorded(), _edit("created")
    wrong.fields["at"] = "yesterday"

    recorded.add_events([wrong])

    assert recorded.records({}) == {}

"""The judge counts the days of the history again."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from infra.judge import usage_days
from infra.judge.history import AdminEdit, History
from infra.judge.reconstruction import tenures_of
from infra.judge.saving import from_json, to_json
from infra.judge.terms import Terms
from infra.judge.violation import Kind, Violation
from tests.infra.judge.seeded_days import AT, SEEDED_DAYS, a_second_too_many, day_of_two_users, with_day


def _found(history: History) -> list[Violation]:
    return [*usage_days.violations(history, tenures_of(history), Terms(history))]


def test_a_true_day_is_accepted_also_when_it_was_saved() -> None:
    history = day_of_two_users()

    assert _found(history) == []
    assert _found(from_json(to_json(history))) == []


@pytest.mark.parametrize(("kind", "sow"), SEEDED_DAYS, ids=lambda each: getattr(each, "__name__", ""))
def test_a_fault_sown_into_a_day_is_rejected_as_what_it_is(kind: Kind, sow: Callable[[History], History]) -> None:
    found = _found(sow(day_of_two_users()))

    assert {violation.kind for violation in found} == {kind}
    assert all(violation.is_certain for violation in found)


def test_what_an_edit_by_hand_may_explain_is_not_certain_or_not_judged() -> None:
    wrong = a_second_too_many(day_of_two_users())
    reopened = AdminEdit(collection="sessions", document_id="session-of-m0", at=AT, fields={"ended_at": None})
    assert wrong.present is not None
    read_at = wrong.present.read_at
    by_hand = tuple(
        replace(event, actor="console", committed_at=read_at) if event.event_id == "end-0" else event
        for event in wrong.events
    )

    unnoted = _found(replace(wrong, edits=None))

    assert {violation.is_certain for violation in unnoted if violation.kind is Kind.DAY_MISCOUNTED} == {False}
    assert _found(replace(wrong, edits=(*(wrong.edits or ()), reopened))) == []
    assert _found(replace(wrong, events=by_hand)) == []


def _with_a_deleted_session(history: History) -> History:
    """The first end is that of a session that an admin deleted."""
    events = tuple(
        replace(event, actor="console", details={**event.details, "lease_expires_at": None})
        if event.event_id == "end-0"
        else event
        for event in history.events
    )
    return replace(history, events=events)


def test_a_peak_above_the_cap_beside_a_session_that_an_admin_deleted_accuses_nobody() -> None:
    (sow,) = (sow for kind, sow in SEEDED_DAYS if kind is Kind.PEAK_ABOVE_CAP)
    wrong = sow(day_of_two_users())
    deleted = _with_a_deleted_session(wrong)

    found = _found(deleted)

    assert Kind.PEAK_ABOVE_CAP not in {violation.kind for violation in found}


def test_a_session_that_an_admin_deleted_long_before_that_was_noticed_accuses_nobody_either() -> None:
    (sow,) = (sow for kind, sow in SEEDED_DAYS if kind is Kind.PEAK_ABOVE_CAP)
    wrong = sow(day_of_two_users())
    deletion = AdminEdit(collection="sessions", document_id="session-of-m0", at=AT + timedelta(minutes=10), fields=None)
    noticed = _with_a_deleted_session(wrong)

    found = _found(replace(noticed, edits=(*(wrong.edits or ()), deletion)))

    assert Kind.PEAK_ABOVE_CAP not in {violation.kind for violation in found}


def test_a_day_is_given_up_for_very_many_events_only(monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = with_day(day_of_two_users(), is_settled=True)

    found = _found(stopped)
    monkeypatch.setattr(usage_days, "MAX_EVENTS", 1)

    assert {violation.kind for violation in found} == {Kind.DAY_MISCOUNTED}
    assert _found(stopped) == []


def test_a_day_that_the_trail_does_not_cover_is_not_judged() -> None:
    assert _found(replace(a_second_too_many(day_of_two_users()), begins_at=AT)) == []

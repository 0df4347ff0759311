"""The judge accepts what really happened, and rejects it with each fault that can be sown into it."""

import asyncio
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from infra.judge import caps_in_force, kept_out, published
from infra.judge.history import AdminEdit, Event, History, Operation
from infra.judge.judge import judge
from infra.judge.saving import from_json, to_json
from infra.judge.violation import Kind
from infra.local.seed import firestore_client
from shared.rules.audit import AuditType
from tests.infra.judge.mutations import TICK, committed, ends, only, starts, trail, with_details, with_edit
from tests.infra.judge.seeded import SEEDED
from tests.infra.judge.seeded_borrowing import SEEDED_BORROWING, borrows
from tests.infra.judge.seeded_days import SEEDED_DAYS
from tests.infra.judge.seeded_line import SEEDED_LINE
from tests.infra.judge.seeded_terms import SEEDED_TERMS
from tests.infra.judge.true_history import history_of_borrowing, history_of_terms, true_history
from tests.support.tenant import LICENSE_ID


@pytest.fixture(scope="module")
def history(firestore_host: str) -> History:
    project = f"test-{uuid4().hex[:12]}"
    with closing(firestore_client(project=project, firestore_host=firestore_host)) as console:
        return asyncio.run(true_history(console, project=project, firestore_host=firestore_host))


@pytest.fixture(scope="module")
def terms(firestore_host: str) -> History:
    project = f"test-{uuid4().hex[:12]}"
    with closing(firestore_client(project=project, firestore_host=firestore_host)) as console:
        return asyncio.run(history_of_terms(console, project=project, firestore_host=firestore_host))


@pytest.fixture(scope="module")
def borrowing(firestore_host: str) -> History:
    project = f"test-{uuid4().hex[:12]}"
    with closing(firestore_client(project=project, firestore_host=firestore_host)) as console:
        return asyncio.run(history_of_borrowing(console, project=project, firestore_host=firestore_host))


def test_what_really_happened_is_accepted(history: History) -> None:
    types = {event.type for event in history.events}

    assert types >= {
        AuditType.ACQUIRED,
        AuditType.RENEWED,
        AuditType.DENIED,
        AuditType.EXPIRED,
        AuditType.USAGE_REPAIRED,
    }
    assert judge(history) == []


@pytest.mark.parametrize("kind", SEEDED, ids=lambda kind: kind.name)
def test_a_sown_fault_is_rejected_as_what_it_is(kind: Kind, history: History) -> None:
    found = judge(SEEDED[kind](history))

    assert {violation.kind for violation in found} == {kind}
    assert all(violation.is_certain for violation in found)


@pytest.mark.parametrize(("seconds", "found"), [(149, set()), (150, {Kind.UNPUBLISHED})])
def test_a_denial_must_be_published_by_the_run_after_it_counts_no_more(
    seconds: int, found: set[Kind], history: History
) -> None:
    denial = only(history, AuditType.DENIED)
    assert history.present is not None
    read = replace(history.present, read_at=denial.at + timedelta(seconds=seconds))
    messages = tuple(each for each in history.messages or () if each.data["event_id"] != denial.event_id)

    violations = published.violations(replace(history, present=read, messages=messages))

    assert {violation.kind for violation in violations} == found


@pytest.mark.parametrize(
    ("license_change", "session_change"),
    [
        ({"in_use": 0}, {}),
        ({"in_use": 3}, {}),
        ({"sessions": []}, {}),
        ({}, {"session_id": "nobody-has-it"}),
        ({}, {"started_at": "2026-01-01T00:00:00.000000Z"}),
    ],
    ids=["a seat less", "a seat more", "the own one is missing", "another session", "another tenure"],
)
def test_whatever_usage_tells_differently_is_seen(
    license_change: dict[str, object], session_change: dict[str, object], history: History
) -> None:
    requests = list(history.requests or ())
    number = next(n for n, each in enumerate(requests) if each.operation is Operation.USAGE and each.user_id == "m2")
    told = requests[number].body
    first, *others = told["licenses"]
    sessions = [{**first["sessions"][0], **session_change}]
    changed = {**first, "sessions": sessions, **license_change}
    requests[number] = replace(requests[number], body={**told, "licenses": [changed, *others]})

    found = judge(replace(history, requests=tuple(requests)))

    assert {violation.kind for violation in found} == {Kind.USAGE_MISTOLD}


def test_a_license_with_terms_is_accepted(terms: History) -> None:
    assert {event.details.get("reason") for event in terms.events} >= {"idle"}
    assert [(event.details.get("pool"), event.details.get("is_overdraft")) for event in starts(terms, "m0")] == [
        ("design", None),
        ("design", True),
    ]
    assert judge(terms) == []
    assert judge(replace(terms, edits=None, requests=None, messages=None, is_settled=False)) == []
    assert judge(replace(terms, edits=None, requests=None, messages=None, is_settled=False, present=None)) == []


@pytest.mark.parametrize(("kind", "sow"), SEEDED_TERMS, ids=lambda each: getattr(each, "__name__", ""))
def test_a_fault_sown_into_terms_is_rejected_as_what_it_is(
    kind: Kind, sow: Callable[[History], History], terms: History
) -> None:
    found = judge(sow(terms))

    assert {violation.kind for violation in found} == {kind}
    assert all(violation.is_certain for violation in found)


@pytest.mark.parametrize(
    ("collection", "document_id", "fields"),
    [
        ("licenses", LICENSE_ID, {"reservations": {"staff": 3}, "overdraft_seats": 0}),
        ("licenses", LICENSE_ID, {"starts_at": datetime(2199, 1, 1, tzinfo=UTC)}),
        ("licenses", LICENSE_ID, {"allowed_groups": ["nobody"], "max_devices_per_user": None}),
        ("users", "m0", {"groups": []}),
    ],
    ids=["reservations", "start", "allowed groups", "groups"],
)
def test_a_decision_under_way_may_complete_under_the_former_terms(
    collection: str, document_id: str, fields: dict[str, Any], terms: History
) -> None:
    grant = starts(terms, "m0")[-1]
    meanwhile = grant.at + (committed(grant) - grant.at) / 2
    edit = AdminEdit(collection=collection, document_id=document_id, at=meanwhile, fields=fields)

    assert judge(replace(terms, edits=(*(terms.edits or ()), edit), messages=None)) == []


def test_more_overdraft_than_the_license_has_is_above_its_cap_and_its_pool(terms: History) -> None:
    found = judge(with_edit(trail(terms), "licenses", LICENSE_ID, overdraft_seats=0))

    assert {violation.kind for violation in found} == {Kind.LICENSE_CAP_EXCEEDED, Kind.POOL_EXCEEDED}


def test_the_trail_alone_tells_the_terms_and_the_groups(terms: History) -> None:
    # The user had left the group long before it got a seat of design, says the trail.
    grant = starts(terms, "m0")[0]
    at = grant.at - timedelta(hours=1)
    changes = [{"field": "groups", "before": '["design"]', "after": '["staff"]'}]
    edit = Event(
        event_id="edit",
        type=AuditType.USER_EDITED,
        at=at,
        committed_at=at,
        actor="console",
        user_id="m0",
        details={"edit": "changed", "changes": changes},
    )
    told = replace(terms, events=(*terms.events, edit), edits=None, requests=None, messages=None)

    found = [each for each in judge(told) if each.kind is Kind.WRONG_POOL]

    assert [(each.events, each.is_certain) for each in found] == [((grant,), False)]


def test_a_license_that_lends_seats_is_accepted(borrowing: History) -> None:
    codes = [each.body["error"]["code"] for each in borrowing.requests or () if "error" in each.body]

    assert codes == ["BORROWED_SEATS_LIMIT_REACHED", "KEPT_OUT"]
    assert [len(borrows(borrowing, user_id)) for user_id in ("m0", "m1", "m2", "m3")] == [2, 1, 1, 1]
    assert judge(borrowing) == []
    for event in borrowing.events:
        later = tuple(each for each in borrowing.events if each.at > event.at)
        assert judge(replace(borrowing, events=later, begins_at=event.at, requests=None)) == []


@pytest.mark.parametrize(("kind", "sow"), SEEDED_BORROWING, ids=lambda each: getattr(each, "__name__", ""))
def test_a_fault_sown_into_borrowing_is_rejected_as_what_it_is(
    kind: Kind, sow: Callable[[History], History], borrowing: History
) -> None:
    found = judge(sow(borrowing))

    assert {violation.kind for violation in found} == {kind}
    assert all(violation.is_certain for violation in found)


@pytest.mark.parametrize("fields", [{"max_borrow_seconds": 0}, {"max_borrowed_seats": 1}])
def test_a_borrow_under_way_may_complete_under_the_former_terms(fields: dict[str, Any], borrowing: History) -> None:
    borrow = borrows(borrowing, "m3")[0]
    meanwhile = borrow.at + (committed(borrow) - borrow.at) / 2
    edit = AdminEdit(collection="licenses", document_id=LICENSE_ID, at=meanwhile, fields=fields)

    assert judge(replace(borrowing, edits=(*(borrowing.edits or ()), edit))) == []


def test_a_grant_under_way_may_complete_after_its_user_is_kept_out(borrowing: History) -> None:
    grant, revocation = starts(borrowing, "m1")[-1], ends(borrowing, "m1")[0]
    events = (grant, replace(revocation, committed_at=grant.at + TICK))
    users_as_they_were = tuple(each for each in borrowing.edits or () if each.collection != "users")

    assert [*kept_out.violations(replace(borrowing, events=events, edits=users_as_they_were))] == []


def test_the_trail_alone_tells_of_users_who_were_kept_out_unless_it_tells_of_an_edit(borrowing: History) -> None:
    told = replace(borrowing, edits=None)
    let_in = Event(
        event_id="edit",
        type=AuditType.USER_EDITED,
        at=ends(borrowing, "m1")[0].at + timedelta(days=1),
        actor="console",
        user_id="m1",
        details={"edit": "changed", "changes": [{"field": "kept_out", "before": '"…"', "after": '"…"'}]},
    )

    assert [each.is_certain for each in kept_out.violations(told)] == [False]
    assert [*kept_out.violations(replace(told, events=(*told.events, let_in)))] == []


def test_every_kind_has_a_fault_that_shows_it() -> None:
    assert {*SEEDED, *(kind for kind, _ in (*SEEDED_TERMS, *SEEDED_BORROWING, *SEEDED_LINE, *SEEDED_DAYS))} == set(Kind)


def test_what_nobody_noted_accuses_nobody(history: History) -> None:
    trail_and_documents = replace(history, edits=None, requests=None, messages=None, is_settled=False)

    assert judge(trail_and_documents) == []
    assert judge(replace(trail_and_documents, present=None)) == []


def test_a_denial_right_after_an_admin_deleted_a_session_may_not_know_of_it(history: History) -> None:
    (deleted,) = (edit for edit in history.edits or () if edit.collection == "sessions")
    denial = only(history, AuditType.DENIED)

    assert judge(with_details(trail(history), denial, last_attempt_at=deleted.at + TICK)) == []


def test_a_trail_that_begins_in_the_middle_accuses_nobody(history: History) -> None:
    for event in history.events:
        begins_at = event.at
        later = tuple(each for each in history.events if each.at > begins_at)
        part = replace(history, events=later, begins_at=begins_at, requests=None)

        assert judge(part) == []
        assert judge(replace(part, edits=None)) == []


def test_times_of_commits_that_were_lost_accuse_nobody(history: History) -> None:
    events = tuple(replace(event, committed_at=None) for event in history.events)

    assert judge(replace(history, events=events)) == []


def test_a_decision_under_way_may_complete_under_the_former_cap(history: History) -> None:
    # The edit falls between the read of the decision and its commit; the next decision is another's.
    grant = starts(history, "m0")[-1]
    meanwhile = grant.at + (committed(grant) - grant.at) / 2
    seeded = SEEDED[Kind.CAP_NOT_IN_FORCE](history)
    edits = tuple(
        replace(edit, at=meanwhile) if edit.fields == {"max_concurrent_seats": 4} else edit
        for edit in seeded.edits or ()
    )

    assert judge(replace(seeded, edits=edits)) == []


@pytest.mark.parametrize(("told", "accused"), [("2", [False]), ("7", [])])
def test_the_trail_alone_accuses_of_an_old_cap_and_of_none_that_it_may_not_have_told(
    told: str, accused: list[bool], history: History
) -> None:
    # The cap of two was replaced by four before the last grants of this license, says the trail; or one of seven was.
    def edit(at: datetime, before: str, after: str) -> Event:
        changes = [{"field": "max_concurrent_seats", "before": before, "after": after}]
        return Event(
            event_id=after,
            type=AuditType.LICENSE_EDITED,
            at=at,
            committed_at=at,
            actor="console",
            license_id=LICENSE_ID,
            details={"edit": "changed", "changes": changes},
        )

    first, last = starts(history, "m0")[0], starts(history, "m0")[-1]
    later = replace(history.present, licenses=()) if history.present else None
    edits = edit(first.at - timedelta(hours=1), "1", told), edit(last.at - timedelta(microseconds=1), told, "4")
    events = (last, *edits)
    found = caps_in_force.violations(replace(history, events=events, edits=None, present=later))

    assert [violation.is_certain for violation in found] == accused


def test_a_document_that_was_not_written_since_tells_the_cap_for_certain(history: History) -> None:
    assert history.present is not None
    licenses = tuple(
        replace(each, fields={**each.fields, "max_concurrent_seats": 4}) for each in history.present.licenses
    )
    doctored = replace(history, edits=None, present=replace(history.present, licenses=licenses))

    found = judge(doctored)

    assert {violation.kind for violation in found} == {Kind.CAP_NOT_IN_FORCE}
    assert all(violation.is_certain for violation in found)


def test_a_decision_under_way_while_a_cap_is_edited_of_which_nobody_has_told_yet_accuses_nobody(
    history: History,
) -> None:
    grant = starts(history, "m0")[-1]
    assert history.present is not None
    meanwhile = grant.at + (committed(grant) - grant.at) / 2
    licenses = tuple(
        replace(each, fields={**each.fields, "max_concurrent_seats": 4}, updated_at=meanwhile)
        for each in history.present.licenses
        if each.document_id == LICENSE_ID
    )
    edited = replace(
        history,
        edits=None,
        requests=None,
        events=tuple(event for event in history.events if event.license_id in {LICENSE_ID, None}),
        present=replace(history.present, licenses=licenses),
    )

    assert [each for each in caps_in_force.violations(edited) if grant in each.events] == []


def test_a_history_is_judged_alike_after_it_was_saved(history: History) -> None:
    assert from_json(to_json(history)) == history

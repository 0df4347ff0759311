"""The judge accepts what really happened, and rejects it with each fault that can be sown into it."""

import asyncio
from contextlib import closing
from dataclasses import replace
from uuid import uuid4

import pytest

from infra.local.seed import firestore_client
from infra.proof.history import History
from infra.proof.judge import judge
from infra.proof.saving import from_json, to_json
from infra.proof.violation import Kind
from shared.rules.audit import AuditType
from tests.proof.seeded import SEEDED
from tests.proof.sowing import committed, starts
from tests.proof.story import true_history


@pytest.fixture(scope="module")
def history(firestore_host: str) -> History:
    project = f"test-{uuid4().hex[:12]}"
    with closing(firestore_client(project=project, firestore_host=firestore_host)) as console:
        return asyncio.run(true_history(console, project=project, firestore_host=firestore_host))


def test_what_really_happened_is_accepted(history: History) -> None:
    types = {event.type for event in history.events}

    assert types >= {AuditType.ACQUIRED, AuditType.DENIED, AuditType.EXPIRED, AuditType.USAGE_REPAIRED}
    assert judge(history) == []


@pytest.mark.parametrize("kind", SEEDED, ids=lambda kind: kind.name)
def test_a_sown_fault_is_rejected_as_what_it_is(kind: Kind, history: History) -> None:
    found = judge(SEEDED[kind](history))

    assert {violation.kind for violation in found} == {kind}
    assert all(violation.is_certain for violation in found)


def test_every_kind_has_a_fault_that_shows_it() -> None:
    assert set(SEEDED) == set(Kind)


def test_what_nobody_noted_accuses_nobody(history: History) -> None:
    trail_and_documents = replace(history, edits=None, requests=None, messages=None, is_settled=False)

    assert judge(trail_and_documents) == []
    assert judge(replace(trail_and_documents, present=None)) == []


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


def test_a_history_is_judged_alike_after_it_was_saved(history: History) -> None:
    assert from_json(to_json(history)) == history

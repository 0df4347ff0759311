"""Whatever a hand wrote into the documents and the trail, the judge reads it, answers, and says what it found."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from google.cloud import firestore
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.judge.history import History
from infra.judge.reading import read_history
from infra.judge.report import as_json, judged
from infra.local.seed import firestore_client
from shared.firestore.client import Firestore
from tests.infra.judge.true_history import true_history
from tests.support.admin import Edit, edits
from tests.support.length import fuzzed

_KINDS = {"audit_events": "event", "sessions": "session", "licenses": "license", "usage": "seats"}


@dataclass(frozen=True, kw_only=True)
class Edited:
    """An organization with a whole history, and how its documents were before hands came."""

    console: firestore.Client
    store: Firestore
    organization_id: str
    documents: dict[str, dict[str, Any]]

    @property
    def kinds(self) -> dict[str, str]:
        """What hands may edit, and what kind of document each is."""
        return {path: _KINDS.get(path.split("/")[-2], "organization") for path in self.documents}

    def history(self) -> History:
        return asyncio.run(read_history(self.store, self.organization_id))

    def edit(self, edit: Edit) -> None:
        reference = self.console.document(edit.document)
        edit.apply(reference, self.console, template=self.documents[edit.document])

    def undo(self, *paths: str) -> None:
        for path in set(paths):
            self.console.document(path).set(self.documents[path])


@pytest.fixture(scope="module")
def edited(firestore_host: str) -> Iterator[Edited]:
    project = f"test-{uuid4().hex[:12]}"
    with (
        closing(firestore_client(project=project, firestore_host=firestore_host)) as console,
        closing(Firestore(project=project, emulator_host=firestore_host)) as store,
    ):
        history = asyncio.run(true_history(console, project=project, firestore_host=firestore_host))
        organization = console.document("organizations", history.organization_id)
        found = [organization.get()]
        for collection in _KINDS:
            found += organization.collection(collection).stream()
        yield Edited(
            console=console,
            store=store,
            organization_id=history.organization_id,
            documents={each.reference.path: each.to_dict() or {} for each in found},
        )


@settings(fuzzed(60), suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_whatever_hands_wrote_it_is_judged(edited: Edited, data: st.DataObject) -> None:
    slips = data.draw(edits(edited.kinds, most=3))
    try:
        for slip in slips:
            edited.edit(slip)

        told = as_json([judged(edited.history())], project="p")
    finally:
        edited.undo(*(slip.document for slip in slips))

    assert json.loads(told)["organizations"][0]["counts"]["documents read"] > 0

"""Fixtures that connect a test's process to its own project on the Firestore emulator."""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest

from shared.documents.policy import Policy
from shared.documents.writing import Retention
from shared.firestore.client import Firestore
from shared.firestore.errors import Conflict
from tests.support.wire import Wire, counting


class WatchedFirestore(Firestore):
    """Firestore itself, with a note of every call: what was asked, and how many documents or writes it was about."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 passed on as they are
        super().__init__(**settings)
        self.calls: list[tuple[str, int]] = []

    async def read(self, paths: Any, **at: Any) -> Any:  # noqa: ANN401 passed on as they are
        snapshot = await super().read(paths, **at)
        self.calls.append(("read", len(snapshot.documents)))
        return snapshot

    async def select(self, parent: Any, query: Any, **at: Any) -> Any:  # noqa: ANN401 as above
        documents = await super().select(parent, query, **at)
        self.calls.append(("select", len(documents)))
        return documents

    async def count(self, parent: Any, query: Any, **at: Any) -> Any:  # noqa: ANN401 as above
        self.calls.append(("count", 1))
        return await super().count(parent, query, **at)

    async def commit(self, writes: Sequence[Any]) -> None:
        self.calls.append(("commit", len(writes)))
        await super().commit(writes)

    def forget(self) -> None:
        """Count from here."""
        self.calls.clear()


class HeldCommit:
    """Holds back the first commit of a connection until it is let go, and notes what became of each commit."""

    def __init__(self, store: WatchedFirestore) -> None:
        self.reached, self.let_go = asyncio.Event(), asyncio.Event()
        self.outcomes: list[str] = []
        self._commit = store.commit
        store.commit = self.commit  # type: ignore[method-assign]  # the test stands between the store and Firestore

    async def commit(self, writes: Sequence[Any]) -> None:
        self.reached.set()
        await self.let_go.wait()
        try:
            await self._commit(writes)
        except Conflict:
            self.outcomes.append("conflict")
            raise
        self.outcomes.append("written")


@pytest.fixture
def store(project: str, firestore_host: str) -> Iterator[WatchedFirestore]:
    """A connection to the test's own project."""
    connection = WatchedFirestore(project=project, emulator_host=firestore_host)
    yield connection
    connection.close()


@pytest.fixture
def another_store(project: str, firestore_host: str) -> Iterator[WatchedFirestore]:
    """Another instance's connection to the same project."""
    connection = WatchedFirestore(project=project, emulator_host=firestore_host)
    yield connection
    connection.close()


@pytest.fixture
def counted_wire(firestore_host: str) -> Iterator[tuple[Wire, str]]:
    """A way to the emulator on which everything is counted, and its HOST:PORT."""
    with counting(firestore_host) as way:
        yield way


@pytest.fixture
def wire(counted_wire: tuple[Wire, str]) -> Wire:
    """What was counted on the way of ``counted_store``."""
    return counted_wire[0]


@pytest.fixture
def counted_store(project: str, counted_wire: tuple[Wire, str]) -> Iterator[Firestore]:
    """A connection to the test's own project as it is deployed, that goes over ``wire``."""
    connection = Firestore(project=project, emulator_host=counted_wire[1])
    yield connection
    connection.close()


@pytest.fixture
def policy() -> Policy:
    """The settings' defaults, with a deadline that suits a test."""
    return Policy(
        default_lease_for=timedelta(minutes=6),
        default_grace_for=timedelta(0),
        answer_within=timedelta(seconds=8),
        retention=Retention(sessions_for=timedelta(days=30), audit_events_for=timedelta(days=400)),
    )

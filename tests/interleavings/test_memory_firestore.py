"""The memory database does with every request what Google's emulator does: only so the interleavings show anything."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from shared.firestore.client import Firestore
from shared.firestore.errors import Conflict
from shared.firestore.query import Query
from shared.firestore.writes import Add, Create, Delete, Update, Upsert, Write
from tests.interleavings.exploring import Replayed
from tests.interleavings.scheduler import DirectedFirestore, Scheduler

NAMES = st.sampled_from(["a", "b", "c"])
FIELDS = st.dictionaries(
    st.sampled_from(["number", "held", "ended_at"]),
    st.integers(0, 3) | st.none() | st.just(datetime(2026, 1, 1, tzinfo=UTC)),
    min_size=1,
)
STEPS = st.lists(
    st.lists(
        st.tuples(st.sampled_from(["create", "update", "stale update", "delete", "add", "upsert"]), NAMES, FIELDS),
        min_size=1,
        max_size=3,
        unique_by=lambda step: step[1],
    ),
    min_size=1,
    max_size=5,
)
QUERIES = [
    Query(collection="sessions", where=(("ended_at", "==", None),)),
    Query(collection="sessions", where=(("number", ">", 0),), order_by="number", last_first=True, limit=2),
    Query(collection="sessions", where=(("held", "<=", 1),), only_fields=("held",)),
    Query(collection="sessions", where=(("held", "==", 2), ("ended_at", "==", None))),
]


class _Both:
    """The same requests to the emulator and to the memory database."""

    def __init__(self, real: Firestore, organization: str) -> None:
        scheduler = Scheduler(Replayed(prefix=[]), faults=0)
        scheduler.loop.close()
        self._paper = _AtOnce(scheduler.store, scheduler)
        self._stores = [real, self._paper]
        self._organization = organization

    def path(self, name: str) -> str:
        return f"{self._organization}/sessions/{name}"

    async def read(self, names: Sequence[str]) -> list[Any]:
        return [await store.read([self.path(name) for name in names]) for store in self._stores]

    async def commit(self, steps: Sequence[tuple[str, str, Mapping[str, Any]]]) -> list[str]:
        outcomes = []
        for store, stale in zip(self._stores, await self.read(["a", "b", "c"]), strict=True):
            writes = [_write(kind, self.path(name), fields, stale) for kind, name, fields in steps]
            try:
                await store.commit([write for write in writes if write is not None])
            except Conflict:
                outcomes.append("conflict")
            else:
                outcomes.append("written")
        return outcomes

    async def seen(self) -> list[Any]:
        """Everything there is, as each store shows it."""
        seen = []
        for store in self._stores:
            snapshot = await store.read([self.path(name) for name in "abc"])
            found = [await store.select(self._organization, query, at=snapshot.at) for query in QUERIES]
            counts = [await store.count(self._organization, query, at=snapshot.at) for query in QUERIES]
            fields = {path: None if one is None else _timeless(one.fields) for path, one in snapshot.documents.items()}
            seen.append((fields, [[(one.path, _timeless(one.fields)) for one in each] for each in found], counts))
        return seen


class _AtOnce(DirectedFirestore):
    async def _call(self, blocking: Any) -> Any:  # noqa: ANN401 as its parent's
        return blocking()


def _timeless(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out the time of a commit."""
    return {name: value for name, value in fields.items() if name != "updated_at"}


def _write(kind: str, path: str, fields: Mapping[str, Any], read: Any) -> Write | None:  # noqa: ANN401, PLR0911 a snapshot; a line for each kind
    document = read.documents[path]
    match kind:
        case "create":
            return Create(path=path, fields=fields)
        case "add":
            return Add(path=path, numbers={("total",): 1, ("by_license", "license-1"): -1}, raised={("held",): 2})
        case "upsert":
            named: dict[tuple[str, ...], Any] = {(name,): value for name, value in fields.items()}
            named |= {("details", name): value for name, value in fields.items()}
            return Upsert(path=path, fields=named, numbers={("details", "attempts"): 2, ("total",): 1})
        case _ if document is None:
            return None
        case "update":
            return Update(path=path, fields=fields, unchanged_since=document.update_time)
        case "delete":
            return Delete(path=path, unchanged_since=document.update_time)
        case _:
            stale = type(document.update_time)()
            stale.FromDatetime(document.update_time.ToDatetime(UTC) - timedelta(seconds=1))
            return Update(path=path, fields=fields, unchanged_since=stale)


@pytest.fixture
def real(project: str, firestore_host: str) -> Iterator[Firestore]:
    connection = Firestore(project=project, emulator_host=firestore_host)
    yield connection
    connection.close()


@settings(
    derandomize=True,
    max_examples=40,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=STEPS)
@pytest.mark.long
async def test_the_memory_database_writes_refuses_and_finds_what_the_emulator_does(real: Firestore, steps: Any) -> None:  # noqa: ANN401 hypothesis's
    both = _Both(real, f"organizations/{uuid4().hex}")

    for writes in steps:
        real_outcome, little_outcome = await both.commit(writes)
        assert little_outcome == real_outcome
        real_view, little_view = await both.seen()
        assert little_view == real_view

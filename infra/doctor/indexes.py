"""Check that Firestore has exactly the indexes and TTL policies of ``infra/firestore.indexes.json``, all ready.

A query without its index fails. A needless index is written with every document and serves no query.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from google.cloud.firestore_admin_v1 import Field, FirestoreAdminClient, Index

from infra.build.stage import ROOT
from infra.doctor.finding import Area, Finding
from infra.doctor.project import ANSWER_WITHIN_SECONDS, Project

_DEFINITION = ROOT / "infra/firestore.indexes.json"
_OVERRIDDEN = "indexConfig.usesAncestorConfig:false"
_WITH_TTL = "ttlConfig:*"
_READY = Index.State.READY
_CALL: dict[str, Any] = {"retry": None, "timeout": ANSWER_WITHIN_SECONDS}


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Defined:
    """An index definition: the collection, its scope (one organization or all), and the fields with directions."""

    collection: str
    scope: str
    fields: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        fields = ", ".join(name if order == "ASCENDING" else f"{name} {order.lower()}" for name, order in self.fields)
        return f"{self.collection} ({fields}){' everywhere' if self.scope == 'COLLECTION_GROUP' else ''}"

    def create(self, project: Project) -> str:
        """The command that creates the index."""
        fields = " ".join(
            f"--field-config=field-path={name},order={order.lower()}"
            if order != "CONTAINS"
            else f"--field-config=field-path={name},array-config=contains"
            for name, order in self.fields
        )
        return (
            f"gcloud firestore indexes composite create --collection-group={self.collection} "
            f"--query-scope={self.scope.lower().replace('_', '-')} {fields} {_where(project)}"
        )


def check_indexes(project: Project) -> list[Finding]:
    """Compare composite indexes, single-field indexes and TTL policies with the file."""
    area = Area(name="indexes", api="firestore.googleapis.com", role="roles/datastore.viewer", project=project.project)
    return [
        *area.ask("composite indexes", lambda: list(_composite(area, project))),
        *area.ask("single-field indexes", lambda: list(_single(area, project))),
        *area.ask("TTL policies", lambda: list(_ttl(area, project))),
    ]


def _composite(area: Area, project: Project) -> Iterator[Finding]:
    client = project.client(FirestoreAdminClient, "firestore")
    deployed = {_defined_by(index): index for index in client.list_indexes(parent=_all_collections(project), **_CALL)}
    wanted = {
        Defined(
            collection=each["collectionGroup"],
            scope=each["queryScope"],
            fields=tuple((field["fieldPath"], field.get("order", "CONTAINS")) for field in each["fields"]),
        )
        for each in json.loads(_DEFINITION.read_text())["indexes"]
    }
    for index in sorted(wanted):
        if index not in deployed:
            yield area.wrong(f"index {index}", "missing, so its query fails", mend=index.create(project))
        else:
            yield _state(area, project, index, deployed[index])
    for index in sorted(deployed.keys() - wanted):
        yield area.wrong(
            f"index {index}",
            "needless: no query uses it, and every write pays for it",
            mend=f"gcloud firestore indexes composite delete {deployed[index].name.rpartition('/')[2]} "
            f"{_where(project)}",
        )


def _state(area: Area, project: Project, index: Defined, deployed: Any) -> Finding:  # noqa: ANN401 no static type
    state = Index.State(deployed.state)
    name = deployed.name.rpartition("/")[2]
    if state is _READY:
        return area.ok(f"index {index}", "ready")
    if state is Index.State.CREATING:
        return area.wrong(
            f"index {index}",
            "is being built. Its query fails until it is ready",
            mend=f"wait; gcloud firestore indexes composite describe {name} {_where(project)} shows its state",
        )
    return area.wrong(
        f"index {index}",
        f"has the state {state.name}, so its query fails",
        mend=f"gcloud firestore indexes composite delete {name} {_where(project)} && {index.create(project)}",
    )


def _single(area: Area, project: Project) -> Iterator[Finding]:
    deployed = {_of(field): field for field in _fields(project, _OVERRIDDEN)}
    overrides = {
        (each["collectionGroup"], each["fieldPath"]): {
            (index["queryScope"], index.get("order", "CONTAINS")) for index in each["indexes"]
        }
        for each in json.loads(_DEFINITION.read_text())["fieldOverrides"]
    }
    for collection, path in sorted(overrides):
        subject, wanted = f"field {collection}.{path}", overrides[collection, path]
        field = deployed.get((collection, path))
        if field is None:
            yield area.wrong(subject, "has the default indexes, not those of the file", mend=project.apply)
            continue
        indexes = {_single_index(index): Index.State(index.state) for index in field.index_config.indexes}
        not_ready = sorted({state.name for state in indexes.values() if state is not _READY})
        if indexes.keys() != wanted:
            yield area.wrong(subject, f"indexed as {_in_words(indexes)}, not {_in_words(wanted)}", mend=project.apply)
        elif not_ready:
            yield area.wrong(subject, f"not ready: {', '.join(not_ready)}", mend=project.apply)
        else:
            yield area.ok(subject, f"indexed as {_in_words(wanted)}" if wanted else "not indexed")
    for collection, path in sorted(deployed.keys() - overrides.keys()):
        yield area.wrong(
            f"field {collection}.{path}",
            "its indexes were changed, but the file does not list it",
            mend=f"gcloud firestore indexes fields update {path} --collection-group={collection} --clear-exemption "
            f"{_where(project)}",
        )


def _ttl(area: Area, project: Project) -> Iterator[Finding]:
    deployed = {_of(field): Field.TtlConfig.State(field.ttl_config.state) for field in _fields(project, _WITH_TTL)}
    wanted = {
        (each["collectionGroup"], each["fieldPath"])
        for each in json.loads(_DEFINITION.read_text())["fieldOverrides"]
        if each.get("ttl")
    }
    for collection, path in sorted(wanted):
        subject = f"TTL policy on {collection}.{path}"
        state = deployed.get((collection, path))
        enable = f"gcloud firestore fields ttls update {path} --collection-group={collection}"
        if state is None:
            yield area.wrong(
                subject,
                "missing, so nothing is ever purged",
                mend=f"{enable} --enable-ttl {_where(project)}",
            )
        elif state is Field.TtlConfig.State.ACTIVE:
            yield area.ok(subject, "active")
        elif state is Field.TtlConfig.State.CREATING:
            yield area.wrong(
                subject,
                "is being set up. Nothing is purged until it is active",
                mend=f"wait; gcloud firestore fields ttls list {_where(project)} shows its state",
            )
        else:
            yield area.wrong(
                subject,
                f"has the state {state.name}, so nothing is purged",
                mend=f"{enable} --disable-ttl {_where(project)} && {enable} --enable-ttl {_where(project)}",
            )
    for collection, path in sorted(deployed.keys() - wanted):
        yield area.wrong(
            f"TTL policy on {collection}.{path}",
            "deletes documents, but the file does not list it",
            mend=f"gcloud firestore fields ttls update {path} --collection-group={collection} --disable-ttl "
            f"{_where(project)}",
        )


def _fields(project: Project, which: str) -> list[Any]:
    client = project.client(FirestoreAdminClient, "firestore")
    request = {"parent": _all_collections(project), "filter": which}
    listed = list(client.list_fields(request=request, **_CALL))
    # The database's defaults have this name.
    return [field for field in listed if _of(field)[0] != "__default__"]


def _of(field: Any) -> tuple[str, str]:  # noqa: ANN401 Google's messages have no static type
    *_, collection, _fields, path = field.name.split("/")
    return collection, path


def _defined_by(index: Any) -> Defined:  # noqa: ANN401 as above
    # Every index ends with the document name, in the direction of the last field. Definitions leave that out.
    fields = [field for field in index.fields if field.field_path != "__name__"]
    return Defined(
        collection=index.name.split("/")[-3],
        scope=Index.QueryScope(index.query_scope).name,
        fields=tuple((field.field_path, _order(field)) for field in fields),
    )


def _single_index(index: Any) -> tuple[str, str]:  # noqa: ANN401 as above
    return Index.QueryScope(index.query_scope).name, _order(index.fields[0])


def _order(field: Any) -> str:  # noqa: ANN401 as above
    return Index.IndexField.Order(field.order).name if field.order else "CONTAINS"


def _in_words(indexes: Any) -> str:  # noqa: ANN401 a set of pairs, or a mapping from them
    return ", ".join(f"{order.lower()} {scope.lower()}" for scope, order in sorted(indexes)) or "nothing"


def _all_collections(project: Project) -> str:
    return f"projects/{project.project}/databases/{project.database}/collectionGroups/-"


def _where(project: Project) -> str:
    return f"--database='{project.database}' --project={project.project}"

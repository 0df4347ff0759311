"""The indexes of ``infra/firestore.indexes.json`` as the Firestore Admin API lists them, from the recordings."""

import json
from collections.abc import Mapping
from typing import Any

from infra.build.stage import ROOT
from infra.doctor.finding import Finding
from infra.doctor.indexes import check_indexes
from infra.doctor.project import Project
from tests.infra.recorded_api import RecordedApi, recorded

DATABASE = "projects/demo-seatlease/databases/(default)"
INDEXES = f"GET /v1/{DATABASE}/collectionGroups/-/indexes"
FIELDS = f"GET /v1/{DATABASE}/collectionGroups/-/fields"
DEFINITION = json.loads((ROOT / "infra/firestore.indexes.json").read_text())

TTLS = [each for each in DEFINITION["fieldOverrides"] if each.get("ttl")]

Listed = list[dict[str, Any]]


def as_deployed(index: dict[str, Any], number: int) -> dict[str, Any]:
    """An index of the file as the API lists it: the recording, with this one's fields."""
    last = index["fields"][-1]
    by_name = {"fieldPath": "__name__", "order": last.get("order", "ASCENDING")}
    return {
        **recorded("index"),
        "name": f"{DATABASE}/collectionGroups/{index['collectionGroup']}/indexes/id{number}",
        "queryScope": index["queryScope"],
        "fields": [*index["fields"], by_name],
    }


def field_as_deployed(override: dict[str, Any]) -> dict[str, Any]:
    """A field of the file as the API lists it."""
    field = recorded("field")
    (one,) = field["indexConfig"]["indexes"]
    collection, path = override["collectionGroup"], override["fieldPath"]
    field["name"] = f"{DATABASE}/collectionGroups/{collection}/fields/{path}"
    field["indexConfig"]["indexes"] = [
        {**one, "queryScope": index["queryScope"], "fields": [{"fieldPath": path, **_how(index)}]}
        for index in override["indexes"]
    ]
    return dict(field)


def ttl(collection: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 JSON
    policy = recorded("ttl_field")
    return {**policy, "name": f"{DATABASE}/collectionGroups/{collection}/fields/purge_at", **fields}


class Deployed:
    """What the API lists; a test changes it."""

    def __init__(self, api: RecordedApi) -> None:
        self.indexes: Listed = [as_deployed(each, number) for number, each in enumerate(DEFINITION["indexes"])]
        self.fields: Listed = [field_as_deployed(each) for each in DEFINITION["fieldOverrides"]]
        defaults = {**recorded("field"), "name": f"{DATABASE}/collectionGroups/__default__/fields/*"}
        self.fields.append(defaults)
        self.ttls: Listed = [ttl(each["collectionGroup"]) for each in TTLS]
        self.api = api
        api.say(INDEXES, {"indexes": self.indexes})
        api.answers[FIELDS] = self._list_fields

    def _list_fields(self, query: dict[str, list[str]]) -> tuple[int, Any]:
        (which,) = query["filter"]
        listed = {"indexConfig.usesAncestorConfig:false": self.fields, "ttlConfig:*": self.ttls}[which]
        return 200, {"fields": listed}

    def field(self, collection: str, path: str) -> dict[str, Any]:
        """One of the fields."""
        (field,) = [each for each in self.fields if each["name"].endswith(f"/{collection}/fields/{path}")]
        return field

    def look(self) -> list[Finding]:
        return check_indexes(
            Project(project="demo-seatlease", region="us-central1", endpoints={"firestore": self.api.url})
        )


def _how(index: Mapping[str, str]) -> dict[str, str]:
    return {name: index[name] for name in ("order", "arrayConfig") if name in index}

"""What a program with a user's ID token may read straight from Firestore: judged by the emulator, rule by rule."""

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from infra.build.stage import ROOT
from infra.local.seed import firestore_client
from infra.local.tokens import unsigned_token

RULES = (ROOT / "infra/firestore.rules").read_text()

ORGANIZATION, ELSEWHERE = "acme", "elsewhere"
CLOSED: Mapping[str, Mapping[str, Any] | None] = {
    "deactivated": {"is_active": False},
    "with-a-slip": {"is_active": "yes"},
    "deleted": None,
}
"""Organizations in which the functions answer nobody, with the same people and documents."""

PEOPLE: Mapping[str, Mapping[str, Any]] = {
    "olivia": {"role": "owner"},
    "adam": {"role": "admin"},
    "mia": {"role": "member"},
    "nobody-said": {},
    "max": {"role": "member"},
    "gus": {"role": "guest"},
    "slip": {"role": "Owner"},
    "gone": {"role": "owner", "is_active": False},
    "odd": {"role": "owner", "is_active": "yes"},
}
DOCUMENTS = {
    "the organization": "",
    "the own user": "/users/{caller}",
    "another user": "/users/max",
    "a license": "/licenses/cad",
    "the own session": "/sessions/of-{caller}",
    "another's session": "/sessions/of-max",
    "the totals": "/usage/seats",
    "an audit event": "/audit_events/event",
    "what was last seen of a document": "/reviews/record",
    "a document of no known kind": "/notes/note",
}
COLLECTIONS = ["users", "licenses", "sessions", "usage", "audit_events", "reviews", "notes"]
IN_COLLECTION = {path.split("/")[1]: path.split("/")[2] for path in DOCUMENTS.values() if path and "{" not in path}
MEMBERS_READ = {"the own user", "the own session", "the totals"}
READABLE: Mapping[str, set[str]] = {
    "olivia": set(DOCUMENTS),
    "adam": set(DOCUMENTS),
    "mia": MEMBERS_READ,
    "nobody-said": MEMBERS_READ,
    "gus": {"the own user"},
    "slip": {"the own user"},
    "gone": set(),
    "odd": set(),
    "not-in-users": set(),
}
"""What each caller may read, and nothing else. Who has no role is a member; a role that does not exist is none."""


@dataclass(frozen=True, kw_only=True)
class Database:
    """The database of a project under our rules, over HTTP, as a client program without the functions sees it."""

    http: httpx.Client
    url: str
    project: str

    def headers(self, caller: str | None, organization_id: str | None = ORGANIZATION) -> dict[str, str]:
        if caller is None:
            return {}
        token = unsigned_token(project=self.project, organization_id=organization_id, user_id=caller)
        return {"Authorization": f"Bearer {token}"}

    def get(self, path: str, headers: dict[str, str]) -> int:
        return self.http.get(f"{self.url}/{path}", headers=headers).status_code

    def query(self, parent: str, collection: str, headers: dict[str, str], **equals: str) -> int:
        filters = [
            {"fieldFilter": {"field": {"fieldPath": name}, "op": "EQUAL", "value": {"stringValue": value}}}
            for name, value in equals.items()
        ]
        query: dict[str, Any] = {"from": [{"collectionId": collection, "allDescendants": not parent}]}
        if filters:
            query["where"] = {"compositeFilter": {"op": "AND", "filters": filters}}
        url = f"{self.url}/{parent}:runQuery" if parent else f"{self.url}:runQuery"
        return self.http.post(url, headers=headers, json={"structuredQuery": query}).status_code


def path_of(kind: str, caller: str | None) -> str:
    return f"organizations/{ORGANIZATION}{DOCUMENTS[kind].format(caller=caller)}"


@pytest.fixture(scope="module")
def database(firestore_host: str) -> Iterator[Database]:
    """One project for all: nobody changes anything in it."""
    project = "test-firestore-rules"
    put_rules(firestore_host, project, RULES).raise_for_status()
    with closing(firestore_client(project=project, firestore_host=firestore_host)) as console:
        for organization_id, own_fields in {ORGANIZATION: {}, ELSEWHERE: {}, **CLOSED}.items():
            organization = console.document(f"organizations/{organization_id}")
            if own_fields is not None:
                organization.set({"name": organization_id, **own_fields})
            for name, fields in PEOPLE.items():
                organization.collection("users").document(name).set(dict(fields))
            for name in (*PEOPLE, "not-in-users"):
                organization.collection("sessions").document(f"of-{name}").set({"user_id": name, "ended_at": None})
            for path in ("licenses/cad", "usage/seats", "audit_events/event", "reviews/record", "notes/note"):
                collection, document_id = path.split("/")
                organization.collection(collection).document(document_id).set({"some": "thing"})
        console.document("others/thing").set({"some": "thing"})
    url = f"http://{firestore_host}/v1/projects/{project}/databases/(default)/documents"
    with httpx.Client(timeout=30) as http:
        yield Database(http=http, url=url, project=project)


@pytest.mark.parametrize("caller", READABLE)
def test_a_caller_reads_what_the_role_allows_and_nothing_else(database: Database, caller: str) -> None:
    headers = database.headers(caller)

    statuses = {kind: database.get(path_of(kind, caller), headers) for kind in DOCUMENTS}

    assert statuses == {kind: 200 if kind in READABLE[caller] else 403 for kind in DOCUMENTS}


@pytest.mark.parametrize("caller", [None, *READABLE])
def test_a_stranger_reads_nothing(database: Database, caller: str | None) -> None:
    # The same name, with the same role, in another organization; or nobody at all.
    claims = (ELSEWHERE, None, "", "acme/users")
    statuses = {
        (kind, claim): database.get(path_of(kind, caller), database.headers(caller, claim))
        for kind in DOCUMENTS
        for claim in claims
    }

    assert statuses == dict.fromkeys(statuses, 403)


@pytest.mark.parametrize("caller", READABLE)
@pytest.mark.parametrize("closed", CLOSED)
def test_in_an_organization_that_is_closed_nobody_reads_anything(database: Database, closed: str, caller: str) -> None:
    headers, path = database.headers(caller, closed), f"organizations/{closed}"

    read = {database.get(f"{path}{below.format(caller=caller)}", headers) for below in DOCUMENTS.values()}
    listed = {database.query(path, collection, headers) for collection in COLLECTIONS}
    own = database.query(path, "sessions", headers, user_id=caller)

    assert (read, listed, own) == ({403}, {403}, 403)


@pytest.mark.parametrize("caller", [None, *READABLE])
def test_nobody_writes_anything(database: Database, caller: str | None) -> None:
    headers = database.headers(caller)
    fields = {"fields": {"role": {"stringValue": "owner"}}}
    statuses = {}

    for kind in DOCUMENTS:
        path = f"{database.url}/{path_of(kind, caller)}"
        collection, _, _ = path.rpartition("/")
        updated = database.http.patch(path, headers=headers, json=fields, params={"currentDocument.exists": "true"})
        created = database.http.post(collection, headers=headers, json=fields, params={"documentId": "made-up"})
        deleted = database.http.delete(path, headers=headers)
        statuses[kind] = [updated.status_code, created.status_code, deleted.status_code]

    assert statuses == dict.fromkeys(DOCUMENTS, [403] * 3)


@pytest.mark.parametrize(
    ("caller", "collection", "where", "status"),
    [
        ("olivia", "sessions", {}, 200),
        ("adam", "users", {}, 200),
        ("adam", "audit_events", {}, 200),
        ("mia", "sessions", {"user_id": "mia"}, 200),
        ("mia", "sessions", {}, 403),
        ("mia", "sessions", {"user_id": "max"}, 403),
        ("mia", "users", {}, 403),
        ("mia", "usage", {}, 403),
        ("mia", "licenses", {}, 403),
        ("mia", "audit_events", {"user_id": "mia"}, 403),
        ("gus", "sessions", {"user_id": "gus"}, 403),
        ("gone", "sessions", {"user_id": "gone"}, 403),
    ],
)
def test_a_list_holds_what_the_role_allows_or_is_refused(
    database: Database, caller: str, collection: str, where: dict[str, str], status: int
) -> None:
    found = database.query(f"organizations/{ORGANIZATION}", collection, database.headers(caller), **where)

    assert found == status


@pytest.mark.parametrize("caller", [None, *READABLE])
def test_only_owners_and_admins_list_whole_collections(database: Database, caller: str | None) -> None:
    path, headers = f"organizations/{ORGANIZATION}", database.headers(caller)

    statuses = {collection: database.query(path, collection, headers) for collection in COLLECTIONS}

    assert statuses == dict.fromkeys(COLLECTIONS, 200 if caller in {"olivia", "adam"} else 403)


@pytest.mark.parametrize("caller", [None, *READABLE])
def test_a_stranger_lists_and_writes_nothing(database: Database, caller: str | None) -> None:
    path, name = f"organizations/{ORGANIZATION}", {**IN_COLLECTION, "users": caller, "sessions": f"of-{caller}"}
    headers = database.headers(caller, ELSEWHERE)
    body = {"fields": {"user_id": {"stringValue": caller or ""}}}
    statuses = {}

    for collection in COLLECTIONS:
        collection_url = f"{database.url}/{path}/{collection}"
        url = f"{collection_url}/{name[collection]}"
        statuses[collection] = [
            database.query(path, collection, headers),
            database.query(path, collection, headers, user_id=caller or ""),
            database.http.patch(url, headers=headers, json=body).status_code,
            database.http.post(collection_url, headers=headers, json=body).status_code,
            database.http.delete(url, headers=headers).status_code,
        ]

    assert statuses == dict.fromkeys(COLLECTIONS, [403] * 5)


@pytest.mark.parametrize("caller", ["olivia", "mia"])
def test_nobody_looks_across_organizations(database: Database, caller: str) -> None:
    headers, collections = database.headers(caller), ["organizations", *COLLECTIONS]

    statuses = {collection: database.query("", collection, headers) for collection in collections}

    assert statuses == dict.fromkeys(collections, 403)


def test_what_is_outside_of_organizations_is_nobodys(database: Database) -> None:
    assert database.get("others/thing", database.headers("olivia")) == 403


def test_every_expression_of_the_rules_was_needed_by_these_tests(database: Database, firestore_host: str) -> None:
    # Runs last: what the emulator has counted since the rules were loaded.
    coverage = httpx.get(f"http://{firestore_host}/emulator/v1/projects/{database.project}:ruleCoverage").json()

    expressions = list(leaves(coverage["report"]))
    never = [text_at(each["sourcePosition"]) for each in expressions if not each.get("values")]

    assert len(expressions) > 20
    assert never == []


def test_rules_that_do_not_compile_are_refused(firestore_host: str, project: str) -> None:
    answer = put_rules(firestore_host, project, RULES.replace("allow read: if", "allow read if", 1))

    assert answer.status_code == 400
    assert "Error compiling rules" in answer.text


def leaves(expressions: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for expression in expressions:
        yield expression
        yield from leaves(expression.get("children", []))


def text_at(position: Mapping[str, int]) -> str:
    start = position.get("currentOffset", 0)
    return f"line {position.get('line')}: {RULES[start : position.get('endOffset', start + 40)]}"


def put_rules(firestore_host: str, project: str, content: str) -> httpx.Response:
    return httpx.put(
        f"http://{firestore_host}/emulator/v1/projects/{project}:securityRules",
        content=json.dumps({"rules": {"files": [{"name": "firestore.rules", "content": content}]}}),
    )

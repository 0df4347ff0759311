"""What a program with a user's ID token may do in Firestore itself: nothing. Judged by the emulator."""

import json
from contextlib import closing

import httpx
import pytest

from infra.build.stage import ROOT
from infra.local.seed import firestore_client
from infra.local.tokens import unsigned_token

RULES = (ROOT / "infra/firestore.rules").read_text()
PROJECT, ORGANIZATION = "test-firestore-rules", "acme"
CALLERS = [None, "owner", "admin", "member", "guest", "not-in-users"]
"""Each but the first and the last has a user's document with that role. The first has no token."""

PLACES = [
    "organizations/acme",
    "organizations/acme/users/{caller}",
    "organizations/acme/licenses/cad",
    "organizations/acme/sessions/of-{caller}",
    "organizations/acme/usage/seats",
    "organizations/acme/audit_events/event",
    "organizations/acme/reviews/record",
    "organizations/acme/waiting/of-{caller}",
    "others/thing",
]


@pytest.fixture(scope="module")
def documents(firestore_host: str) -> str:
    """Where the documents of an organization are read and written, under our rules. Nobody changes any."""
    put_rules(firestore_host, PROJECT, RULES).raise_for_status()
    with closing(firestore_client(project=PROJECT, firestore_host=firestore_host)) as console:
        for caller in filter(None, CALLERS):
            for place in PLACES:
                console.document(place.format(caller=caller)).set({"role": caller, "user_id": caller})
        console.document(f"organizations/{ORGANIZATION}/users/not-in-users").delete()
    return f"http://{firestore_host}/v1/projects/{PROJECT}/databases/(default)/documents"


@pytest.mark.parametrize("caller", CALLERS)
def test_no_program_reads_lists_or_writes_anything(documents: str, caller: str | None) -> None:
    token = unsigned_token(project=PROJECT, organization_id=ORGANIZATION, user_id=caller or "")
    headers = {} if caller is None else {"Authorization": f"Bearer {token}"}
    fields = {"fields": {"role": {"stringValue": "owner"}}}
    statuses = {}

    with httpx.Client(timeout=30, headers=headers) as http:
        for place in PLACES:
            url = f"{documents}/{place.format(caller=caller)}"
            collection, _, _ = url.rpartition("/")
            parent, _, name = collection.rpartition("/")
            own = {"field": {"fieldPath": "user_id"}, "op": "EQUAL", "value": {"stringValue": f"{caller}"}}
            query = {"from": [{"collectionId": name}], "where": {"fieldFilter": own}}
            statuses[place] = {
                "get": http.get(url).status_code,
                "list": http.get(collection).status_code,
                "query": http.post(f"{parent}:runQuery", json={"structuredQuery": query}).status_code,
                "create": http.post(collection, json=fields, params={"documentId": "made-up"}).status_code,
                "update": http.patch(url, json=fields).status_code,
                "delete": http.delete(url).status_code,
            }

    assert {status for by_kind in statuses.values() for status in by_kind.values()} == {403}, statuses


def test_rules_that_do_not_compile_are_refused(firestore_host: str, project: str) -> None:
    answer = put_rules(firestore_host, project, RULES.replace("write: if", "write if", 1))

    assert answer.status_code == 400
    assert "Error compiling rules" in answer.text


def put_rules(firestore_host: str, project: str, content: str) -> httpx.Response:
    return httpx.put(
        f"http://{firestore_host}/emulator/v1/projects/{project}:securityRules",
        content=json.dumps({"rules": {"files": [{"name": "firestore.rules", "content": content}]}}),
    )

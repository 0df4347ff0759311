"""No way in the code leads from a client's request to another organization's documents.

Each rule is a function that says where it is broken; each is shown to find what it is there for.
"""

import ast
from collections.abc import Callable, Iterator, Mapping, Sized
from functools import cache

import pytest

from infra.build.stage import ROOT, function_names
from tests.support.code_graph import Code, Place

CLIENT_FUNCTIONS = ("acquire", "heartbeat", "history", "invitations", "members", "release", "usage")
"""Those that act for a caller. ``keys`` acts for nobody: import-linter keeps every document out of its reach.

``join`` acts for a person whom no organization lists yet. It has tests of its own, below.
"""
OPERATIONS_OF = {"invitations": ["withdraw", "invite"], "members": ["members", "change"]}
"""What a function asks of the store, in the order of its code. The others ask for what they are named after."""
PATHS, FIRESTORE = "shared/documents/paths.py", "shared.firestore.client"

SLASHES: Mapping[str, list[str]] = {
    "shared/edge/answers.py": ["application/json"],
    "shared/edge/people_answers.py": ["/join?org="],  # of a page, for people
    "shared/edge/lease_tokens.py": ["seatlease/"],  # the issuer's name
    "shared/edge/http.py": ["/traces/", "projects/"],
    "shared/edge/logs.py": ["logging.googleapis.com/spanId", "logging.googleapis.com/trace"],
    "shared/edge/errors.py": ["The request must be JSON, with the header Content-Type: application/json."],
    "shared/edge/history_query.py": ["text/csv"],
    "shared/edge/requests.py": ["application/json"],
    "shared/edge/usage_answer.py": ['W/"'],  # the mark of a weak tag
    "shared/edge/settings.py": [
        (
            " is no origin, such as https://app.example.com: "
            "in small letters, without a path or a slash at the end, and without :443"
        ),
        "http://(localhost|127\\.0\\.0\\.1)(?!:80$)(:[0-9]{1,5})?",
        "https://[a-z0-9.-]+(?!:443$)(:[0-9]{1,5})?",
    ],
    "shared/rules/seat_use.py": ["/pools/", "licenses/", "licenses/"],  # what a counter weighs in the checksum
    "shared/seats/counters.py": ["/"],  # the license that no document can be
    "shared/firestore/client.py": ["/", "/", "/databases/", "/documents/", "clock/-", "projects/"],  # before every path
    "shared/audit/relay.py": ["Pub/Sub refuses an audit event"],
    "shared/admin/review_record.py": ["/"],  # taken from a path, for people to read
    "shared/firestore/rpc.py": ["/google.firestore.v1.Firestore/", "https://www.googleapis.com/auth/datastore"],
    "shared/audit/topic.py": ["/topics/", "Pub/Sub did not confirm: ", "projects/"],
    "shared/admin/form_problems.py": ["/"],  # of a JSON schema
}
"""Every text with a slash that is no document's path, each as often as it occurs: without a slash there is no path."""

GOOGLE_CLOUD = {
    "google.cloud.firestore_v1.types",
    "google.cloud.firestore_v1.field_path",
}
"""What may be imported of Firestore's client: messages and names of fields, nothing that makes references."""

WRITES = {"Create", "Update", "Delete", "Add"}
BY_NAME = {"eval", "exec", "globals", "vars", "__import__", "import_module"}


@cache
def the_code() -> Code:
    return Code(ROOT)


def slashes(code: Code) -> dict[str, list[str]]:
    """The texts with a slash outside of the file that builds paths."""
    found = {path: sorted(text for text in _texts(code, path) if "/" in text) for path in code.files}
    return {path: texts for path, texts in found.items() if texts and path != PATHS}


def _texts(code: Code, path: str) -> Iterator[str]:
    tree = ast.parse(code.files[path])
    told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # docstrings
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str() as text) if id(node) not in told:
                yield text
            case ast.Constant(value=bytes() as data):
                yield data.decode("latin-1")


def other_clients(code: Code) -> list[str]:
    """What is imported of Firestore's own client, or called as its methods are that name documents."""
    found = []
    for module, tree in code.trees.items():
        for node in ast.walk(tree):
            match node:
                case ast.ImportFrom(module=str() as source, names=names) if source not in GOOGLE_CLOUD:
                    imported = [f"{source}.{each.name}" for each in names]
                    found += [f"{module} imports {each}" for each in imported if _is_firestores(each)]
                case ast.Import(names=names):
                    found += [f"{module} imports {each.name}" for each in names if _is_firestores(each.name)]
                case ast.Call(func=ast.Attribute(attr="document" | "collection" | "collection_group" as name)):
                    found.append(f"{module} calls {name}")
    return found


def _is_firestores(source: str) -> bool:
    return source == "google.cloud" or source.startswith(("google.cloud.firestore", "firebase_admin.firestore"))


def composed(code: Code) -> list[str]:
    """Texts, or sums of texts, where the store is told which document to read or to write."""
    found = []
    for module, tree in code.trees.items():
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=ast.Attribute(attr="read" | "select" | "count"), args=[where, *_]):
                    told = where
                case ast.Call(func=ast.Name(id=name), keywords=named) if name in WRITES:
                    told = next(each.value for each in named if each.arg == "path")
                case _:
                    continue
            if any(isinstance(each, ast.JoinedStr | ast.BinOp | ast.Constant) for each in ast.walk(told)):
                found.append(f"{module}:{node.lineno}")
    return found


def looked_up_by_name(code: Code) -> list[str]:
    """Calls that reach what their text names, and imports that do not say what: no graph knows what that is."""
    found = []
    for module, tree in code.trees.items():
        for node in ast.walk(tree):
            match node:
                case ast.Name(id=name) | ast.Attribute(attr=name) if name in BY_NAME:
                    found.append(f"{module} calls {name}")
                case ast.ImportFrom(level=level, names=names) if level or any(each.name == "*" for each in names):
                    found.append(ast.unparse(node))
    return found


def asking_everywhere(code: Code) -> set[str]:
    """The functions from which a query over all organizations can be reached."""
    return {
        name
        for name in function_names()
        if any(_asks_everywhere(code, place) for place in code.reachable(f"functions.{name}.main"))
    }


def _asks_everywhere(code: Code, place: Place) -> bool:
    # Firestore names the parent of such queries to refuse it to all others, and says so.
    if place == (FIRESTORE, "Firestore"):
        return False
    nodes = [node for statement in code.nodes(place) for node in ast.walk(statement)]
    return any(
        (isinstance(node, ast.keyword) and node.arg == "everywhere")
        or (isinstance(node, ast.Constant) and node.value == "everywhere")
        or (isinstance(node, ast.Name) and node.id == "ALL_ORGANIZATIONS" and isinstance(node.ctx, ast.Load))
        or (isinstance(node, ast.Attribute) and node.attr == "ALL_ORGANIZATIONS")
        for node in nodes
    )


def organizations_not_of_the_caller(code: Code) -> list[str]:
    """Where a function that clients ask names another organization than that of the verified token."""
    found = []
    for name in CLIENT_FUNCTIONS:
        module = f"functions.{name}.main"
        tree = code.trees[module]
        callers = [
            node for node in ast.walk(tree) if isinstance(node, ast.Assign) and "caller" in ast.unparse(node.targets[0])
        ]
        if [ast.unparse(node) for node in callers] != ["caller = await identify(request)"]:
            found.append(f"{module}: another caller")
        if any("organization" in word for word in _words(tree) if word != "organization_id"):
            found.append(f"{module}: another organization")
        asked = [node for node in ast.walk(tree) if _asks_the_store(node, name)]
        named = [ast.unparse(node.args[0]) for node in asked if isinstance(node, ast.Call) and node.args]
        if named != ["caller.organization_id"] * len(OPERATIONS_OF.get(name, [name])):
            found.append(f"{module}: {named}")
        for place in code.reachable(module):
            found += [f"{place[0]}.{place[1]}: {how}" for how in _other_ways(code, place)]
    return found


def _asks_the_store(node: ast.AST, name: str) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Call(func=ast.Name()), attr=attribute)):
            return attribute in OPERATIONS_OF.get(name, [name])
        case _:
            return False


def _words(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=word) | ast.Attribute(attr=word) | ast.keyword(arg=str() as word) | ast.arg(arg=word):
                yield word


def _other_ways(code: Code, place: Place) -> Iterator[str]:
    """Paths of an organization that is taken from elsewhere than an argument of that name, and callers made up."""
    for statement in code.nodes(place):
        for node in ast.walk(statement):
            match node:
                case ast.Call(func=ast.Name(id="OrganizationPaths"), args=args):
                    if [ast.unparse(each) for each in args] != ["organization_id"]:
                        yield ast.unparse(node)
                case ast.Attribute(value=ast.Name(id="OrganizationPaths")):
                    yield ast.unparse(node)
                case ast.Call(func=ast.Name(id="Caller")) if place != ("shared.edge.identity", "Tokens"):
                    yield ast.unparse(node)
                case ast.Constant(value="org_id") if place[0] != "shared.edge.identity":
                    yield ast.unparse(node)


def test_without_the_file_that_builds_paths_no_text_makes_one() -> None:
    assert slashes(the_code()) == SLASHES


def test_nothing_names_documents_but_our_own_connection() -> None:
    assert other_clients(the_code()) == []


def test_what_is_read_and_written_is_named_by_paths_alone() -> None:
    assert composed(the_code()) == []


def test_only_join_and_functions_that_no_client_calls_ask_over_all_organizations() -> None:
    allowed = {
        "expire_sessions",
        "join",
        "reconcile",
        "relay_audit",
        "review_admin_edit",
        "summarize_usage",
        "sync_user_claims",
    }

    assert asking_everywhere(the_code()) == allowed
    assert allowed.isdisjoint(CLIENT_FUNCTIONS)
    assert looked_up_by_name(the_code()) == []


def test_the_organization_of_a_request_is_the_callers() -> None:
    assert organizations_not_of_the_caller(the_code()) == []


# Each rule finds what it is there for


HEARTBEAT, USAGE, RELEASE = (f"shared/seats/{name}.py" for name in ("heartbeat", "usage", "release"))
DEADLY = [
    (slashes, RELEASE, "paths.session(request.session_id)", 'f"organizations/x/sessions/{request.session_id}"'),
    (slashes, RELEASE, "paths.session(request.session_id)", '"/".join([paths.organization, request.session_id])'),
    (slashes, RELEASE, "paths.session(request.session_id)", 'bytes.decode(b"organizations/x")'),
    (slashes, "shared/seats/counters.py", "paths.organization", 'paths.organization + "/" + scope'),
    (slashes, "functions/usage/main.py", "caller.user_id", 'f"../{caller.user_id}"'),
    (other_clients, USAGE, "import asyncio", "from google.cloud import firestore"),
    (other_clients, USAGE, "import asyncio", "from google.cloud.firestore_v1 import AsyncClient"),
    (other_clients, USAGE, "import asyncio", "import google.cloud.firestore"),
    (other_clients, USAGE, "import asyncio", "import asyncio, google.cloud.firestore_v1.client as c"),
    (
        other_clients,
        "shared/edge/identity.py",
        "from firebase_admin import auth",
        "from firebase_admin import firestore",
    ),
    (other_clients, USAGE, "paths.organization", 'client.collection("organizations")'),
    (composed, RELEASE, "[paths.organization, *map", "[paths.organization + requests[0].session_id, *map"),
    (composed, USAGE, "[paths.organization,", '[f"{paths.organization}{request.after}",'),
    (
        composed,
        "shared/documents/writing.py",
        "Update(path=document.path",
        "Update(path=document.path + session.user_id",
    ),
    (composed, USAGE, "select(paths.organization, query, at=at)", 'select("", query, at=at)'),
    (asking_everywhere, USAGE, "queries.all_licenses()", "queries.open_everywhere(limit=5)"),
    (asking_everywhere, USAGE, "select(paths.organization", "select(ALL_ORGANIZATIONS"),
    (
        asking_everywhere,
        HEARTBEAT,
        "known = {",
        "import shared.firestore.client as db; db.ALL_ORGANIZATIONS; known = {",
    ),
    (asking_everywhere, HEARTBEAT, "known = {", "from shared.documents.organizations import walk; walk; known = {"),
    (
        asking_everywhere,
        HEARTBEAT,
        "known = {",
        "import shared.documents.organizations; shared.documents.organizations.walk; known = {",
    ),
    (
        asking_everywhere,
        HEARTBEAT,
        "known = {",
        "from shared.documents import organizations; some = organizations; known = {",
    ),
    (
        asking_everywhere,
        "functions/release/main.py",
        "return Releases(firestore(), policy())",
        "from shared.seats.expire import Expiries; return Expiries(firestore(), policy(), run_within=1)",
    ),
    (
        asking_everywhere,
        "shared/documents/queries.py",
        'Query(collection="licenses")',
        'Query(collection="x", everywhere=True)',
    ),
    (asking_everywhere, "shared/documents/reading.py", "if document is None:", 'if {"everywhere": True}:'),
    (looked_up_by_name, USAGE, "import asyncio", "import importlib; importlib.import_module"),
    (looked_up_by_name, USAGE, "paths.organization", 'globals()["ALL_ORGANIZATIONS"]'),
    (looked_up_by_name, USAGE, "import asyncio", "from shared.documents.organizations import *"),
    (looked_up_by_name, USAGE, "import asyncio", "from . import walk"),
    (organizations_not_of_the_caller, "functions/release/main.py", "caller.organization_id", "asked.session_id"),
    (organizations_not_of_the_caller, "functions/usage/main.py", "caller.organization_id", "caller.user_id"),
    (organizations_not_of_the_caller, "functions/usage/main.py", "caller.user_id", "asked.organization_id_of_another"),
    (organizations_not_of_the_caller, "functions/acquire/main.py", "await identify(request)", "asked"),
    (
        organizations_not_of_the_caller,
        "functions/acquire/main.py",
        "    asked =",
        "    caller = other(caller)\n    asked =",
    ),
    (organizations_not_of_the_caller, USAGE, "OrganizationPaths(organization_id)", "OrganizationPaths(request.after)"),
    (
        organizations_not_of_the_caller,
        HEARTBEAT,
        "paths.organization,",
        "OrganizationPaths.of(request.x).paths.organization,",
    ),
    (
        organizations_not_of_the_caller,
        "shared/edge/devices.py",
        "return Device(",
        'return Caller(user_id="", organization_id="") or Device(',
    ),
    (
        organizations_not_of_the_caller,
        "shared/edge/requests.py",
        "given = request.query_params",
        'given = request.headers["org_id"]; "org_id"',
    ),
]
"""A rule, a file, something in it, and what would break the rule in its place."""


@pytest.mark.mutant
@pytest.mark.parametrize(("rule", "path", "old", "new"), DEADLY, ids=lambda each: getattr(each, "__name__", str(each)))
def test_what_would_break_a_rule_is_found(rule: Callable[[Code], Sized], path: str, old: str, new: str) -> None:
    text = the_code().files[path]
    assert old in text

    found = rule(Code(ROOT, instead={path: text.replace(old, new)}))

    assert found != _found_in_the_code(rule)
    assert len(found) >= len(_found_in_the_code(rule))


@cache
def _found_in_the_code(rule: Callable[[Code], Sized]) -> Sized:
    return rule(the_code())

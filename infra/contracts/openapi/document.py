"""Makes the OpenAPI document from the table of operations."""

import json
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from infra.build.stage import ROOT
from infra.contracts.openapi.codes import MEANINGS
from infra.contracts.openapi.headers import IF_NONE_MATCH, REQUEST_HEADERS, allow, always, challenge, retry_after, tag
from infra.contracts.openapi.operations import ANY_CALL, OPERATIONS, Operation, Success, function_of, methods_of
from infra.contracts.openapi.schemas import (
    Schema,
    code_schema,
    code_schema_name,
    error_example,
    errors_schema,
    example_of,
    model_schemas,
    reference,
)
from infra.contracts.openapi.words import word
from shared.edge.errors import Code
from shared.edge.history_query import CSV_TYPE

OPENAPI = ROOT / "infra/contracts/openapi.json"
SECURITY_SCHEME = "firebase"

_INFO = {
    "title": "Seatlease",
    "version": "1",
    "summary": "Floating (concurrent-seat) licensing: take a seat, keep it, give it back.",
    "description": "A client acquires a seat, sends heartbeats while it works, and releases the seat at the end. Only "
    "the token's claim `org_id` decides about the organization.\n\nTimes are RFC 3339 in UTC, by the database's "
    "clock. Fields that end in `_seconds` are whole seconds. Unknown fields in requests are refused. Answers may get "
    "new fields, and errors new codes. Ignore fields that you do not know. For a code that you do not know, go by the "
    "status.\n\nA proxy or the platform in front of the functions may answer 429, 502, 503 or 504 in another form. "
    "Asking again is safe then too.\n\nA web page of another origin can call only if the operator allowed its origin "
    "(CORS).",
    "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
}
_SERVERS = [
    {
        "url": "https://{host}",
        "description": "The deployed service, at the domain of its Firebase Hosting site.",
        "variables": {"host": {"default": "seatlease.example.com", "description": "The domain."}},
    },
    {"url": "http://127.0.0.1:8080", "description": "The local stack: `make serve`."},
]
_TOKEN = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "An ID token of Firebase Authentication, valid for one hour, with the claim `org_id`.",
}


def document() -> dict[str, Any]:
    schemas = model_schemas()
    paths: dict[str, dict[str, Any]] = {}
    for name, one in OPERATIONS.items():
        paths.setdefault(f"/v1/{function_of(name)}", {})[one.method.lower()] = _operation(name, one, schemas)
    return {
        "openapi": "3.1.0",
        "info": _INFO,
        "servers": _SERVERS,
        "paths": paths,
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "securitySchemes": {SECURITY_SCHEME: _TOKEN},
        },
    }


def as_text(written: Mapping[str, Any]) -> str:
    return json.dumps(written, indent=2) + "\n"


def _operation(name: str, operation: Operation, schemas: dict[str, Schema]) -> dict[str, Any]:
    successes = {str(status): _success(success, schemas) for status, success in operation.successes.items()}
    if operation.is_tagged:
        for success in successes.values():
            success["headers"] |= tag()
    described = {
        "operationId": name,
        "summary": operation.summary,
        "description": operation.description,
        "security": [{SECURITY_SCHEME: []}] if operation.takes_token else [],
        "parameters": [*_query(operation), *([IF_NONE_MATCH] if operation.is_tagged else []), *REQUEST_HEADERS],
        "responses": {**successes, **_errors(name, operation, schemas)},
    }
    if operation.body is not None:
        model = operation.body.__name__
        content = {"schema": reference(model), "example": example_of(model, schemas)}
        told = "JSON in UTF-8, at most 16 KiB."
        described["requestBody"] = {
            "description": told,
            "required": True,
            "content": {"application/json": content},
        }
    return described


def _success(success: Success, schemas: Mapping[str, Schema]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "description": success.means,
        "headers": always(cache_control=success.cache_control),
    }
    if success.model is not None:
        name = success.model.__name__
        example = {**example_of(name, schemas), **(success.example or {})}
        forms = [reference(name)] if success.another is None else [reference(name), reference(success.another.__name__)]
        schema = forms[0] if len(forms) == 1 else {"anyOf": forms}
        described["content"] = {"application/json": {"schema": schema, "example": example}}
    if success.csv is not None:
        described["content"][CSV_TYPE] = {"schema": {"type": "string"}, "example": success.csv}
    return described


def _errors(name: str, operation: Operation, schemas: dict[str, Schema]) -> dict[str, Any]:
    """The errors of an operation by status. Their schemas are added to ``schemas``."""
    by_status: dict[HTTPStatus, list[Code]] = {}
    for code in Code:
        if code in operation.codes | ANY_CALL:
            by_status.setdefault(code.status, []).append(code)
    return {str(int(status)): _error(name, codes, schemas) for status, codes in sorted(by_status.items())}


def _error(name: str, codes: list[Code], schemas: dict[str, Schema]) -> dict[str, Any]:
    for code in codes:
        schemas[code_schema_name(code)] = code_schema(code, schemas)
    status = codes[0].status
    title = _error_name(name, status, codes)
    schemas[title] = errors_schema(title, codes, schemas)
    headers = always(cache_control="no-store")
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        headers |= allow(methods_of(function_of(name)))
    if status is HTTPStatus.UNAUTHORIZED:
        headers |= challenge(codes)
    if all(MEANINGS[code].has_retry_after for code in codes):
        headers |= retry_after()
    examples = {code.value: {"summary": MEANINGS[code].when, "value": error_example(code, schemas)} for code in codes}
    return {
        "description": "\n".join(f"- `{code}`: {MEANINGS[code].when}. {MEANINGS[code].then}" for code in codes),
        "headers": headers,
        "content": {"application/json": {"schema": reference(title), "examples": examples}},
    }


def _error_name(name: str, status: HTTPStatus, codes: list[Code]) -> str:
    """The schema's name. It is the status alone if every operation answers the same codes with it."""
    others = [{code for code in one.codes | ANY_CALL if code.status is status} for one in OPERATIONS.values()]
    is_common = all(other in (set(), set(codes)) for other in others)
    return f"Error{int(status)}" if is_common else f"{name.title().replace('_', '')}Error{int(status)}"


def _query(operation: Operation) -> list[dict[str, Any]]:
    if operation.query is None:
        return []
    described = operation.query.model_json_schema()
    kinds = {f"#/$defs/{name}": {"type": kind["type"], "enum": kind["enum"]} for name, kind in _kinds_of(described)}
    return [
        _parameter(operation.query.__name__, field, schema, kinds, is_required=field in described.get("required", []))
        for field, schema in described["properties"].items()
    ]


def _kinds_of(described: Schema) -> Iterable[tuple[str, Schema]]:
    """The enumerations that a query names. They stand in its parameters, not beside them."""
    definitions: dict[str, Schema] = described.get("$defs", {})
    return definitions.items()


def _parameter(
    model: str, field: str, schema: Schema, kinds: Mapping[str, Schema], *, is_required: bool
) -> dict[str, Any]:
    match schema:
        case {"anyOf": [{"$ref": kind}, {"type": "null"}]}:
            shown = kinds[kind]
        case {"anyOf": [one, {"type": "null"}]}:
            # A query has no null: the parameter is left out instead.
            shown = dict(one)
        case _:
            shown = {key: value for key, value in schema.items() if key != "title"}
    parameter = {"name": field, "in": "query", "required": is_required, "schema": shown}
    if (known := word(model, field)) is not None:
        parameter |= {"description": known.meaning, "example": known.example}
    return parameter

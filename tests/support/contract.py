"""Check answers against the clients' contract, the OpenAPI document."""

import json
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from jsonschema import Draft202012Validator

from infra.contracts.openapi.document import OPENAPI

Document = dict[str, Any]


def the_contract() -> Document:
    """The document as it stands in the repository."""
    document: Document = json.loads(OPENAPI.read_text())
    return document


def told_everything(document: Document) -> Document:
    """The same, refusing what it does not tell of: clients are to pass over new fields, and we are to tell of them."""
    closed = deepcopy(document)
    for schema in closed["components"]["schemas"].values():
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)
    return closed


def problems(document: Document, schema: Mapping[str, Any], value: object) -> list[str]:
    """What is wrong with a value, by a schema of the document; formats count."""
    # References in the schema are to the document's components.
    whole = {"components": document["components"], **schema}
    validator = Draft202012Validator(whole, format_checker=Draft202012Validator.FORMAT_CHECKER)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]


def operation_of(document: Document, name: str) -> Document:
    """What the document says of one operation."""
    (found,) = (each for path in document["paths"].values() for each in path.values() if each["operationId"] == name)
    operation: Document = found
    return operation


def broken_by(
    document: Document, name: str, *, status: int, headers: Mapping[str, str], content: bytes | None
) -> list[str]:
    """How an answer of an operation breaks the contract. ``content`` is ``None`` when only the head was asked for."""
    operation = operation_of(document, name)
    described = operation["responses"].get(str(status))
    if described is None:
        return [f"no answer of {name} has the status {status}"]
    found = _broken_headers(document, described["headers"], headers)
    if "content" not in described:
        return [*found, f"a body: {content!r}"] if content else found
    media = described["content"].get(media_type := headers.get("Content-Type"))
    if media is None:
        return [*found, f"the media type is {media_type}"]
    if content is None:
        return found
    told = json.loads(content) if media_type == "application/json" else content.decode()
    return found + problems(document, media["schema"], told)


def _broken_headers(document: Document, described: Mapping[str, Any], sent: Mapping[str, str]) -> list[str]:
    found = []
    for name, header in described.items():
        value = sent.get(name)
        if value is None:
            found.append(f"no header {name}")
            continue
        told: object = int(value) if header["schema"]["type"] == "integer" and value.isdecimal() else value
        found += [f"{name}: {each}" for each in problems(document, header["schema"], told)]
    return found

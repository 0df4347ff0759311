"""Makes the schemas of requests and answers from their models, and examples from the words."""

from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from infra.contracts.openapi.codes import MEANINGS, details_model
from infra.contracts.openapi.operations import OPERATIONS
from infra.contracts.openapi.words import AT, word
from shared.documents.rfc3339 import rfc3339
from shared.edge.answers import ErrorAnswer
from shared.edge.errors import MESSAGES, Code

Schema = dict[str, Any]
Mode = Literal["validation", "serialization"]

_REF = "#/components/schemas/{model}"


def reference(name: str) -> Schema:
    return {"$ref": _REF.format(model=name)}


def model_schemas() -> dict[str, Schema]:
    """The schema of every model, and of the models inside them, with the meaning of each field."""
    _, definitions = models_json_schema(list(dict.fromkeys(_models())), ref_template=_REF)
    schemas: dict[str, Schema] = definitions["$defs"]
    for name, schema in schemas.items():
        _tell(name, schema)
    return dict(sorted(schemas.items()))


def code_schema(code: Code, schemas: Mapping[str, Schema]) -> Schema:
    """The schema of the error with this code."""
    meaning = MEANINGS[code]
    schema = deepcopy(schemas["ErrorView"])
    schema["title"] = code_schema_name(code)
    schema["description"] = f"{_sentence(meaning.when)} {meaning.then}"
    schema["properties"]["code"] |= {"const": code.value}
    schema["properties"]["retryable"] |= {"const": code.retryable}
    schema["properties"]["details"] = reference(details_model(code).__name__)
    return schema


def code_schema_name(code: Code) -> str:
    return "".join(part.capitalize() for part in code.value.split("_"))


def errors_schema(title: str, codes: Iterable[Code], schemas: Mapping[str, Schema]) -> Schema:
    """The schema of an error answer with one of these codes."""
    names = {code.value: code_schema_name(code) for code in codes}
    schema = deepcopy(schemas["ErrorAnswer"])
    schema["title"] = title
    schema["properties"]["error"] = {
        "description": schema["properties"]["error"].get("description", ""),
        "oneOf": [reference(name) for name in names.values()],
        "discriminator": {
            "propertyName": "code",
            "mapping": {code: reference(name)["$ref"] for code, name in names.items()},
        },
    }
    return schema


def example_of(name: str, schemas: Mapping[str, Schema]) -> dict[str, Any]:
    return {field: _example(name, field, schema, schemas) for field, schema in schemas[name]["properties"].items()}


def error_example(code: Code, schemas: Mapping[str, Schema]) -> dict[str, Any]:
    meaning = MEANINGS[code]
    details = {} if meaning.details is None else meaning.details.model_dump(mode="json")
    message = MESSAGES[code].format_map(details)
    own = {"code": code.value, "message": message, "retryable": code.retryable}
    error = {**example_of("ErrorView", schemas), **own, "details": details}
    return {**example_of("ErrorAnswer", schemas), "error": error}


def _models() -> Iterator[tuple[type[BaseModel], Mode]]:
    for operation in OPERATIONS.values():
        if operation.body is not None:
            yield operation.body, "validation"
        for success in operation.successes.values():
            for model in (success.model, success.another):
                if model is not None:
                    yield model, "serialization"
        for code in operation.codes:
            yield details_model(code), "serialization"
    yield ErrorAnswer, "serialization"


def _tell(name: str, schema: Schema) -> None:
    if "description" in schema:
        # Docstrings mark code as in reStructuredText, descriptions as in Markdown.
        schema["description"] = schema["description"].replace("``", "`")
    for field, described in schema.get("properties", {}).items():
        described.pop("title", None)
        if (known := word(name, field)) is not None:
            described["description"] = known.meaning


def _example(model: str, field: str, schema: Schema, schemas: Mapping[str, Schema]) -> Any:  # noqa: ANN401 any JSON
    match schema:
        case {"$ref": str() as ref} if "properties" in schemas[inner := ref.rpartition("/")[2]]:
            return example_of(inner, schemas)
        case {"type": "array", "items": {"$ref": str()} as each}:
            return [_example(model, field, each, schemas)]
        case {"anyOf": [{"$ref": str()} as one, {"type": "null"}]}:
            return _example(model, field, one, schemas)
    known = word(model, field)
    return _plain_example(field, schema) if known is None else known.example


def _plain_example(field: str, schema: Schema) -> object:
    """An example of a field that has no entry in ``WORDS``."""
    match schema:
        case {"format": "date-time"}:
            return rfc3339(AT)
        case {"type": "string"}:
            return field
        case {"type": "integer"}:
            return 1
        case {"type": "boolean"}:
            return False
        case _:
            message = f"{field} needs an example: add it to WORDS in infra/contracts/openapi/words.py"
            raise ValueError(message)


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."

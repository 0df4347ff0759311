"""The OpenAPI document: it is what the models, the catalogue and the code say, and stays so."""

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import timedelta
from functools import cache
from types import UnionType
from typing import Any, get_args, get_type_hints

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import BaseModel, ValidationError

from infra.build.stage import ROOT
from infra.build.triggers import OnRequest, triggers
from infra.contracts.openapi.codes import MEANINGS, details_model
from infra.contracts.openapi.document import OPENAPI, as_text, document
from infra.contracts.openapi.operations import ANY_CALL, OPERATIONS, Operation, Success, function_of, methods_of
from infra.contracts.openapi.schemas import code_schema_name
from infra.contracts.openapi.words import AT, WORDS
from shared.documents.forms import LicenseDocument
from shared.documents.paths import can_be_document_id
from shared.documents.rfc3339 import Time
from shared.edge.errors import Code
from shared.edge.history_answer import answer_history
from shared.edge.lease_answers import answer_acquire, answer_heartbeat
from shared.edge.people_answers import answer_change, answer_invite, answer_join, answer_members, answer_withdraw
from shared.edge.refusals import Refusal, refused
from shared.edge.release_answer import answer_release
from shared.edge.requests import AcquireBody, UsageQuery
from shared.edge.usage_answer import answer_usage
from shared.rules.acquire import DeviceLimitReached, OrganizationSeatLimitReached, SeatLimitReached
from shared.rules.borrowing import BorrowedSeatsLimitReached, BorrowTooLong
from shared.rules.heartbeat import IdleLeft
from shared.rules.history_summary import HistoryTooLong
from shared.rules.line import WaitTooLong
from shared.rules.refusal import KeptOut, LicenseNotStarted, Misconfigured, TooManyInvitations, Unusable
from shared.rules.release import UntilRefused
from shared.rules.session import EndReason, InstanceLimitReached, SessionOver
from tests.rules.make import a_session
from tests.support.code_graph import Code as SourceCode
from tests.support.contract import operation_of, problems, the_contract, told_everything

DOCUMENT = the_contract()
CLOSED = told_everything(DOCUMENT)


def _operation(name: str) -> dict[str, Any]:
    return operation_of(DOCUMENT, name)


# What is written down is what the models say


def test_the_document_is_what_the_models_say() -> None:
    written = OPENAPI.read_text()

    generated = as_text(document())

    assert written == generated, "python -m infra.contracts.openapi writes it anew"


def test_the_document_is_valid_openapi() -> None:
    assert [error.message for error in OpenAPIV31SpecValidator(DOCUMENT).iter_errors()] == []


def test_the_document_has_exactly_the_functions_that_clients_call() -> None:
    called_by_clients = {name for name, trigger in triggers().items() if isinstance(trigger, OnRequest)}

    assert set(map(function_of, OPERATIONS)) == called_by_clients
    assert set(DOCUMENT["paths"]) == {f"/v1/{name}" for name in called_by_clients}


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_has_the_method_that_its_function_answers(name: str) -> None:
    function = function_of(name)
    entry = (ROOT / "functions" / function / "main.py").read_text()

    methods = ", ".join(f'"{method}"' for method in methods_of(function))
    assert f"@http_function({methods})" in entry
    assert OPERATIONS[name].method in methods_of(function)


def test_a_new_field_of_an_answer_is_in_the_document_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    class NewAnswer(BaseModel):
        lease_token: str
        grace_ends_at: Time

    changed = Operation(
        method="GET",
        summary="New",
        description="New.",
        successes={200: Success(means="New.", model=NewAnswer, cache_control="public, max-age=3600")},
        codes=frozenset(),
        takes_token=False,
    )
    monkeypatch.setitem(OPERATIONS, "new", changed)

    made = document()

    operation = made["paths"]["/v1/new"]["get"]
    assert made["components"]["schemas"]["NewAnswer"]["required"] == ["lease_token", "grace_ends_at"]
    assert made["components"]["schemas"]["NewAnswer"]["properties"]["grace_ends_at"]["format"] == "date-time"
    assert operation["security"] == []
    assert set(operation["responses"]) == {"200", "405", "500"}
    assert operation["responses"]["200"]["headers"]["Cache-Control"]["example"] == "public, max-age=3600"
    assert list(OpenAPIV31SpecValidator(made).iter_errors()) == []


# Nothing is left to guess


def _described_fields() -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, schema in DOCUMENT["components"]["schemas"].items():
        for field, described in schema.get("properties", {}).items():
            yield f"{name}.{field}", described
    for name in OPERATIONS:
        query = OPERATIONS[name].query
        for parameter in _operation(name)["parameters"]:
            yield f"{name if query is None else query.__name__}?{parameter['name']}", parameter


def test_every_field_and_every_parameter_says_what_it_means() -> None:
    in_details = {f"{code_schema_name(code)}.details" for code in Code if code in MEANINGS}  # their schema says it

    silent = {name for name, described in _described_fields() if "description" not in described}

    assert silent <= in_details


def test_every_word_is_used() -> None:
    named = {name.replace("?", ".") for name, _ in _described_fields()}

    unused = {word for word in WORDS if not any(name == word or name.rpartition(".")[2] == word for name in named)}

    assert unused == set()


SECONDS_AT_LEVELS = {"seconds_at", "demand_seconds_at"}
"""How long a level was reached: seconds at so many seats."""


def test_every_field_that_ends_in_at_time_until_or_since_is_a_time_and_no_other() -> None:
    for name, schema in DOCUMENT["components"]["schemas"].items():
        for field, described in schema.get("properties", {}).items():
            formats = {each.get("format") for each in [described, *described.get("anyOf", [])]}
            is_named_so = field == "at" or field.endswith(("_at", "_time", "until", "since"))
            is_named_so = is_named_so and field not in SECONDS_AT_LEVELS
            assert ("date-time" in formats) is is_named_so, f"{name}.{field}"


@pytest.mark.parametrize(
    "text", ["a", "...", "__a", "a__", "__", "ä", "a b", "", ".", "..", "a/b", "/", "__a__", "a" * 1501]
)
def test_the_schema_and_the_function_agree_on_what_a_page_token_may_be(text: str) -> None:
    (parameter,) = (each for each in _operation("usage")["parameters"] if each["name"] == "page_token")

    broken = problems(DOCUMENT, parameter["schema"], text)

    assert (broken == []) is can_be_document_id(text)


# Examples


def _examples() -> Iterator[tuple[str, Mapping[str, Any], object]]:
    for name in OPERATIONS:
        operation = _operation(name)
        if "requestBody" in operation:
            media = operation["requestBody"]["content"]["application/json"]
            yield f"{name} request", media["schema"], media["example"]
        for parameter in operation["parameters"]:
            yield f"{name} {parameter['name']}", parameter["schema"], parameter["example"]
        for status, answer in operation["responses"].items():
            for header, described in answer["headers"].items():
                yield f"{name} {status} {header}", described["schema"], described["example"]
            media = answer.get("content", {}).get("application/json", {})
            for example in [media["example"]] if "example" in media else []:
                yield f"{name} {status}", media["schema"], example
            for code, example in media.get("examples", {}).items():
                yield f"{name} {status} {code}", media["schema"], example["value"]


def test_every_example_is_what_its_schema_says() -> None:
    examples = list(_examples())

    wrong = {name: found for name, schema, example in examples if (found := problems(CLOSED, schema, example))}

    assert len(examples) > 100
    assert wrong == {}


def test_every_request_and_every_answer_has_an_example() -> None:
    for name in OPERATIONS:
        operation = _operation(name)
        bodies = [operation["requestBody"]] if "requestBody" in operation else []
        for each in [*bodies, *operation["responses"].values()]:
            for media in each.get("content", {}).values():
                assert media.get("example") or media.get("examples"), name


# Codes


def test_every_code_of_the_catalogue_is_answered_by_some_operation_or_by_scheduled_functions_only() -> None:
    of_clients = {code for operation in OPERATIONS.values() for code in operation.codes | ANY_CALL}

    assert set(Code) - of_clients == {Code.TOPIC_UNAVAILABLE}
    assert set(MEANINGS) == of_clients


@pytest.mark.parametrize("name", OPERATIONS)
def test_each_code_stands_under_its_one_status(name: str) -> None:
    told = {
        Code[code]: int(status)
        for status, answer in _operation(name)["responses"].items()
        for code in answer.get("content", {}).get("application/json", {}).get("examples", {})
    }

    assert told == {code: int(code.status) for code in OPERATIONS[name].codes | ANY_CALL}


TEXTS = {
    **dict.fromkeys(["a", "é", "a b", "a\U0001f600b"], True),
    **dict.fromkeys(["a\nb", "a\x9bb", "a\xadb", "a\u202eb", "a\u2028b", "a\u200bb", "a\U000e0041b"], False),
}
"""Texts, and whether a license key may be one of them."""


@pytest.mark.parametrize(
    ("model", "others"), [(AcquireBody, {"hardware_id": "H"}), (UsageQuery, {}), (LicenseDocument, {})]
)
def test_license_keys_are_the_same_to_the_document_to_requests_and_to_licenses(
    model: type[BaseModel], others: dict[str, str]
) -> None:
    schema = DOCUMENT["components"]["schemas"]["AcquireBody"]["properties"]["license_key"]

    assert {text: problems(DOCUMENT, schema, text) == [] for text in TEXTS} == TEXTS
    assert {text: _is_taken(model, {**others, "license_key": text}) for text in TEXTS} == TEXTS


def _is_taken(model: type[BaseModel], fields: dict[str, str]) -> bool:
    try:
        model.model_validate(fields)
    except ValidationError:
        return False
    return True


@cache
def _source() -> SourceCode:
    return SourceCode(ROOT)


ANSWERS: Mapping[str, Callable[..., object]] = {
    "acquire": answer_acquire,
    "change_member": answer_change,
    "heartbeat": answer_heartbeat,
    "history": answer_history,
    "invite": answer_invite,
    "join": answer_join,
    "members": answer_members,
    "release": answer_release,
    "usage": answer_usage,
    "withdraw": answer_withdraw,
}
"""Where the outcome of a decision becomes an answer. What decides nothing is not here."""

TRANSLATED = {("shared.edge.refusals", "refused"), ("shared.edge.http", "_as_api_error")}
"""Where codes stand for what was decided or raised elsewhere, and only that says which of them there can be."""


def _named_codes(name: str) -> set[Code]:
    """The codes that the code of a function names itself, wherever it can get to."""
    places = [
        place
        for place in _source().reachable(f"functions.{name}.main")
        if place[0] in ("shared.edge.http", "shared.edge.identity", "shared.edge.requests") and place not in TRANSLATED
    ]
    found = set()
    for place in places:
        for statement in _source().nodes(place):
            for node in ast.walk(statement):
                match node:
                    case ast.Attribute(value=ast.Name(id="Code"), attr=code):
                        found.add(Code[code])
    return found


def _raised_codes(name: str) -> set[Code]:
    """The codes of the store's errors that the code of a function can raise, wherever it can get to."""
    raised = {"Contended": Code.CONTENTION, "StoreUnavailable": Code.STORE_UNAVAILABLE}
    found = set()
    for place in _source().reachable(f"functions.{name}.main"):
        for statement in _source().nodes(place):
            for node in ast.walk(statement):
                match node:
                    case ast.Call(func=ast.Name(id=error)) if error in raised and place not in TRANSLATED:
                        found.add(raised[error])
    return found


def _kinds(annotation: object) -> Iterator[type]:
    """The types of a union, and those of the unions in their fields."""
    if isinstance(annotation, UnionType) or not isinstance(annotation, type):
        for each in get_args(annotation):
            yield from _kinds(each)
    else:
        yield annotation
        if is_dataclass(annotation):
            hints = get_type_hints(annotation)
            for field in fields(annotation):
                yield from _kinds(hints[field.name])


_UNUSABLE = Unusable(document="license", document_path="organizations/o/licenses/l", fields=("name",))
_ENDS = [AT + timedelta(seconds=5), None]

REFUSALS: Mapping[type, list[Refusal]] = {
    SessionOver: [SessionOver(reason=reason) for reason in (None, *EndReason)],
    Misconfigured: [Misconfigured(unusable=_UNUSABLE)],
    SeatLimitReached: [
        SeatLimitReached(license_id="l", in_use=3, max_seats=3, reserved_for_others=others, earliest_expiry_at=at)
        for at in _ENDS
        for others in (0, 2)
    ],
    OrganizationSeatLimitReached: [
        OrganizationSeatLimitReached(in_use=3, max_seats=3, earliest_expiry_at=at) for at in _ENDS
    ],
    InstanceLimitReached: [InstanceLimitReached(session_id="s", instances=2, max_instances=2, earliest_expiry_at=AT)],
    DeviceLimitReached: [DeviceLimitReached(own=(a_session(),), max_devices=1, earliest_expiry_at=AT)],
    BorrowTooLong: [BorrowTooLong(latest=AT)],
    BorrowedSeatsLimitReached: [
        BorrowedSeatsLimitReached(borrowed=2, max_borrowed=2, earliest_expiry_at=at) for at in _ENDS
    ],
    LicenseNotStarted: [LicenseNotStarted(starts_at=AT)],
    KeptOut: [KeptOut(until=AT)],
    TooManyInvitations: [TooManyInvitations(max_invitations=200)],
    UntilRefused: [UntilRefused(problem="not a time")],
    HistoryTooLong: [HistoryTooLong(most_days=100)],
    WaitTooLong: [WaitTooLong(latest=AT + timedelta(hours=4))],
    IdleLeft: [IdleLeft(session=a_session())],
}
"""Values of the refusals that say more than their type: one for each thing that it can mean to a client."""


def _refusals(kind: type) -> list[Refusal]:
    return REFUSALS.get(kind) or [kind()]


def _decided_codes(name: str) -> set[Code]:
    """The codes of the refusals that the rules of an operation can come to, by the types of its outcomes."""
    if name not in ANSWERS:
        return set()
    kinds = set(_kinds(get_type_hints(ANSWERS[name])["answered"])) & set(get_args(Refusal))
    return {refused(refusal, now=AT).code for kind in kinds for refusal in _refusals(kind)}


@pytest.mark.parametrize("function", sorted(set(map(function_of, OPERATIONS))))
def test_the_operations_of_a_function_tell_of_exactly_the_codes_that_its_code_can_come_to(function: str) -> None:
    names = [name for name in OPERATIONS if function_of(name) == function]

    told = {code for name in names for code in OPERATIONS[name].codes} | ANY_CALL

    decided = {code for name in names for code in _decided_codes(name)}
    assert told == _named_codes(function) | _raised_codes(function) | decided | {Code.INTERNAL}
    assert all(_decided_codes(name) <= OPERATIONS[name].codes for name in names)


@pytest.mark.parametrize("kind", get_args(Refusal))
def test_a_refusal_is_what_the_document_says_of_its_code(kind: type) -> None:
    for refusal in _refusals(kind):
        error = refused(refusal, now=AT)

        assert (
            problems(CLOSED, {"$ref": f"#/components/schemas/{details_model(error.code).__name__}"}, error.details)
            == []
        )
        assert ("Retry-After" in error.headers) is MEANINGS[error.code].has_retry_after

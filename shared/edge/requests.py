"""The bodies and queries of requests, and how they are read."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    RootModel,
    ValidationError,
    model_validator,
)
from pydantic.config import JsonDict
from starlette.requests import Request

from shared.documents.forms import MAX_KEY_LENGTH, NO_CONTROL_CHARACTERS
from shared.documents.paths import DOCUMENT_ID, MAX_ID_BYTES, can_be_document_id
from shared.edge.errors import ApiError, BodyTooLargeDetails, Code, FieldProblem, InvalidRequestDetails
from shared.rules.digest import BASE32, DIGEST_LENGTH
from shared.rules.sign_in import CONSONANTS, USER_CODE_LENGTH, normal_user_code

MAX_BODY_BYTES = 16 * 1024
"""A longer body is refused before it is read to its end."""

BODY_WITHIN_SECONDS = 2
"""How long a request waits for its body. It takes one of the instance's places meanwhile."""

MAX_IDLE_SECONDS = 10 * 365 * 24 * 60 * 60
"""The longest time that a user can be idle, for a program that never stops: ten years."""

_DIGITS = len(str(MAX_BODY_BYTES))

MAX_DEVICE_NAME = 100
"""The most characters of a device's name for itself, which a person reads before they confirm."""

MAX_PROBLEMS = 20
"""The most problems in an answer. An answer about 16 KiB of unknown fields would be fourteen times as large, and one
about a query of 64 kB larger still.
"""

_TAG = re.compile(r'"([^"]*)"')
_ONE_LINE = re.compile(NO_CONTROL_CHARACTERS)


def one_line(text: str) -> str:
    if _ONE_LINE.fullmatch(text) is None:
        message = "not one line of characters that are seen; leave out tabs, control and formatting characters"
        raise ValueError(message)
    return text


_Text = Annotated[
    str,
    Field(min_length=1, max_length=MAX_KEY_LENGTH, json_schema_extra={"pattern": NO_CONTROL_CHARACTERS}),
    AfterValidator(one_line),
]
_Nonce = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{16,64}$")]
_InstanceId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{16,64}$")]
_DeviceName = Annotated[
    str,
    Field(min_length=1, max_length=MAX_DEVICE_NAME, json_schema_extra={"pattern": NO_CONTROL_CHARACTERS}),
    AfterValidator(one_line),
]
_SessionId = Annotated[str, Field(pattern=f"^[{BASE32}]{{{DIGEST_LENGTH}}}$")]


def _user_code(text: str) -> str:
    code = normal_user_code(text)
    if code is None:
        message = "not a code of eight consonants, such as BCDF-GHJK"
        raise ValueError(message)
    return code


# The check above as a JSON schema, which knows no flag for both cases.
_LETTER = f"[{CONSONANTS}{CONSONANTS.lower()}]"
_UserCode = Annotated[
    str,
    AfterValidator(_user_code),
    Field(max_length=MAX_KEY_LENGTH, json_schema_extra={"pattern": f"^[ -]*({_LETTER}[ -]*){{{USER_CODE_LENGTH}}}$"}),
]


def _whole(number: object) -> object:
    """Take 600.0 for 600: to JSON they are one number, and some languages write the first."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


# The check below as a JSON schema. The schema counts a length in characters, the check in bytes.
ANY_DOCUMENT_ID: JsonDict = {
    "minLength": 1,
    "maxLength": MAX_ID_BYTES,
    "pattern": DOCUMENT_ID,
}
"""The check below as a JSON schema. The schema counts a length in characters, the check in bytes."""


def document_id(text: str) -> str:
    if not can_be_document_id(text):
        message = "not the id of a document"
        raise ValueError(message)
    return text


def as_page_token(text: str) -> str:
    if not can_be_document_id(text):
        message = "not a page token; send next_page_token of the page before"
        raise ValueError(message)
    return text


class RequestBody(BaseModel):
    """A body of JSON."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class AcquireBody(RequestBody):
    """Body of ``POST /v1/acquire``. With ``borrow_until`` the seat is borrowed until then.

    With ``wait_until`` the user waits in the line until then, if there is no seat.
    """

    license_key: _Text
    hardware_id: _Text
    nonce: _Nonce | None = None
    instance_id: _InstanceId | None = None
    borrow_until: AwareDatetime | None = None
    wait_until: AwareDatetime | None = None


class HeartbeatBody(RequestBody):
    """Body of ``POST /v1/heartbeat``. ``idle_seconds``: for how long the program's user has done nothing in it."""

    session_id: _SessionId
    nonce: _Nonce | None = None
    instance_id: _InstanceId | None = None
    idle_seconds: Annotated[int, Field(ge=0, le=MAX_IDLE_SECONDS), BeforeValidator(_whole)] | None = None


class ReleaseBody(RequestBody):
    """Body of ``POST /v1/release``."""

    session_id: _SessionId
    instance_id: _InstanceId | None = None
    until: AwareDatetime | None = None


class BeginSignIn(RequestBody):
    """A device asks to be signed in. ``loopback_port``: it listens there, and opens a browser on its own machine.

    ``code_challenge`` is that of RFC 7636, made with S256.
    """

    step: Literal["begin"]
    code_challenge: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43}$")]
    device_name: _DeviceName
    loopback_port: Annotated[int, Field(ge=1024, le=65_535), BeforeValidator(_whole)] | None = None


def _only(given: str, *, other: str) -> dict[str, Any]:
    return {"required": [given], "properties": {given: {"type": "string"}, other: {"type": "null"}}}


class LookAtSignIn(RequestBody):
    """A person looks at what they are asked to confirm: by the id of the page's address, or by the code they typed."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [_only("sign_in_id", other="user_code"), _only("user_code", other="sign_in_id")],
        }
    )

    step: Literal["look"]
    sign_in_id: _SessionId | None = None
    user_code: _UserCode | None = None

    @model_validator(mode="after")
    def _has_one_of_the_two(self) -> Self:
        if (self.sign_in_id is None) is (self.user_code is None):
            message = "give either sign_in_id or user_code"
            raise ValueError(message)
        return self


class DecideSignIn(RequestBody):
    """A person lets the device sign in as them, or refuses."""

    step: Literal["approve", "refuse"]
    sign_in_id: _SessionId
    user_code: _UserCode | None = None


class ExchangeSignIn(RequestBody):
    """The device exchanges an approved sign-in, once. ``code`` is what the browser took to its ``loopback_port``."""

    step: Literal["exchange"]
    sign_in_id: _SessionId
    code_verifier: Annotated[str, Field(pattern=r"^[A-Za-z0-9._~-]{43,128}$")]
    code: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43}$")] | None = None


class SignInBody(RootModel[BeginSignIn | LookAtSignIn | DecideSignIn | ExchangeSignIn]):
    """Body of ``POST /v1/sign-ins``: one of its steps."""

    model_config = ConfigDict(frozen=True)

    root: BeginSignIn | LookAtSignIn | DecideSignIn | ExchangeSignIn = Field(discriminator="step")


class UsageQuery(BaseModel):
    """Query of ``GET /v1/usage``. ``page_token`` is ``next_page_token`` of the page before."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    view: Literal["now", "full"] = "full"

    license_key: _Text | None = None
    page_size: Annotated[int, Field(ge=1, le=500)] = 100
    page_token: Annotated[str, AfterValidator(as_page_token), Field(json_schema_extra=ANY_DOCUMENT_ID)] | None = None


Body = TypeVar("Body", bound=BaseModel)
Query = TypeVar("Query", bound=BaseModel)


async def parse(request: Request, model: type[Body]) -> Body:
    """Read the body as JSON of the model's form.

    Raises:
        ApiError: ``UNSUPPORTED_MEDIA_TYPE``, ``BODY_TOO_SLOW``, ``BODY_TOO_LARGE``, ``INVALID_JSON``,
            ``INVALID_REQUEST``.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise ApiError(Code.UNSUPPORTED_MEDIA_TYPE)
    try:
        return model.model_validate_json(await _read(request))
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        if problems[0]["type"] == "json_invalid":
            raise ApiError(Code.INVALID_JSON) from None
        raise _invalid(problems, part="body") from None


def parse_query(request: Request, model: type[Query]) -> Query:
    """Read the query string in the model's form. A parameter that is given twice is refused.

    Raises:
        ApiError: ``INVALID_REQUEST``.
    """
    given = request.query_params
    twice = sorted(name for name in given if len(given.getlist(name)) > 1)
    if twice:
        raise _invalid([{"loc": (name,), "msg": "given more than once"} for name in twice], part="query")
    try:
        return model.model_validate(dict(given))
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        raise _invalid(problems, part="query") from None


def known_tags(request: Request) -> list[str]:
    """The tags in ``If-None-Match``, without their quotation marks. ``*`` names no answer that can be compared."""
    return _TAG.findall(",".join(request.headers.getlist("if-none-match")))


def _invalid(problems: Sequence[Mapping[str, Any]], *, part: str) -> ApiError:
    fields = [
        FieldProblem(field=".".join(map(str, each["loc"])), problem=each["msg"].removeprefix("Value error, "))
        for each in problems[:MAX_PROBLEMS]
    ]
    message = f"The {part} does not have the expected form. The details list the problems."
    return ApiError(Code.INVALID_REQUEST, message, details=InvalidRequestDetails(fields=fields).as_json())


async def _read(request: Request) -> bytes:
    try:
        async with asyncio.timeout(BODY_WITHIN_SECONDS):
            return await _read_to_its_end(request)
    except TimeoutError:
        # The connection is closed: the rest of the body may still come.
        raise ApiError(Code.BODY_TOO_SLOW, headers={"Connection": "close"}) from None


async def _read_to_its_end(request: Request) -> bytes:
    # Leading zeros do not count, and Python refuses to read a number with thousands of digits.
    announced = request.headers.get("content-length", "").lstrip("0")
    if announced.isdecimal() and (len(announced) > _DIGITS or int(announced) > MAX_BODY_BYTES):
        raise _too_large()
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise _too_large()
    return bytes(body)


def _too_large() -> ApiError:
    details = BodyTooLargeDetails(max_bytes=MAX_BODY_BYTES).as_json()
    return ApiError(Code.BODY_TOO_LARGE, details=details)

"""The bodies and queries of requests about people."""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from shared.documents.forms import MAX_ADDRESS_LENGTH, Groups
from shared.edge.requests import ANY_DOCUMENT_ID, RequestBody, as_page_token, document_id
from shared.rules.user import Role

_LABEL = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
ADDRESS = rf"^[!-?A-~]{{1,64}}@({_LABEL}\.)+{_LABEL}$"
"""Addresses in the form in which Firebase Authentication has them: of ASCII, international domains in IDNA."""

_ADDRESS = re.compile(ADDRESS)


def _address(text: str) -> str:
    if _ADDRESS.fullmatch(text) is None:
        message = "not an e-mail address, such as ada@example.com"
        raise ValueError(message)
    return text


_Address = Annotated[
    str, Field(max_length=MAX_ADDRESS_LENGTH, json_schema_extra={"pattern": ADDRESS}), AfterValidator(_address)
]
_Role = Annotated[Role, Field(strict=False)]
_DocumentId = Annotated[str, AfterValidator(document_id), Field(json_schema_extra=ANY_DOCUMENT_ID)]
_PageToken = Annotated[str, AfterValidator(as_page_token), Field(json_schema_extra=ANY_DOCUMENT_ID)]
_InvitationId = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class InvitationBody(RequestBody):
    """Body of ``POST /v1/invitations``."""

    email: _Address
    role: _Role
    groups: Groups | None = None


class InvitationQuery(BaseModel):
    """Query of ``DELETE /v1/invitations``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    invitation_id: _InvitationId


class JoinBody(RequestBody):
    """Body of ``POST /v1/join``."""

    organization_id: _DocumentId | None = None


class MembersQuery(BaseModel):
    """Query of ``GET /v1/members``. ``page_token`` is ``next_page_token`` of the page before."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    page_size: Annotated[int, Field(ge=1, le=100)] = 50
    page_token: _PageToken | None = None


class MemberBody(RequestBody):
    """Body of ``PATCH /v1/members``. What is null or left out stays as it is."""

    user_id: _DocumentId
    role: _Role | None = None
    groups: Groups | None = None
    is_active: bool | None = None

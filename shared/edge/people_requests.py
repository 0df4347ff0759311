"""The bodies and queries of requests about people."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from shared.documents.forms import MAX_ADDRESS_LENGTH, Groups
from shared.edge.requests import ANY_DOCUMENT_ID, RequestBody, document_id, one_line, page_token
from shared.rules.domains import is_address
from shared.rules.user import Role


def _address(text: str) -> str:
    if not is_address(one_line(text)):
        message = "not an e-mail address, such as ada@example.com"
        raise ValueError(message)
    return text


_Address = Annotated[str, Field(min_length=3, max_length=MAX_ADDRESS_LENGTH), AfterValidator(_address)]
_Role = Annotated[Role, Field(strict=False)]
_DocumentId = Annotated[str, AfterValidator(document_id), Field(json_schema_extra=ANY_DOCUMENT_ID)]
_PageToken = Annotated[str, AfterValidator(page_token), Field(json_schema_extra=ANY_DOCUMENT_ID)]
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

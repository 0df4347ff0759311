"""What an error's ``details`` hold, for the codes that have any. Public: nothing in them is secret."""

from pydantic import BaseModel, ConfigDict

from shared.documents.rfc3339 import Time
from shared.rules.session import EndReason


class _Details(BaseModel):
    model_config = ConfigDict(frozen=True)

    def as_json(self) -> dict[str, object]:
        """Give what is sent."""
        return self.model_dump(mode="json")


class FieldProblem(_Details):
    """One field of a request, and what is wrong with it."""

    field: str
    problem: str


class InvalidRequestDetails(_Details):
    """Of ``INVALID_REQUEST``: where the request does not have the expected form."""

    fields: list[FieldProblem]


class BodyTooLargeDetails(_Details):
    """Of ``BODY_TOO_LARGE``."""

    max_bytes: int


class MisconfiguredDetails(_Details):
    """Of ``LICENSE_MISCONFIGURED``: which document an admin has to mend, and which of its fields."""

    document: str
    fields: list[str]


class SeatLimitDetails(_Details):
    """Of ``SEAT_LIMIT_REACHED`` and ``ORGANIZATION_SEAT_LIMIT_REACHED``: the seats under the cap that was met."""

    in_use: int
    max: int
    earliest_expiry_at: Time | None
    retry_after_seconds: int


class RevokedDetails(_Details):
    """Of ``SESSION_REVOKED``. ``reason`` of null: somebody ended the session by hand and left no reason."""

    reason: EndReason | None

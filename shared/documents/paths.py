"""The paths of documents. Every path of a customer's document begins with its organization."""

import re
from dataclasses import dataclass
from datetime import date

from shared.rules.digest import digest

_NO_DOCUMENT_ID = re.compile(r"\.{1,2}|__.*__|.*/.*|", re.DOTALL)
MAX_ID_BYTES = 1500
"""The most bytes of a document's id."""

DOCUMENT_ID = r"^(?!\.{1,2}$|__.*__$)[^/]+$"
"""The other rules for an id, as a pattern of a JSON schema."""


def can_be_document_id(text: str) -> bool:
    """Whether Firestore accepts the text as a document's id.

    Source: Firestore's documented limits on ids (1 to 1,500 bytes, no ``/``, not ``.`` or ``..``, not ``__.*__``).
    """
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        return False
    return size <= MAX_ID_BYTES and _NO_DOCUMENT_ID.fullmatch(text) is None


def run_path(run: str) -> str:
    """The document that remembers where a kind of run over all organizations stopped."""
    return f"runs/{run}"


def in_order(path: str) -> list[bytes]:
    """A key that sorts paths as Firestore does: part by part, each by its bytes."""
    return [part.encode() for part in path.split("/")]


@dataclass(frozen=True, slots=True)
class OrganizationPaths:
    """The documents of one organization, relative to the database's root."""

    organization_id: str

    def __post_init__(self) -> None:
        # An id with a slash would lead out of the organization's tree.
        self._id(self.organization_id)

    @property
    def organization(self) -> str:
        """The organization's own document, and the prefix of all others."""
        return f"organizations/{self.organization_id}"

    @property
    def seats(self) -> str:
        """The counters of seats in use."""
        return f"{self.organization}/usage/seats"

    def user(self, user_id: str) -> str:
        return f"{self.organization}/users/{self._id(user_id)}"

    def license(self, license_id: str) -> str:
        return f"{self.organization}/licenses/{self._id(license_id)}"

    def session(self, session_id: str) -> str:
        return f"{self.organization}/sessions/{self._id(session_id)}"

    def waiting(self, session_id: str) -> str:
        """The place in the line of a device that waits for a seat."""
        return f"{self.organization}/waiting/{self._id(session_id)}"

    def usage_day(self, license_id: str, day: date) -> str:
        """How a license was used on a day in UTC."""
        return f"{self.organization}/usage_days/{self._id(f'{license_id}~{day.isoformat()}')}"

    def invitation(self, invitation_id: str) -> str:
        return f"{self.organization}/invitations/{self._id(invitation_id)}"

    def audit_event(self, name: str) -> str:
        """The path of an audit event, from its name within the organization.

        No two organizations have an event with the same id. A subscriber gets the events of all organizations and
        relies on that.
        """
        return f"{self.organization}/audit_events/{digest(self.organization_id, name)}"

    def audit_event_with_id(self, event_id: str) -> str:
        """The path of an audit event that was found before."""
        return f"{self.organization}/audit_events/{self._id(event_id)}"

    def review(self, collection: str, document_id: str) -> str:
        """The review record of a document: of ``users`` or ``licenses``, or ``organizations`` for the organization."""
        return f"{self.organization}/reviews/{digest(collection, document_id)}"

    @classmethod
    def of_organization(cls, path: str) -> "OrganizationPaths | None":
        """Read the path of an organization's own document; ``None`` for any other path."""
        match path.split("/"):
            case ["organizations", organization_id] if can_be_document_id(organization_id):
                return cls(organization_id)
            case _:
                return None

    @classmethod
    def of(cls, path: str) -> "Located | None":
        """Read the path of a document in a collection of an organization; ``None`` for any other path."""
        match path.split("/"):
            case ["organizations", organization_id, collection, document_id] if can_be_document_id(
                organization_id
            ) and can_be_document_id(document_id):
                return Located(paths=cls(organization_id), collection=collection, document_id=document_id)
            case _:
                return None

    @staticmethod
    def _id(text: str) -> str:
        if not can_be_document_id(text):
            message = f"not a document id: {text!r}"
            raise ValueError(message)
        return text


@dataclass(frozen=True, kw_only=True, slots=True)
class Located:
    """A document's organization, collection and id."""

    paths: OrganizationPaths
    collection: str
    document_id: str

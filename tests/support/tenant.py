"""One organization of a test, with an admin's edits."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from google.cloud import firestore

LICENSE_ID = "license-1"

Snapshot = firestore.DocumentSnapshot[firestore.DocumentReference]
"""A stored document as it was read."""


@dataclass(frozen=True, kw_only=True)
class Tenant:
    """An organization with one license and some members, and the hand that edits them."""

    console: firestore.Client
    organization_id: str
    license_key: str

    @classmethod
    def create(
        cls,
        console: firestore.Client,
        *,
        seats: int = 3,
        organization_seats: int | None = None,
        members: int = 5,
        prefix: str = "org",
        **license_fields: Any,  # noqa: ANN401 a document holds anything
    ) -> "Tenant":
        """Write an organization: ``olivia`` (owner), ``adam`` (admin), ``gus`` (guest), members ``m0``, ``m1`` ..."""
        suffix = uuid4().hex[:10]
        tenant = cls(console=console, organization_id=f"{prefix}-{suffix}", license_key=f"KEY-{suffix}")
        tenant.organization.set({"name": "Org", "max_concurrent_seats": organization_seats})
        people = {"olivia": "owner", "adam": "admin", "gus": "guest"} | {f"m{n}": "member" for n in range(members)}
        batch = console.batch()
        for user_id, role in people.items():
            batch.set(tenant.user(user_id), {"email": f"{user_id}@example.com", "role": role})
        batch.commit()
        tenant.add_license(LICENSE_ID, tenant.license_key, seats=seats, **license_fields)
        return tenant

    def add_license(self, license_id: str, license_key: str, *, seats: int, **fields: Any) -> None:  # noqa: ANN401 as above
        self.license(license_id).set({"license_key": license_key, "name": "L", "max_concurrent_seats": seats, **fields})

    @property
    def organization(self) -> firestore.DocumentReference:
        return self._document()

    def user(self, user_id: str) -> firestore.DocumentReference:
        return self._document("users", user_id)

    def license(self, license_id: str = LICENSE_ID) -> firestore.DocumentReference:
        return self._document("licenses", license_id)

    def session(self, session_id: str) -> firestore.DocumentReference:
        return self._document("sessions", session_id)

    def place(self, session_id: str) -> firestore.DocumentReference:
        return self._document("waiting", session_id)

    def invitation(self, invitation_id: str) -> firestore.DocumentReference:
        return self._document("invitations", invitation_id)

    @property
    def seats(self) -> firestore.DocumentReference:
        return self._document("usage", "seats")

    def _document(self, *below: str) -> firestore.DocumentReference:
        document: firestore.DocumentReference = self.console.document("organizations", self.organization_id, *below)
        return document

    def sessions(self) -> list[dict[str, Any]]:
        return [document.to_dict() for document in self.organization.collection("sessions").stream()]

    def open_sessions(self) -> list[dict[str, Any]]:
        return [session for session in self.sessions() if session["ended_at"] is None]

    def places(self) -> dict[str, dict[str, Any]]:
        """The places in the line by their ids, the first one first."""
        found = [
            (document.id, document.to_dict() or {}) for document in self.organization.collection("waiting").stream()
        ]
        return dict(sorted(found, key=lambda each: each[1]["since"]))

    def events(self, kind: str | None = None) -> list[dict[str, Any]]:
        """The audit events, oldest first, of one type or of all."""
        return [document.to_dict() or {} for document in self.event_documents(kind)]

    def event_documents(self, kind: str | None = None) -> list[Snapshot]:
        """The documents of the same."""
        found = list(self.organization.collection("audit_events").stream())
        wanted = (document for document in found if kind in (None, document.get("type")))
        return sorted(wanted, key=lambda document: document.get("at"))

    def age(self, event: firestore.DocumentReference, *, by: timedelta = timedelta(minutes=5)) -> None:
        """Move an audit event into the past: by default so far that it was left behind, and a denial counts no more."""
        stored = event.get().to_dict() or {}
        aged = {"at": stored["at"] - by}
        if "last_attempt_at" in stored["details"]:
            aged["details.last_attempt_at"] = stored["details"]["last_attempt_at"] - by
        event.update(aged)

    def counters(self) -> dict[str, Any]:
        return dict(self.seats.get().to_dict() or {})

    def fall_silent(self, session_id: str, *, since: timedelta = timedelta(seconds=1)) -> None:
        """Age a place in the line so that it has counted no more ``since`` ago."""
        self.place(session_id).update({"counts_until": datetime.now(UTC) - since})

    def let_ask_again(self, session_id: str) -> None:
        """Age the latest request of a place, so that the next one is written."""
        self.place(session_id).update({"asked_at": datetime.now(UTC) - timedelta(minutes=1)})

    def let_lapse(self, session_id: str, *, since: timedelta = timedelta(seconds=1)) -> None:
        """Age the session so that its lease ran out ``since`` ago."""
        now = datetime.now(UTC)
        aged = {"lease_expires_at": now - since, "last_heartbeat_at": now - since - timedelta(minutes=6)}
        self.session(session_id).update(aged)

"""A document event as production sends it: a CloudEvent in the binary mode of HTTP, with a protobuf body."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal
from uuid import uuid4

import httpx
from google.cloud import firestore
from google.events.cloud.firestore_v1 import Document, DocumentEventData, Value

_DATA_SCHEMA = (
    "https://github.com/googleapis/google-cloudevents/blob/main/proto/google/events/cloud/firestore/v1/data.proto"
)


@dataclass(frozen=True, kw_only=True)
class CloudEvent:
    """What happened to the document at ``path``, relative to the database's root. ``event_id`` names the delivery."""

    project: str
    path: str
    kind: Literal["created", "written", "deleted"] = "created"
    event_id: str = field(default_factory=lambda: str(uuid4()))

    @classmethod
    def created(cls, document: firestore.DocumentReference) -> "CloudEvent":
        """The event of a stored document."""
        return cls(project=document._client.project, path=document.path)  # noqa: SLF001 the client does not say it otherwise

    @property
    def attributes(self) -> dict[str, str]:
        """The event's attributes, by their names in the standard and in Firestore's extension of it."""
        return {
            "id": self.event_id,
            "source": f"//firestore.googleapis.com/projects/{self.project}/databases/(default)",
            "type": f"google.cloud.firestore.document.v1.{self.kind}",
            "specversion": "1.0",
            "time": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            "dataschema": _DATA_SCHEMA,
            "subject": f"documents/{self.path}",
            "project": self.project,
            "database": "(default)",
            "namespace": "(default)",
            "location": "nam5",
            "document": self.path,
        }

    @property
    def headers(self) -> dict[bytes, bytes]:
        """The attributes as headers. Ids that are not ASCII come as bare UTF-8."""
        named = {f"ce-{name}".encode(): value.encode() for name, value in self.attributes.items()}
        agent = b"APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)"
        return {**named, b"content-type": b"application/protobuf", b"user-agent": agent}

    @property
    def body(self) -> bytes:
        """The document. What is in it does not matter to the functions: they read it afresh."""
        name = f"projects/{self.project}/databases/(default)/documents/{self.path}"
        now = datetime.now(UTC)
        value = Document(name=name, fields={"type": Value(string_value="?")}, create_time=now, update_time=now)
        event = DocumentEventData(old_value=value) if self.kind == "deleted" else DocumentEventData(value=value)
        data: bytes = DocumentEventData.serialize(event)
        return data

    async def post(self, http: httpx.AsyncClient, url: str, *, without: str = "") -> httpx.Response:
        """Deliver it, perhaps without one of the attributes."""
        headers = {name: value for name, value in self.headers.items() if name != f"ce-{without}".encode()}
        return await http.post(url, headers=headers, content=self.body)

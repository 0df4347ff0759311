"""A history: everything that is known about one organization.

All times are the database's, except where ``Acknowledged`` says otherwise.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One audit event, from its document or from a message. Times in ``details`` are ``datetime``.

    ``committed_at`` is the creation time of its document. It is ``None`` for a message and for a document that was
    imported from an export. Events of one commit have the same time.
    """

    event_id: str
    type: str
    at: datetime
    actor: str
    license_id: str | None = None
    session_id: str | None = None
    user_id: str | None = None
    hardware_id: str | None = None
    grant_number: int | None = None
    epoch: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    committed_at: datetime | None = None
    published_at: datetime | None = None
    purge_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """A current document with its stored fields, without defaults."""

    document_id: str
    fields: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Present:
    """The organization's documents, all read at the instant ``read_at``, like the trail."""

    read_at: datetime
    organization: Stored | None
    licenses: tuple[Stored, ...] = ()
    sessions: tuple[Stored, ...] = ()
    seats: Stored | None = None
    places: tuple[Stored, ...] = ()
    usage_days: tuple[Stored, ...] = ()


class Operation(StrEnum):
    """The operations of clients."""

    ACQUIRE = "acquire"
    HEARTBEAT = "heartbeat"
    RELEASE = "release"
    USAGE = "usage"


@dataclass(frozen=True, kw_only=True, slots=True)
class Acknowledged:
    """One request of a client and its answer. Note every request, even those without an answer.

    ``status`` is ``None`` without an answer. ``body`` is the answer's JSON. ``sent_at`` and ``answered_at`` are from
    the client's clock. All clients of a history use the same clock, and these times are compared only with each other.
    ``session_id`` is the requested session or, for an acquire, the session in the answer. ``instance_id`` and
    ``idle_seconds`` are what the client sent, if it sent them.
    """

    operation: Operation
    user_id: str
    status: int | None
    sent_at: datetime
    answered_at: datetime | None = None
    body: Mapping[str, Any] = field(default_factory=dict)
    hardware_id: str | None = None
    session_id: str | None = None
    instance_id: str | None = None
    idle_seconds: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AdminEdit:
    """An admin's write to a document. ``at`` is the update time of the write.

    ``collection`` is ``organizations``, ``users``, ``licenses``, ``sessions`` or ``usage``. ``fields`` holds the
    written fields with their new values, and ``None`` for a removed field. It is ``None`` if the document was deleted.
    ``not_after`` is set if the edit's answer was lost: the edit took effect between ``at`` and then, or never.
    Creating the organization, a license or a user is an edit too.
    """

    collection: str
    document_id: str
    at: datetime
    fields: Mapping[str, Any] | None
    not_after: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """A message of the audit topic as a subscriber received it."""

    data: Mapping[str, Any]
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class History:
    """What is known about one organization. Anything not noted is ``None``, and what it would prove is not checked.

    - ``edits``: every edit by an admin; if ``None``, only the trail has edits.
    - ``requests``: every request of every client.
    - ``messages``: all messages that a subscription received since the beginning.
    - ``begins_at``: the trail is complete only from this time on.
    - ``is_settled``: since the last change all event functions, ``reconcile`` and ``expire_sessions`` have run. So no
      function still has to audit, repair or publish anything, but for denials that may still count.
    """

    organization_id: str
    events: tuple[Event, ...]
    present: Present | None = None
    requests: tuple[Acknowledged, ...] | None = None
    edits: tuple[AdminEdit, ...] | None = None
    messages: tuple[Message, ...] | None = None
    begins_at: datetime | None = None
    is_settled: bool = False

"""A history: everything that is known about one organization, from whoever noted it.

All times are the database's own, except those of ``Acknowledged`` that say so.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One audit event, as its document or a message has it; times in ``details`` are ``datetime``.

    ``committed_at`` is when its document was created, by Firestore; ``None``: not known, as of a message, or of a
    document that was imported from an export. Several events of one commit have the same.
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
    details: Mapping[str, Any] = field(default_factory=dict)
    committed_at: datetime | None = None
    published_at: datetime | None = None
    purge_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """A document as it is now. Its fields are as they were stored: nothing is filled in."""

    document_id: str
    fields: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Present:
    """The documents of the organization, all of the instant ``read_at``, which is the one of the trail as well."""

    read_at: datetime
    organization: Stored | None
    licenses: tuple[Stored, ...] = ()
    sessions: tuple[Stored, ...] = ()
    seats: Stored | None = None


class Operation(StrEnum):
    """What a client asks for."""

    ACQUIRE = "acquire"
    HEARTBEAT = "heartbeat"
    RELEASE = "release"
    USAGE = "usage"


@dataclass(frozen=True, kw_only=True, slots=True)
class Acknowledged:
    """One request of a client, and the answer that it got. Note every request, also those without an answer.

    ``status`` of ``None``: no answer came. ``body`` is the answer's JSON as it came. ``sent_at`` and ``answered_at``
    are by the client's clock; all clients of a history have the same one, and nothing else is compared with it.
    ``session_id`` is what was asked for or, of an acquire, what the answer names.
    """

    operation: Operation
    user_id: str
    status: int | None
    sent_at: datetime
    answered_at: datetime | None = None
    body: Mapping[str, Any] = field(default_factory=dict)
    hardware_id: str | None = None
    session_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AdminEdit:
    """What a hand wrote into a document, and when: ``at`` is the write's own update time.

    ``collection``: ``organizations``, ``users``, ``licenses``, ``sessions`` or ``usage``. ``fields`` are those that
    were written, with their new values; one that was taken out is ``None``. ``fields`` of ``None``: the document was
    deleted. ``not_after``: the edit's answer was lost, so it took effect at some time from ``at`` to then, or never.
    The creation of the organization and of its licenses is an edit too.
    """

    collection: str
    document_id: str
    at: datetime
    fields: Mapping[str, Any] | None
    not_after: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """A message of the audit topic, as a subscription received it."""

    data: Mapping[str, Any]
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class History:
    """What is known of one organization. What nobody noted is ``None``, and what it would prove is not asked.

    ``edits``: every edit by hand there was; ``None``: only the trail tells of edits.
    ``requests``: every request of every client; ``messages``: all that a subscription received since the beginning.
    ``begins_at``: the trail is whole from then on only. ``is_settled``: everything that runs by itself has run since
    the last change (deliveries to the event functions, ``expire_sessions``, and ``reconcile`` with all events old
    enough), so nothing is still to be told, repaired or published.
    """

    organization_id: str
    events: tuple[Event, ...]
    present: Present | None = None
    requests: tuple[Acknowledged, ...] | None = None
    edits: tuple[AdminEdit, ...] | None = None
    messages: tuple[Message, ...] | None = None
    begins_at: datetime | None = None
    is_settled: bool = False

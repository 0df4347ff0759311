"""What calls each function: a client's request, Cloud Scheduler, or an event of a Firestore document.

The list is ``functions.json``. The local stack and Terraform read it.
"""

import json
from dataclasses import dataclass

from infra.build.stage import ROOT


@dataclass(frozen=True, kw_only=True, slots=True)
class OnRequest:
    """Clients call the function under ``/v1/``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OnSchedule:
    """Cloud Scheduler calls the function; ``schedule`` has the five fields of cron, in UTC."""

    schedule: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DocumentEvent:
    """Events of one kind (``created``, ``written``, ``deleted``) of the documents that match the pattern."""

    event: str
    document: str


@dataclass(frozen=True, kw_only=True, slots=True)
class OnDocument:
    """Firestore's events of these kinds call the function."""

    events: tuple[DocumentEvent, ...]


Trigger = OnRequest | OnSchedule | OnDocument


def deployed_name(function: str) -> str:
    """The function's name in the cloud, also of its service and job. A service name has no underscores."""
    return f"seatlease-{function.replace('_', '-')}"


def public_path(function: str) -> str:
    """The path at which clients call a function. It has hyphens, as the paths of Firebase Hosting's rewrites do."""
    return f"/v1/{function.replace('_', '-')}"


def triggers() -> dict[str, Trigger]:
    """Read the trigger of each function from the list."""
    return {name: _trigger(entry) for name, entry in json.loads((ROOT / "infra/functions.json").read_text()).items()}


def _trigger(entry: object) -> Trigger:
    match entry:
        case {"trigger": "request", **rest} if not rest:
            return OnRequest()
        case {"trigger": "schedule", "schedule": str() as schedule, **rest} if not rest:
            return OnSchedule(schedule=schedule)
        case {"trigger": "document", "events": [_, *_] as events, **rest} if not rest:
            return OnDocument(events=tuple(_event(each, entry) for each in events))
        case _:
            raise _unknown(entry)


def _event(event: object, entry: object) -> DocumentEvent:
    match event:
        case {"event": "created" | "deleted" | "written" as kind, "document": str() as document, **rest} if not rest:
            return DocumentEvent(event=kind, document=document)
        case _:
            raise _unknown(entry)


def _unknown(entry: object) -> ValueError:
    return ValueError(f"infra/functions.json has an invalid entry: {entry}")

"""Read the histories of a run: from the store, the notes and a subscriber's messages."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from contextlib import closing
from dataclasses import replace
from datetime import datetime

from google.cloud import firestore

from infra.judge.history import History, Message
from infra.judge.published import is_due
from infra.judge.reading import read_history
from infra.local.audit_topic import Subscription
from shared.firestore.client import Firestore
from tests.programs.faults.notes import Notes
from tests.programs.faults.plan import Plan
from tests.programs.faults.servers import PROJECT, Servers

_RECEIVED_WITHIN_SECONDS = 75.0
"""More than twice what a message is lent for."""


async def read_histories(
    servers: Servers,
    plan: Plan,
    notes: Notes,
    *,
    committed_at: Mapping[str, datetime],
    subscription: Subscription,
) -> list[History]:
    """Read everything; ``committed_at`` are the times of events whose documents an import has made anew, by path."""
    with closing(Firestore(project=PROJECT, emulator_host=servers.firestore_host)) as store:
        read = [await read_history(store, planned.organization_id) for planned in plan.organizations]
        settled = [replace(history, is_settled=True) for history in read]
        wanted = {event.event_id for history in settled for event in history.events if is_due(event, history)}
        messages = await asyncio.to_thread(_received, subscription, wanted)
        histories = []
        for history in settled:
            name = history.organization_id
            events = tuple(
                replace(each, committed_at=known)
                if (known := committed_at.get(f"organizations/{name}/audit_events/{each.event_id}"))
                else each
                for each in history.events
            )
            noted = replace(
                history,
                events=events,
                requests=tuple(notes.requests[name]),
                edits=tuple(sorted(notes.edits[name], key=lambda edit: edit.at)),
                messages=tuple(messages[name]),
            )
            histories.append(noted)
    return histories


def open_sessions(console: firestore.Client) -> dict[str, dict[str, int]]:
    """Count the sessions without an end, by organization and license."""
    counted: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for session in console.collection_group("sessions").stream(timeout=60):
        if session.get("ended_at") is None:
            counted[session.reference.path.split("/")[1]][session.get("license_id")] += 1
    return {organization_id: dict(licenses) for organization_id, licenses in counted.items()}


def _received(subscription: Subscription, wanted: AbstractSet[str]) -> Mapping[str, list[Message]]:
    """Receive until there is a message of each, or until what the emulator lent to a call that gave up came again."""
    received: dict[str, list[Message]] = defaultdict(list)
    names, deadline = set[str](), time.monotonic() + _RECEIVED_WITHIN_SECONDS
    while not wanted <= names and time.monotonic() < deadline:
        for each in subscription.pull(timeout=3):
            received[each.ordering_key].append(Message(data=each.event, attributes=each.attributes))
            names.add(str(each.event["event_id"]))
    return received

"""The end of a run: all faults are undone, every server answers, and all event and scheduled functions have run."""

import asyncio
import time
from collections.abc import Iterable

import aiohttp
import httpx
from google.cloud import firestore

from infra.local.loopback import NO_TLS
from tests.programs.faults.notes import Notes
from tests.programs.faults.plan import BORROWED_SECONDS, Plan
from tests.programs.faults.servers import PROJECT, Servers
from tests.support.cloud_event import CloudEvent

_SETTLED_WITHIN_SECONDS = 90.0
_PAUSE_SECONDS = 0.3


class UnsettledError(Exception):
    """Something did not come right again by itself. The message says what."""


async def mend(servers: Servers) -> None:
    """Set every clock right, and wait until every process answers."""
    for instance in servers.instances.values():
        if instance.clock is not None:
            instance.clock.write_text("+0")
    for instance in servers.instances.values():
        if instance.process is not None:
            await asyncio.to_thread(instance.process.wait_until_ready)


async def settle(
    servers: Servers, console: firestore.Client, plan: Plan, notes: Notes, http: aiohttp.ClientSession
) -> None:
    """Let every lease run out, and have the functions do what they do by themselves until nothing is left.

    Raises:
        UnsettledError: something is still left after a long time.
    """
    licenses = [license_ for each in plan.organizations for license_ in each.licenses]
    longest = max(*BORROWED_SECONDS, *(each.lease_seconds for each in licenses))
    await asyncio.sleep(longest)
    await _until_complete(servers, "expire_sessions", http, notes)
    await _deliver_again(servers, console, notes)
    await _until_complete(servers, "reconcile", http, notes)
    await _deliver_again(servers, console, notes)
    await _until_complete(servers, "expire_sessions", http, notes)  # once more, for the denials
    await _until_complete(servers, "summarize_usage", http, notes)  # so that the judge sees every end by hand counted


async def _until_complete(servers: Servers, function: str, http: aiohttp.ClientSession, notes: Notes) -> None:
    deadline = time.monotonic() + _SETTLED_WITHIN_SECONDS
    while True:
        async with http.post(servers.of(function)[0].url) as response:
            notes.outcomes[function, str(response.status)] += 1
            report = await response.json(content_type=None)
        if response.status == 200 and report.get("is_complete"):
            return
        if time.monotonic() > deadline:
            message = f"{function} did not complete its work: {response.status} {report}"
            raise UnsettledError(message)
        await asyncio.sleep(_PAUSE_SECONDS)


async def _deliver_again(servers: Servers, console: firestore.Client, notes: Notes) -> None:
    """Deliver the document events that may have been under way when the store was killed.

    The platform keeps them then, and delivers each at least once; the emulator forgets them.
    """
    deleted = {
        f"organizations/{organization_id}/sessions/{edit.document_id}"
        for organization_id, edits in notes.edits.items()
        for edit in edits
        if edit.collection == "sessions" and edit.fields is None
    }
    async with httpx.AsyncClient(verify=NO_TLS, timeout=30) as deliverer:
        url = servers.of("review_admin_edit")[0].url
        events = [CloudEvent(project=PROJECT, path=path, kind="deleted") for path in sorted(deleted)]
        await _deliver(events, url, deliverer, notes)
        url = servers.of("relay_audit")[0].url
        unpublished = await asyncio.to_thread(_unpublished, console)
        await _deliver([CloudEvent(project=PROJECT, path=path) for path in unpublished], url, deliverer, notes)


async def _deliver(events: Iterable[CloudEvent], url: str, deliverer: httpx.AsyncClient, notes: Notes) -> None:
    deadline = time.monotonic() + _SETTLED_WITHIN_SECONDS
    for event in events:
        while not (answer := await event.post(deliverer, url)).is_success:
            notes.outcomes["a delivery", str(answer.status_code)] += 1
            if time.monotonic() > deadline:
                message = f"the function did not accept the event of {event.path}: {answer.status_code} {answer.text}"
                raise UnsettledError(message)
            await asyncio.sleep(_PAUSE_SECONDS)
        notes.outcomes["a delivery", str(answer.status_code)] += 1


def _unpublished(console: firestore.Client) -> list[str]:
    events = console.collection_group("audit_events").select(["published_at"]).stream(timeout=60)
    return [each.reference.path for each in events if each.get("published_at") is None]

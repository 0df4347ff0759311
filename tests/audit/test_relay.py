"""Relay on both emulators: every event reaches the topic and is stamped, whatever is broken or edited beside it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from google.cloud import firestore

from infra.local.audit_topic import TOPIC, create_topic, subscribed
from infra.local.processes import free_port
from shared.audit.message import AuditMessage
from shared.audit.relay import RelayReport, Relays
from shared.audit.topic import Topic
from shared.documents.paths import OrganizationPaths
from shared.documents.policy import Policy
from shared.documents.rfc3339 import rfc3339
from shared.documents.writing import audit_event_fields, denial_write
from shared.firestore.client import ReadTime
from shared.firestore.errors import MessageRejected, StoreUnavailable, TopicUnavailable
from shared.rules.audit import AuditEvent, Detail, acquired
from shared.rules.denial import Denied, Limit, denied
from shared.rules.session import session_id_of
from tests.rules.make import a_device, a_session, a_user
from tests.support.connections import HeldCommit, WatchedFirestore
from tests.support.subscriber import Subscriber

USE: dict[str, Detail] = {"seats": {"in_use": 3, "max": 3}, "organization_seats": {"in_use": 3, "max": None}}
LEFT_BEHIND = timedelta(minutes=3)
RECENT = timedelta(minutes=1)

Event = firestore.DocumentReference


class WatchedTopic(Topic):
    """The topic itself, with a note of what each call of ``publish`` was about, and ids that it refuses."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 passed on as they are
        super().__init__(**settings)
        self.asked: list[list[str]] = []
        self.confirmed: list[str] = []
        self.refused: set[str] = set()

    async def publish(self, messages: Sequence[AuditMessage]) -> None:
        ids = [message.event_id for message in messages]
        self.asked.append(ids)
        if self.refused.intersection(ids):
            reason = "one of the messages is not to Pub/Sub's liking"
            raise MessageRejected(reason)
        await super().publish(messages)
        self.confirmed.extend(ids)


@dataclass(frozen=True, kw_only=True)
class Trail:
    """The stored audit events of one organization."""

    console: firestore.Client
    policy: Policy
    paths: OrganizationPaths = field(default_factory=lambda: OrganizationPaths(f"org-{uuid4().hex[:10]}"))

    def add(self, event: AuditEvent) -> Event:
        """Write the event as the store does."""
        document: Event = self.console.document(self.paths.audit_event(event.name))
        document.set(audit_event_fields(event, self.paths, self.policy.retention))
        return document

    def grants(self, *ages: timedelta) -> list[Event]:
        """Write a grant of each age, numbered as they come."""
        now = datetime.now(UTC)
        return [self.grant(number, now - age) for number, age in enumerate(ages, start=1)]

    def grant(self, number: int, at: datetime) -> Event:
        return self.add(acquired(a_session(started_at=at), grant_number=number, details=USE))

    async def deny(self, store: WatchedFirestore, *, attempts: int, at: datetime) -> Event:
        """Add attempts to the denial of this minute, as the store does."""
        session_id = session_id_of(license_id="cad", user_id="ann", hardware_id="laptop")
        attempt = Denied(session_id=session_id, license_id="cad", user=a_user(), device=a_device(), limit=Limit.LICENSE)
        event = denied(attempt, use=USE, now=at)
        await store.commit([denial_write(event, self.paths, self.policy.retention, attempts=attempts)])
        document: Event = self.console.document(self.paths.audit_event(event.name))
        return document


def stamp(event: Event) -> datetime | None:
    """When it was published, as its document says."""
    value: datetime | None = event.get().get("published_at")
    return value


def path_of(event: Event) -> str:
    """Where it is, as the trigger says it."""
    return str(event.path)


def are_stamped(events: Sequence[Event]) -> list[bool]:
    return [stamp(event) is not None for event in events]


def ids(events: Sequence[Event]) -> list[str]:
    return [event.id for event in events]


@pytest.fixture
async def topic(project: str, pubsub_host: str) -> AsyncIterator[WatchedTopic]:
    """A connection to the audit topic of the test's own project."""
    create_topic(pubsub_host, project=project)
    connection = WatchedTopic(
        project=project, topic=TOPIC, emulator_host=pubsub_host, publish_within=timedelta(seconds=5)
    )
    yield connection
    await connection.close()


@pytest.fixture
async def silent_topic(project: str) -> AsyncIterator[WatchedTopic]:
    """A connection to where nobody answers."""
    nowhere = f"127.0.0.1:{free_port()}"
    connection = WatchedTopic(
        project=project, topic=TOPIC, emulator_host=nowhere, publish_within=timedelta(milliseconds=300)
    )
    yield connection
    await connection.close()


@pytest.fixture
def subscriber(project: str, pubsub_host: str) -> Iterator[Subscriber]:
    """Receives what is published while the test runs."""
    create_topic(pubsub_host, project=project)
    with subscribed(pubsub_host, project=project) as subscription:
        yield Subscriber(subscription=subscription)


@pytest.fixture
def trail(console: firestore.Client, policy: Policy) -> Trail:
    """The events of an organization of the test's own."""
    return Trail(console=console, policy=policy)


def relays(
    store: WatchedFirestore, topic: Topic, policy: Policy, *, run_within: timedelta = timedelta(minutes=1)
) -> Relays:
    return Relays(store, topic, answer_within=policy.answer_within, run_within=run_within)


def report(
    *, published: int, left: int = 0, failed: int = 0, is_complete: bool = True, is_topic_available: bool = True
) -> RelayReport:
    return RelayReport(
        events_published=published,
        events_left=left,
        organizations_failed=failed,
        is_complete=is_complete,
        is_topic_available=is_topic_available,
    )


# One event, as soon as it is committed


async def test_an_event_is_published_with_all_that_it_says_and_stamped(
    store: WatchedFirestore, topic: WatchedTopic, policy: Policy, trail: Trail, subscriber: Subscriber
) -> None:
    at = datetime.now(UTC)
    event = trail.grant(41, at)

    await relays(store, topic, policy).relay(path_of(event))

    subscriber.wait_for({event.id})
    (message,) = subscriber.messages
    assert message.event == {
        "schema_version": 1,
        "event_id": event.id,
        "type": "session.acquired",
        "at": rfc3339(at),
        "actor": "ann",
        "organization_id": trail.paths.organization_id,
        "license_id": "cad",
        "session_id": a_session().session_id,
        "user_id": "ann",
        "hardware_id": "laptop",
        "grant_number": 41,
        "details": {
            "ip_address": "192.0.2.7",
            "user_agent": "cad/4.2",
            "user_email": "ann@acme.example",
            "seats": {"in_use": 3, "max": 3},
            "organization_seats": {"in_use": 3, "max": None},
            "pool": None,
            "is_overdraft": False,
            "waited_seconds": None,
        },
    }
    stamped_at = stamp(event)
    assert stamped_at is not None
    assert stamped_at >= at


async def test_a_subscriber_can_filter_without_reading_and_gets_one_organizations_events_in_order(
    store: WatchedFirestore, topic: WatchedTopic, policy: Policy, trail: Trail, subscriber: Subscriber
) -> None:
    (event,) = trail.grants(timedelta(0))

    await relays(store, topic, policy).relay(path_of(event))

    subscriber.wait_for({event.id})
    (message,) = subscriber.messages
    assert message.attributes == {
        "event_id": event.id,
        "event_type": "session.acquired",
        "organization_id": trail.paths.organization_id,
    }
    assert message.ordering_key == trail.paths.organization_id


async def test_the_stamp_is_all_that_changes_in_the_event(
    store: WatchedFirestore, topic: WatchedTopic, policy: Policy, trail: Trail
) -> None:
    (event,) = trail.grants(timedelta(0))
    event.update({"note": "added by hand"})
    before = event.get().to_dict() or {}

    await relays(store, topic, policy).relay(path_of(event))

    after = event.get().to_dict() or {}
    assert before.pop("published_at") is None
    assert before.pop("unpublished_shard") in range(16)
    assert after.pop("published_at") is not None
    assert after == before


async def test_an_event_that_is_stamped_is_not_published_again(
    store: WatchedFirestore, topic: WatchedTopic, policy: Policy, trail: Trail
) -> None:
    (event,) = trail.grants(timedelta(0))
    relaying = relays(store, topic, policy)
    await relaying.relay(path_of(event))
    first = stamp(event)

    await relaying.relay(path_of(event))

    assert topic.asked == [[event.id]]
    assert stamp(event) == first


async def test_an_event_that_an_earlier_version_writes_during_an_upgrade_is_published_once(
    store: WatchedFirestore, topic: WatchedTopic, policy: Policy, trail: Trail
) -> None:
    (event,) = trail.grants(timedelta(0))
    event.update({"unpublished_shard": firestore.DELETE_FIELD})
    relaying = relays(store, topic, policy)

    await relaying.relay(path_of(event))
    await relaying.relay(path_of(event))

    assert topic.confirmed == [event.id]
    assert stamp(event) is not None


async def test_an_event_that_is_gone_is_done_with(
    store: WatchedFirestore,
    topic: WatchedTopic,
    policy: Policy,
    trail: Trail,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, logger="shared.audit.relay")
    (event,) = trail.grants(timedelta(0))
    event.delete()

    await relays(store, topic, policy).relay(path_of(event))

    assert topic.asked == []
    assert not event.get().exists
    assert caplog.messages == ["an audit event was deleted before it was published"]


@pytest.mark.parametrize(
    "path",
    [
        "",
        "organizations/acme",
        "organizations/acme/sessions/one",
        "organizations/acme/audit_events",
        "organizations/acme/audit_events/",
        "organizations/acme/audit_events/one/notes/two",
        "archive/acme/audit_events/one",
        "/organizations/acme/audit_events/one",
    ],
)
async def test_a_path_that_leads_to_no_audit_event_is_logged_and_nothing_is_read(
    store: WatchedFirestore, topic: WatchedTopic, policy: Policy, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    relaying = relays(store, topic, policy)

    await relaying.relay(path)

    assert caplog.messages == ["an event for a document that is not an audit event; it is ignored"]
    assert (store.calls, topic.asked) == ([], [])


@pytest.mark.parametrize(
    "edited", [{"actor": 5}, {"at": "today"}, {"type": "session.lost"}, {"type": None}, {"details": None}], ids=str
)
async def test_an_event_that_cannot_be_read_is_logged_and_stays_unpublished(
    store: WatchedFirestore,
    topic: WatchedTopic,
    policy: Policy,
    trail: Trail,
    caplog: pytest.LogCaptureFixture,
    edited: dict[str, object],
) -> None:
    (event,) = trail.grants(timedelta(0))
    event.update(edited)

    await relays(store, topic, policy).relay(path_of(event))

    (record,) = caplog.records
    assert (record.levelname, record.message) == (
        "ERROR",
        "an audit event cannot be read, so it is not published; correct or delete its document",
    )
    assert record.__dict__["document"] == path_of(event)
    assert topic.asked == []
    assert stamp(event) is None


async def test_an_event_that_pubsub_refuses_is_logged_and_stays_unpublished(
    store: WatchedFirestore, topic: WatchedTopic, policy: Policy, trail: Trail, caplog: pytest.LogCaptureFixture
) -> None:
    (event,) = trail.grants(timedelta(0))
    topic.refused = {event.id}

    await relays(store, topic, policy).relay(path_of(event))

    assert caplog.messages == ["Pub/Sub refuses an audit event"]
    assert stamp(event) is None


async def test_an_event_whose_stamp_is_lost_is_published_again_under_the_same_id(
    store: WatchedFirestore, topic: WatchedTopic, policy: Policy, trail: Trail, monkeypatch: pytest.MonkeyPatch
) -> None:
    (event,) = trail.grants(timedelta(0))
    relaying = relays(store, topic, policy)

    async def fail(_: Sequence[Any]) -> None:
        message = "Firestore is away"
        raise StoreUnavailable(message)

    with monkeypatch.context() as away:
        away.setattr(store, "commit", fail)
        with pytest.raises(StoreUnavailable):
            await relaying.relay(path_of(event))
    assert stamp(event) is None

    await relaying.relay(path_of(event))

    assert topic.confirmed == [event.id, event.id]
    assert stamp(event) is not None


async def test_while_the_topic_does_not_answer_an_event_is_not_stamped_and_the_caller_learns_it(
    store: WatchedFirestore, silent_topic: WatchedTopic, policy: Policy, trail: Trail
) -> None:
    (event,) = trail.grants(timedelta(0))

    with pytest.raises(TopicUnavailable):
        await relays(store, silent_topic, policy).relay(path_of(event))

    assert stamp(event) is None


async def test_an_event_for_which_there_is_no_time_is_not_stamped_and_the_caller_learns_it(
    store: WatchedFirestore, topic: WatchedTopic, trail: Trail
) -> None:
    (event,) = trail.grants(timedelta(0))
    hurried = Relays(store, topic, answer_within=timedelta(0), run_within=timedelta(0))

    with pytest.raises(TopicUnavailable, match="asking again is safe"):
        await hurried.relay(path_of(event))

    assert stamp(event) is None


# Denials, which count for a while


async def test_the_creation_of_a_denial_publishes_nothing(
    store: WatchedFirestore, topic: WatchedTopic, policy: Policy, trail: Trail, caplog: pytest.LogCaptureFixture
) -> None:
    old = await trail.deny(store, attempts=1, at=datetime.now(UTC) - LEFT_BEHIND)
    young = await trail.deny(store, attempts=1, at=datetime.now(UTC))

    for event in (old, young):
        await relays(store, topic, policy).relay(path_of(event))

    assert topic.asked == []
    assert are_stamped([old, young]) == [False, False]
    assert caplog.messages == []


async def test_a_denial_is_published_once_with_the_number_that_it_has_when_its_minute_is_over(
    store: WatchedFirestore, topic: WatchedTopic, policy: Policy, trail: Trail, subscriber: Subscriber
) -> None:
    at = (datetime.now(UTC) - LEFT_BEHIND).replace(second=7, microsecond=0)
    event = await trail.deny(store, attempts=2, at=at)
    await trail.deny(store, attempts=40, at=at + timedelta(seconds=50))
    relaying = relays(store, topic, policy)

    runs = [await relaying.relay_left_behind() for _ in range(2)]

    assert runs == [report(published=1), report(published=0)]
    subscriber.wait_for({event.id})
    (message,) = subscriber.messages
    assert (message.event["type"], message.event["event_id"]) == ("session.denied", event.id)
    assert message.event["at"] == rfc3339(at.replace(second=0))
    assert message.event["details"]["attempts"] == 42
    assert message.event["details"]["last_attempt_at"] == rfc3339(at + timedelta(seconds=50))
    assert stamp(event) is not None


async def test_a_denial_waits_for_half_a_minute_after_its_minute(
    store: WatchedFirestore, topic: WatchedTopic, policy: Policy, trail: Trail
) -> None:
    over = await trail.deny(store, attempts=1, at=datetime.now(UTC) - LEFT_BEHIND)
    settling = await trail.deny(store, attempts=1, at=datetime.now(UTC))
    now = datetime.now(UTC)
    over.update({"at": now - timedelta(seconds=91)})
    settling.update({"at": now - timedelta(seconds=60)})

    done = await relays(store, topic, policy).relay_left_behind()

    assert done == report(published=1)
    assert topic.confirmed == [over.id]
    assert are_stamped([over, settling]) == [True, False]


async def test_an_attempt_that_is_written_after_the_publication_is_published_with_the_next_run(
    store: WatchedFirestore, topic: WatchedTopic, policy: Policy, trail: Trail
) -> None:
    at = datetime.now(UTC) - LEFT_BEHIND
    event = await trail.deny(store, attempts=1, at=at)
    relaying = relays(store, topic, policy)
    await relaying.relay_left_behind()
    await trail.deny(store, attempts=1, at=at)

    done = await relaying.relay_left_behind()

    assert done == report(published=1)
    assert topic.confirmed == [event.id, event.id]
    assert (event.get().get("details.attempts"), stamp(event) is not None) == (2, True)


async def test_an_attempt_that_is_written_between_publication_and_stamp_is_published_with_the_next_run(
    store: WatchedFirestore, another_store: WatchedFirestore, topic: WatchedTopic, policy: Policy, trail: Trail
) -> None:
    at = datetime.now(UTC) - LEFT_BEHIND
    event, other = await trail.deny(store, attempts=1, at=at), trail.grant(1, at)
    relaying = relays(store, topic, policy)
    halt = HeldCommit(store)
    running = asyncio.create_task(relaying.relay_left_behind())
    await halt.reached.wait()
    await trail.deny(another_store, attempts=1, at=at)
    halt.let_go.set()

    first = await running
    second = await relaying.relay_left_behind()

    assert halt.outcomes == ["conflict", "written", "written"]
    assert (first, second) == (report(published=2, left=1), report(published=1))
    assert topic.confirmed.count(event.id) == 2
    assert are_stamped([event, other]) == [True, True]


async def test_a_denial_that_pubsub_refuses_stays_unpublished(
    store: WatchedFirestore, topic: WatchedTopic, policy: Policy, trail: Trail
) -> None:
    event = await trail.deny(store, attempts=1, at=datetime.now(UTC) - LEFT_BEHIND)
    topic.refused = {event.id}

    done = await relays(store, topic, policy).relay_left_behind()

    assert done == report(published=0, left=1)
    assert stamp(event) is None


# What was left behind


async def test_what_was_left_behind_is_published_and_what_is_about_to_be_is_left_alone(
    store: WatchedFirestore, topic: WatchedTopic, policy: Policy, trail: Trail
) -> None:
    old, recent = trail.grants(LEFT_BEHIND, RECENT)

    done = await relays(store, topic, policy).relay_left_behind()

    assert done == report(published=1)
    assert topic.confirmed == [old.id]
    assert are_stamped([old, recent]) == [True, False]


@pytest.mark.parametrize(("minute", "published"), [(0, 2), (1, 1), (59, 1)])
async def test_only_the_first_run_of_an_hour_looks_for_events_older_than_a_day(
    store: WatchedFirestore,
    topic: WatchedTopic,
    policy: Policy,
    trail: Trail,
    monkeypatch: pytest.MonkeyPatch,
    minute: int,
    published: int,
) -> None:
    ancient, old = trail.grants(timedelta(hours=26), timedelta(hours=2))
    real = store.now

    async def at_the_minute() -> ReadTime:
        read = await real()
        return replace(read, now=read.now.replace(minute=minute))

    monkeypatch.setattr(store, "now", at_the_minute)

    done = await relays(store, topic, policy).relay_left_behind()

    assert done == report(published=published)
    assert are_stamped([ancient, old]) == [published == 2, True]


async def test_a_second_run_publishes_nothing_again(
    store: WatchedFirestore, topic: WatchedTopic, policy: Policy, trail: Trail
) -> None:
    events = trail.grants(LEFT_BEHIND, LEFT_BEHIND)
    relaying = relays(store, topic, policy)
    await relaying.relay_left_behind()

    again = await relaying.relay_left_behind()

    assert again == report(published=0)
    assert sorted(topic.confirmed) == sorted(ids(events))


async def test_what_was_left_behind_is_published_oldest_first_over_several_pages(
    store: WatchedFirestore,
    topic: WatchedTopic,
    policy: Policy,
    trail: Trail,
    subscriber: Subscriber,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shared.audit.relay.PAGE", 2)
    hours = [3, 1, 5, 2, 4]
    events = trail.grants(*(timedelta(hours=each) for each in hours))

    done = await relays(store, topic, policy).relay_left_behind()

    assert done == report(published=5)
    assert [len(page) for page in topic.asked] == [2, 2, 1]
    oldest_first = [event.id for _, event in sorted(zip(hours, events, strict=True), reverse=True, key=lambda e: e[0])]
    subscriber.wait_for(ids(events))
    assert [message.event["event_id"] for message in subscriber.messages] == oldest_first
    assert are_stamped(events) == [True] * 5


async def test_the_flood_of_one_organization_does_not_delay_the_events_of_the_others(
    store: WatchedFirestore,
    topic: WatchedTopic,
    policy: Policy,
    console: firestore.Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shared.audit.relay.PAGE", 2)
    flooding, quiet = (Trail(console=console, policy=policy) for _ in range(2))
    for each in (flooding, quiet):
        console.document(each.paths.organization).set({})
    flood = flooding.grants(*[2 * LEFT_BEHIND] * 9)
    (event,) = quiet.grants(LEFT_BEHIND)

    done = await relays(store, topic, policy).relay_left_behind()

    assert done == report(published=10)
    assert sorted(topic.confirmed) == sorted([event.id, *ids(flood)])
    # Behind the first page, and at most one page of the flood's own turn.
    assert topic.confirmed.index(event.id) <= 4


async def test_events_of_one_commit_are_each_published_once_although_a_page_ends_between_them(
    store: WatchedFirestore, topic: WatchedTopic, policy: Policy, trail: Trail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.audit.relay.PAGE", 2)
    at = datetime.now(UTC) - LEFT_BEHIND
    events = [trail.grant(number, at) for number in range(1, 6)]

    done = await relays(store, topic, policy).relay_left_behind()

    assert done == report(published=5)
    assert sorted(topic.confirmed) == sorted(ids(events))


async def test_every_organization_gets_its_own_events_published(
    store: WatchedFirestore,
    topic: WatchedTopic,
    policy: Policy,
    console: firestore.Client,
    subscriber: Subscriber,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shared.audit.relay.PAGE", 4)
    trails = [Trail(console=console, policy=policy) for _ in range(3)]
    written = {trail.paths.organization_id: ids(trail.grants(LEFT_BEHIND, LEFT_BEHIND)) for trail in trails}

    done = await relays(store, topic, policy).relay_left_behind()

    assert done == report(published=6)
    subscriber.wait_for({event_id for event_ids in written.values() for event_id in event_ids})
    keys = {message.event["event_id"]: message.ordering_key for message in subscriber.messages}
    assert keys == {event_id: organization for organization, event_ids in written.items() for event_id in event_ids}
    # One request is of one organization: what Pub/Sub refuses of one holds up no other.
    assert all(len({keys[event_id] for event_id in asked}) == 1 for asked in topic.asked)


async def test_a_store_that_does_not_count_at_once_what_is_left_is_asked_again(
    store: WatchedFirestore, topic: WatchedTopic, policy: Policy, trail: Trail, monkeypatch: pytest.MonkeyPatch
) -> None:
    trail.grants(LEFT_BEHIND)
    counted, away = store.count, iter([True])

    async def count(*wanted: Any, **at: Any) -> int:  # noqa: ANN401 passed on as they are
        if next(away, False):
            message = "away for a moment"
            raise StoreUnavailable(message)
        number: int = await counted(*wanted, **at)
        return number

    monkeypatch.setattr(store, "count", count)

    assert await relays(store, topic, policy).relay_left_behind() == report(published=1)


async def test_events_that_cannot_be_read_are_passed_over_and_counted_as_left(
    store: WatchedFirestore,
    topic: WatchedTopic,
    policy: Policy,
    trail: Trail,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shared.audit.relay.PAGE", 1)
    oldest, middle, youngest = trail.grants(3 * LEFT_BEHIND, 2 * LEFT_BEHIND, LEFT_BEHIND)
    oldest.update({"actor": 5})

    done = await relays(store, topic, policy).relay_left_behind()

    assert done == report(published=2, left=1)
    assert topic.confirmed == [middle.id, youngest.id]
    assert are_stamped([oldest, middle, youngest]) == [False, True, True]
    assert "an audit event cannot be read, so it is not published; correct or delete its document" in caplog.messages


async def test_a_collection_of_the_same_name_elsewhere_is_not_published(
    store: WatchedFirestore, topic: WatchedTopic, policy: Policy, trail: Trail, console: firestore.Client
) -> None:
    (ours,) = trail.grants(LEFT_BEHIND)
    elsewhere = console.document("archive", "2026", "audit_events", ours.id)
    elsewhere.set(ours.get().to_dict() or {})

    done = await relays(store, topic, policy).relay_left_behind()

    assert done.events_published == 1
    assert topic.asked == [[ours.id]]
    assert are_stamped([ours, elsewhere]) == [True, False]


async def test_of_events_that_pubsub_refuses_the_others_are_published_and_stamped(
    store: WatchedFirestore, topic: WatchedTopic, policy: Policy, trail: Trail, caplog: pytest.LogCaptureFixture
) -> None:
    events = trail.grants(4 * LEFT_BEHIND, 3 * LEFT_BEHIND, 2 * LEFT_BEHIND, LEFT_BEHIND)
    topic.refused = {events[1].id}

    done = await relays(store, topic, policy).relay_left_behind()

    assert done == report(published=3, left=1)
    assert topic.confirmed == ids([events[0], *events[2:]])
    assert are_stamped(events) == [True, False, True, True]
    refusals = [record for record in caplog.records if record.message == "Pub/Sub refuses an audit event"]
    assert [record.__dict__["event_id"] for record in refusals] == [events[1].id]


async def test_while_the_topic_does_not_answer_nothing_is_stamped_and_the_run_says_so(
    store: WatchedFirestore,
    silent_topic: WatchedTopic,
    policy: Policy,
    console: firestore.Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shared.audit.relay.MAX_ORGANIZATIONS", 1)
    trails = [Trail(console=console, policy=policy) for _ in range(3)]
    events = [event for trail in trails for event in trail.grants(LEFT_BEHIND)]

    done = await relays(store, silent_topic, policy).relay_left_behind()

    assert done == report(published=0, left=3, is_complete=False, is_topic_available=False)
    assert are_stamped(events) == [False] * 3
    # It concerns every organization: no further one is tried in vain.
    assert len(silent_topic.asked) == 1


async def test_a_topic_that_is_not_there_concerns_every_event_and_the_run_says_so(
    store: WatchedFirestore,
    pubsub_host: str,
    policy: Policy,
    console: firestore.Client,
    project: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Somebody deleted it, or has not made it yet: no organization's fault, and mended by somebody.
    monkeypatch.setattr("shared.audit.relay.MAX_ORGANIZATIONS", 1)
    trails = [Trail(console=console, policy=policy) for _ in range(2)]
    events = [event for trail in trails for event in trail.grants(LEFT_BEHIND)]
    missing = WatchedTopic(
        project=project, topic="not-made", emulator_host=pubsub_host, publish_within=timedelta(seconds=4)
    )

    done = await relays(store, missing, policy).relay_left_behind()
    await missing.close()

    assert done == report(published=0, left=2, is_complete=False, is_topic_available=False)
    assert are_stamped(events) == [False, False]
    assert len(missing.asked) == 1


async def test_a_run_after_an_outage_of_the_topic_publishes_what_the_outage_delayed(
    store: WatchedFirestore, topic: WatchedTopic, silent_topic: WatchedTopic, policy: Policy, trail: Trail
) -> None:
    events = trail.grants(2 * LEFT_BEHIND, LEFT_BEHIND)
    await relays(store, silent_topic, policy).relay_left_behind()

    done = await relays(store, topic, policy).relay_left_behind()

    assert done == report(published=2)
    assert topic.confirmed == ids(events)


async def test_an_organization_whose_stamps_cannot_be_written_holds_up_no_other(
    store: WatchedFirestore,
    topic: WatchedTopic,
    policy: Policy,
    console: firestore.Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken, whole = (Trail(console=console, policy=policy) for _ in range(2))
    (stuck,), (fine,) = broken.grants(2 * LEFT_BEHIND), whole.grants(LEFT_BEHIND)
    commit = store.commit

    async def refuse(writes: Sequence[Any]) -> None:
        if any(write.path == path_of(stuck) for write in writes):
            message = "a fault that no repetition mends"
            raise RuntimeError(message)
        await commit(writes)

    monkeypatch.setattr(store, "commit", refuse)

    done = await relays(store, topic, policy).relay_left_behind()

    assert done == report(published=1, left=1, failed=1)
    assert are_stamped([stuck, fine]) == [False, True]


async def test_when_the_time_is_up_nothing_more_is_published_and_the_run_says_so(
    store: WatchedFirestore, topic: WatchedTopic, policy: Policy, trail: Trail
) -> None:
    events = trail.grants(2 * LEFT_BEHIND, LEFT_BEHIND)

    done = await relays(store, topic, policy, run_within=timedelta(0)).relay_left_behind()

    assert done == report(published=0, left=2, is_complete=False)
    assert topic.asked == []
    assert are_stamped(events) == [False, False]


# Two at once


async def test_an_event_that_is_deleted_before_its_stamp_leaves_the_others_theirs(
    store: WatchedFirestore, topic: WatchedTopic, policy: Policy, trail: Trail
) -> None:
    first, deleted, last = trail.grants(3 * LEFT_BEHIND, 2 * LEFT_BEHIND, LEFT_BEHIND)
    halt = HeldCommit(store)
    running = asyncio.create_task(relays(store, topic, policy).relay_left_behind())
    await halt.reached.wait()

    deleted.delete()
    halt.let_go.set()
    done = await running

    assert done == report(published=3)
    assert halt.outcomes == ["conflict", "written"]
    assert are_stamped([first, last]) == [True, True]
    assert not deleted.get().exists


async def test_an_event_that_another_instance_stamped_first_keeps_that_stamp_and_the_others_get_theirs(
    store: WatchedFirestore, topic: WatchedTopic, policy: Policy, trail: Trail
) -> None:
    first, taken, last = trail.grants(3 * LEFT_BEHIND, 2 * LEFT_BEHIND, LEFT_BEHIND)
    before = datetime.now(UTC) - RECENT
    halt = HeldCommit(store)
    running = asyncio.create_task(relays(store, topic, policy).relay_left_behind())
    await halt.reached.wait()

    taken.update({"published_at": before, "unpublished_shard": firestore.DELETE_FIELD})
    halt.let_go.set()
    await running

    assert halt.outcomes == ["conflict", "written"]
    assert are_stamped([first, last]) == [True, True]
    assert stamp(taken) == before


async def test_an_event_that_is_edited_before_its_stamp_keeps_the_edit_and_gets_the_stamp(
    store: WatchedFirestore, topic: WatchedTopic, policy: Policy, trail: Trail
) -> None:
    (event,) = trail.grants(timedelta(0))
    halt = HeldCommit(store)
    running = asyncio.create_task(relays(store, topic, policy).relay(path_of(event)))
    await halt.reached.wait()

    event.update({"note": "added by hand"})
    halt.let_go.set()
    await running

    assert halt.outcomes == ["conflict", "written"]
    assert event.get().get("note") == "added by hand"
    assert stamp(event) is not None


async def test_a_lone_event_that_is_deleted_before_its_stamp_is_done_with(
    store: WatchedFirestore, topic: WatchedTopic, policy: Policy, trail: Trail
) -> None:
    (event,) = trail.grants(timedelta(0))
    halt = HeldCommit(store)
    running = asyncio.create_task(relays(store, topic, policy).relay(path_of(event)))
    await halt.reached.wait()

    event.delete()
    halt.let_go.set()
    await running

    assert halt.outcomes == ["conflict"]
    assert not event.get().exists

"""The list of what calls each function: what may stand in it, and that nobody else calls one."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from apscheduler.triggers.cron import CronTrigger

from infra.build.triggers import DocumentEvent, OnDocument, OnRequest, OnSchedule, public_path, triggers
from infra.local.emulators import register_triggers, triggered_by
from infra.local.gateway import gateway
from infra.local.processes import StartError
from tests.infra.little_server import LittleServer, little_server

CLIENT_FUNCTIONS = [
    "acquire",
    "heartbeat",
    "history",
    "invitations",
    "join",
    "keys",
    "members",
    "release",
    "sign_ins",
    "usage",
]
OTHERS = sorted(triggers().keys() - set(CLIENT_FUNCTIONS))

SCHEDULED = [pytest.param(trigger, id=name) for name, trigger in triggers().items() if isinstance(trigger, OnSchedule)]
OF_DOCUMENTS = [
    pytest.param(event, id=f"{name} {event.document}")
    for name, trigger in triggers().items()
    if isinstance(trigger, OnDocument)
    for event in trigger.events
]
_SOME_DAY = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Another project's folder, whose list is read."""
    monkeypatch.setattr("infra.build.triggers.ROOT", tmp_path)
    (tmp_path / "infra").mkdir()
    return tmp_path


def of_documents(*events: object) -> dict[str, object]:
    return {"trigger": "document", "events": list(events)}


def write(root: Path, **entries: object) -> None:
    (root / "infra/functions.json").write_text(json.dumps(entries))


# The list


def test_each_form_of_entry_is_read(root: Path) -> None:
    write(
        root,
        ask={"trigger": "request"},
        nightly={"trigger": "schedule", "schedule": "0 3 * * *"},
        relay={
            "trigger": "document",
            "events": [
                {"event": "created", "document": "organizations/{o}/things/{t}"},
                {"event": "deleted", "document": "organizations/{o}"},
            ],
        },
    )

    found = triggers()

    assert found == {
        "ask": OnRequest(),
        "nightly": OnSchedule(schedule="0 3 * * *"),
        "relay": OnDocument(
            events=(
                DocumentEvent(event="created", document="organizations/{o}/things/{t}"),
                DocumentEvent(event="deleted", document="organizations/{o}"),
            )
        ),
    }


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param({}, id="nothing"),
        pytest.param("request", id="a text"),
        pytest.param(["request"], id="a list"),
        pytest.param(None, id="null"),
        pytest.param({"trigger": "requests"}, id="an unknown trigger"),
        pytest.param({"schedule": "* * * * *"}, id="no trigger"),
        pytest.param({"trigger": "request", "schedule": "* * * * *"}, id="a request on a schedule"),
        pytest.param({"trigger": "schedule"}, id="a schedule without one"),
        pytest.param({"trigger": "schedule", "schedule": "* * * * *", "zone": "CET"}, id="a schedule and more"),
        pytest.param({"trigger": "document"}, id="a document event without events"),
        pytest.param({"trigger": "document", "events": []}, id="a document event of nothing"),
        pytest.param(of_documents({"event": "created"}), id="a document event without a document"),
        pytest.param(of_documents({"document": "a/{b}"}), id="a document without an event"),
        pytest.param(of_documents({"event": "touched", "document": "a/{b}"}), id="an event of no kind"),
        pytest.param(of_documents({"event": "created", "document": "a/{b}", "retry": True}), id="and more"),
        pytest.param({**of_documents({"event": "created", "document": "a/{b}"}), "retry": True}, id="more beside it"),
    ],
)
def test_an_entry_of_no_known_form_is_refused_and_shown(root: Path, entry: object) -> None:
    write(root, ask={"trigger": "request"}, odd=entry)

    with pytest.raises(ValueError, match="an invalid entry") as refused:
        triggers()

    assert str(entry) in str(refused.value)


def test_clients_may_call_these_ten_functions() -> None:
    called_by_clients = sorted(name for name, trigger in triggers().items() if isinstance(trigger, OnRequest))

    assert called_by_clients == CLIENT_FUNCTIONS


@pytest.mark.parametrize("trigger", SCHEDULED)
def test_a_schedule_has_the_five_fields_of_cron(trigger: OnSchedule) -> None:
    assert CronTrigger.from_crontab(trigger.schedule).get_next_fire_time(None, _SOME_DAY) is not None


@pytest.mark.parametrize("trigger", SCHEDULED)
def test_a_schedule_names_weekdays_and_does_not_number_them(trigger: OnSchedule) -> None:
    # Cloud Scheduler counts them from Sunday, the local stack's scheduler from Monday.
    *_, weekdays = trigger.schedule.split()

    assert not re.search(r"(?<!/)\d", weekdays)


@pytest.mark.parametrize("trigger", OF_DOCUMENTS)
def test_a_document_pattern_names_an_organization_or_documents_of_one(trigger: DocumentEvent) -> None:
    assert re.fullmatch(r"organizations/\{\w+\}(/\w+/\{\w+\})*", trigger.document)


@pytest.mark.parametrize("trigger", OF_DOCUMENTS)
def test_a_document_event_is_of_a_kind_that_firestore_has(trigger: DocumentEvent) -> None:
    assert trigger.event in {"created", "updated", "deleted", "written"}


# The emulator


def test_the_emulator_is_asked_for_the_events_that_call_a_function_and_for_no_others() -> None:
    with little_server(200) as emulator:
        register_triggers(emulator.url.removeprefix("http://"), project="proj", names=list(triggers()))

    assert {heard.method for heard in emulator.heard} == {"PUT"}
    asked = {Path(heard.path).name: json.loads(heard.body)["eventTrigger"] for heard in emulator.heard}
    assert {heard.path for heard in emulator.heard} == {f"/emulator/v1/projects/proj/triggers/{name}" for name in asked}
    documents = "projects/proj/databases/(default)/documents/organizations/{organization}"
    assert {name: (each["resource"].removeprefix(documents), each["eventType"]) for name, each in asked.items()} == {
        "relay_audit-0": ("/audit_events/{event}", "providers/cloud.firestore/eventTypes/document.create"),
        "sync_user_claims-0": ("/users/{user}", "providers/cloud.firestore/eventTypes/document.write"),
        "review_admin_edit-0": ("", "providers/cloud.firestore/eventTypes/document.write"),
        "review_admin_edit-1": ("/licenses/{license}", "providers/cloud.firestore/eventTypes/document.write"),
        "review_admin_edit-2": ("/sessions/{session}", "providers/cloud.firestore/eventTypes/document.delete"),
    }
    assert {each["service"] for each in asked.values()} == {"firestore.googleapis.com"}
    assert {triggered_by(name) for name in asked} == {"relay_audit", "sync_user_claims", "review_admin_edit"}


@pytest.mark.parametrize("status", [400, 404, 500])
def test_an_emulator_that_takes_no_trigger_is_told_of(status: int) -> None:
    with (
        little_server(status) as emulator,
        pytest.raises(StartError, match=rf"refused the trigger of relay_audit: .*{status}"),
    ):
        register_triggers(emulator.url.removeprefix("http://"), project="proj", names=["relay_audit"])


def test_an_emulator_that_does_not_answer_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.local.emulators.START_WITHIN_SECONDS", 0.1)

    with little_server(200) as emulator:
        emulator.gate.clear()
        with pytest.raises(StartError, match="refused the trigger of relay_audit: ReadTimeout"):
            register_triggers(emulator.url.removeprefix("http://"), project="proj", names=["relay_audit"])


# Who reaches what


@pytest.fixture
def function() -> Iterator[LittleServer]:
    """A server in the place of every function."""
    with little_server(200) as server:
        yield server


@pytest.fixture
async def client(function: LittleServer) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a gateway before all functions."""
    app = gateway({name: f"{function.url}/{name}" for name in triggers()})
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://localhost") as asking,
    ):
        yield asking


@pytest.mark.parametrize("name", CLIENT_FUNCTIONS)
async def test_a_client_reaches_the_functions_for_clients(
    client: httpx.AsyncClient, function: LittleServer, name: str
) -> None:
    answer = await client.post(public_path(name))

    assert answer.status_code == 200
    assert [heard.path for heard in function.heard] == [f"/{name}/"]


@pytest.mark.parametrize("path", ["/v1/{}", "/v1/{}/", "/{}", "/functions/projects/p/triggers/{}-0"])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("name", OTHERS)
async def test_a_client_reaches_no_other_function(
    client: httpx.AsyncClient, function: LittleServer, name: str, method: str, path: str
) -> None:
    answer = await client.request(method, path.format(name), headers={"X-CloudScheduler": "true"})

    # A document's function is there for the emulator's events, and this is none.
    is_no_event = isinstance(triggers()[name], OnDocument) and path.startswith("/functions") and method == "POST"
    assert answer.status_code == (400 if is_no_event else 404)
    assert function.heard == []


async def test_what_is_not_there_is_answered_with_what_is(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/expire_sessions")

    names = (
        "acquire",
        "heartbeat",
        "release",
        "usage",
        "history",
        "invitations",
        "join",
        "members",
        "keys",
        "sign-ins",
    )
    assert answer.text == f"no such path. The paths are {', '.join(f'/v1/{name}' for name in names)}\n"

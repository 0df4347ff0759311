"""The emulator's document events reach the functions as the platform's do: in its form, until they are taken."""

import asyncio
import copy
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from google.events.cloud.firestore_v1 import DocumentEventData

from infra.build.triggers import OnDocument, triggers
from infra.local.emulators import trigger_id
from infra.local.eventarc import MAX_DELIVERIES, Event, Eventarc, MalformedEventError, as_cloud_event
from infra.local.gateway import EVENTS_PATH, gateway
from tests.infra.little_server import little_server, soon

EMULATED = {
    "data": {
        "value": {
            "name": "projects/proj/databases/(default)/documents/organizations/a/audit_events/x1",
            "fields": {"a": {"integerValue": "1"}},
            "createTime": "2026-11-23T23:51:48.318117Z",
            "updateTime": "2026-11-23T23:51:48.318117Z",
        },
        "updateMask": {},
    },
    "context": {
        "eventId": "679765ab-fdea-4743-87d7-39d4df43afe1",
        "timestamp": "2026-11-23T23:51:48.318117Z",
        "eventType": "providers/cloud.firestore/eventTypes/document.create",
        "resource": {
            "name": "projects/proj/databases/(default)/documents/organizations/a/audit_events/x1",
            "service": "firestore.googleapis.com",
        },
    },
}
"""What the Firestore emulator posted when a document was created."""

DOCUMENTS = "projects/proj/databases/(default)/documents"


def emulated(**context: object) -> dict[str, Any]:
    """An event of the emulator whose context is changed as told."""
    event: dict[str, Any] = copy.deepcopy(EMULATED)
    event["context"].update(context)
    return event


def named(name: object) -> dict[str, Any]:
    return emulated(resource={"name": name})


def without(*keys: str) -> dict[str, Any]:
    """An event of the emulator in which something is missing."""
    event = inner = emulated()
    for key in keys[:-1]:
        inner = inner[key]
    del inner[keys[-1]]
    return event


# Form


def test_an_event_gets_the_headers_that_the_platform_sends() -> None:
    event = as_cloud_event(EMULATED)

    assert event.headers == {
        b"ce-id": b"679765ab-fdea-4743-87d7-39d4df43afe1",
        b"ce-source": b"//firestore.googleapis.com/projects/proj/databases/(default)",
        b"ce-type": b"google.cloud.firestore.document.v1.created",
        b"ce-specversion": b"1.0",
        b"ce-time": b"2026-11-23T23:51:48.318117Z",
        b"ce-subject": b"documents/organizations/a/audit_events/x1",
        b"ce-project": b"proj",
        b"ce-database": b"(default)",
        b"ce-namespace": b"(default)",
        b"ce-document": b"organizations/a/audit_events/x1",
        b"ce-location": b"nam5",
        b"content-type": b"application/protobuf",
    }


def test_an_events_body_is_the_document_in_protobuf() -> None:
    event = as_cloud_event(EMULATED)

    data = DocumentEventData.deserialize(event.body)
    assert data.value.name == f"{DOCUMENTS}/organizations/a/audit_events/x1"
    assert {name: value.integer_value for name, value in data.value.fields.items()} == {"a": 1}
    assert data.value.create_time.isoformat() == "2026-11-23T23:51:48.318117+00:00"
    assert "old_value" not in data


@pytest.mark.parametrize(
    ("emulators", "platforms"),
    [("create", "created"), ("update", "updated"), ("delete", "deleted"), ("write", "written")],
)
def test_each_kind_of_event_has_the_platforms_name(emulators: str, platforms: str) -> None:
    event = as_cloud_event(emulated(eventType=f"providers/cloud.firestore/eventTypes/document.{emulators}"))

    assert event.headers[b"ce-type"] == f"google.cloud.firestore.document.v1.{platforms}".encode()


@pytest.mark.parametrize("organization_id", ["Zoë", "日本", "a b", "50%", "🪑"])
def test_an_id_that_is_not_ascii_is_sent_as_bare_utf_8(organization_id: str) -> None:
    event = as_cloud_event(named(f"{DOCUMENTS}/organizations/{organization_id}/audit_events/x1"))

    path = f"organizations/{organization_id}/audit_events/x1"
    assert event.headers[b"ce-document"] == path.encode()
    assert event.headers[b"ce-subject"] == f"documents/{path}".encode()


@pytest.mark.parametrize(
    "malformed",
    [
        pytest.param(None, id="nothing"),
        pytest.param([], id="a list"),
        pytest.param("an event", id="a text"),
        pytest.param({}, id="an empty object"),
        pytest.param(without("context"), id="no context"),
        pytest.param(without("context", "eventId"), id="no id"),
        pytest.param(without("context", "timestamp"), id="no time"),
        pytest.param(without("context", "eventType"), id="no type"),
        pytest.param(without("context", "resource"), id="no resource"),
        pytest.param(without("context", "resource", "name"), id="no name"),
        pytest.param(without("data"), id="no data"),
        pytest.param(emulated(eventId=None), id="an id that is null"),
        pytest.param(emulated(eventId=7), id="an id that is a number"),
        pytest.param(emulated(eventId="a\r\nX-More: b"), id="an id with a line break"),
        pytest.param(emulated(timestamp={}), id="a time that is an object"),
        pytest.param(emulated(eventType=[]), id="a type that is a list"),
        pytest.param(emulated(eventType="providers/cloud.firestore/eventTypes/document.rename"), id="an unknown type"),
        pytest.param(emulated(resource="x"), id="a resource that is a text"),
        pytest.param(named(None), id="a name that is null"),
        pytest.param(named("organizations/a"), id="a name without a database"),
        pytest.param(named(f"{DOCUMENTS}/"), id="a name without a document"),
        pytest.param(named(f"{DOCUMENTS}/organizations/a\nb"), id="a name with a line break"),
        pytest.param(named(f"{DOCUMENTS}/organizations/\ud800"), id="a name that is no Unicode"),
        pytest.param({**emulated(), "data": None}, id="data that are null"),
        pytest.param({**emulated(), "data": []}, id="data that are a list"),
        pytest.param({**emulated(), "data": "x"}, id="data that are a text"),
        pytest.param({**emulated(), "data": {"worth": {}}}, id="data of an unknown form"),
        pytest.param({**emulated(), "data": {"value": {"fields": {"a": {"integerValue": "one"}}}}}, id="a bad value"),
        pytest.param({**emulated(), "data": {"value": {"createTime": "yesterday"}}}, id="a bad time"),
    ],
)
def test_what_is_no_event_of_the_emulators_is_refused(malformed: object) -> None:
    with pytest.raises(MalformedEventError):
        as_cloud_event(malformed)


# Delivery


def an_event(number: int = 0) -> Event:
    return as_cloud_event(named(f"{DOCUMENTS}/organizations/Zoë/audit_events/x{number}"))


@asynccontextmanager
async def delivering() -> AsyncIterator[Eventarc]:
    """Deliveries with a client of their own, to their end."""
    async with httpx.AsyncClient() as client, Eventarc(client) as eventarc:
        yield eventarc


def nothing_else_runs() -> bool:
    return asyncio.all_tasks() == {asyncio.current_task()}


async def test_an_event_is_posted_to_the_function_as_it_is() -> None:
    event = an_event()

    with little_server(204) as function:
        async with delivering() as eventarc:
            eventarc.deliver(event, function.url)
            await soon(lambda: function.answered == 1, what="the delivery")

    (heard,) = function.heard
    assert (heard.method, heard.body) == ("POST", event.body)
    received = {name.encode(): value.encode("latin-1") for name, value in heard.headers.items()}
    assert {name: received[name] for name in event.headers} == event.headers


async def test_an_event_of_an_id_with_blanks_around_it_is_delivered_without_them_as_http_delivers_it() -> None:
    event = as_cloud_event(named(f"{DOCUMENTS}/organizations/ a / users / b "))

    with little_server(200) as function:
        async with delivering() as eventarc:
            eventarc.deliver(event, function.url)
            await soon(lambda: function.answered == 1, what="the delivery")

    (taken,) = function.heard
    assert taken.headers["ce-document"] == "organizations/ a / users / b"


@pytest.mark.parametrize("failure", [302, 400, 404, 409, 429, 500, 503])
async def test_an_event_is_delivered_again_until_the_function_takes_it(failure: int) -> None:
    event = an_event()

    with little_server(failure, failure, 200) as function:
        async with delivering() as eventarc:
            eventarc.deliver(event, function.url)
            await soon(nothing_else_runs, what="the delivery's end")

    assert [heard.body for heard in function.heard] == [event.body] * 3
    assert {heard.headers["ce-id"] for heard in function.heard} == {event.headers[b"ce-id"].decode()}


async def test_an_event_is_delivered_when_its_function_answers_again(unused_tcp_port: int) -> None:
    tries: list[httpx.Request] = []

    async def note(request: httpx.Request) -> None:
        tries.append(request)

    async with httpx.AsyncClient(event_hooks={"request": [note]}) as client, Eventarc(client) as eventarc:
        eventarc.deliver(an_event(), f"http://127.0.0.1:{unused_tcp_port}")
        await soon(lambda: len(tries) == 2, what="a second try")
        with little_server(200, port=unused_tcp_port) as function:
            await soon(lambda: function.answered == 1, what="the delivery")


async def test_no_more_than_so_many_deliveries_are_under_way_at_once() -> None:
    events = 3 * MAX_DELIVERIES

    with little_server(200) as function, little_server(200) as another:
        function.gate.clear()
        no_limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(limits=no_limits) as client, Eventarc(client) as eventarc:
            for number in range(events):
                eventarc.deliver(an_event(number), function.url)
            await soon(lambda: function.waiting == MAX_DELIVERIES, what="the first deliveries")
            # One more would have set out before these, and have arrived with them.
            for _ in range(3):
                await client.get(another.url)
            under_way = function.waiting
            function.gate.set()
            await soon(lambda: function.answered == events, what="all deliveries")

    assert under_way == function.most_at_once == MAX_DELIVERIES
    assert len({heard.headers["ce-document"] for heard in function.heard}) == events


async def test_an_event_that_waits_to_be_delivered_again_keeps_no_other_waiting() -> None:
    with little_server(503) as broken, little_server(200) as function:
        async with delivering() as eventarc:
            for number in range(2 * MAX_DELIVERIES):
                eventarc.deliver(an_event(number), broken.url)
            await soon(lambda: broken.answered >= 2 * MAX_DELIVERIES, what="failures")

            eventarc.deliver(an_event(), function.url)

            await soon(lambda: function.answered == 1, what="the delivery")


async def test_an_event_that_nobody_takes_is_given_up_in_the_end_and_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("infra.local.eventarc.KEEP_TRYING_SECONDS", 0.2)

    with little_server(500) as function:
        async with delivering() as eventarc:
            eventarc.deliver(an_event(), function.url)
            await soon(lambda: "gave up" in caplog.text, what="its end")

    assert "gave up: the function did not accept the event of organizations/Zoë/audit_events/x0" in caplog.text


# The end


async def test_at_the_end_a_try_that_is_under_way_is_waited_for() -> None:
    with little_server(200) as function:
        function.gate.clear()
        async with delivering() as eventarc:
            eventarc.deliver(an_event(), function.url)
            await soon(lambda: function.waiting == 1, what="the try")
            # It is answered when the end has begun.
            asyncio.get_running_loop().call_later(0.1, function.gate.set)

        answered_before_the_end = function.answered

    assert answered_before_the_end == 1


async def test_at_the_end_a_try_that_takes_too_long_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.local.eventarc.END_WITHIN_SECONDS", 0.1)

    with little_server(200) as function:
        function.gate.clear()
        async with delivering() as eventarc:
            eventarc.deliver(an_event(), function.url)
            await soon(lambda: function.waiting == 1, what="the try")

        ended, answered_before_the_end = nothing_else_runs(), function.answered

    assert ended
    assert answered_before_the_end == 0


async def test_after_the_end_no_event_waits_to_be_delivered_again() -> None:
    with little_server(503) as function:
        async with delivering() as eventarc:
            for number in range(3 * MAX_DELIVERIES):
                eventarc.deliver(an_event(number), function.url)
            await soon(lambda: function.answered >= MAX_DELIVERIES, what="failures")

        ended = nothing_else_runs()

    assert ended


async def test_a_gateway_that_ends_delivers_nothing_more() -> None:
    with little_server(503) as function:
        async with served({"relay_audit": function.url}) as client:
            await client.post(events_of("relay_audit"), json=EMULATED)
            await soon(lambda: function.answered >= 1, what="a failure")

        ended = nothing_else_runs()

    assert ended


# The gateway


@asynccontextmanager
async def served(functions: dict[str, str]) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a gateway, with everything that runs in it."""
    app = gateway(functions)
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
    ):
        yield client


def events_of(function: str) -> str:
    return EVENTS_PATH.format(project="proj", trigger=trigger_id(function, 0))


async def test_the_gateway_takes_an_event_and_passes_it_on() -> None:
    with little_server(200) as function:
        async with served({"relay_audit": function.url}) as client:
            answer = await client.post(events_of("relay_audit"), json=EMULATED)
            await soon(lambda: function.answered == 1, what="the delivery")

    assert answer.status_code == 202
    assert function.heard[0].headers["ce-document"] == "organizations/a/audit_events/x1"


@pytest.mark.parametrize(
    "body",
    [b"", b"not JSON", b"\xff", b"[]", b"{}", b'{"context": {}, "data": {}}'],
)
async def test_the_gateway_refuses_a_malformed_event_and_passes_nothing_on(body: bytes) -> None:
    with little_server(200) as function:
        async with served({"relay_audit": function.url}) as client:
            answer = await client.post(events_of("relay_audit"), content=body)
            # What was passed on would have arrived before this one.
            await client.post(events_of("relay_audit"), json=EMULATED)
            await soon(lambda: function.answered >= 1, what="the delivery")

    assert answer.status_code == 400
    assert answer.text.strip()
    assert len(function.heard) == 1


@pytest.mark.parametrize(
    "name", [name for name, trigger in triggers().items() if not isinstance(trigger, OnDocument)] + ["nosuch"]
)
async def test_the_gateway_knows_no_events_of_a_function_that_none_calls(name: str) -> None:
    with little_server(200) as function:
        async with served(dict.fromkeys(triggers(), function.url)) as client:
            answer = await client.post(events_of(name), json=EMULATED)

    assert (answer.status_code, answer.text) == (404, f"no document event calls {name}\n")
    assert function.heard == []


@pytest.mark.parametrize("ask", [httpx.AsyncClient.get, httpx.AsyncClient.put])
async def test_events_are_posted_and_nothing_else(ask: Callable[..., Any]) -> None:
    with little_server(200) as function:
        async with served({"relay_audit": function.url}) as client:
            answer = await ask(client, events_of("relay_audit"))

    assert answer.status_code in {404, 405}
    assert function.heard == []

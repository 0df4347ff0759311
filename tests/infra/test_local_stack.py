"""The local stack, as a person runs it: ``python -m infra.local serve``."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psutil
import pytest
from google.cloud import firestore
from typer.testing import CliRunner, Result

from infra.build.stage import ROOT, function_names
from infra.build.triggers import OnRequest, OnSchedule, public_path, triggers
from infra.local.audit_topic import Received, subscribed
from infra.local.cli import app
from infra.local.processes import free_port
from infra.local.stack import PROJECT, Stack
from infra.local.tokens import unsigned_token
from tests.infra.little_server import little_server
from tests.infra.served import Served, infra_local, is_open, told_to_serve, until
from tests.support.tenant import Tenant

FOR_CLIENTS = [name for name, trigger in triggers().items() if isinstance(trigger, OnRequest)]
SCHEDULED = [name for name, trigger in triggers().items() if isinstance(trigger, OnSchedule)]


def attached_to(stack: Served) -> list[str]:
    """The options of one more stack on the emulators of this one."""
    hosts = {emulator: stack.state[f"{emulator}_emulator_host"] for emulator in ("firestore", "pubsub")}
    return [f"--{emulator}={host}" for emulator, host in hosts.items()]


@pytest.fixture(scope="module")
def stack_beside(local_stack: Served) -> Iterator[Served]:
    """A second stack on the first one's emulators, with the same state folder."""
    folder = local_stack.state_folder.parent
    with told_to_serve(folder, *attached_to(local_stack)) as served:
        served.wait_until_ready()
        yield served
        assert served.stop(signal.SIGINT) == 0, served.output


def call(
    served: Served, function: str, body: dict[str, str], *, tenant: Tenant, user_id: str = "m0", **headers: str
) -> httpx.Response:
    """Call a function through the gateway."""
    token = unsigned_token(project=PROJECT, organization_id=tenant.organization_id, user_id=user_id)
    return httpx.post(
        f"http://127.0.0.1:{served.port}/v1/{function}",
        json=body,
        headers={"Authorization": f"Bearer {token}", **headers},
        timeout=30,
    )


def acquire(served: Served, tenant: Tenant, **headers: str) -> httpx.Response:
    body = {"license_key": tenant.license_key, "hardware_id": "my-laptop"}
    return call(served, "acquire", body, tenant=tenant, **headers)


# Serving


def test_a_running_stack_writes_where_it_answers(local_stack: Served) -> None:
    state = json.loads((local_stack.state_folder / "stack.json").read_text())

    assert state["base_url"] == f"http://127.0.0.1:{local_stack.port}"
    assert state["project"] == PROJECT
    assert state["pid"] == local_stack.popen.pid
    assert sorted(state["functions"]) == function_names()
    assert all(is_open(address) for address in local_stack.addresses())
    assert len(local_stack.addresses()) == 1 + len(function_names()) + 2


def test_a_stack_says_when_it_is_ready_and_what_to_type(local_stack: Served) -> None:
    until(lambda: "Press Ctrl-C to stop." in local_stack.output, what="its last word")

    output = local_stack.output

    assert f"ready: http://127.0.0.1:{local_stack.port}/v1/" in output
    assert "license ACME-DESIGN-STUDIO with 3 seats" in output
    assert max(map(len, output.splitlines())) <= 80
    assert f'  eval "$(.venv/bin/python -m infra.local env --port {local_stack.port} --user olivia)"\n' in output


def test_the_commands_that_a_stack_prints_take_a_seat(local_stack: Served) -> None:
    until(lambda: "Press Ctrl-C to stop." in local_stack.output, what="its last word")
    variables = infra_local("env", "--port", str(local_stack.port), "--state-folder", local_stack.state_folder).stdout
    (acquire,) = re.findall(r"^  curl -s \$SEATLEASE_URL/v1/acquire (?:.*\\\n)+.*$", local_stack.output, re.MULTILINE)

    shown = subprocess.run(["/bin/sh", "-c", variables + acquire], capture_output=True, text=True, check=True)

    answer = json.loads(shown.stdout)
    assert (answer["license_id"], answer["seats"]["max"]) == ("license-1", 3)
    (token,) = re.findall(r"^export SEATLEASE_ID_TOKEN=(\S+)$", variables, re.MULTILINE)
    url, body = f"http://127.0.0.1:{local_stack.port}/v1/release", {"session_id": answer["session_id"]}
    assert httpx.post(url, json=body, headers={"Authorization": f"Bearer {token}"}, timeout=30).status_code == 204


def test_the_printed_token_takes_a_seat_of_the_seeded_license(local_stack: Served) -> None:
    url = f"http://127.0.0.1:{local_stack.port}/v1/acquire"
    body = {"license_key": "ACME-DESIGN-STUDIO", "hardware_id": "my-laptop"}

    token = infra_local("token", "--org", "acme", "--uid", "member-1").stdout.strip()
    answer = httpx.post(url, json=body, headers={"Authorization": f"Bearer {token}"}, timeout=30)

    assert (answer.status_code, answer.json()["seats"]) == (201, {"in_use": 1, "max": 3})


def test_a_taken_port_is_refused_at_once(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with told_to_serve(tmp_path, port=port) as served:
            status = served.popen.wait(30)

    assert status == 1
    assert f"cannot listen on port {port}" in served.output
    assert not served.state_folder.exists()


# The gateway


@pytest.mark.parametrize(
    "path", ["/nothing", "/v1", "/v1/", "/v1/nothing", "/v1/acquire/more", "/v2/acquire", "/acquire"]
)
def test_an_unknown_path_is_not_found_and_the_known_ones_are_named(local_stack: Served, path: str) -> None:
    answer = httpx.get(f"http://127.0.0.1:{local_stack.port}{path}")

    assert answer.status_code == 404
    assert answer.text == f"no such path. The paths are {', '.join(map(public_path, sorted(FOR_CLIENTS)))}\n"


@pytest.mark.parametrize("invented", ["6.6.6.6", "6.6.6.6, 7.7.7.7", ""])
def test_a_client_cannot_invent_its_address(local_stack: Served, tenant: Tenant, invented: str) -> None:
    answer = acquire(local_stack, tenant, **{"X-Forwarded-For": invented})

    assert answer.status_code == 201
    assert [session["ip_address"] for session in tenant.open_sessions()] == ["127.0.0.1"]


def test_the_gateway_passes_status_headers_and_body_on(local_stack: Served, tenant: Tenant) -> None:
    tenant.license().update({"max_concurrent_seats": 0})

    answer = acquire(local_stack, tenant, **{"X-Request-Id": "my-request-1"})

    assert answer.status_code == 409
    assert answer.json()["error"]["request_id"] == "my-request-1"
    assert answer.headers["X-Request-Id"] == "my-request-1"
    assert answer.headers["Retry-After"]


def test_the_gateway_passes_headers_on_that_are_not_ascii(local_stack: Served) -> None:
    headers = httpx.Headers({"Authorization": "Bearer tök", "User-Agent": "cäd"}, encoding="latin-1")

    answer = httpx.post(f"http://127.0.0.1:{local_stack.port}/v1/acquire", headers=headers)

    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "TOKEN_INVALID")


@pytest.mark.long
def test_a_function_that_died_is_a_bad_gateway_and_the_others_go_on(stack_beside: Served, tenant: Tenant) -> None:
    address = ("127.0.0.1", int(stack_beside.state["functions"]["usage"].rpartition(":")[2]))
    for pid in stack_beside.family():
        if address in {connection.laddr for connection in psutil.Process(pid).net_connections()}:
            os.kill(pid, signal.SIGKILL)
    until(lambda: not is_open(address), what="the function's end")

    answer = httpx.get(f"http://127.0.0.1:{stack_beside.port}/v1/usage")
    other = acquire(stack_beside, tenant)

    assert (answer.status_code, answer.text) == (502, "the function usage does not answer\n")
    assert other.status_code == 201


# Two stacks on one database


@pytest.mark.long
def test_a_stack_beside_another_sees_the_same_seats(local_stack: Served, stack_beside: Served, tenant: Tenant) -> None:
    taken = acquire(local_stack, tenant).json()

    again = acquire(stack_beside, tenant)
    released = call(stack_beside, "release", {"session_id": taken["session_id"]}, tenant=tenant)
    late = call(local_stack, "heartbeat", {"session_id": taken["session_id"]}, tenant=tenant)

    assert (again.status_code, again.json()["session_id"]) == (200, taken["session_id"])
    assert released.status_code == 204
    assert (late.status_code, late.json()["error"]["code"]) == (410, "SESSION_RELEASED")


@pytest.mark.long
def test_a_stack_beside_another_leaves_the_firsts_file_alone(local_stack: Served, stack_beside: Served) -> None:
    first = json.loads((local_stack.state_folder / "stack.json").read_text())

    assert first == local_stack.state
    assert stack_beside.state["base_url"] == f"http://127.0.0.1:{stack_beside.port}"
    assert stack_beside.state["firestore_emulator_host"] == first["firestore_emulator_host"]
    assert stack_beside.state["pubsub_emulator_host"] == first["pubsub_emulator_host"]


@pytest.mark.long
def test_a_stack_beside_another_serves_the_functions_for_clients_only(stack_beside: Served) -> None:
    assert sorted(stack_beside.state["functions"]) == sorted(FOR_CLIENTS)
    assert len(stack_beside.addresses()) == 1 + len(FOR_CLIENTS) + 2


@pytest.mark.parametrize(("given", "missing"), [("firestore", "pubsub"), ("pubsub", "firestore")])
def test_one_emulator_of_a_stack_without_the_other_is_refused(tmp_path: Path, given: str, missing: str) -> None:
    with told_to_serve(tmp_path, f"--{given}=127.0.0.1:1") as served:
        status = served.popen.wait(30)

    assert status == 2
    assert "give both --firestore and --pubsub, or neither" in served.output
    assert f"--{missing}" in served.output
    assert not served.state_folder.exists()


def test_a_file_of_a_stack_that_is_gone_is_replaced(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    old = a_stack(pid=gone.pid)
    new = a_stack(pid=os.getpid())
    old.publish(tmp_path)

    new.publish(tmp_path)

    assert json.loads((tmp_path / "stack.json").read_text())["pid"] == os.getpid()


@pytest.mark.parametrize("content", ["", "{}", "half a fi"])
def test_a_file_that_cannot_be_read_is_replaced(tmp_path: Path, content: str) -> None:
    (tmp_path / "stack.json").write_text(content)

    a_stack(pid=os.getpid()).publish(tmp_path)

    assert json.loads((tmp_path / "stack.json").read_text())["pid"] == os.getpid()


def a_stack(*, pid: int, functions: dict[str, str] | None = None) -> Stack:
    """A stack that says of itself what is not so."""
    return Stack(
        base_url="http://127.0.0.1:1",
        project=PROJECT,
        firestore_emulator_host="127.0.0.1:2",
        pubsub_emulator_host="127.0.0.1:3",
        auth_emulator_host=None,
        pid=pid,
        functions=functions or {},
    )


# The audit trail


def test_an_audit_event_reaches_a_subscriber_and_is_stamped(local_stack: Served, tenant: Tenant) -> None:
    received: list[Received] = []

    def has_come() -> bool:
        own = (each for each in trail.pull() if each.ordering_key == tenant.organization_id)
        received.extend(each for each in own if each.event["type"].startswith("session."))
        return bool(received)

    name = f"test-{uuid4().hex[:8]}"
    with subscribed(local_stack.state["pubsub_emulator_host"], project=PROJECT, subscription=name) as trail:
        session_id = acquire(local_stack, tenant).json()["session_id"]
        until(has_come, what="the event at the subscription")
    (committed,) = event_documents(tenant)
    until(lambda: committed.reference.get().get("published_at") is not None, what="the event's stamp")

    event = received[0].event
    assert event["event_id"] == committed.id
    assert (event["type"], event["session_id"], event["grant_number"]) == ("session.acquired", session_id, 1)
    assert event["organization_id"] == tenant.organization_id
    assert received[0].attributes["event_id"] == committed.id
    assert received[0].attributes["organization_id"] == tenant.organization_id


@pytest.mark.long
def test_an_event_of_a_stack_beside_another_is_published_by_the_first(stack_beside: Served, tenant: Tenant) -> None:
    acquire(stack_beside, tenant)

    (committed,) = event_documents(tenant)
    until(lambda: committed.reference.get().get("published_at") is not None, what="the event's stamp")


@pytest.mark.long
def test_the_trail_is_printed_one_json_object_a_line(local_stack: Served, tenant: Tenant, tmp_path: Path) -> None:
    printed = tmp_path / "trail"
    command = [sys.executable, "-m", "infra.local", "trail", f"--state-folder={local_stack.state_folder}"]
    with printed.open("wb") as output, subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.PIPE) as to:
        try:
            assert to.stderr is not None
            assert to.stderr.readline() == b"waiting for new events\n"
            session_id = acquire(local_stack, tenant).json()["session_id"]
            call(local_stack, "release", {"session_id": session_id}, tenant=tenant)
            until(lambda: len(lines_of(printed, tenant)) == 2, what="two lines")
        finally:
            to.send_signal(signal.SIGINT)
        status = to.wait(30)

    assert status == 0
    # The trail is in the order of arrival, which is not that of the events.
    events = sorted(lines_of(printed, tenant), key=lambda event: str(event["at"]))
    assert [event["type"] for event in events] == ["session.acquired", "session.released"]


@pytest.mark.long
def test_a_trail_whose_stack_is_gone_ends_with_a_sentence(tmp_path: Path) -> None:
    a_stack(pid=os.getpid()).publish(tmp_path)

    told = infra_local("trail", "--state-folder", tmp_path)

    assert (told.returncode, told.stdout) == (1, "")
    assert unwrapped(told.stderr) == "the Pub/Sub emulator does not answer: check that make serve still runs"


def unwrapped(told: str) -> str:
    """A sentence that was broken into lines for the screen."""
    return " ".join(told.split())


def lines_of(printed: Path, tenant: Tenant) -> list[dict[str, Any]]:
    """The tenant's events among the whole lines that were printed, those of seats."""
    *lines, _ = printed.read_text().split("\n")
    events = [event for event in map(json.loads, lines) if event["organization_id"] == tenant.organization_id]
    return [event for event in events if is_of_seats(event["type"])]


def event_documents(tenant: Tenant) -> list[firestore.DocumentSnapshot[Any]]:
    """The tenant's committed events, those of seats."""
    events = tenant.organization.collection("audit_events").stream()
    return [event for event in events if is_of_seats(event.get("type"))]


def is_of_seats(event_type: str) -> bool:
    """Whether an event tells of a seat: of the tenant's own making, which is reviewed meanwhile, events tell too."""
    return event_type.startswith("session.")


def test_a_trail_without_a_running_stack_says_how_to_start_one(tmp_path: Path) -> None:
    told = infra_local("trail", "--state-folder", tmp_path)

    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr == "no stack is running. Start one with make serve in another terminal.\n"


# Scheduled functions, out of turn


def tick(*arguments: str | Path) -> Result:
    """Tick in this process: what ends at once needs none of its own."""
    return CliRunner().invoke(app, ["tick", *map(str, arguments)])


def test_a_tick_calls_every_scheduled_function_and_prints_its_answer(local_stack: Served, tenant: Tenant) -> None:
    session_id = acquire(local_stack, tenant).json()["session_id"]
    tenant.let_lapse(session_id)

    told = infra_local("tick", "--state-folder", local_stack.state_folder)

    assert told.returncode == 0, told.stderr
    answers = {name: rest.split(" ", 1) for name, rest in (line.split(": ", 1) for line in told.stdout.splitlines())}
    assert sorted(answers) == sorted(SCHEDULED)
    assert [status for status, _ in answers.values()] == ["200"] * len(SCHEDULED)
    assert all(json.loads(answer)["is_complete"] for _, answer in answers.values())
    assert [session["end_reason"] for session in tenant.sessions()] == ["expired"]


def test_a_tick_of_one_function_calls_that_one(local_stack: Served) -> None:
    told = tick("expire_sessions", "--state-folder", local_stack.state_folder)

    assert told.exit_code == 0, told.stderr
    assert [line.partition(": ")[0] for line in told.stdout.splitlines()] == ["expire_sessions"]


@pytest.mark.parametrize("name", ["nosuch", "acquire", "relay_audit"])
def test_a_tick_of_a_function_that_is_not_scheduled_is_refused(tmp_path: Path, name: str) -> None:
    told = tick(name, "--state-folder", tmp_path)

    assert (told.exit_code, told.stdout) == (2, "")
    wanted = (
        f"{name} is not a scheduled function. The scheduled functions are expire_sessions, reconcile, summarize_usage."
    )
    assert unwrapped(told.stderr) == wanted


def test_a_tick_without_a_running_stack_says_how_to_start_one(tmp_path: Path) -> None:
    told = tick("--state-folder", tmp_path)

    assert (told.exit_code, told.stdout) == (1, "")
    assert told.stderr == "no stack is running. Start one with make serve in another terminal.\n"


def test_a_tick_of_a_stack_that_is_gone_ends_with_a_sentence(tmp_path: Path) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    a_stack(pid=os.getpid(), functions=dict.fromkeys(SCHEDULED, nowhere)).publish(tmp_path)

    told = tick("--state-folder", tmp_path)

    assert (told.exit_code, told.stdout) == (1, "")
    assert unwrapped(told.stderr) == f"nothing answers at {nowhere}: check that make serve still runs"


@pytest.mark.long
def test_a_tick_of_an_attached_stack_says_where_the_scheduled_functions_run(
    stack_beside: Served, tmp_path: Path
) -> None:
    Stack(**stack_beside.state).publish(tmp_path)

    told = tick("--state-folder", tmp_path)

    assert (told.exit_code, told.stdout) == (1, "")
    assert "Call them in the stack that started the emulators." in unwrapped(told.stderr)


@pytest.mark.long
def test_a_tick_that_fails_prints_the_answers_and_fails(tmp_path: Path) -> None:
    with little_server(200) as well, little_server(503) as badly:
        functions = {"expire_sessions": badly.url, "reconcile": well.url, "summarize_usage": well.url}
        answering = a_stack(pid=os.getpid(), functions=functions)
        answering.publish(tmp_path)

        told = tick("--state-folder", tmp_path)

    assert told.exit_code == 1
    assert told.stdout.splitlines() == [
        "expire_sessions: 503 told to say 503",
        "reconcile: 200 told to say 200",
        "summarize_usage: 200 told to say 200",
    ]


# Stopping


@pytest.mark.long
def test_a_whole_stack_told_to_stop_leaves_nothing(tmp_path: Path) -> None:
    with told_to_serve(tmp_path) as served:
        served.wait_until_ready()
        started, addresses = served.family(), served.addresses()

        status = served.stop(signal.SIGTERM)

        # Itself, two emulators, the gateway, and each function with at least the process that serves it.
        assert len(started) >= 4 + len(function_names())
        assert status == 0, served.output
        assert served.family() == []
        assert not any(is_open(address) for address in addresses)
        assert list(served.state_folder.iterdir()) == []


@pytest.mark.long
def test_a_stack_stopped_by_ctrl_c_while_it_starts_leaves_nothing_but_its_neighbour(
    local_stack: Served, tmp_path: Path, tenant: Tenant
) -> None:
    with told_to_serve(tmp_path, *attached_to(local_stack)) as served:
        until(lambda: bool(served.family(argument="gateway")), what="the last start")

        status = served.stop(signal.SIGINT)

        assert status == 0, served.output
        assert served.family() == []
        assert not served.state_folder.exists()
        assert acquire(local_stack, tenant).status_code == 201

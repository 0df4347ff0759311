"""The demo that ``make demo`` runs: five people share three seats, over HTTP.

Every step prints what it expects and checks it. A step that differs is printed in red, and the demo fails.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from google.cloud import firestore
from httpx_retries import Retry, RetryTransport
from rich.console import Console
from rich.table import Table

from infra.build.stage import ROOT
from infra.local.audit_topic import Subscription, subscribed
from infra.local.loopback import NO_TLS
from infra.local.scheduler import call_now
from infra.local.seed import firestore_client, seed_organization
from infra.local.stack import Stack
from infra.local.tokens import unsigned_token

ORGANIZATION_ID, LICENSE_KEY = "northwind", "NORTHWIND-CAD"
SEATS = 3
TRAIL_WITHIN_SECONDS = 30
"""An event usually takes a second or two from its commit to the subscriber."""

ASKED_AGAIN_FOR_SECONDS = 60
"""How long the demo asks again while functions answer that they are too busy, as they may on a small machine."""

PROGRAM = ROOT / "infra" / "local" / "demo_program.py"
PROGRAM_WAITS_SECONDS = 5

MEMBERS = ("ada", "ben", "cleo", "dan", "eve")


@dataclass(eq=False, kw_only=True, slots=True)
class Person:
    """A member with one device, who calls the functions as a client program does."""

    name: str
    organization_id: str
    http: httpx.Client
    token: str
    session_id: str = ""

    def acquire(self, license_key: str = LICENSE_KEY) -> httpx.Response:
        body = {"license_key": license_key, "hardware_id": f"{self.name}s-laptop"}
        response = self._post("acquire", body)
        if response.is_success:
            self.session_id = response.json()["session_id"]
        return response

    def heartbeat(self, session_id: str | None = None) -> httpx.Response:
        return self._post("heartbeat", {"session_id": session_id or self.session_id})

    def release(self, session_id: str | None = None) -> httpx.Response:
        return self._post("release", {"session_id": session_id or self.session_id})

    def usage(self) -> httpx.Response:
        return self.http.get("/v1/usage", headers=self._headers)

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def _post(self, function: str, body: dict[str, str]) -> httpx.Response:
        return self.http.post(f"/v1/{function}", json=body, headers=self._headers)


@dataclass(eq=False, kw_only=True, slots=True)
class Story:
    """The people of the demo, and the steps that went differently."""

    console: Console
    database: firestore.Client
    stack: Stack
    trail: Subscription
    owner: Person
    people: list[Person]
    stranger: Person
    pause_seconds: float = 0
    differences: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        time.sleep(2 * self.pause_seconds)
        self.console.print(f"\n[bold]{text}[/]")
        time.sleep(self.pause_seconds)

    def check(self, *, that: str, holds: bool) -> None:
        time.sleep(self.pause_seconds)
        self.console.print(f"  [green]✓[/] {that}" if holds else f"  [bold red]✗ {that}[/]")
        if not holds:
            self.differences.append(that)

    def show_seats(self) -> list[str]:
        """Print who holds which seat, as the owner sees it, and return the holders' names."""
        report = self.owner.usage().json()
        (license_,) = report["licenses"]
        now = datetime.fromisoformat(report["server_time"])
        table = Table(
            title=f"{license_['name']}: {license_['in_use']} of {license_['max']} seats in use", title_justify="left"
        )
        for column in ("seat", "user", "device", "lease ends in"):
            table.add_column(column)
        held = license_["sessions"]
        for number in range(max(license_["max"], len(held))):
            if number < len(held):
                session = held[number]
                left = datetime.fromisoformat(session["lease_expires_at"]) - now
                cells = (f"[cyan]{session['user_id']}[/]", session["hardware_id"], f"{left.total_seconds():.0f} s")
            else:
                cells = ("[dim]free[/]", "", "")
            table.add_row(str(number + 1), *cells)
        self.console.print(table)
        return sorted(session["user_id"] for session in held)


def play(stack: Stack, console: Console, *, pause_seconds: float = 0) -> list[str]:
    """Run the demo on a stack and return the steps that went differently. The pauses are for a person who reads."""
    with _cast(stack, console, pause_seconds=pause_seconds) as story:
        _five_people_three_seats(story)
        _a_client_crashes(story)
        _one_leaves_another_comes(story)
        _a_program_waits_and_loses_its_network(story)
        _an_admin_ends_it(story)
        _strangers_see_nothing(story)
        _a_client_vanishes(story)
        _the_trail(story)
        if story.differences:
            console.print(f"\n[bold red]Failed: {len(story.differences)} step(s) went differently. See ✗ above.[/]")
        else:
            console.print("\n[bold green]Passed: every step went as expected.[/]")
            console.print("To see the page for organizations: make auth-emulator serve", highlight=False)
        return story.differences


def _five_people_three_seats(story: Story) -> None:
    story.say(f"Five people ask for {SEATS} seats at the same moment.")
    with ThreadPoolExecutor(len(story.people)) as together:
        answers = list(together.map(Person.acquire, story.people))
    for person, answer in zip(story.people, answers, strict=True):
        body = answer.json()
        if answer.is_success:
            until = datetime.fromisoformat(body["lease_expires_at"])
            story.console.print(f"  {person.name}: {answer.status_code}, holds a seat until {until:%H:%M:%S} UTC")
        else:
            error = body["error"]
            retry = answer.headers.get("Retry-After")
            story.console.print(f"  {person.name}: {answer.status_code} {error['code']}, try again in {retry} s")
    story.check(that=f"exactly {SEATS} people got a seat", holds=len(_holders(story)) == SEATS)
    refused = [answer for answer in answers if answer.status_code == httpx.codes.CONFLICT]
    told = all(answer.json()["error"]["details"]["earliest_expiry_at"] for answer in refused)
    story.check(that="two were denied, and learned when a seat may become free", holds=len(refused) == 2 and told)  # noqa: PLR2004 five people, three seats
    story.check(that=f"the owner sees {SEATS} holders", holds=len(story.show_seats()) == SEATS)

    story.say("The three holders work and send heartbeats.")
    beats = [person.heartbeat().status_code for person in story.people if person.session_id]
    story.check(that="every heartbeat is answered with 200", holds=beats == [200] * SEATS)


def _a_client_crashes(story: Story) -> None:
    crashed, waiting = _holders(story)[0], _waiting(story)[0]
    story.say(
        f"{crashed.name.title()}'s computer crashes. Six minutes pass without a heartbeat. "
        "(The demo does not wait: it makes the session six minutes older.)"
    )
    _age(story, crashed)
    answer = waiting.acquire()
    story.check(that=f"{waiting.name} gets the seat at once, without any cleanup", holds=answer.is_success)
    late = crashed.heartbeat()
    story.check(
        that=f"{crashed.name}'s late heartbeat is denied: {late.status_code} {_code(late)}",
        holds=_code(late) == "SESSION_EXPIRED",
    )
    crashed.session_id = ""
    names = story.show_seats()
    story.check(
        that=f"{SEATS} people hold seats, {waiting.name} is one of them",
        holds=len(names) == SEATS and waiting.name in names,
    )


def _one_leaves_another_comes(story: Story) -> None:
    leaving, waiting = _holders(story)[0], _waiting(story)[-1]
    story.say(f"{leaving.name.title()} goes home and releases the seat.")
    denied = waiting.acquire().status_code == httpx.codes.CONFLICT
    story.check(that=f"before that, {waiting.name} asks and is denied: 409", holds=denied)
    story.check(that=f"{leaving.name} releases: 204", holds=leaving.release().status_code == httpx.codes.NO_CONTENT)
    story.check(that=f"now {waiting.name} gets the seat", holds=waiting.acquire().is_success)
    story.check(that="a second release is harmless: 204", holds=leaving.release().status_code == httpx.codes.NO_CONTENT)
    leaving.session_id = ""
    names = story.show_seats()
    story.check(
        that=f"{SEATS} people hold seats, {waiting.name} is one of them",
        holds=len(names) == SEATS and waiting.name in names,
    )


def _a_program_waits_and_loses_its_network(story: Story) -> None:
    leaving, waiting = _holders(story)[0], _waiting(story)[0]
    story.say(
        f"{waiting.name.title()}'s program uses the client package and waits {PROGRAM_WAITS_SECONDS} s for a seat. "
        f"{leaving.name.title()} gives one back. Then the program's network fails."
    )
    states = []
    with _program(story, waiting) as program:
        for line in program.stdout or ():
            story.console.print(f"  {waiting.name}: {line.strip()}", markup=False)
            time.sleep(story.pause_seconds)
            states.append(line.partition(":")[0])
            if states == ["not_acquired"]:
                leaving.release()
    story.check(
        that="it waited, went on without a network, and gave the seat back",
        holds=states == ["not_acquired", "active", "degraded", "active", "released"] and program.returncode == 0,
    )
    story.check(that=f"{leaving.name} comes back and gets that seat", holds=leaving.acquire().is_success)


@contextmanager
def _program(story: Story, person: Person) -> Iterator["subprocess.Popen[str]"]:
    """Run the program as this person. Its notes about shared seats go where no other program looks."""
    with tempfile.TemporaryDirectory(prefix="seatlease-") as home:
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT / "client" / "src"),
            "XDG_STATE_HOME": home,
            "SEATLEASE_URL": story.stack.base_url,
            "SEATLEASE_LICENSE_KEY": LICENSE_KEY,
            "SEATLEASE_ID_TOKEN": person.token,
            "SEATLEASE_HARDWARE_ID": f"{person.name}s-laptop",
        }
        command = [sys.executable, str(PROGRAM), str(PROGRAM_WAITS_SECONDS)]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as program:
            yield program


def _an_admin_ends_it(story: Story) -> None:
    story.say("In the Firebase console, an admin of the vendor deactivates the license.")
    license_ = story.database.document(f"organizations/{story.owner.organization_id}/licenses/license-1")
    license_.update({"is_active": False})
    person = _holders(story)[0]
    answer = person.heartbeat()
    story.check(that=f"{person.name}'s next heartbeat: 403 {_code(answer)}", holds=_code(answer) == "LICENSE_INACTIVE")
    again = person.heartbeat()
    story.check(that=f"and the heartbeat after that: 410 {_code(again)}", holds=_code(again) == "SESSION_REVOKED")
    story.check(that=f"{person.name}'s seat is free", holds=person.name not in story.show_seats())
    person.session_id = ""
    license_.update({"is_active": True})


def _strangers_see_nothing(story: Story) -> None:
    story.say("Mallory belongs to another organization, and knows the license key and a session id.")
    holder = _holders(story)[0]
    answers = {
        "acquire": story.stranger.acquire(),
        "heartbeat": story.stranger.heartbeat(holder.session_id),
        "release": story.stranger.release(holder.session_id),
    }
    for call, answer in answers.items():
        story.check(that=f"{call}: 404 {_code(answer)}", holds=answer.status_code == httpx.codes.NOT_FOUND)
    report = story.stranger.usage().json()
    story.check(that="usage: shows no session", holds=all(not license_["sessions"] for license_ in report["licenses"]))
    story.check(that=f"{holder.name}'s session goes on", holds=holder.heartbeat().status_code == httpx.codes.OK)


def _a_client_vanishes(story: Story) -> None:
    vanished = _holders(story)[0]
    story.say(
        f"{vanished.name.title()}'s laptop is lost, and nobody asks for the seat. "
        "The scheduled function expire_sessions ends the session."
    )
    _age(story, vanished)
    report = call_now(story.stack.functions["expire_sessions"]).json()
    ended, left = report["sessions_ended"], report["sessions_left"]
    story.console.print(f"  expire_sessions: ended {ended}, left to end {left}", highlight=False)
    session = story.database.document(f"organizations/{vanished.organization_id}/sessions/{vanished.session_id}").get()
    story.check(that="the session's end reason is expired", holds=session.get("end_reason") == "expired")
    story.check(that="no expired session is left", holds=report["sessions_left"] == 0 and report["is_complete"])
    vanished.session_id = ""


def _the_trail(story: Story) -> None:
    story.say("The audit trail of the whole demo, as a subscriber of the Pub/Sub topic received it.")
    stored = list(story.database.collection(f"organizations/{story.owner.organization_id}/audit_events").stream())
    _publish_denials({each.reference: each.get("at") for each in stored if each.get("type") == "session.denied"}, story)
    committed = {document.id for document in stored}
    received = _receive(story, committed)
    table = Table(title=f"{len(received)} events, oldest first", title_justify="left")
    for column in ("at", "type", "user"):
        table.add_column(column, no_wrap=True)
    table.add_column("details", overflow="fold")
    for event in sorted(received.values(), key=_place):
        user, actor = event.get("user_id"), event["actor"]
        by = "" if actor == user else f", by {actor}"
        table.add_row(_happened_at(event)[11:19], event["type"], user, _in_short(event) + by)
    story.console.print(table)
    story.check(that="every committed event was received", holds=committed == received.keys())
    numbers = sorted(event["grant_number"] for event in received.values() if event["type"] == "session.acquired")
    story.check(that="the grant numbers have no gap", holds=numbers == list(range(1, len(numbers) + 1)))
    kinds = {event["type"] for event in received.values()}
    seats = {f"session.{kind}" for kind in ("acquired", "denied", "expired", "released", "revoked")}
    expected = {*seats, "license.edited", "organization.edited"}
    story.check(that=f"every expected type is there: {', '.join(sorted(expected))}", holds=kinds >= expected)


def _publish_denials(denials: dict[firestore.DocumentReference, datetime], story: Story) -> None:
    """Age the denials, which are published when their minute is over, and have them published."""
    for denial, at in denials.items():
        denial.update({"at": at - timedelta(minutes=2)})
    call_now(story.stack.functions["expire_sessions"])


def _happened_at(event: dict[str, Any]) -> str:
    return str(event["details"].get("last_attempt_at", event["at"]))


def _place(event: dict[str, Any]) -> tuple[str, int, int]:
    """The sort key of an event. Events of one commit have the same time: ends come first, then grants, then denials."""
    rank = {"session.acquired": 1, "session.denied": 2}.get(event["type"], 0)
    return _happened_at(event), rank, event.get("grant_number") or 0


def _receive(story: Story, committed: set[str]) -> dict[str, dict[str, Any]]:
    """Pull until every committed event has arrived. Duplicates count once, and other organizations' events do not."""
    received: dict[str, dict[str, Any]] = {}
    deadline = time.monotonic() + TRAIL_WITHIN_SECONDS
    while committed - received.keys() and time.monotonic() < deadline:
        for each in story.trail.pull():
            # In another organization the same id may name another event.
            if each.event["organization_id"] == story.owner.organization_id:
                received.setdefault(each.event["event_id"], each.event)
    return received


def _in_short(event: dict[str, Any]) -> str:
    details = event["details"]
    match event["type"]:
        case "session.acquired":
            return f"grant {event['grant_number']}, {details['seats']['in_use']} of {details['seats']['max']} in use"
        case "session.denied":
            times = "once" if details["attempts"] == 1 else f"{details['attempts']} times"
            return f"{times}, {details['seats']['in_use']} of {details['seats']['max']} in use"
        case "session.queued":
            return f"position {details['position']} in the line"
        case str() as kind if kind.endswith(".edited"):
            if details["edit"] == "created":
                return "created"
            return f"{details['edit']}: {', '.join(change['field'] for change in details['changes'])}"
        case _:
            return str(details.get("reason", ""))


def _holders(story: Story) -> list[Person]:
    return [person for person in story.people if person.session_id]


def _waiting(story: Story) -> list[Person]:
    return [person for person in story.people if not person.session_id]


def _code(answer: httpx.Response) -> str:
    return "" if answer.is_success else str(answer.json()["error"]["code"])


def client(base_url: str) -> httpx.Client:
    """Make a client that retries after a 503 with ``Retry-After``, as the client package does."""
    again = Retry(
        total=ASKED_AGAIN_FOR_SECONDS,
        total_timeout=ASKED_AGAIN_FOR_SECONDS,
        allowed_methods=["GET", "POST"],
        status_forcelist=[httpx.codes.SERVICE_UNAVAILABLE],
        retry_on_exceptions=[],
    )
    transport = RetryTransport(httpx.HTTPTransport(verify=NO_TLS), again)
    return httpx.Client(base_url=base_url, transport=transport, timeout=30)


def _age(story: Story, person: Person) -> None:
    past = datetime.now(UTC) - timedelta(minutes=6)
    session = story.database.document(f"organizations/{person.organization_id}/sessions/{person.session_id}")
    session.update({"last_heartbeat_at": past, "lease_expires_at": past + timedelta(minutes=5, seconds=59)})
    # An edit by hand counts at most a second later for a request that is refused.
    time.sleep(1)


@contextmanager
def _cast(stack: Stack, console: Console, *, pause_seconds: float) -> Iterator[Story]:
    database = firestore_client(project=stack.project, firestore_host=stack.firestore_emulator_host)
    people = [("olivia", "owner"), *((name, "member") for name in MEMBERS)]
    seed_organization(
        database, organization_id=ORGANIZATION_ID, name="Northwind", license_key=LICENSE_KEY, seats=SEATS, people=people
    )
    seed_organization(
        database,
        organization_id="elsewhere",
        name="Elsewhere",
        license_key="ANOTHER-KEY",
        seats=1,
        people=[("mallory", "owner")],
    )
    with (
        client(stack.base_url) as http,
        subscribed(stack.pubsub_emulator_host, project=stack.project) as trail,
    ):

        def person(name: str, organization_id: str) -> Person:
            token = unsigned_token(project=stack.project, organization_id=organization_id, user_id=name)
            return Person(name=name, organization_id=organization_id, http=http, token=token)

        yield Story(
            console=console,
            database=database,
            stack=stack,
            trail=trail,
            owner=person("olivia", ORGANIZATION_ID),
            people=[person(name, ORGANIZATION_ID) for name in MEMBERS],
            stranger=person("mallory", "elsewhere"),
            pause_seconds=pause_seconds,
        )
    database.close()

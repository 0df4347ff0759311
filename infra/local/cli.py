"""The local stack's command line: ``python -m infra.local --help``."""

import json
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated
from uuid import uuid4

import typer
from rich.console import Console

from infra.build.triggers import OnSchedule, triggers
from infra.local.audit_topic import subscribed
from infra.local.auth import PASSWORD, NoNpmError, firebase_program, install, sign_up
from infra.local.demo import play
from infra.local.gateway import serve_gateway
from infra.local.jars import FIRESTORE, PUBSUB, JarError, find_jar
from infra.local.processes import StartError
from infra.local.scheduler import call_now
from infra.local.seed import firestore_client, seed_organization
from infra.local.stack import PROJECT, STATE_FOLDER, Emulators, NoStackError, Stack, published_stack, running_stack
from infra.local.tokens import unsigned_token
from shared.documents.forms import MAX_GRACE_SECONDS

app = typer.Typer(help="Run Seatlease on this machine, on Google's emulators.", no_args_is_help=True)
console = Console()
problems = Console(stderr=True)

ORGANIZATION, LICENSE_KEY = "acme", "ACME-DESIGN-STUDIO"
PEOPLE = [("olivia", "owner"), *((f"member-{number}", "member") for number in range(1, 6)), ("gus", "guest")]

_Project = Annotated[str, typer.Option(help="The project that the emulators pretend to be.")]
_StateFolder = Annotated[Path, typer.Option(hidden=True, help="Where stack.json is written.")]
_LeaseSeconds = Annotated[
    int | None, typer.Option(min=3, max=86_400, help="Lease of licenses that name none, to see leases run out sooner.")
]
_GraceSeconds = Annotated[
    int | None,
    typer.Option(min=0, max=MAX_GRACE_SECONDS, help="How long after its lease a program may work on without us."),
]


@contextmanager
def _explained_errors() -> Iterator[None]:
    """End with a sentence and not with a traceback where the sentence says what to do."""
    try:
        yield
    except (JarError, NoStackError, StartError) as error:
        problems.print(str(error), markup=False, highlight=False)
        raise typer.Exit(1) from None


class _ToldToStop(BaseException):
    """SIGTERM or Ctrl-C: leave every block in order."""


@app.command()
def serve(
    *,
    port: Annotated[int | None, typer.Option(help="Port of the gateway; a free one when left out.")] = None,
    firestore: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Attach to a Firestore emulator that runs already.")
    ] = None,
    pubsub: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="The Pub/Sub emulator that runs beside it.")
    ] = None,
    project: _Project = PROJECT,
    lease_seconds: _LeaseSeconds = None,
    grace_seconds: _GraceSeconds = None,
    seats: Annotated[int, typer.Option(min=0, help="Seats of the seeded license.")] = 3,
    state_folder: _StateFolder = STATE_FOLDER,
) -> None:
    """Serve every function under /v1/ until Ctrl-C, with an organization to try them on."""
    if (firestore is None) != (pubsub is None):
        problems.print("--firestore and --pubsub go together: the two emulators of one stack", highlight=False)
        raise typer.Exit(2)
    auth_program = firebase_program() if firestore is None else None
    attach_to = Emulators(firestore=firestore, pubsub=pubsub) if firestore and pubsub else None
    _stop_on_signals()
    published = []
    try:
        with (
            _explained_errors(),
            running_stack(
                port=port,
                attach_to=attach_to,
                project=project,
                auth_program=auth_program,
                lease_seconds=lease_seconds,
                grace_seconds=grace_seconds,
            ) as stack,
        ):
            if stack.auth_emulator_host is not None:
                for user_id, _ in PEOPLE:
                    sign_up(stack.auth_emulator_host, project=project, user_id=user_id, email=f"{user_id}@example.com")
            if attach_to is None:
                seed(organization=ORGANIZATION, firestore=stack.firestore_emulator_host, project=project, seats=seats)
            published = stack.publish(state_folder)
            _tell(stack)
            threading.Event().wait()
    except _ToldToStop:
        console.print("stopped everything that was started")
    finally:
        for path in published:
            path.unlink(missing_ok=True)


@app.command()
def token(
    org: Annotated[str, typer.Option(help="The organization, as the claim org_id names it.")],
    uid: Annotated[str, typer.Option(help="The user, as Firebase Authentication names it.")],
    project: _Project = PROJECT,
    lifetime_seconds: Annotated[int, typer.Option(help="How long the token is valid.")] = 3600,
) -> None:
    """Print an unsigned ID token that only a local stack accepts."""
    sys.stdout.write(
        unsigned_token(project=project, organization_id=org, user_id=uid, lifetime_seconds=lifetime_seconds) + "\n"
    )


@app.command()
def seed(
    organization: Annotated[str, typer.Option(help="Id of the organization.")],
    firestore: Annotated[str, typer.Option(metavar="HOST:PORT", help="The Firestore emulator.")],
    project: _Project = PROJECT,
    license_key: Annotated[str, typer.Option(help="Key of its one license.")] = LICENSE_KEY,
    seats: Annotated[int, typer.Option(min=0, help="Seats of that license.")] = 3,
) -> None:
    """Write an organization with an owner, five members, a guest and one license."""
    seed_organization(
        firestore_client(project=project, firestore_host=firestore),
        organization_id=organization,
        name=organization.title(),
        license_key=license_key,
        seats=seats,
        people=PEOPLE,
    )


@app.command()
def demo() -> None:
    """Play the story of three seats and five people; fails when anything differs from the story."""
    _stop_on_signals()
    try:
        with _explained_errors(), running_stack() as stack:
            differences = play(stack, console)
    except _ToldToStop:
        raise typer.Exit(130) from None
    if differences:
        raise typer.Exit(1)


@app.command()
def tick(
    function: Annotated[str | None, typer.Argument(help="A scheduled function; all of them when left out.")] = None,
    state_folder: _StateFolder = STATE_FOLDER,
) -> None:
    """Call the scheduled functions of the running stack now, as Cloud Scheduler would, and print what they did."""
    scheduled = [name for name, trigger in triggers().items() if isinstance(trigger, OnSchedule)]
    if function is not None and function not in scheduled:
        problems.print(f"{function} is not called on a schedule; there is {', '.join(scheduled)}", highlight=False)
        raise typer.Exit(2)
    with _explained_errors():
        stack = published_stack(state_folder)
        if not stack.functions.keys() >= set(scheduled):
            message = (
                "this stack was attached to emulators: the scheduled functions run in the stack that started those"
            )
            raise NoStackError(message)
        answers = {name: call_now(stack.functions[name]) for name in scheduled if function in {None, name}}
    for name, answer in answers.items():
        sys.stdout.write(f"{name}: {answer.status_code} {answer.text}\n")
    if not all(answer.is_success for answer in answers.values()):
        raise typer.Exit(1)


@app.command()
def trail(state_folder: _StateFolder = STATE_FOLDER) -> None:
    """Print the running stack's audit events as a subscriber receives them, one JSON object a line, until Ctrl-C."""
    _stop_on_signals()
    name = f"trail-{uuid4().hex[:8]}"
    try:
        with _explained_errors():
            stack = published_stack(state_folder)
            with subscribed(stack.pubsub_emulator_host, project=stack.project, subscription=name) as subscription:
                problems.print("waiting for events", highlight=False)
                while True:
                    for received in subscription.pull():
                        sys.stdout.write(json.dumps(received.event) + "\n")
                        sys.stdout.flush()
    except _ToldToStop:
        raise typer.Exit(0) from None


@app.command()
def emulators() -> None:
    """Find the emulators' jars, or download them, and print where they are."""
    with _explained_errors():
        for jar in (FIRESTORE, PUBSUB):
            sys.stdout.write(f"{jar.emulator}: {find_jar(jar)}\n")


@app.command()
def auth_emulator() -> None:
    """Install the Firebase Auth emulator into .firebase, where there is npm. Stacks that start afterwards have it."""
    try:
        install()
    except NoNpmError as error:
        console.print(str(error), highlight=False)
    except StartError as error:
        problems.print(str(error), markup=False, highlight=False)
        raise typer.Exit(1) from None


@app.command(hidden=True)
def gateway(
    port: Annotated[int, typer.Option()], route: Annotated[list[str], typer.Option(metavar="NAME=URL")]
) -> None:
    """Serve the gateway; the stack starts it."""
    serve_gateway(dict(each.split("=", 1) for each in route), port=port)


def _tell(stack: Stack) -> None:
    def token_of(user_id: str) -> str:
        return unsigned_token(project=stack.project, organization_id=ORGANIZATION, user_id=user_id)

    console.print(f"[bold green]ready[/]: {stack.base_url}/v1/  (Firestore emulator: {stack.firestore_emulator_host})")
    console.print("In another terminal (the tokens are good for an hour):\n")
    commands = [
        f"TOKEN={token_of('member-1')}",
        f"OWNER={token_of('olivia')}",
        _curl(stack, "acquire", f'{{"license_key": "{LICENSE_KEY}", "hardware_id": "my-laptop"}}'),
        _curl(stack, "heartbeat", '{"session_id": "…"}'),
        _curl(stack, "release", '{"session_id": "…"}'),
        f'curl -s {stack.base_url}/v1/usage -H "Authorization: Bearer $OWNER"',
    ]
    for command in commands:
        console.print(command, markup=False, highlight=False, soft_wrap=True)
    console.print("\nThe audit trail, as a subscriber receives it: .venv/bin/python -m infra.local trail")
    console.print("The scheduled functions run by themselves; to call them now: make tick")
    console.print("More tokens: .venv/bin/python -m infra.local token --org acme --uid member-2")
    if stack.auth_emulator_host is None:
        console.print("No Auth emulator (make auth-emulator installs it): sync_user_claims does not run here")
    else:
        host = stack.auth_emulator_host
        console.print(f"Auth emulator: {host} (everybody's password: {PASSWORD})", highlight=False)
    console.print("Ctrl-C stops everything.")


def _curl(stack: Stack, name: str, body: str) -> str:
    headers = '-H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json"'
    return f"curl -s {stack.base_url}/v1/{name} {headers} -d '{body}'"


def _stop_on_signals() -> None:
    def told(_number: int, _frame: FrameType | None) -> None:
        # Once is enough: a second signal must not cut the stopping short.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        raise _ToldToStop

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, told)

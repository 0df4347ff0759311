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
from infra.doctor.options import program
from infra.local.audit_topic import subscribed
from infra.local.auth import NoNpmError, firebase_program, install, sign_up
from infra.local.demo import play
from infra.local.gateway import serve_gateway
from infra.local.hosting import Hosting
from infra.local.jars import FIRESTORE, PUBSUB, JarError, find_jar
from infra.local.next_steps import exports, next_steps, variables
from infra.local.portal_build import NoNodeError, build
from infra.local.processes import StartError
from infra.local.scheduler import call_now
from infra.local.seed import firestore_client, seed_organization
from infra.local.seed_history import seed_history
from infra.local.stack import PROJECT, STATE_FOLDER, Emulators, NoStackError, Stack, published_stack, running_stack
from infra.local.tokens import unsigned_token
from shared.documents.forms import MAX_GRACE_SECONDS

app = program("Run Seatlease on this machine, with Google's emulators.", no_args_is_help=True)
console = Console()
problems = Console(stderr=True)

ORGANIZATION, LICENSE_KEY = "acme", "ACME-DESIGN-STUDIO"
# infra.local.next_steps names them.
PEOPLE = [("olivia", "owner"), *((f"member-{number}", "member") for number in range(1, 6)), ("gus", "guest")]

PAUSE_SECONDS = 0.7
"""Between the lines of the demo, for a person to read them."""

_Project = Annotated[str, typer.Option(help="Project id that the emulators use.")]
_StateFolder = Annotated[Path, typer.Option(hidden=True, help="Folder of stack.json.")]
_LeaseSeconds = Annotated[
    int | None, typer.Option(min=3, max=86_400, help="Lease of licenses that set none. A short lease expires sooner.")
]
_GraceSeconds = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=MAX_GRACE_SECONDS,
        help="How long a program may go on after its lease when it cannot reach the functions.",
    ),
]


@contextmanager
def _explained_errors() -> Iterator[None]:
    """Print the message of an expected error instead of a traceback."""
    try:
        yield
    except (JarError, NoStackError, StartError) as error:
        problems.print(str(error), markup=False, highlight=False)
        raise typer.Exit(1) from None


class _ToldToStop(BaseException):
    """SIGTERM or Ctrl-C. As an exception it leaves every ``with`` block in order."""


@app.command()
def serve(
    *,
    port: Annotated[int | None, typer.Option(help="Port of the gateway. Default: a free port.")] = None,
    firestore: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Use a Firestore emulator that already runs.")
    ] = None,
    pubsub: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="The Pub/Sub emulator that belongs to it.")
    ] = None,
    project: _Project = PROJECT,
    lease_seconds: _LeaseSeconds = None,
    grace_seconds: _GraceSeconds = None,
    seats: Annotated[int, typer.Option(min=0, help="Seats of the seeded license.")] = 3,
    state_folder: _StateFolder = STATE_FOLDER,
) -> None:
    """Serve all functions until Ctrl-C, with a sample."""
    if (firestore is None) != (pubsub is None):
        problems.print("give both --firestore and --pubsub, or neither: one stack has both emulators", highlight=False)
        raise typer.Exit(2)
    auth_program = firebase_program() if firestore is None else None
    attach_to = Emulators(firestore=firestore, pubsub=pubsub) if firestore and pubsub else None
    _stop_on_signals()
    console.print("Starting the emulators and the functions: 5 to 30 seconds.", highlight=False)
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
                seed_history(
                    firestore_client(project=project, firestore_host=stack.firestore_emulator_host),
                    organization_id=ORGANIZATION,
                    license_id="license-1",
                    seats=seats,
                    people=[user_id for user_id, role in PEOPLE if role == "member"],
                )
            published = stack.publish(state_folder)
            _tell(stack, seats=seats)
            threading.Event().wait()
    except _ToldToStop:
        console.print("Stopped.")
    finally:
        for path in published:
            path.unlink(missing_ok=True)


@app.command()
def token(
    org: Annotated[str, typer.Option(help="Organization id, for the claim org_id.")],
    uid: Annotated[str, typer.Option(help="User id in Firebase Authentication.")],
    project: _Project = PROJECT,
    lifetime_seconds: Annotated[int, typer.Option(help="Seconds until the token expires.")] = 3600,
) -> None:
    """Print an unsigned ID token that only a local stack accepts."""
    sys.stdout.write(
        unsigned_token(project=project, organization_id=org, user_id=uid, lifetime_seconds=lifetime_seconds) + "\n"
    )


@app.command()
def env(
    user: Annotated[str, typer.Option(metavar="UID", help="The user.")] = "member-1",
    port: Annotated[int | None, typer.Option(metavar="PORT", help="Of the stack. Default: the first one.")] = None,
    state_folder: _StateFolder = STATE_FOLDER,
) -> None:
    """Print address, license key and token, for a shell to eval."""
    with _explained_errors():
        stack = published_stack(state_folder, port=port)
    sys.stdout.write(exports(variables(stack, organization=ORGANIZATION, license_key=LICENSE_KEY, user=user)))


@app.command()
def seed(
    organization: Annotated[str, typer.Option(help="Organization id.")],
    firestore: Annotated[str, typer.Option(metavar="HOST:PORT", help="The Firestore emulator.")],
    project: _Project = PROJECT,
    license_key: Annotated[str, typer.Option(help="Key of the license.")] = LICENSE_KEY,
    seats: Annotated[int, typer.Option(min=0, help="Seats of the license.")] = 3,
) -> None:
    """Create an organization with seven users and a license."""
    seed_organization(
        firestore_client(project=project, firestore_host=firestore),
        organization_id=organization,
        name=organization.title(),
        license_key=license_key,
        seats=seats,
        people=PEOPLE,
    )


@app.command()
def demo(
    *,
    fast: Annotated[
        bool, typer.Option("--fast", help="Do not pause between the steps, as without a terminal.")
    ] = False,
) -> None:
    """Show five people sharing three seats. Fails if any step goes differently."""
    _stop_on_signals()
    is_watched = console.is_terminal and not fast
    length = "about a minute" if is_watched else "half a minute"
    console.print(f"Starting the emulators and the functions, then the demo: {length}. Ctrl-C ends it.")
    try:
        with _explained_errors(), running_stack() as stack:
            differences = play(stack, console, pause_seconds=PAUSE_SECONDS if is_watched else 0)
    except _ToldToStop:
        raise typer.Exit(130) from None
    if differences:
        raise typer.Exit(1)


@app.command()
def tick(
    function: Annotated[str | None, typer.Argument(help="A scheduled function. Default: all of them.")] = None,
    state_folder: _StateFolder = STATE_FOLDER,
) -> None:
    """Call the scheduled functions of the running stack now."""
    scheduled = [name for name, trigger in triggers().items() if isinstance(trigger, OnSchedule)]
    if function is not None and function not in scheduled:
        problems.print(
            f"{function} is not a scheduled function. The scheduled functions are {', '.join(scheduled)}.",
            highlight=False,
        )
        raise typer.Exit(2)
    with _explained_errors():
        stack = published_stack(state_folder)
        if not stack.functions.keys() >= set(scheduled):
            message = (
                "this stack uses the emulators of another stack and has no scheduled functions. "
                "Call them in the stack that started the emulators."
            )
            raise NoStackError(message)
        answers = {name: call_now(stack.functions[name]) for name in scheduled if function in {None, name}}
    for name, answer in answers.items():
        sys.stdout.write(f"{name}: {answer.status_code} {answer.text}\n")
    if not all(answer.is_success for answer in answers.values()):
        raise typer.Exit(1)


@app.command()
def trail(state_folder: _StateFolder = STATE_FOLDER) -> None:
    """Print audit events until Ctrl-C, one JSON object per line."""
    _stop_on_signals()
    name = f"trail-{uuid4().hex[:8]}"
    try:
        with _explained_errors():
            stack = published_stack(state_folder)
            with subscribed(stack.pubsub_emulator_host, project=stack.project, subscription=name) as subscription:
                problems.print("waiting for new events", highlight=False)
                while True:
                    for received in subscription.pull():
                        sys.stdout.write(json.dumps(received.event) + "\n")
                        sys.stdout.flush()
    except _ToldToStop:
        raise typer.Exit(0) from None


@app.command()
def emulators() -> None:
    """Find or download the emulators' jars, and say where."""
    with _explained_errors():
        for jar in (FIRESTORE, PUBSUB):
            sys.stdout.write(f"{jar.emulator}: {find_jar(jar)}\n")


@app.command()
def auth_emulator() -> None:
    """Install the Firebase Auth emulator, if npm is there."""
    console.print("Installing the Firebase Auth emulator into .firebase: 300 MB, about half a minute, once.")
    try:
        install()
    except NoNpmError as error:
        console.print(str(error), highlight=False)
    except StartError as error:
        problems.print(str(error), markup=False, highlight=False)
        raise typer.Exit(1) from None


@app.command(hidden=True)
def gateway(
    *,
    port: Annotated[int, typer.Option()],
    route: Annotated[list[str], typer.Option(metavar="NAME=URL")],
    page: Annotated[Path | None, typer.Option(help="The built page for organizations.")] = None,
    project: _Project = PROJECT,
    auth: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="The Auth emulator, for the page.")] = None,
) -> None:
    """Serve the gateway. The stack runs this command."""
    hosting = None if page is None or auth is None else Hosting.of(page, project=project, auth_emulator_host=auth)
    serve_gateway(dict(each.split("=", 1) for each in route), port=port, hosting=hosting)


@app.command()
def portal() -> None:
    """Build the page for organizations, if npm is there."""
    try:
        folder = build()
    except NoNodeError as error:
        console.print(str(error), highlight=False)
    except StartError as error:
        problems.print(str(error), markup=False, highlight=False)
        raise typer.Exit(1) from None
    else:
        console.print(f"The page for organizations is built: {folder}", highlight=False, soft_wrap=True)


def _tell(stack: Stack, *, seats: int) -> None:
    steps = next_steps(stack, organization=ORGANIZATION, license_key=LICENSE_KEY, seats=seats)
    console.print(f"[bold green]ready[/]: {stack.base_url}/v1/", highlight=False)
    console.print(steps, markup=False, highlight=False, soft_wrap=True)
    console.print("Press Ctrl-C to stop.")


def _stop_on_signals() -> None:
    def told(_number: int, _frame: FrameType | None) -> None:
        # Ignore further signals, so that a second Ctrl-C does not interrupt the stopping.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        raise _ToldToStop

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, told)

"""The local stack's command line: ``python -m infra.local --help``."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console

from infra.local.demo import play
from infra.local.gateway import serve_gateway
from infra.local.jars import FIRESTORE, PUBSUB, JarError, find_jar
from infra.local.processes import StartError
from infra.local.seed import firestore_client, seed_organization
from infra.local.stack import PROJECT, STATE_FOLDER, Stack, running_stack
from infra.local.tokens import unsigned_token

app = typer.Typer(help="Run Seatlease on this machine, on Google's emulators.", no_args_is_help=True)
console = Console()
problems = Console(stderr=True)

ORGANIZATION, LICENSE_KEY = "acme", "ACME-DESIGN-STUDIO"
PEOPLE = [("olivia", "owner"), *((f"member-{number}", "member") for number in range(1, 6)), ("gus", "guest")]

_Project = Annotated[str, typer.Option(help="The project that the emulators pretend to be.")]
_LeaseSeconds = Annotated[
    int | None, typer.Option(min=3, max=86_400, help="Lease of licenses that name none, to see leases run out sooner.")
]


@contextmanager
def _explained_errors() -> Iterator[None]:
    """End with a sentence and not with a traceback where the sentence says what to do."""
    try:
        yield
    except (JarError, StartError) as error:
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
    project: _Project = PROJECT,
    lease_seconds: _LeaseSeconds = None,
    seats: Annotated[int, typer.Option(min=0, help="Seats of the seeded license.")] = 3,
    state_folder: Annotated[Path, typer.Option(hidden=True, help="Where stack.json is written.")] = STATE_FOLDER,
) -> None:
    """Serve every function under /v1/ until Ctrl-C, with an organization to try them on."""
    _stop_on_signals()
    published = []
    try:
        with (
            _explained_errors(),
            running_stack(port=port, firestore=firestore, project=project, lease_seconds=lease_seconds) as stack,
        ):
            if firestore is None:
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
def emulators() -> None:
    """Find the emulators' jars, or download them, and print where they are."""
    with _explained_errors():
        for jar in (FIRESTORE, PUBSUB):
            sys.stdout.write(f"{jar.emulator}: {find_jar(jar)}\n")


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
    console.print("\nMore tokens: .venv/bin/python -m infra.local token --org acme --uid member-2")
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

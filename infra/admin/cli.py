"""The operator's command line: ``python -m infra.admin --help``.

Exit status: 0 if it is done or nothing was to be done, 1 if something is left, 2 if it could not begin. ``find`` ends
with 1 if it finds nothing, ``problems`` if there are errors, ``import`` if a row is bad or left out.
"""

import asyncio
import json
import sys
from datetime import timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from infra.admin.account import AccountError, delete_account, end_unless_both_are_emulators, has_account
from infra.admin.erasure import Found, Person, UnfinishedError, look
from infra.admin.erasure import erase as erase_person
from infra.admin.find import find
from infra.admin.import_people import import_people
from infra.admin.problems import problems
from infra.admin.resync import resync
from infra.doctor.database import EmulatorOption, end, opened
from infra.doctor.options import DatabaseOption, Environment, EnvironmentOption, ProjectOption, program
from infra.doctor.project import database_of
from shared.documents.paths import OrganizationPaths, can_be_document_id
from shared.rules.audit import CONSOLE, ERASED, SYSTEM

app = program("Work on the data of a deployed project.")
app.command()(find)
app.command("import")(import_people)
app.command()(problems)
app.command()(resync)


@app.callback()
def admin() -> None:
    """Work on the data of a deployed project."""


@app.command()
def erase(
    *,
    project: ProjectOption,
    organization: Annotated[str, typer.Option(help="The organization's id.")],
    user: Annotated[str, typer.Option(help="The person's user id (UID).")],
    environment: EnvironmentOption = Environment.PRODUCTION,
    database: DatabaseOption = None,
    account: Annotated[
        bool, typer.Option("--account", help="Delete the account in Firebase Authentication too.")
    ] = False,
    apply: Annotated[bool, typer.Option("--apply", help="Erase. Without it nothing is written.")] = False,
    wait_seconds: Annotated[
        int, typer.Option(min=1, help="How long to wait until the functions have ended the sessions.")
    ] = 180,
    emulator_host: EmulatorOption = None,
) -> None:
    """Erase a person from an organization. Without --apply, only print what would be erased."""
    person = _person(organization, user)
    if account:
        end_unless_both_are_emulators(emulator_host)
    database = database or database_of(environment)
    with opened(project=project, environment=environment, database=database, emulator_host=emulator_host) as firestore:
        found = asyncio.run(look(firestore, person))
        if not found.has_organization and found.is_nothing:
            end(f"there is no organization {organization} in the database {database} of {project}")
        if account and found.elsewhere:
            others = ", ".join(found.elsewhere)
            end(
                f"these organizations list the user too, so the account must stay: {others}. Erase the user there first"
            )
        console = Console(markup=False, highlight=False)
        try:
            has = has_account(project=project, user_id=user) if account else None
            console.print(_table(found, title=f"{user} in {organization}, {project}", has=has))
            if found.is_nothing and not has:
                console.print("Nothing is kept about this user: erased before, or another id.")
            elif not apply:
                console.print("Nothing was changed. To erase: make erase ... CONFIRM=yes, or --apply")
            else:
                asyncio.run(erase_person(firestore, person, within=timedelta(seconds=wait_seconds)))
                if has:
                    delete_account(project=project, user_id=user)
                console.print("Erased.")
        except (UnfinishedError, AccountError) as error:
            end(str(error), status=1)
    if found.elsewhere:
        console.print(f"These organizations list the user too: {', '.join(found.elsewhere)}")
    if apply:
        console.print("If BigQuery has the audit trail, run this there two hours from now:")
        sys.stdout.write(f"{statements(project=project, organization=organization, user=user)}\n")


def _person(organization: str, user: str) -> Person:
    if not can_be_document_id(organization):
        end(f"not a valid organization id: {organization!r}")
    if not can_be_document_id(user):
        end(f"not a valid user id: {user!r}")
    if user in {SYSTEM, CONSOLE, ERASED}:
        end(f"{user} is not a person: audit events use this word as an actor")
    return Person(paths=OrganizationPaths(organization), user_id=user)


def _table(found: Found, *, title: str, has: bool | None) -> Table:
    """What is kept, and what becomes of it. ``has``: whether there is an account; ``None`` if it is left alone."""
    table = Table(title=title, title_justify="left")
    table.add_column("where")
    table.add_column("how many", justify="right")
    table.add_column("erasing does this")
    users = sum("/users/" in path for path in found.own)
    held = len(found.open_sessions)
    table.add_row("users", str(users), "delete")
    table.add_row("reviews", str(len(found.own) - users), "delete")
    table.add_row("sessions", str(len(found.sessions)), f"end {held} open, then delete" if held else "delete")
    table.add_row("waiting", str(len(found.places)), "delete")
    table.add_row("invitations of the address", str(len(found.invited)), "delete")
    table.add_row("invitations by the user", str(len(found.sent)), "blank the sender")
    table.add_row("audit_events of the user", str(len(found.events)), "blank the user, the device and all other texts")
    table.add_row("audit_events by the user", str(len(found.acted)), "blank the user")
    if has is not None:
        table.add_row("account", str(int(has)), "delete")
    return table


def statements(*, project: str, organization: str, user: str) -> str:
    """The BigQuery statements that erase the copies of the person's events."""
    # JSON's escapes are those of BigQuery's string literals.
    org_id, user_id, erased = (json.dumps(each, ensure_ascii=False) for each in (organization, user, ERASED))
    table = f"`{project}.seatlease_audit.messages`"
    return (
        f"DELETE FROM {table} WHERE organization_id = {org_id} AND user_id = {user_id};\n"  # noqa: S608 no program runs it
        f"UPDATE {table} SET actor = {erased} WHERE organization_id = {org_id} AND actor = {user_id};\n"
        f"UPDATE {table} SET details.invited_by = {erased} WHERE organization_id = {org_id} "
        f"AND details.invited_by = {user_id};"
    )

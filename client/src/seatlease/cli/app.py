from typing import Annotated

import typer

from seatlease.cli import epilogs
from seatlease.cli.borrow import borrow, give_back, status
from seatlease.cli.doctor import doctor
from seatlease.cli.login import login, logout, token
from seatlease.cli.release import release
from seatlease.cli.run import run
from seatlease.cli.usage import usage
from seatlease.version import __version__

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # typer's own tracebacks show the values of variables, and with them secrets
    rich_markup_mode=None,  # the boxes of rich cut off names that are to be copied
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=epilogs.ALL,
)

# Everything from the program's name on belongs to the program.
app.command(
    context_settings={"allow_interspersed_args": False},
    options_metavar="[OPTIONS] --",
    epilog=epilogs.RUN,
)(run)
for command, epilog in (
    (usage, epilogs.USAGE),
    (release, epilogs.RELEASE),
    (borrow, epilogs.BORROW),
    (status, epilogs.STATUS),
    (login, epilogs.LOGIN),
    (logout, epilogs.LOGOUT),
    (token, epilogs.TOKEN),
    (doctor, epilogs.DOCTOR),
):
    app.command(epilog=epilog)(command)
app.command("return", epilog=epilogs.RETURN)(give_back)


def _show_version(is_wanted: bool) -> None:  # noqa: FBT001 typer's form of a callback
    if is_wanted:
        typer.echo(f"seatlease {__version__}")
        raise typer.Exit


@app.callback()
def _seatlease(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Floating licenses: run a program with a seat, and see who holds seats."""

from typing import Annotated

import typer

from seatlease.cli.doctor import doctor
from seatlease.cli.login import login, logout
from seatlease.cli.run import run
from seatlease.cli.usage import usage
from seatlease.version import __version__

# No tracebacks of typer's own: they show the values of variables, and with them secrets.
app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

# Everything from the program's name on belongs to the program.
app.command(context_settings={"allow_interspersed_args": False})(run)
for command in (usage, login, logout, doctor):
    app.command()(command)


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

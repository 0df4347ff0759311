"""The operator's command line: ``python -m infra.admin --help``.

Exit status: 0 if it is done or nothing was to be done, 1 if something is left, 2 if it could not begin.
"""

import typer

from infra.admin.resync import resync

app = typer.Typer(help="Work on the data of a deployed project.")
app.command()(resync)


@app.callback()
def admin() -> None:
    """Work on the data of a deployed project."""

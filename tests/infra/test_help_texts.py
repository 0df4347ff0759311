"""What ``make help`` and the commands of infra show fits a terminal, and cuts no name that is to be copied."""

import re

import pytest
import typer
from typer.testing import CliRunner

from infra.admin.cli import app as admin
from infra.build.preflight.cli import app as preflight
from infra.build.signing_keys import app as signing_keys
from infra.build.stage import ROOT
from infra.doctor.cli import app as doctor
from infra.doctor.smoke import app as smoke
from infra.judge.cli import app as judge
from infra.local.cli import app as local

_COLUMNS = 80
_APPS = {
    "admin": admin,
    "doctor": doctor,
    "judge": judge,
    "local": local,
    "preflight": preflight,
    "signing_keys": signing_keys,
    "smoke": smoke,
}


def test_make_help_fits_a_terminal() -> None:
    targets = re.findall(r"^([a-z-]+):.*## (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)

    assert len(targets) > 20
    assert [name for name, text in targets if len(f"  make {name:<13} {text}") > _COLUMNS] == []


@pytest.mark.parametrize("app", list(_APPS.values()), ids=list(_APPS))
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_cuts_nothing_off(app: typer.Typer, option: str) -> None:
    shown = CliRunner(env={"COLUMNS": str(_COLUMNS), "TERMINAL_WIDTH": str(_COLUMNS)}).invoke(app, [option])

    assert shown.exit_code == 0
    assert "…" not in shown.output
    assert max(map(len, shown.output.splitlines())) <= _COLUMNS

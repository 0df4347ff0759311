"""The package's pages: what they show is run, the first of it as a newcomer would, in an environment of its own."""

import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import seatlease
from infra.build.stage import ROOT
from seatlease.testing import FakeService
from tests.client.conftest import BuildBackend
from tests.infra.clean_environment import run

CLIENT = ROOT / "client"
PAGES = [CLIENT / "README.md", *sorted((CLIENT / "docs").glob("*.md"))]


def blocks(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", page.read_text(), flags=re.DOTALL | re.MULTILINE)


FIVE_LINES, *REST = blocks(CLIENT / "README.md")


@pytest.mark.long
def test_the_quickstart_works_in_a_new_environment(build_real: BuildBackend, tmp_path: Path) -> None:
    backend = build_real(seats=3)
    described = backend.described("m0")
    program = tmp_path / "five_lines.py"
    program.write_text(FIVE_LINES.replace("ACME-DESIGN-STUDIO", described["license_key"]))
    made = tmp_path / "environment"
    run("venv", "--python", sys.executable, str(made))
    run("pip", "install", "--python", str(made / "bin/python"), str(CLIENT))

    done = subprocess.run(
        [made / "bin/python", program],
        env={"SEATLEASE_URL": described["url"], "SEATLEASE_ID_TOKEN": described["credentials"], "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"active until 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d\.\d+\+00:00\n", done.stdout)
    assert backend.in_use == 0


def test_the_readme_of_the_project_shows_the_same_five_lines() -> None:
    assert FIVE_LINES in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("block", REST)
def test_what_the_readme_shows_runs(block: str) -> None:
    shown: dict[str, Any] = {}
    exec(block, shown)  # noqa: S102 our own page

    if "test_work_is_saved_when_the_seat_is_revoked" in shown:
        shown["test_work_is_saved_when_the_seat_is_revoked"]()
    if "work" in shown:
        with FakeService().seat() as seat:
            assert shown["work"](seat, ["a"]) == ["A"]


def test_the_page_about_being_offline_runs(
    build_real: BuildBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = build_real(seats=1)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEATLEASE_HARDWARE_ID", backend.hardware_id)
    guarded, kept = blocks(CLIENT / "docs/offline.md")
    shown: dict[str, Any] = {}
    exec(kept.replace("http://127.0.0.1:8080", backend.proxy.url), shown)  # noqa: S102 our own page
    assert not shown["may_start_offline"](backend.tenant.license_key)

    with backend.seat() as seat:
        shown["keep"](seat.lease)

    assert shown["may_start_offline"](backend.tenant.license_key)
    exec(guarded, shown)  # noqa: S102 our own page
    described = backend.described("m0")
    pinned = str(shown["KEYS"].jwks).replace("'", '"')
    with shown["guarded_seat"](described["url"], described["license_key"], described["credentials"], pinned) as seat:
        assert seat.state is seatlease.State.ACTIVE


EDITIONS = CLIENT / "docs/editions.md"


def documents_on(page: Path) -> list[dict[str, Any]]:
    """The license documents that an admin types: a column for each edition."""
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| `(.*?)` \| `(.*?)` \|$", page.read_text(), flags=re.MULTILINE)
    return [{name: _typed(kind, values[edition]) for name, kind, *values in rows} for edition in (0, 1)]


def _typed(kind: str, value: str) -> object:
    typed = json.loads(value)
    return datetime.fromisoformat(typed) if kind == "timestamp" and typed is not None else typed


def test_from_the_license_that_an_admin_types_to_the_feature_in_the_program(
    build_real: BuildBackend, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    backend = build_real()
    program = blocks(EDITIONS)[0]
    printed = re.findall(r"^```text\n(.*?)^```$", EDITIONS.read_text(), flags=re.DOTALL | re.MULTILINE)
    described = backend.described("m0")
    monkeypatch.setenv("SEATLEASE_URL", described["url"])
    monkeypatch.setenv("SEATLEASE_ID_TOKEN", described["credentials"])

    for edition, document in enumerate(documents_on(EDITIONS)):
        key = f"{backend.license_key}-{edition}"
        backend.tenant.license(f"edition-{edition}").set({"license_key": key, **document})
        monkeypatch.setenv("SEATLEASE_LICENSE_KEY", key)
        exec(program, {})  # noqa: S102 our own page

        assert capsys.readouterr().out == printed[edition]
    assert len(printed) == 2
    assert backend.in_use == 0


def test_what_the_page_about_editions_shows_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEATLEASE_HARDWARE_ID", "device-1")
    shown: dict[str, Any] = {}
    for block in blocks(EDITIONS)[1:]:
        exec(block, shown)  # noqa: S102 our own page
    soon = datetime.now(UTC) + timedelta(days=10)
    service = FakeService(features={"pro": True}, expires_at=soon, idle=timedelta(hours=1))
    kept = seatlease.LeaseFile(tmp_path / "lease.json")

    with service.seat() as seat:
        assert seat.lease is not None
        assert seat.lease.lease_token is not None
        kept.save(seat.lease.lease_token)
        assert f"{soon.astimezone():%Y-%m-%d}" in shown["renewal_notice"](seat)
        shown["every_minute"](seat, timedelta(hours=2))
        assert seat.heartbeat() is seatlease.State.IDLE
        shown["on_key_or_click"](seat)
        assert seat.heartbeat() is seatlease.State.ACTIVE
        service.edit(expires_at=None)
        seat.heartbeat()
        assert shown["renewal_notice"](seat) is None

    assert shown["may_export_offline"](kept, service.keys, service.license_key)
    shown["test_a_customer_who_buys_pro_has_it_at_once"]()
    shown["test_work_is_saved_when_the_user_is_away"]()


def test_what_the_page_for_travellers_shows_runs() -> None:
    (block,) = blocks(CLIENT / "docs/take-it-along.md")
    shown: dict[str, Any] = {}
    exec(block, shown)  # noqa: S102 our own page
    service, borrow = FakeService(), timedelta(days=3)

    off = shown["take_along"](service.seat(borrow=borrow))
    service.edit(max_borrow=timedelta(days=1), max_borrowed_seats=0)
    told = [shown["take_along"](service.seat(borrow=span)) for span in (borrow, timedelta(hours=1))]
    service.edit(max_borrowed_seats=1)
    lent = shown["take_along"](service.seat(borrow=timedelta(hours=1)))
    with service.offline():
        offline = shown["work"](service.seat())
    shown["bring_back"](service.seat())

    assert off == "Seats of this license cannot be borrowed. Please talk to your administrator."
    assert told[0].startswith("at most until 20")
    assert (told[1], lent.startswith("until 20"), offline) == ("0 of 0 are away", True, "active")
    assert service.in_use == 0


def test_waiting_as_the_readme_shows_it_ends_with_the_message(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    service = FakeService(seats=1)
    service.occupy()
    (block,) = (each for each in REST if "on_wait=tell" in each)
    shown: dict[str, Any] = {}
    exec(block.replace("minutes=10", "seconds=2"), shown)  # noqa: S102 our own page

    def seat_of_the_fake(url: str, license_key: str, **options: Any) -> seatlease.Seat:  # noqa: ANN401 the seat's own
        del options["credentials"]
        return service.seat(url=url, license_key=license_key, **options)

    monkeypatch.setattr(seatlease, "Seat", seat_of_the_fake)

    shown["work_when_there_is_a_seat"](service.url, service.license_key, "")

    full = "Every seat is in use (1 of 1). Please try again in a while."
    assert capsys.readouterr().out == f"You are number 1 of 1 in line.\n{full}\n"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_pages_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target

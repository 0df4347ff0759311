"""``seatlease usage``: who holds which seat, as far as the asking user's role shows it."""

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from rich.console import Console
from rich.style import Style

from seatlease._service.credentials import IdToken
from seatlease._service.service import Service
from seatlease.cli.saying import ending_soon
from seatlease.cli.usage import fitting, tables_of
from shared.documents.rfc3339 import rfc3339
from tests.client.backends import RealBackend
from tests.client.commands import Terminal, command, environment_of, run
from tests.client.conftest import BuildBackend

_NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
_A_PAGE = 100
"""Sessions on a page of the service's, unless it is asked for another number."""


@pytest.fixture
def backend(build_real: BuildBackend) -> RealBackend:
    return build_real(seats=2 * _A_PAGE)


@pytest.fixture
def on_terminal() -> Iterator[Callable[..., Terminal]]:
    with ExitStack() as cleanup:

        def on_terminal(*words: str, environment: dict[str, str]) -> Terminal:
            terminal = Terminal.running(command(*words), environment=environment)
            cleanup.callback(terminal.stop)
            return terminal

        yield on_terminal


def _take_seats(backend: RealBackend, number: int) -> None:
    """Let three users take them together: one user may not ask so often at a time."""

    async def take(users: int, own: int) -> None:
        described = backend.described(f"m{own}")
        async with Service(described["url"], IdToken(described["credentials"])) as service:
            devices = range(own, number, users)
            await asyncio.gather(
                *(service.acquire(backend.tenant.license_key, hardware_id=f"device-{n}") for n in devices)
            )

    async def take_all() -> None:
        await asyncio.gather(*(take(3, own) for own in range(3)))

    asyncio.run(take_all())


def test_a_table_shows_the_seats_and_who_holds_them(backend: RealBackend) -> None:
    with backend.seat("m0", hardware_id="0123456789abcdef") as seat:
        shown = run("usage", environment=environment_of(backend, "olivia"))

    assert (shown.returncode, shown.stderr) == (0, "")
    assert "Org: 1 of unlimited seats in use" in shown.stdout
    assert "m0@example.com" in shown.stdout
    assert "0123456789ab…" in shown.stdout
    assert "0123456789abc" not in shown.stdout
    assert seat.lease is not None
    assert seat.lease.session_id in shown.stdout
    (license_row,) = (line.split("│")[1:-1] for line in shown.stdout.splitlines() if "│ L " in line)
    assert [cell.strip() for cell in license_row[:4]] == ["L", "1", "200", "0%"]
    assert "in 5m" in license_row[4] or "in 6m" in license_row[4]


def test_members_see_their_own_seats_and_guests_the_totals(backend: RealBackend) -> None:
    with backend.seat("m0"), backend.seat("m1"):
        mine, guests = (run("usage", environment=environment_of(backend, user)) for user in ("m0", "gus"))

    assert ("m0@example.com" in mine.stdout, "m1@example.com" in mine.stdout) == (True, False)
    assert "@" not in guests.stdout
    assert "Org: 2 of unlimited seats in use" in guests.stdout


def test_json_is_one_answer_of_all_pages(backend: RealBackend) -> None:
    _take_seats(backend, _A_PAGE + 5)

    shown = run("usage", "--json", environment=environment_of(backend, "olivia"))

    answer = json.loads(shown.stdout)
    (license_,) = answer["licenses"]
    assert (answer["next_page_token"], license_["in_use"]) == (None, _A_PAGE + 5)
    assert {session["hardware_id"] for session in license_["sessions"]} == {f"device-{n}" for n in range(_A_PAGE + 5)}
    assert len(license_["sessions"]) == _A_PAGE + 5


def test_the_last_24_hours_are_shown_with_their_peak_and_the_denied_users() -> None:
    license_: dict[str, object] = {
        **dict.fromkeys(("name", "max", "share", "earliest_expiry_at")),
        "license_id": "cad",
        "in_use": 0,
        "misconfigured_fields": [],
        "last_24_hours": {"peak_in_use": 7, "peak_overdraft": 2, "denied_users": 3},
        "overdraft": {"in_use": 1, "max": 5},
        "sessions": [],
    }
    organization = {"organization_id": "acme", "name": "Acme", "in_use": 0, "max": None}
    terminal = Console(width=80, record=True, file=StringIO())

    terminal.print(tables_of({"organization": organization, "licenses": [license_], "server_time": rfc3339(_NOW)}))

    shown = terminal.export_text()
    assert "peak 7, 3 denied" in shown
    assert re.search(r"overdraft +│ +1 │ +5 │ +│ +│ peak 2 ", shown)


def test_warnings_stand_above_the_tables_and_an_end_is_told_once() -> None:
    ends_at = rfc3339(_NOW + timedelta(days=3))
    license_: dict[str, object] = {
        **dict.fromkeys(("name", "max", "share", "earliest_expiry_at", "last_24_hours")),
        "license_id": "cad",
        "in_use": 1,
        "expires_at": ends_at,
        "misconfigured_fields": [],
        "sessions": [],
    }
    warned = {"code": "LICENSE_ENDS", "license_id": "cad", "number": 3, "at": ends_at, "message": "cad ends soon."}
    organization = {"organization_id": "acme", "name": "Acme", "in_use": 1, "max": None}
    answer = {"organization": organization, "licenses": [license_], "server_time": rfc3339(_NOW)}
    owners, members = (Console(width=80, record=True, file=StringIO()) for _ in range(2))

    owners.print(tables_of({**answer, "warnings": [warned]}))
    members.print(tables_of({**answer, "warnings": []}))

    told = owners.export_text()
    assert told.startswith("cad ends soon.\nAcme: 1 of unlimited seats in use")
    assert "(in 3 days)" not in told
    assert "(in 3 days)" in members.export_text()


@pytest.mark.parametrize(
    ("share", "colour"),
    [(0.0, "green"), (0.79, "green"), (0.8, "yellow"), (0.99, "yellow"), (1.0, "bold red"), (1.5, "bold red")],
)
def test_a_share_is_green_then_yellow_from_four_fifths_on_and_red_when_all_seats_are_in_use(
    share: float, colour: str
) -> None:
    license_: dict[str, object] = {
        **dict.fromkeys(("name", "max", "earliest_expiry_at", "last_24_hours")),
        "license_id": "cad",
        "in_use": 1,
        "share": share,
        "misconfigured_fields": [],
        "sessions": [],
    }
    organization = {"organization_id": "acme", "name": "Acme", "in_use": 1, "max": None}
    shown = tables_of({"organization": organization, "licenses": [license_], "server_time": rfc3339(_NOW)})
    terminal = Console(width=80, force_terminal=True, color_system="standard", no_color=False, file=StringIO())

    segments = [each for line in terminal.render_lines(shown) for each in line]

    (style,) = (each.style for each in segments if each.text.strip() == f"{share:.0%}")
    assert style is not None
    assert Style.parse(colour) == Style(color=style.color, bold=style.bold or None)


@pytest.mark.parametrize(
    ("instances", "shown"),
    [
        ({"instances": 50}, ["0123456789ab…", "50 instances"]),
        ({"instances": 1}, ["0123456789ab…", ""]),
        ({}, ["0123456789ab…", ""]),  # a service from before there were any
    ],
)
def test_a_device_shows_how_many_instances_share_its_seat_within_80_columns(
    instances: dict[str, int], shown: list[str]
) -> None:
    at = rfc3339(_NOW)
    session = {
        "session_id": 26 * "s",
        "user_id": "m0",
        "user_email": "somebody@example.com",
        "hardware_id": "0123456789abcdef",
        "started_at": at,
        "lease_expires_at": rfc3339(_NOW + timedelta(minutes=6)),
    }
    license_ = {
        "license_id": "cad",
        "name": "CAD",
        "in_use": 1,
        "max": 9,
        "share": 0.1,
        "earliest_expiry_at": None,
        "misconfigured_fields": [],
        "last_24_hours": None,
        "sessions": [session | instances],
    }
    organization = {"organization_id": "acme", "name": "Acme", "in_use": 1, "max": None}
    answer = {"organization": organization, "licenses": [license_], "server_time": at}
    terminal = Console(width=80, record=True, file=StringIO())

    terminal.print(tables_of(answer))

    rows = [line.split("│")[1:-1] for line in terminal.export_text().splitlines() if line.startswith("│")]
    user, session_id = (next(row for row in rows if text in row[0]) for text in ("somebody", "ssss"))
    assert [user[1].strip(), session_id[1].strip()] == shown


def test_pools_overdraft_and_the_last_week_are_shown_in_80_columns(build_real: BuildBackend) -> None:
    ends = datetime.now(UTC) + timedelta(days=3.5)
    backend = build_real(
        seats=2,
        reservations={"render": 1},
        overdraft_seats=2,
        expires_at=ends,
        features={"edition": "pro", "export": True, "notes": "x" * 200},
    )
    backend.tenant.add_license("later", "LATER", seats=1, starts_at=datetime(2190, 5, 1, tzinfo=UTC))
    backend.tenant.user("m0").update({"groups": ["render"]})
    environment = environment_of(backend, "olivia", SEATLEASE_LICENSE_KEY="", COLUMNS="80")
    with backend.seat("m0"), backend.seat("m1"), backend.seat("m2"):
        shown, as_json = (run("usage", *words, environment=environment) for words in ((), ("--json",)))

    assert shown.returncode == 0
    assert max(map(len, shown.stdout.splitlines())) <= 80
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in shown.stdout.splitlines() if "│" in line]
    cells = {row[0]: row[1:] for row in reversed(rows)}  # the licenses come first
    assert cells["for render"][:2] == ["1", "1"]
    assert cells["common"][:2] == ["2", "1"]
    assert cells["overdraft"][:2] == ["1", "2"]
    assert {"a seat for render", f"until {ends.astimezone():%Y-%m-%d}"} < set(cells)
    assert (shown.stdout.count("L ends in 4 days."), "days)" in shown.stdout) == (1, False)
    assert "gives no seat: begins on 2190-0" in " ".join(re.findall(r"[^\s│]+", shown.stdout))
    sold = next(line for line in shown.stdout.splitlines() if line.startswith("L has: "))
    assert {"edition pro", "export true"} <= set(sold.removeprefix("L has: ").split(", "))
    assert "x…" in shown.stdout
    by_name = {license_["license_id"]: license_ for license_ in json.loads(as_json.stdout)["licenses"]}
    assert by_name["license-1"]["features"] == {"edition": "pro", "export": True, "notes": "x" * 200}
    assert by_name["later"]["status"] == "not_started"


def test_borrowed_seats_and_devices_that_work_on_without_one_are_shown(build_real: BuildBackend) -> None:
    backend = build_real(seats=3, max_borrow_seconds=7 * 24 * 60 * 60)
    until = datetime.now(UTC) + timedelta(days=3)
    with backend.seat("m0", borrow=until) as lost, backend.seat("m1", borrow=until), backend.seat("m2"):
        assert lost.lease is not None
        owner = environment_of(backend, "olivia", COLUMNS="80")
        run("release", lost.lease.session_id, "--yes", environment=owner).check_returncode()

        shown = run("usage", environment=owner)

    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in shown.stdout.splitlines() if "│" in line]
    cells = {row[0]: row[1:] for row in rows}
    assert (cells["borrowed"][:2], cells["borrowed"][4]) == (["1", ""], "1 more work on")
    assert f"borrowed until {until.astimezone():%Y-%m-%d %H:%M}" in cells
    assert max(map(len, shown.stdout.splitlines())) <= 80


def test_a_license_shows_how_many_users_wait() -> None:
    license_: dict[str, object] = {
        **dict.fromkeys(("name", "max", "share", "earliest_expiry_at", "last_24_hours")),
        "license_id": "cad",
        "in_use": 1,
        "misconfigured_fields": [],
        "sessions": [],
        "waiting": {"count": 3, "since": rfc3339(_NOW)},
    }
    organization = {"organization_id": "acme", "name": "Acme", "in_use": 1, "max": None}
    terminal = Console(width=80, record=True, file=StringIO())

    terminal.print(tables_of({"organization": organization, "licenses": [license_], "server_time": rfc3339(_NOW)}))

    assert re.search(r"│\s+waiting\s+│\s+3 │", terminal.export_text())


@pytest.mark.parametrize(
    ("left", "says"),
    [
        (timedelta(days=7, seconds=1), None),
        (timedelta(days=7), "in 7 days"),
        (timedelta(hours=40), "in 2 days"),
        (timedelta(hours=20), "in 1 day"),
        (timedelta(hours=14), "today at 23:00"),
        (timedelta(0), None),
    ],
)
def test_an_end_is_announced_from_a_week_before(left: timedelta, says: str | None) -> None:
    morning = datetime(2026, 3, 2, 9).astimezone()

    assert ending_soon(morning + left, now=morning) == says
    assert ending_soon(None, now=morning) is None


def test_an_unknown_license_is_told_with_its_status(backend: RealBackend) -> None:
    shown = run("usage", "--license-key", "ANOTHER", environment=environment_of(backend, "olivia"))

    assert (shown.returncode, shown.stdout) == (77, "")
    assert "no license with this key" in shown.stderr


def test_a_license_shows_its_end_and_why_it_gives_no_seat(backend: RealBackend) -> None:
    backend.tenant.license().update({"expires_at": datetime(2090, 5, 1, tzinfo=UTC)})
    backend.tenant.add_license("over", "OVER", seats=1, expires_at=datetime(2020, 5, 1, tzinfo=UTC))
    backend.tenant.add_license("off", "OFF", seats=1, is_active=False)
    backend.tenant.add_license("bad", "BAD", seats=-1)

    shown = run("usage", environment=environment_of(backend, "olivia", SEATLEASE_LICENSE_KEY=""))

    assert shown.returncode == 0
    said = " ".join(re.findall(r"[^\s│]+", shown.stdout))
    for words in (
        "until 2090-0",
        "gives no seat: expired on 2020-0",
        "gives no seat: deactivated",
        "fields to correct:",
    ):
        assert words in said
    assert shown.stdout.count("unlimited") == 1


def test_what_people_wrote_is_shown_as_text(backend: RealBackend) -> None:
    backend.tenant.license().update({"name": "[red]Studio[/red] [link=x]"})

    shown = run("usage", environment=environment_of(backend, "olivia"))

    assert "[red]Studio[/red] [link=x]" in shown.stdout


@pytest.mark.parametrize("words", [("--watch", "--json"), ("--watch", "--interval", "1s"), ("--interval", "soon")])
def test_options_that_make_no_sense_are_refused(backend: RealBackend, words: tuple[str, ...]) -> None:
    shown = run("usage", *words, environment=environment_of(backend))

    assert shown.returncode == 2
    assert words[0] in shown.stderr


@pytest.mark.long
def test_watch_refreshes_in_place_survives_an_outage_and_ends_on_ctrl_c(
    backend: RealBackend, on_terminal: Callable[..., Terminal]
) -> None:
    terminal = on_terminal("usage", "--watch", "--interval", "2s", environment=environment_of(backend, "olivia"))
    terminal.shows("Org: 0 of unlimited seats in use")
    with backend.seat("m0"):
        terminal.shows("Org: 1 of unlimited seats in use")
        terminal.shows("m0@example.com")
        with backend.offline():
            shown = terminal.shows("not refreshed: The license service at")
        assert shown.rindex("m0@example.com") > shown.index("Org: 1 of")
        terminal.seen = ""
        terminal.shows("Ctrl-C ends")

    terminal.types("\x03")

    assert terminal.ends() == 0
    assert "Traceback" not in terminal.seen


def _watched(lines: int, *, licenses: int, sessions: int, idle: int = 0) -> str:
    at = rfc3339(_NOW)

    def session(number: int) -> dict[str, object]:
        times = dict.fromkeys(("started_at", "last_heartbeat_at", "lease_expires_at"), at)
        who = {"user_id": f"m{number}", "user_email": f"member-{number}@example.com"}
        return {"session_id": f"{number:026}", "hardware_id": f"device-{number}", **who, **times}

    shown = [
        {
            "license_id": f"license-{number}",
            "name": f"license-{number}",
            "in_use": sessions,
            "max": 3,
            "share": 1.0,
            "earliest_expiry_at": at,
            "misconfigured_fields": [],
            "last_24_hours": None,
            "sessions": [session(held) for held in range(sessions if number >= idle else 0)],
        }
        for number in range(idle + licenses)
    ]
    organization = {"organization_id": "acme", "name": "Acme", "in_use": licenses * sessions, "max": None}
    answer = {"organization": organization, "licenses": shown, "server_time": at}
    window = Console(width=80, height=lines, record=True, file=StringIO(), force_terminal=True)
    window.print(fitting(window, answer))
    return window.export_text()


def test_licenses_that_do_not_fit_the_window_are_counted() -> None:
    shown = _watched(24, licenses=30, sessions=1)

    assert len(shown.splitlines()) <= 22
    assert "license-0 " in shown
    assert "of 30 licenses, 30 of 30 sessions. Enlarge" in shown


def test_licenses_without_a_session_make_room_for_those_who_hold_seats() -> None:
    shown = _watched(24, licenses=1, sessions=2, idle=30)

    assert len(shown.splitlines()) <= 22
    assert shown.count("@example.com") == 2
    assert "of 31 licenses. Enlarge" in shown


@pytest.mark.parametrize(("lines", "left_out"), [(24, True), (60, False)])
def test_what_is_watched_fits_the_window_and_counts_what_does_not(lines: int, *, left_out: bool) -> None:
    shown = _watched(lines, licenses=3, sessions=3)

    assert len(shown.splitlines()) <= lines - 2
    assert "member-0@example.com" in shown
    assert ("of 9 sessions. Enlarge the window" in shown) is left_out
    assert shown.count("@example.com") == 9 or left_out

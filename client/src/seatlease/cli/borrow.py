"""``seatlease borrow``, ``return`` and ``status``: a seat that is taken along, to work without a network."""

import json
import re
from collections.abc import Iterator
from datetime import datetime, time, timedelta
from typing import Annotated, Any

import typer

from seatlease._keeping.borrowed import BorrowedSeat, Kept, all_kept
from seatlease._service import clock
from seatlease._service.device import hardware_id as this_device
from seatlease._service.keys import Keys
from seatlease._service.lease_token import CLOCK_LEEWAY
from seatlease.cli import exit_status
from seatlease.cli.environment import (
    HardwareId,
    LicenseKey,
    PinnedKeys,
    Url,
    find_credentials,
    pinned_keys,
    read_duration,
)
from seatlease.cli.reminder import reminders_due, told
from seatlease.cli.saying import explained, printable, say
from seatlease.errors import SeatleaseError
from seatlease.seat import Seat

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_ON_A_DAY = re.compile(r"([a-z]+)-(\d{1,2}):(\d{2})")
_SHORTEST_NAME = 3


def point_in_time(text: str, *, now: datetime) -> datetime:
    """Read ``friday-18:00``, the next such time, or ``2026-05-01T14:00``, both by the zone of this machine.

    Raises:
        typer.BadParameter: it is neither, or has no time of day.
    """
    try:
        if (on_a_day := _ON_A_DAY.fullmatch(text.strip().lower())) is not None:
            return _next(*on_a_day.groups(), now=now)
        if ":" in text:
            return datetime.fromisoformat(text.strip().replace("Z", "+00:00")).astimezone()  # Python 3.10 reads no "Z"
    except (ValueError, OverflowError):
        pass
    message = f"{text!r} is not a time: write it as friday-18:00 or 2026-05-01T14:00"
    raise typer.BadParameter(message)


def _next(day: str, hour: str, minute: str, *, now: datetime) -> datetime:
    named = [number for number, name in enumerate(_DAYS) if name.startswith(day) and len(day) >= _SHORTEST_NAME]
    if not named:
        message = "no such day"
        raise ValueError(message)
    today, at = now.astimezone().date(), time(int(hour), int(minute))
    days = (today + timedelta(days=ahead) for ahead in range(8))
    times = (datetime.combine(each, at).astimezone() for each in days if each.weekday() == named[0])
    return next(each for each in times if each > now)


def _read_time(given: str | datetime) -> datetime:
    return given if isinstance(given, datetime) else point_in_time(given, now=clock.now())


_For = Annotated[
    timedelta | None,
    typer.Option("--for", parser=read_duration, metavar="DURATION", help="Borrow it for this long: 3d, 12h or 1d12h."),
]
_Until = Annotated[
    datetime | None,
    typer.Option(
        "--until",
        parser=_read_time,
        metavar="TIME",
        help="Borrow it until this time of your time zone: friday-18:00 (the next one) or 2026-05-01T14:00.",
    ),
]
_Json = Annotated[bool, typer.Option("--json", help="Print it as JSON.")]


def borrow(  # noqa: PLR0913 each is an option
    *,
    url: Url,
    license_key: LicenseKey,
    for_: _For = None,
    until: _Until = None,
    hardware_id: HardwareId = None,
    keys: PinnedKeys = None,
) -> None:
    """Borrow a seat, to work without a network.

    Until its end, programs of this license start on this device without asking the service. The seat counts as in use
    all the time. The same command borrows it for longer.
    """
    if (for_ is None) == (until is None):
        message = "give one of --for and --until"
        raise typer.BadParameter(message)
    with explained():
        wanted = clock.now() + for_ if for_ is not None else until
        seat = Seat(
            url,
            license_key,
            credentials=find_credentials(url).credentials,
            hardware_id=hardware_id,
            keys=pinned_keys(keys),
            borrow=for_ if for_ is not None else until,
            sigterm=False,
        )
        try:
            seat.acquire()
            got = seat.borrowed_until
        finally:
            seat.close()  # a borrowed seat stays
        assert wanted is not None  # noqa: S101 one of the two was given; for the type checker
        assert got is not None  # noqa: S101 it is borrowed, or an error was raised; for the type checker
        say(f"the seat is {told(got, got - clock.now())}")
        if got < wanted - CLOCK_LEEWAY:
            say("the license service does not answer, so it was not borrowed for longer")
            raise typer.Exit(exit_status.UNREACHABLE)
        say("programs start with it without a network until then; seatlease return gives it back earlier")


def give_back(*, url: Url, license_key: LicenseKey, hardware_id: HardwareId = None) -> None:
    """Give a borrowed seat back early.

    It needs the network. First the lease is removed from this device, so that no program starts with it any more.
    """
    with explained():
        if BorrowedSeat(url=url, license_key=license_key).kept() is None:
            say("no seat of this license is borrowed on this device")
            raise typer.Exit(exit_status.PROBLEM)
        credentials = find_credentials(url).credentials
        seat = Seat(url, license_key, credentials=credentials, hardware_id=hardware_id, sigterm=False)
        try:
            seat.give_back()
        except SeatleaseError:
            say("the seat was not given back yet. Run seatlease return again with a network.")
            raise
        say("the seat was given back")


def status(*, hardware_id: HardwareId = None, keys: PinnedKeys = None, as_json: _Json = False) -> None:
    """Show the seats that this device has borrowed.

    It needs no network, and asks no service. So it does not know of a seat that an administrator has taken back.
    """
    with explained():
        found = list(_found(hardware_id, pinned_keys(keys)))
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    elif not found:
        say("no seat is borrowed on this device")
    else:
        for each in found:
            typer.echo(printable(f"{each['license']} at {each['url']}: {each['says']}"))
    raise typer.Exit(0 if found and all(each["is_usable"] for each in found) else exit_status.PROBLEM)


def _found(hardware_id: str | None, keys: Keys | None) -> Iterator[dict[str, Any]]:
    for kept in all_kept():
        is_usable, says = _told_of(kept, hardware_id, keys)
        yield {
            "url": kept.url,
            "license": f"{kept.license_key[: min(5, len(kept.license_key) // 2)]}…",
            "session_id": kept.session_id,
            "borrowed_until": kept.until.isoformat(),
            "is_usable": is_usable,
            "says": says,
        }


def _told_of(kept: Kept, hardware_id: str | None, keys: Keys | None) -> tuple[bool, str]:
    seat = BorrowedSeat(url=kept.url, license_key=kept.license_key)
    try:
        lease = seat.lease(keys, hardware_id=hardware_id or this_device(kept.license_key), user=None)
    except SeatleaseError as error:
        return False, error.message
    if lease is None or lease.borrowed_until is None:  # it was given back just now
        return False, "not borrowed any more"
    left = lease.borrowed_until - lease.server_time
    ends_soon = ". It ends soon: seatlease borrow makes it longer" if reminders_due(left) else ""
    return True, told(lease.borrowed_until, left) + ends_soon

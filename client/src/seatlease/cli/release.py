"""``seatlease release``: gives back the own seat on this device, or ends sessions by a user, a device or an id."""

import asyncio
import os
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Any

import typer

from seatlease._keeping.borrowed import BorrowedSeat, all_kept
from seatlease._service import device
from seatlease._service.answers import NOT_THE_SERVICE, time_of
from seatlease._service.credentials import Credentials
from seatlease._service.service import REQUEST_WITHIN_SECONDS, Service
from seatlease.cli import exit_status
from seatlease.cli.environment import HARDWARE_ID, HardwareId, OneLicenseKey, Url, fetch_usage, find_credentials
from seatlease.cli.saying import ENOUGH_OF_AN_ID, Misconfigured, duration, explained, say, shortened
from seatlease.errors import ServiceUnreachable, SessionLost, SessionRevoked

_Session = dict[str, Any]

_Whose = Annotated[str | None, typer.Argument(metavar="SESSION|ADDRESS|DEVICE", hidden=True)]
_Until = Annotated[
    str | None,
    typer.Option(
        metavar="DURATION|TIME",
        help="Give the users of these sessions no seat before this time: 2h, 3d or 2026-05-01T14:00. "
        "For owners and admins.",
    ),
]
_Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask. Without a terminal it is needed.")]


def release(  # noqa: PLR0913 each is an option
    whose: _Whose = None,
    *,
    url: Url,
    license_key: OneLicenseKey = None,
    hardware_id: HardwareId = None,
    until: _Until = None,
    yes: _Yes = False,
) -> None:
    """Give a seat back by hand.

    Without SESSION, ADDRESS or DEVICE it is your own seat on this device. Owners and admins may end the sessions of
    other users, too. The values are those that seatlease usage shows. Nothing ends before you agreed. A program that
    still works on the seat is told at its next heartbeat, and stops.
    """
    with explained():
        keep_out = None if until is None else _read_until(until)
        if keep_out is not None and whose is None:
            message = "--until keeps another user out: name a session, an address or a device"
            raise Misconfigured(message)
        credentials = find_credentials(url).credentials
        if whose is None:
            _need_this_device(license_key, hardware_id)
        user, answer = asyncio.run(_look(url, credentials, license_key))
        if whose is None:
            here = hardware_id or device.hardware_id(license_key or "")
            found = _sessions(answer, lambda each: each["user_id"] == user and each["hardware_id"] == here)
        else:
            found = _sessions(answer, lambda each: _is_of(each, whose))
        if not found:
            say("you hold no seat on this device" if whose is None else f"you see no session of {whose}")
            raise typer.Exit(exit_status.PROBLEM)
        for session in found:
            say(_described(session))
        if not yes:
            _agreed(len(found))
        before = None if keep_out is None else keep_out(time_of(answer["server_time"]))
        ended = asyncio.run(_end(url, credentials, found, until=before))
        say(f"sessions ended: {ended}. Their programs stop at their next heartbeat.")
        if before is not None and ended:
            say(f"their users get no seat of the license before {before.astimezone():%Y-%m-%d %H:%M:%S}")
        if not ended:
            raise typer.Exit(exit_status.PROBLEM)


def _read_until(text: str) -> Callable[[datetime], datetime]:
    """Read a duration or a time, by the zone of this machine unless it names one. The result takes the present time."""
    try:
        time = datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone()  # Python 3.10 reads no "Z"
    except (ValueError, OverflowError):
        span: timedelta = duration(text)
        return lambda now: now + span
    return lambda _: time


def _need_this_device(license_key: str | None, hardware_id: str | None) -> None:
    if license_key is None and hardware_id is None and not os.environ.get(HARDWARE_ID):
        message = "the id of this device differs for each license: give --license-key, or name what is to be released"
        raise Misconfigured(message)


async def _look(url: str, credentials: Credentials, license_key: str | None) -> tuple[str, dict[str, Any]]:
    async with Service(url, credentials) as service:
        user = await service.user()
    return user, await fetch_usage(url, credentials, license_key=license_key)


async def _end(url: str, credentials: Credentials, sessions: list[_Session], *, until: datetime | None) -> int:
    """End the sessions, and count them. One that has ended meanwhile keeps nobody out, and is not counted."""
    ended = 0
    async with Service(url, credentials) as service:
        for session in sessions:
            session_id = session["session_id"]
            _forget_borrowed(session_id)
            try:
                await service.release(session_id, until=until, within_seconds=REQUEST_WITHIN_SECONDS)
            except (SessionLost, SessionRevoked):
                say(f"session {session_id} had ended before, so its user is not kept out")
            else:
                ended += 1
    return ended


def _forget_borrowed(session_id: str) -> None:
    """Remove the lease of a seat that this device has borrowed. Otherwise programs would start with it all the same."""
    for kept in all_kept():
        if kept.session_id == session_id:
            try:
                BorrowedSeat(url=kept.url, license_key=kept.license_key).forget()
            except OSError as error:
                message = f"the borrowed seat cannot be removed from this device, so it was not given back: {error}"
                raise Misconfigured(message) from None


def _sessions(answer: dict[str, Any], is_wanted: Callable[[_Session], bool]) -> list[_Session]:
    try:
        return [
            {**session, "license": license_["name"] or license_["license_id"], "since": time_of(session["started_at"])}
            for license_ in answer["licenses"]
            for session in license_["sessions"]
            if is_wanted(session)
        ]
    except (KeyError, TypeError, ValueError):
        raise ServiceUnreachable(NOT_THE_SERVICE) from None


def _is_of(session: _Session, whose: str) -> bool:
    """Whether it is the session, the user's or the device's. A device may be cut off as in the table of usage."""
    wanted, of_device = whose.strip().casefold(), str(session["hardware_id"]).casefold()
    names = {session["session_id"], session["user_id"].casefold(), (session["user_email"] or "").casefold(), of_device}
    beginning = wanted.removesuffix("…")
    return wanted in names or (len(beginning) >= ENOUGH_OF_AN_ID and of_device.startswith(beginning))


def _described(session: _Session) -> str:
    who, since = session["user_email"] or session["user_id"], f"{session['since'].astimezone():%Y-%m-%d %H:%M}"
    what = f"session {session['session_id']} of {who} on {shortened(str(session['hardware_id']))}"
    return f"{what}, {session['license']}, since {since}"


def _agreed(sessions: int) -> None:
    if not sys.stdin.isatty():
        message = "nobody can be asked here; give --yes to end what is listed above"
        raise Misconfigured(message)
    question = "End this session?" if sessions == 1 else f"End these {sessions} sessions?"
    if not typer.confirm(question, err=True):
        say("nothing was changed")
        raise typer.Exit(exit_status.PROBLEM)

"""``seatlease run``: runs any program with a seat."""

import threading
from datetime import timedelta
from typing import Annotated

import typer

from seatlease.cli import exit_status, program
from seatlease.cli.environment import (
    HardwareId,
    LicenseKey,
    PinnedKeys,
    Url,
    find_credentials,
    for_program,
    pinned_keys,
    read_duration,
)
from seatlease.cli.loss import OnLoss, Policy, Watch
from seatlease.cli.program import Interrupted, Signals
from seatlease.cli.reminder import Reminder
from seatlease.cli.saying import ending_soon, explained, in_words, say, say_now, sentence_of, shortened
from seatlease.cli.waiting import shown_waiting
from seatlease.errors import DeviceLimitReached, NoSeatFree
from seatlease.lease import Lease
from seatlease.seat import Seat

_Words = Annotated[list[str], typer.Argument(metavar="PROGRAM", hidden=True)]
_Wait = Annotated[
    timedelta,
    typer.Option(
        parser=read_duration,
        metavar="DURATION",
        show_default=False,
        help="Wait this long for a seat: 90s, 10m or 1h30m. Without it, do not wait.",
    ),
]
_OnLoss = Annotated[
    OnLoss,
    typer.Option(metavar="terminate|kill|warn", help="Do this when the seat is revoked, or lost and not regained."),
]
_KillAfter = Annotated[
    timedelta,
    typer.Option(
        parser=read_duration,
        metavar="DURATION",
        show_default=False,
        help="Kill the program this long after SIGTERM. The default is 10s.",
    ),
]
_RegainWithin = Annotated[
    timedelta,
    typer.Option(
        parser=read_duration,
        metavar="DURATION",
        show_default=False,
        help="Go on this long without a lost seat, and ask for it. The default is 60s.",
    ),
]


def run(  # noqa: PLR0913 each is an option
    words: _Words,
    *,
    url: Url,
    license_key: LicenseKey,
    hardware_id: HardwareId = None,
    keys: PinnedKeys = None,
    wait: _Wait = timedelta(),
    on_loss: _OnLoss = OnLoss.TERMINATE,
    kill_after: _KillAfter = timedelta(seconds=10),
    regain_within: _RegainWithin = timedelta(seconds=60),
) -> None:
    """Run a program with a seat, and give the seat back when it ends. A borrowed seat stays.

    Without a seat the program is not started. Everything after -- belongs to the program.
    """
    watch = Watch(Policy(on_loss=on_loss, kill_after=kill_after, regain_within=regain_within))
    end_of_license = EndOfLicense()
    with explained():
        path = program.find(words[0])
        try:
            signals = Signals()
            with shown_waiting() as on_wait:
                seat = Seat(
                    url,
                    license_key,
                    credentials=find_credentials(url).credentials,
                    hardware_id=hardware_id,
                    keys=pinned_keys(keys),
                    wait=wait or None,
                    on_change=watch.tell,
                    on_wait=on_wait,
                    on_lease=end_of_license.tell,
                    sigterm=False,  # the signals are the program's, and its end gives the seat back
                )
                _acquire(seat)
            try:
                if seat.lease is not None:  # now, before the program begins to write
                    end_of_license.tell(seat.lease)
                status = _run(path, words, seat=seat, signals=signals, watch=watch)
            finally:
                seat.close()
        except Interrupted as interrupted:
            say_now("the program was not started, and no seat is held")
            raise typer.Exit(128 + interrupted.number) from None
        except NoSeatFree as full:
            say_now(sentence_of(full))
            if isinstance(full, DeviceLimitReached):
                _show_own(full)
            if not wait:
                say_now(f"ask again in {in_words(full.retry_after)}, or wait for a seat with --wait 10m")
            raise typer.Exit(exit_status.NO_SEAT) from None
    raise typer.Exit(status)


class EndOfLicense:
    """Warns once of a license that ends within a week, also when that week begins while the program runs."""

    def __init__(self) -> None:
        self._telling = threading.Lock()
        self._has_told = False

    def tell(self, lease: Lease) -> None:
        """Look at a lease that was granted, on any thread."""
        ends_at, soon = lease.license_expires_at, ending_soon(lease.license_expires_at, now=lease.server_time)
        with self._telling:
            if ends_at is not None and soon is not None and not self._has_told:
                self._has_told = True
                say_now(f"The license ends on {ends_at.astimezone():%Y-%m-%d} ({soon})", style="yellow")


def _show_own(full: DeviceLimitReached) -> None:
    """Name the user's own sessions, and the command that frees each."""
    say("your seats, and the commands that give them back:")
    for session in full.sessions:
        say(f"{shortened(session.hardware_id)}, since {session.started_at.astimezone():%Y-%m-%d %H:%M}")
        say(f"    seatlease release {session.session_id}")


def _acquire(seat: Seat) -> None:
    try:
        seat.acquire()
    except BaseException:
        seat.close()  # a seat that was granted just now is given back before we go
        raise


def _run(path: str, words: list[str], *, seat: Seat, signals: Signals, watch: Watch) -> int:
    lease = seat.lease
    assert lease is not None  # noqa: S101 it was acquired; for the type checker
    reminder = Reminder(seat)
    reminder.look()  # now, before the program begins to write
    signals.hold()
    running = program.start(path, words, environment=for_program(lease))
    signals.pass_on_to(running)
    watch.begin(seat, running)
    reminder.begin()
    status = exit_status.of_program(program.wait(running))
    return exit_status.SEAT_LOST if watch.has_ended_it() else status

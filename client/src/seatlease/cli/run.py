"""``seatlease run``: runs any program with a seat."""

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
)
from seatlease.cli.loss import OnLoss, Policy, Watch
from seatlease.cli.program import Interrupted, Signals
from seatlease.cli.saying import duration, explained
from seatlease.cli.waiting import shown_waiting
from seatlease.seat import Seat

_Words = Annotated[list[str], typer.Argument(metavar="PROGRAM", help="The program to run, and its arguments.")]
_Wait = Annotated[str, typer.Option(metavar="DURATION", help="How long to wait for a seat: 90s, 10m or 1h30m.")]
_OnLoss = Annotated[
    OnLoss, typer.Option(help="What happens to the program when its seat is revoked, or lost and not regained.")
]
_KillAfter = Annotated[str, typer.Option(metavar="DURATION", help="How long after SIGTERM the program is killed.")]
_RegainWithin = Annotated[
    str, typer.Option(metavar="DURATION", help="How long the program goes on without its seat, which is asked for.")
]


def run(  # noqa: PLR0913 each is an option
    words: _Words,
    *,
    url: Url,
    license_key: LicenseKey,
    hardware_id: HardwareId = None,
    keys: PinnedKeys = None,
    wait: _Wait = "0",
    on_loss: _OnLoss = OnLoss.TERMINATE,
    kill_after: _KillAfter = "10s",
    regain_within: _RegainWithin = "60s",
) -> None:
    """Run a program with a seat, and give the seat back when it ends.

    The exit status is the program's own. Without a seat the program is not started.
    """
    policy = Policy(
        on_loss=on_loss,
        kill_after=duration(kill_after, option="--kill-after"),
        regain_within=duration(regain_within, option="--regain-within"),
    )
    wait_for, watch = duration(wait, option="--wait"), Watch(policy)
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
                    wait=wait_for or None,
                    on_change=watch.tell,
                    on_wait=on_wait,
                    sigterm=False,  # the signals are the program's, and its end gives the seat back
                )
                _acquire(seat)
            try:
                status = _run(path, words, seat=seat, signals=signals, watch=watch)
            finally:
                seat.close()
        except Interrupted as interrupted:
            raise typer.Exit(128 + interrupted.number) from None
    raise typer.Exit(status)


def _acquire(seat: Seat) -> None:
    try:
        seat.acquire()
    except BaseException:
        seat.close()  # a seat that was granted just now is given back before we go
        raise


def _run(path: str, words: list[str], *, seat: Seat, signals: Signals, watch: Watch) -> int:
    lease = seat.lease
    assert lease is not None  # noqa: S101 it was acquired; for the type checker
    signals.hold()
    running = program.start(path, words, environment=for_program(lease.session_id))
    signals.pass_on_to(running)
    watch.begin(seat, running)
    status = exit_status.of_program(program.wait(running))
    return exit_status.SEAT_LOST if watch.has_ended_it() else status

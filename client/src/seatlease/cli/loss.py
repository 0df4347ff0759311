"""Loss: what happens to the program when its seat is revoked, or lost and not regained."""

import queue
import subprocess
import threading
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

from seatlease._keeping.pacing import wait_seconds, within_wait
from seatlease._service.clock import elapsed
from seatlease.cli.program import Tree
from seatlease.cli.saying import in_words, say_now, sentence_of
from seatlease.errors import NoSeatFree, SeatleaseError, ServiceUnreachable, SessionLost, WaitCancelled
from seatlease.events import Change
from seatlease.lease import AT_WORK, State
from seatlease.seat import Seat

LOOK_AGAIN_SECONDS = 0.2


class OnLoss(str, Enum):
    TERMINATE = "terminate"
    KILL = "kill"
    WARN = "warn"


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What to do, the time from SIGTERM to SIGKILL, and how long a program may work while its seat is asked for."""

    on_loss: OnLoss
    kill_after: timedelta
    regain_within: timedelta


class Watch:
    """Watches the seat of a running program, and ends it when the seat is gone."""

    def __init__(self, policy: Policy) -> None:
        """Watch nothing yet. Changes wait until then."""
        self._policy = policy
        self._is_ending = False
        self._has_acted = threading.Event()
        self._changes: queue.SimpleQueue[Change] = queue.SimpleQueue()

    def tell(self, change: Change) -> None:
        """Take a change of the seat's state, on any thread."""
        self._changes.put(change)

    def begin(self, seat: Seat, program: "subprocess.Popen[bytes]") -> None:
        """Watch, on a thread that ends with the process."""
        threading.Thread(target=self._watch, args=(seat, program), name="seatlease-loss", daemon=True).start()

    def has_ended_it(self) -> bool:
        """Whether the program was told to end because of its seat. If so, wait until all of it has ended."""
        if self._is_ending:
            self._has_acted.wait()
        return self._is_ending

    def _watch(self, seat: Seat, program: "subprocess.Popen[bytes]") -> None:
        tree = Tree(program.pid)
        while True:
            change = self._changes.get()
            if change.state is State.DEGRADED:
                told = f"a heartbeat was not answered: {_why(change.error)} The program goes on. Trying again."
                say_now(told, style="yellow")
            elif change.state is State.ACTIVE and change.previous is not State.NOT_ACQUIRED:
                say_now("the seat is held again", style="green")
            elif change.state is State.REVOKED:
                say_now(f"the seat was revoked: {_why(change.error)}", style="bold red")
                self._act(tree)
            # From LOST to LOST: the asking ended with a refusal, which _is_regained saw by itself.
            elif change.state is State.LOST and change.previous is not State.LOST and not self._is_regained(seat):
                self._act(tree)

    def _is_regained(self, seat: Seat) -> bool:
        """Wait until the seat is held again, the right to it is refused, or ``regain_within`` is over."""
        say_now(f"the seat was lost: {_why(seat.error)} Asking for it again.", style="yellow")
        give_up_at = elapsed() + self._policy.regain_within.total_seconds()
        while elapsed() < give_up_at:
            state, error = seat.state, seat.error
            if state in AT_WORK:
                return True
            if state is State.LOST and isinstance(error, NoSeatFree):
                return self._is_free_in_time(seat, error, until=give_up_at)
            # A refusal ends the asking. Who is not answered, or was just told of the loss, goes on.
            if state is not State.LOST or not isinstance(error, SessionLost | ServiceUnreachable | None):
                break
            threading.Event().wait(LOOK_AGAIN_SECONDS)
        say_now(f"the seat was not regained: {_why(seat.error)}", style="bold red")
        return False

    def _is_free_in_time(self, seat: Seat, full: NoSeatFree, *, until: float) -> bool:
        """Wait for a seat while the program goes on. It has all of this time, because its user may have to save."""
        left = until - elapsed()
        goes_on = f"The program goes on for {in_words(timedelta(seconds=left))}. Save your work, or wait for a seat."
        say_now(f"{sentence_of(full)} {goes_on}", style="yellow")
        threading.Event().wait(within_wait(wait_seconds(full.retry_after), left=left))
        try:
            seat.acquire(wait=timedelta(seconds=max(0.0, until - elapsed())))
        except WaitCancelled:  # the program has ended by itself
            return True
        except SeatleaseError as refusal:
            say_now(f"the seat was not regained: {_why(refusal)}", style="bold red")
            return False
        say_now("the seat is held again", style="green")
        return True

    def _act(self, tree: Tree) -> None:
        if self._policy.on_loss is OnLoss.WARN:
            say_now("the program goes on without a seat (--on-loss=warn)")
            return
        self._is_ending = True
        try:
            self._end(tree)
        finally:
            self._has_acted.set()

    def _end(self, tree: Tree) -> None:
        policy = self._policy
        if policy.on_loss is OnLoss.KILL:
            say_now("the program is killed")
            tree.kill()
            return
        say_now(f"the program is told to end; after {in_words(policy.kill_after)} it is killed")
        if not tree.end(within=policy.kill_after):
            say_now("the program did not end, and is killed")
            tree.kill()


def _why(error: SeatleaseError | None) -> str:
    return "The lease ran out." if error is None else sentence_of(error)

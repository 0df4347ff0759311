"""Loss: what happens to the program when its seat is revoked, or lost and not regained."""

import queue
import subprocess
import threading
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

from seatlease._service.clock import elapsed
from seatlease.cli.program import Tree
from seatlease.cli.saying import in_words, say_now, sentence_of
from seatlease.errors import SeatleaseError, ServiceUnreachable, SessionLost
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
    """What to do, the time from SIGTERM to SIGKILL, and how long to ask again while the service does not answer."""

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
            # From LOST to LOST the client only says that it has stopped asking.
            elif change.state is State.LOST and change.previous is not State.LOST and not self._is_regained(seat):
                self._act(tree)

    def _is_regained(self, seat: Seat) -> bool:
        """Wait until the seat is held again, refused, or not answered for ``regain_within``."""
        say_now(f"the seat was lost: {_why(seat.error)} Asking for it again.", style="yellow")
        give_up_at = elapsed() + self._policy.regain_within.total_seconds()
        while elapsed() < give_up_at:
            state, error = seat.state, seat.error
            if state in AT_WORK:
                return True
            # A refusal ends the asking. Who is not answered, or was just told of the loss, goes on.
            if state is not State.LOST or not isinstance(error, SessionLost | ServiceUnreachable | None):
                break
            threading.Event().wait(LOOK_AGAIN_SECONDS)
        say_now(f"the seat was not regained: {_why(seat.error)}", style="bold red")
        return False

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

"""Signals to ``seatlease run``: before the program runs they end it, afterwards they are passed to the program."""

import contextlib
import os
import signal
import subprocess
from types import FrameType

_TOLD = ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGWINCH")
_FROM_A_TERMINAL = ("SIGINT", "SIGQUIT", "SIGHUP", "SIGWINCH")


class Interrupted(BaseException):
    """A signal came before the program was started."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Signals:
    """Listens to signals, except those that our caller ignores, such as SIGHUP under ``nohup``."""

    def __init__(self) -> None:
        """Listen, in the main thread."""
        self._program: subprocess.Popen[bytes] | None = None
        self._is_held = False
        self._came_meanwhile: list[int] = []
        for name in _TOLD:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._on_signal)

    def hold(self) -> None:
        """Keep signals from now on for the program that is about to be started."""
        self._is_held = True

    def pass_on_to(self, program: "subprocess.Popen[bytes]") -> None:
        """Pass on the signals kept so far, and each new one."""
        self._program = program
        for number in self._came_meanwhile:
            program.send_signal(number)

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        if self._program is not None:
            if not (_is_from_terminal(number) and _is_in_foreground()):
                # After its end there is nobody to tell.
                with contextlib.suppress(ProcessLookupError):
                    self._program.send_signal(number)
        elif self._is_held:
            self._came_meanwhile.append(number)
        elif number != getattr(signal, "SIGWINCH", None):
            self._is_held = True  # once is enough: giving back what was granted is not to be interrupted
            raise Interrupted(number)


def _is_from_terminal(number: int) -> bool:
    return number in {getattr(signal, name, None) for name in _FROM_A_TERMINAL}


def _is_in_foreground() -> bool:
    """Whether a terminal sends its signals to our process group: then the program, which is in it, has them already."""
    if os.name == "nt":
        return True  # a console tells all of its processes
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)

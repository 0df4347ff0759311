"""Reminder: says until when a seat is borrowed, and again a day and an hour before the end."""

import threading
from datetime import datetime, timedelta, timezone

from seatlease._service.clock import elapsed
from seatlease.cli.saying import in_words, say_now
from seatlease.seat import Seat

REMIND_BEFORE = (timedelta(days=1), timedelta(hours=1))
LOOK_AGAIN_SECONDS = 15.0


def told(until: datetime, left: timedelta) -> str:
    """Name the end of a borrowed seat in the zone of this machine, and how far away it is."""
    return f"borrowed until {until.astimezone():%A %Y-%m-%d %H:%M:%S} ({in_words(left)} left)"


def reminders_due(left: timedelta) -> int:
    """Count the reminders that were due before so little time is left."""
    return sum(left <= before for before in REMIND_BEFORE)


class Reminder:
    """Watches the seat of a running program, which may be borrowed only later, or for longer."""

    def __init__(self, seat: Seat) -> None:
        self._seat = seat
        self._told: tuple[datetime, int] | None = None

    def begin(self) -> None:
        """Watch, on a thread that ends with the process."""
        threading.Thread(target=self._watch, name="seatlease-reminder", daemon=True).start()

    def look(self) -> None:
        """Say what was not said yet."""
        lease, until = self._seat.lease, self._seat.borrowed_until
        if lease is None or until is None:
            return
        left = timedelta(seconds=lease.borrowed_until_elapsed - elapsed())
        news = (until.astimezone(timezone.utc).replace(microsecond=0), reminders_due(left))
        if news != self._told:
            self._told = news
            say_now(f"the seat is {told(until, left)}", style="yellow" if news[1] else None)

    def _watch(self) -> None:
        while True:
            self.look()
            threading.Event().wait(LOOK_AGAIN_SECONDS)

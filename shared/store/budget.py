"""How long a run of a scheduled function may take."""

import time
from datetime import timedelta


class Budget:
    """Time that runs from its making on. What was begun before it is spent is finished; nothing is begun after."""

    def __init__(self, run_within: timedelta) -> None:
        """Allow ``run_within`` from now."""
        self._ends = time.monotonic() + run_within.total_seconds()
        self.was_too_short = False
        """Whether something was not begun for want of time."""

    def allows_more(self) -> bool:
        """Whether something more may be begun. A no is remembered."""
        if time.monotonic() >= self._ends:
            self.was_too_short = True
        return not self.was_too_short

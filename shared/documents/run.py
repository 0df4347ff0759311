"""One run of a scheduled function over all organizations: the time that it has, and what came of it."""

import logging
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from shared.documents.paths import OrganizationPaths

logger = logging.getLogger(__name__)

MAX_ORGANIZATIONS = 16
"""Organizations worked on at a time. Their documents are apart, so they do not disturb each other."""


class Run:
    """Time that runs from its making on. What was begun before it is spent is finished; nothing is begun after."""

    def __init__(self, within: timedelta) -> None:
        """Allow ``within`` from now."""
        self._ends = time.monotonic() + within.total_seconds()
        self.is_complete = True
        """Whether nothing was left out for want of time."""
        self.ended: Counter[str] = Counter()
        """Sessions ended, by organization."""
        self.failed: set[str] = set()
        """Organizations with something that could not be done."""

    def may_begin(self) -> bool:
        """Whether something more may be begun. A no is remembered."""
        if time.monotonic() >= self._ends:
            self.is_complete = False
        return self.is_complete

    @contextmanager
    def apart(self, paths: OrganizationPaths) -> Iterator[None]:
        """Note and log what goes wrong in one organization: whatever its documents provoke, others must not feel it."""
        try:
            yield
        except Exception:
            self.failed.add(paths.organization_id)
            logger.exception("the run goes on without it", extra={"organization_id": paths.organization_id})

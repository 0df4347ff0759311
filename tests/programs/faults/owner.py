"""An owner who takes seats from their users, borrowed ones too, and keeps some of the users out for a while."""

import time
from asyncio import sleep
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tests.programs.faults.asking import Asking

_KEPT_OUT_SECONDS = (2, 8)
_PAUSE_SECONDS = (1.5, 4)
_TRIES_AGAIN_AFTER_SECONDS = 0.3


@dataclass(frozen=True, kw_only=True, slots=True)
class Owner:
    """The owner of an organization until ``until``, by the monotonic clock."""

    asking: Asking
    until: float

    async def work(self) -> None:
        """Look who holds seats, end one session, and pause."""
        chance = self.asking.chance
        while time.monotonic() < self.until:
            usage = await self.asking.usage()
            if not usage.is_success:
                await sleep(_TRIES_AGAIN_AFTER_SECONDS)
                continue
            if held := [*_sessions(usage.body)]:
                borrowed = [each for each in held if each["borrowed_until"] is not None]
                session = chance.choice(borrowed if borrowed and chance.random() < 0.5 else held)
                lasts = timedelta(seconds=chance.uniform(*_KEPT_OUT_SECONDS)) if chance.random() < 0.5 else None
                await self.asking.release(session["session_id"], keep_out_for=lasts)
            await sleep(chance.uniform(*_PAUSE_SECONDS))


def _sessions(usage: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for license_ in usage["licenses"]:
        yield from license_["sessions"]

"""The version of a usage report: what it was made of, and when.

::

    version              the counters or an edit         version
    |- stands for 85 s -|- does not stand any more ->    |- stands ...

A program that asks every few seconds names the version that it has. While that stands, it needs no other answer. What
changes neither the counters nor what was asked is seen that much later: heartbeats, the line, edits of a license.
"""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta

STANDS_FOR = timedelta(seconds=85)
"""A page that asks every 15 s, a little sooner or later, gets every sixth answer whole even if nothing changes.

It is counted from the report, not by the clock's minutes. So not all pages get theirs at the same time.
"""

_VERSION = re.compile(r"([a-z2-7]+)\.([0-9]{1,12})")


def version_of(state: str, *, now: datetime) -> str:
    """Name the version of a report that is made now of this state."""
    return f"{state}.{int(now.timestamp())}"


def standing(versions: Iterable[str], state: str, *, now: datetime) -> str | None:
    """Find the version that is of this state and still stands; ``None`` if there is none."""
    return next((each for each in versions if _stands(each, state, now=now)), None)


def _stands(version: str, state: str, *, now: datetime) -> bool:
    known = _VERSION.fullmatch(version)
    if known is None or known[1] != state:
        return False
    return 0 <= now.timestamp() - int(known[2]) < STANDS_FOR.total_seconds()

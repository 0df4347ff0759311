"""Copies of the product with one mistake each. A run against a copy must fail, or a run proves nothing."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from infra.build.stage import ROOT


@dataclass(frozen=True, kw_only=True, slots=True)
class Mistake:
    """A line that somebody might have written otherwise."""

    module: str
    right: str
    wrong: str


MISTAKES = {
    "off by one": Mistake(
        module="shared/rules/pools.py",
        right="if in_use >= cap + license_.overdraft_seats:",
        wrong="if in_use > cap + license_.overdraft_seats:",
    ),
    "pool off by one": Mistake(
        module="shared/rules/pools.py",
        right="if use.in_pool(license_.license_id, group) < reservations.get(group, 0):",
        wrong="if use.in_pool(license_.license_id, group) <= reservations.get(group, 0):",
    ),
    "no precondition": Mistake(
        module="shared/firestore/writes.py",
        right="wire.current_document.exists = False",
        wrong="pass",
    ),
    "end not told": Mistake(
        module="shared/seats/endings.py",
        right="writes.append(audit_event_write(event, paths, retention))",
        wrong="pass",
    ),
    "lapsed seats told": Mistake(
        module="shared/seats/usage.py",
        right="queries.live_sessions(license_id, now=at.now), at=at)",
        wrong="queries.open_sessions(license_id), at=at)",
    ),
    "too many borrowed": Mistake(
        module="shared/rules/borrowing.py",
        right="if len(away) < most:",
        wrong="if len(away) <= most:",
    ),
    "borrow cut short": Mistake(
        module="shared/rules/session.py",
        right="return ends_at if borrowed_until is None else max(ends_at, borrowed_until)",
        wrong="return ends_at",
    ),
    "nobody kept out": Mistake(
        module="shared/rules/refusal.py",
        right="if kept_out_until is not None and now < kept_out_until:",
        wrong="if False:",
    ),
    "places before not counted": Mistake(
        module="shared/rules/acquire.py",
        right="for place in line.places:",
        wrong="for place in line.places[:0]:",
    ),
}


class MistakeError(Exception):
    """The line is not there any more: write the mistake anew."""


def doctored(name: str, into: Path) -> Path:
    """Copy what is staged, with the mistake, and give the root of the copy.

    Raises:
        MistakeError: there is nothing to do wrong.
    """
    mistake = MISTAKES[name]
    for folder in ("functions", "shared"):
        shutil.copytree(ROOT / folder, into / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("requirements.txt", "requirements.lock"):
        shutil.copy2(ROOT / file, into)
    module = into / mistake.module
    text = module.read_text()
    if text.count(mistake.right) != 1:
        raise MistakeError(mistake.right)
    module.write_text(text.replace(mistake.right, mistake.wrong))
    return into

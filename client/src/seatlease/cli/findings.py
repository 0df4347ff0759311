from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One result of the doctor. ``advice`` says what to do; every problem has one."""

    name: str
    status: Literal["ok", "problem"]
    says: str
    advice: str = ""


def fine(name: str, says: str) -> Finding:
    return Finding(name=name, status="ok", says=says)


def problem(name: str, says: str, advice: str) -> Finding:
    return Finding(name=name, status="problem", says=says, advice=advice)

"""Findings: what the doctor looked at, and how it is."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at. ``advice`` is what to do; a problem has one."""

    name: str
    status: Literal["ok", "problem"]
    says: str
    advice: str = ""


def fine(name: str, says: str) -> Finding:
    """Nothing to be done."""
    return Finding(name=name, status="ok", says=says)


def problem(name: str, says: str, advice: str) -> Finding:
    """Something to be done."""
    return Finding(name=name, status="problem", says=says, advice=advice)

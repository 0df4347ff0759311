"""Patterns of what no server may log: secrets and personal data."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

CONFIDENTIAL: Mapping[str, re.Pattern[str]] = {
    "a token": re.compile(r"\beyJ[A-Za-z0-9_-]{8,}"),
    "an Authorization header": re.compile(r"\b(?:bearer|basic) +[A-Za-z0-9._~+/-]{8,}", re.IGNORECASE),
    # Those that the tests make up, those that the local stack begins with, and those that review_admin_edit makes.
    "a license key": re.compile(
        r"\bKEY-[0-9a-f]{10}\b|\bACME-DESIGN-STUDIO\b|\bNORTHWIND-CAD\b|\b[0-9A-HJKMNP-TV-Z]{5}(?:-[0-9A-HJKMNP-TV-Z]{5}){4}\b"
    ),
    "a private key": re.compile(r"\bd\W{1,4}:\W{1,4}[A-Za-z0-9_-]{43}\b|PRIVATE KEY"),
    "an e-mail address": re.compile(r"[\w.+-]+(?:@|%40)[\w-]+\.\w+"),
    # A device is somebody's. These are what the tests' clients call theirs, and where their proxies say that they are.
    "a hardware id": re.compile(r"\b(?:laptop|my-laptop|workshop-pc)\b"),
    "a client's address": re.compile(r"\b(?:6\.6\.6\.6|203\.0\.113\.\d+|198\.51\.100\.\d+|2001:db8:[0-9a-f:]*)"),
}


@dataclass(frozen=True, kw_only=True)
class Leak:
    """A line that says what it may not. What it says is not repeated here."""

    log: Path
    line: int
    kind: str

    def __str__(self) -> str:
        return f"{self.log}, line {self.line}: {self.kind}"


def leaks_in(line: str) -> list[str]:
    """The kinds of what a line may not say."""
    return [kind for kind, pattern in CONFIDENTIAL.items() if pattern.search(line)]


def leaks_below(folder: Path, *, servers: Collection[str]) -> Iterator[Leak]:
    """Look through every line that these servers printed into logs of their names, at any depth."""
    for log in sorted(folder.rglob("*.log")):
        if log.stem in servers:
            for number, line in enumerate(log.read_text(errors="replace").splitlines(), start=1):
                yield from (Leak(log=log, line=number, kind=kind) for kind in leaks_in(line))

"""Print the judge's report as tables or as JSON."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from infra.judge.history import History
from infra.judge.judge import judge, whole_part
from infra.judge.reading import documents_read
from infra.judge.reconstruction import tenures_of
from infra.judge.tenure import is_open
from infra.judge.violation import Violation
from shared.rules.audit import ERASED, AuditType


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """The report on one organization: how much was judged, and what is wrong."""

    history: History
    counts: dict[str, int]
    violations: Sequence[Violation]


def judged(history: History) -> Judged:
    """Judge a history, and count what was judged."""
    types = Counter(event.type for event in history.events)
    grants = [event for event in history.events if event.type == AuditType.ACQUIRED]
    sessions = history.present.sessions if history.present else ()
    counts = {
        "documents read": documents_read(history),
        "audit events": len(history.events),
        "audit events judged": len(whole_part(history).events),
        "commits of these events": len({event.committed_at or event.at for event in history.events}),
        "grants": len(grants),
        "reserved seats granted": sum(isinstance(event.details.get("pool"), str) for event in grants),
        "overdraft seats granted": sum(event.details.get("is_overdraft") is True for event in grants),
        "tenures": len(tenures_of(history)),
        "borrows": types[AuditType.BORROWED],
        "users kept out": sum(event.details.get("kept_out_until") is not None for event in history.events),
        "places in the line": types[AuditType.QUEUED],
        "denials": types[AuditType.DENIED],
        "counter repairs": types[AuditType.USAGE_REPAIRED],
        "reports of the end of a contract": types[AuditType.LICENSE_EXPIRING],
        "events of erased users": sum(ERASED in {event.user_id, event.actor} for event in history.events),
        "open sessions": sum(map(is_open, sessions)),
    }
    return Judged(history=history, counts=counts, violations=judge(history))


def as_json(found: Sequence[Judged], *, project: str) -> str:
    organizations = [
        {
            "organization_id": each.history.organization_id,
            "counts": each.counts,
            "violations": [
                {
                    "kind": violation.kind.value,
                    "is_certain": violation.is_certain,
                    "at": None if violation.at is None else violation.at.isoformat(),
                    "message": violation.message,
                    "event_ids": [event.event_id for event in violation.events],
                }
                for violation in each.violations
            ],
        }
        for each in found
    ]
    is_kept = not any(each.violations for each in found)
    return json.dumps({"project": project, "ok": is_kept, "organizations": organizations}, indent=2)


def tell(found: Judged, console: Console) -> None:
    """Print a table of the counts, and a table of the violations."""
    history = found.history
    table = Table(title=escape(history.organization_id), title_justify="left", show_header=False)
    table.add_column("what")
    table.add_column("how many", justify="right")
    for name, number in found.counts.items():
        table.add_row(name, str(number))
    table.add_row("read as of", "" if history.present is None else history.present.read_at.isoformat())
    table.add_row("since", "the beginning" if history.begins_at is None else history.begins_at.isoformat())
    console.print(table)
    if found.violations:
        wrong = Table(title="broken promises", title_justify="left")
        for heading in ("what", "when", "found", "audit events"):
            wrong.add_column(heading, overflow="fold")
        for each in found.violations:
            doubt = "" if each.is_certain else "\nunless an admin did it"
            wrong.add_row(
                f"[red]{escape(each.kind)}[/]{doubt}",
                "" if each.at is None else each.at.isoformat(),
                escape(each.message),
                "\n".join(event.event_id for event in each.events),
            )
        console.print(wrong)
    elif history.events and not whole_part(history).events:
        console.print("[yellow]only the documents were judged: every event is from before the trail is complete[/]")
    else:
        console.print("[green]every promise was kept, as far as the trail and the documents can tell[/]")

"""The judge: every invariant, over one history."""

from infra.proof import cap
from infra.proof.history import History
from infra.proof.tenures import tenures_of
from infra.proof.violation import Violation


def judge(history: History) -> list[Violation]:
    """Decide what the history shows to be wrong; nothing, when every promise was kept as far as it can tell."""
    tenures = tenures_of(history)
    return [*cap.violations(history, tenures)]

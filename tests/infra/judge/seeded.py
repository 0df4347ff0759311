"""Faults sown into a true history: one for each kind of violation, as small as one can be."""

from collections.abc import Callable

from infra.judge.history import History
from infra.judge.violation import Kind
from tests.infra.judge import seeded_answers, seeded_trail

SEEDED: dict[Kind, Callable[[History], History]] = {
    Kind.LICENSE_CAP_EXCEEDED: seeded_trail.license_cap_exceeded,
    Kind.ORGANIZATION_CAP_EXCEEDED: seeded_trail.organization_cap_exceeded,
    Kind.CAP_NOT_IN_FORCE: seeded_trail.cap_not_in_force,
    Kind.GRANT_MISSING: seeded_trail.grant_missing,
    Kind.GRANT_TWICE: seeded_trail.grant_twice,
    Kind.GRANT_OUT_OF_ORDER: seeded_trail.grant_out_of_order,
    Kind.EVENT_TWICE: seeded_trail.event_twice,
    Kind.EVENT_MISNAMED: seeded_trail.event_misnamed,
    Kind.EVENT_UNREADABLE: seeded_trail.event_unreadable,
    Kind.START_TWICE: seeded_trail.start_twice,
    Kind.START_MISSING: seeded_trail.start_missing,
    Kind.END_TWICE: seeded_trail.end_twice,
    Kind.END_MISSING: seeded_trail.end_missing,
    Kind.END_MISTOLD: seeded_trail.end_mistold,
    Kind.TENURES_OVERLAP: seeded_trail.tenures_overlap,
    Kind.EXPIRED_EARLY: seeded_trail.expired_early,
    Kind.REFUSED_WHILE_FREE: seeded_trail.refused_while_free,
    Kind.SESSION_UNTOLD: seeded_trail.session_untold,
    Kind.SESSION_OPEN_AFTER_END: seeded_trail.session_open_after_end,
    Kind.SESSION_MISSING: seeded_trail.session_missing,
    Kind.COUNTERS_DISAGREE: seeded_trail.counters_disagree,
    Kind.COUNTERS_DRIFTED: seeded_trail.counters_drifted,
    Kind.REPAIR_MISTOLD: seeded_trail.repair_mistold,
    Kind.ACKNOWLEDGED_GRANT_LOST: seeded_answers.acknowledged_grant_lost,
    Kind.ACKNOWLEDGED_DENIAL_LOST: seeded_answers.acknowledged_denial_lost,
    Kind.ACKNOWLEDGED_RELEASE_LOST: seeded_answers.acknowledged_release_lost,
    Kind.ACKNOWLEDGED_LEASE_CUT: seeded_answers.acknowledged_lease_cut,
    Kind.ACKNOWLEDGED_ABOVE_CAP: seeded_answers.acknowledged_above_cap,
    Kind.INSTANCE_CUT_OFF: seeded_answers.instance_cut_off,
    Kind.ANSWERED_AFTER_END: seeded_answers.answered_after_end,
    Kind.HOLDER_REFUSED: seeded_answers.holder_refused,
    Kind.USAGE_MISTOLD: seeded_answers.usage_mistold,
    Kind.GRANT_UNASKED: seeded_answers.grant_unasked,
    Kind.UNPUBLISHED: seeded_answers.unpublished,
    Kind.PUBLISHED_UNCOMMITTED: seeded_answers.published_uncommitted,
    Kind.PUBLISHED_DIFFERENTLY: seeded_answers.published_differently,
}

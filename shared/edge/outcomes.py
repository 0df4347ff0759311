"""Outcomes of the operations, to answers. The type checker proves that every outcome has one."""

from starlette.responses import Response

from shared.edge.answers import (
    ActivityView,
    ExpiryAnswer,
    LicenseView,
    OrganizationView,
    SessionView,
    UsageAnswer,
    answer,
    nothing,
)
from shared.edge.refusals import refused
from shared.rules.license import License
from shared.rules.release import AlreadyEnded, Released, ReleaseOutcome
from shared.rules.usage import LicenseUsage, Usage, UsageOutcome
from shared.store.expire import ExpiryReport
from shared.store.groups import Answered


def answer_release(answered: Answered[ReleaseOutcome]) -> Response:
    """204 when the session is over, by this request or before it; else the refusal."""
    match answered.outcome:
        case Released() | AlreadyEnded():
            return nothing()
        case _ as refusal:
            raise refused(refusal, now=answered.now)


def answer_usage(answered: Answered[UsageOutcome]) -> Response:
    """200 with the report, else the refusal."""
    outcome = answered.outcome
    if not isinstance(outcome, Usage):
        raise refused(outcome, now=answered.now)
    organization = outcome.organization
    body = UsageAnswer(
        organization=OrganizationView(
            organization_id=organization.organization_id,
            name=organization.name,
            in_use=outcome.in_use,
            max=organization.max_concurrent_seats,
        ),
        licenses=[_license_view(each) for each in outcome.licenses],
        next_page_token=outcome.next_page,
        server_time=answered.now,
    )
    return answer(body)


def answer_expire(report: ExpiryReport) -> Response:
    """200 with what the run did, also when the time was too short for all of it. Numbers only: of no organization."""
    body = ExpiryAnswer(
        sessions_ended=report.sessions_ended,
        sessions_left=report.sessions_left,
        organizations=report.organizations,
        organizations_failed=report.organizations_failed,
        is_complete=report.is_complete,
        server_time=report.now,
    )
    return answer(body)


def _license_view(used: LicenseUsage) -> LicenseView:
    license_ = used.license
    cap = license_.max_concurrent_seats if isinstance(license_, License) else None
    lately = used.activity
    return LicenseView(
        license_id=used.license_id,
        name=license_.name if isinstance(license_, License) else None,
        in_use=used.in_use,
        max=cap,
        share=round(used.in_use / cap, 4) if cap else None,
        earliest_expiry_at=used.earliest_expiry_at,
        misconfigured_fields=[] if isinstance(license_, License) else list(license_.fields),
        last_24_hours=None if lately is None else ActivityView.model_validate(lately, from_attributes=True),
        sessions=[SessionView.model_validate(session, from_attributes=True) for session in used.sessions],
    )

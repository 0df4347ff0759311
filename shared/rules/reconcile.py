"""Reconcile: end a session that may no longer hold its seat although its client says nothing."""

from datetime import datetime

from shared.rules.expire import expire
from shared.rules.license import License
from shared.rules.organization import Organization
from shared.rules.refusal import Misconfigured, Unusable, refuse_caller, refuse_license
from shared.rules.revocation import revoked
from shared.rules.session import Session, is_open
from shared.rules.user import User


def reconcile(
    session: Session,
    *,
    organization: Organization | Unusable | None,
    user: User | Unusable | None,
    license_: License | Unusable | None,
    now: datetime,
) -> Session | None:
    """End the session if its lease has run out or the right to it is gone; ``None`` when it goes on.

    It asks what a heartbeat asks, so whoever is ended here would have been at the next heartbeat. A misconfigured
    document ends nothing.
    """
    if not is_open(session):
        return None
    if (expired := expire(session, now=now)) is not None:
        return expired
    refusal = refuse_caller(organization=organization, user=user) or refuse_license(license_, now=now)
    if refusal is None or isinstance(refusal, Misconfigured):
        return None
    return revoked(session, because=refusal, now=now)

"""Makes the connection and the policy on first use: after the server has forked, inside its event loop.

Each operation makes its own part in its ``main.py``, so that no function imports what it does not use.
"""

from functools import cache

from shared.documents.policy import Policy
from shared.documents.writing import Retention
from shared.edge.settings import settings
from shared.firestore.client import Firestore


@cache
def firestore() -> Firestore:
    env = settings()
    return Firestore(
        project=env.project,
        database=env.database,
        emulator_host=env.firestore_emulator_host,
        answer_within=env.store_timeout,
    )


@cache
def policy() -> Policy:
    env = settings()
    return Policy(
        default_lease_for=env.default_lease_for,
        default_grace_for=env.default_grace_for,
        answer_within=env.answer_within,
        retention=Retention(sessions_for=env.keep_sessions_for, audit_events_for=env.keep_audit_events_for),
    )

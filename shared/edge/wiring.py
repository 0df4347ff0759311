"""Makes the connection and the policy on first use: after the server has forked, inside its event loop.

Each operation makes its own part in its ``main.py``, so that no function imports what it does not use.
"""

from datetime import timedelta
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
        host=env.firestore_host,
        emulator_host=env.firestore_emulator_host,
        answer_within=timedelta(seconds=env.store_timeout_seconds),
    )


@cache
def policy() -> Policy:
    env = settings()
    return Policy(
        default_lease_for=timedelta(seconds=env.default_lease_seconds),
        default_grace_for=timedelta(seconds=env.default_grace_seconds),
        answer_within=timedelta(seconds=env.answer_within_seconds),
        retention=Retention(
            sessions_for=timedelta(days=env.keep_sessions_days),
            audit_events_for=timedelta(days=env.keep_audit_events_days),
        ),
    )

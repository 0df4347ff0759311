"""The parts of one function instance, made on first use: after the server has forked, inside its event loop."""

from functools import cache

from shared.edge.settings import settings
from shared.store.acquire import Acquires
from shared.store.encoding import Retention
from shared.store.expire import Expiries
from shared.store.firestore import Firestore
from shared.store.heartbeat import Heartbeats
from shared.store.policy import Policy
from shared.store.release import Releases
from shared.store.review import Reviews
from shared.store.usage import Usages


@cache
def acquires() -> Acquires:
    """The one that takes seats."""
    return Acquires(firestore(), policy())


@cache
def heartbeats() -> Heartbeats:
    """The one that keeps them."""
    return Heartbeats(firestore(), policy())


@cache
def releases() -> Releases:
    """The one that takes them back."""
    return Releases(firestore(), policy())


@cache
def usages() -> Usages:
    """The one that says who holds them."""
    return Usages(firestore(), policy())


@cache
def expiries() -> Expiries:
    """The one that ends what has lapsed."""
    return Expiries(firestore(), policy(), run_within=settings().run_within)


@cache
def reviews() -> Reviews:
    """The one that looks at what admins edit."""
    return Reviews(firestore(), policy())


@cache
def firestore() -> Firestore:
    """The connection to the database."""
    env = settings()
    return Firestore(
        project=env.project,
        database=env.database,
        emulator_host=env.firestore_emulator_host,
        answer_within=env.store_timeout,
    )


@cache
def policy() -> Policy:
    """What the operations need to know of the settings."""
    env = settings()
    return Policy(
        default_lease_for=env.default_lease_for,
        default_grace_for=env.default_grace_for,
        answer_within=env.answer_within,
        retention=Retention(sessions_for=env.keep_sessions_for, audit_events_for=env.keep_audit_events_for),
    )

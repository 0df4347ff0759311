"""The part that needs Firebase Authentication, apart from the others: only one function may touch accounts."""

from functools import cache

from shared.admin.user_claims import UserClaims
from shared.edge.accounts import FirebaseAccounts
from shared.edge.settings import SettingsError, settings
from shared.edge.wiring import firestore, policy


@cache
def user_claims() -> UserClaims:
    """The one that keeps users' claims.

    Raises:
        SettingsError: documents of an emulator would decide about real accounts, or the other way round.
    """
    env = settings()
    if bool(env.firestore_emulator_host) != bool(env.auth_emulator_host):
        message = "FIRESTORE_EMULATOR_HOST and FIREBASE_AUTH_EMULATOR_HOST go together where claims are kept"
        raise SettingsError(message)
    return UserClaims(firestore(), policy(), FirebaseAccounts(project=env.project))

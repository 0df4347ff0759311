"""Called when a user's document is written: make the claims of the user's tokens say what it says."""

from functools import cache

from shared.admin.accounts import Accounts
from shared.admin.user_claims import UserClaims
from shared.edge.document_events import document_function
from shared.edge.settings import SettingsError, settings
from shared.edge.wiring import firestore, policy


@cache
def user_claims() -> UserClaims:
    env = settings()
    if bool(env.firestore_emulator_host) != bool(env.auth_emulator_host):
        message = "FIRESTORE_EMULATOR_HOST and FIREBASE_AUTH_EMULATOR_HOST go together where claims are kept"
        raise SettingsError(message)
    return UserClaims(firestore(), policy(), Accounts(project=env.project))


@document_function
async def sync_user_claims(path: str) -> None:
    """Keep the claims of the user at this path. A failure makes the platform deliver the event again."""
    await user_claims().sync(path)

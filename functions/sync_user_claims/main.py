"""Sets the claims of a user's tokens as the user's document says. It is called when the document is written."""

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
        message = "sync_user_claims needs both FIRESTORE_EMULATOR_HOST and FIREBASE_AUTH_EMULATOR_HOST, or none of them"
        raise SettingsError(message)
    return UserClaims(firestore(), policy(), Accounts(project=env.project))


@document_function
async def sync_user_claims(path: str) -> None:
    """Set the claims of the user at this path. After an error the platform delivers the event again."""
    await user_claims().sync(path)

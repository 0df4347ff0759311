"""Sign-in with an e-mail address and a password, at Firebase."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from seatlease._service.firebase import SIGN_IN, ask
from seatlease._service.first_answer import first_answer
from seatlease._service.given import stripped
from seatlease._service.refresh_token import RefreshToken
from seatlease.errors import ServiceUnreachable, SignInRequired


@dataclass(frozen=True, kw_only=True)
class SignedIn:
    """The signed-in user and the refresh token, which is as good as the password. The repr hides it."""

    user_id: str
    email: str
    refresh_token: str = field(repr=False)

    def credentials(self, *, api_key: str, on_rotated: Callable[[str], object] | None = None) -> RefreshToken:
        return RefreshToken(self.refresh_token, api_key=api_key, on_rotated=on_rotated)


async def sign_in(email: str, password: str, *, api_key: str, service_url: str | None = None) -> SignedIn:
    """Sign in, for the service of this address. The password goes to Firebase and is not kept.

    Raises:
        SignInRequired: the address or the password is wrong, the account is disabled, there were too many attempts, or
            the account wants a second factor.
        RequestRefused: Firebase does not accept the API key, or the project has no sign-in with a password.
        ServiceUnreachable: Firebase did not answer.
    """
    asked = {"email": stripped(email), "password": password, "returnSecureToken": True}
    answer = await first_answer(partial(ask, SIGN_IN, api_key=stripped(api_key), service_url=service_url, body=asked))
    if "mfaPendingCredential" in answer:
        message = "This account requires a second factor, which this program does not support."
        raise SignInRequired(message, code="SECOND_FACTOR")
    user_id, address, refresh_token = (answer.get(each) for each in ("localId", "email", "refreshToken"))
    if not (isinstance(user_id, str) and isinstance(address, str) and isinstance(refresh_token, str) and refresh_token):
        message = "The sign-in service's answer is incomplete. Try again later."
        raise ServiceUnreachable(message)
    return SignedIn(user_id=user_id, email=address, refresh_token=refresh_token)

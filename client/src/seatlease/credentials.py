"""Credentials: where the ID token of a request comes from."""

from typing import Protocol


class Credentials(Protocol):
    """Gives ID tokens. Called on the client's own background thread, for every request."""

    async def id_token(self, *, refresh: bool = False) -> str:
        """Give an ID token that is valid for some minutes yet.

        ``refresh`` asks for another one than the last, which the service called expired or invalid.

        Raises:
            SignInRequired: there is none to be had without the user.
            ServiceUnreachable: it cannot be had at the moment.
        """
        ...

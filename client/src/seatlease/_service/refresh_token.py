"""A Firebase refresh token: the result of a sign-in, exchanged for ID tokens that last an hour."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from seatlease._service.address import is_encrypted
from seatlease._service.clock import elapsed
from seatlease._service.firebase import SECURE_TOKEN, ask
from seatlease._service.given import stripped
from seatlease.errors import ServiceUnreachable

_logger = logging.getLogger("seatlease")
_SPARE_SECONDS = 300.0
_LONGEST_SECONDS = 3600.0
"""No ID token of Firebase lasts longer."""


@dataclass(frozen=True, kw_only=True)
class _IdToken:
    text: str = field(repr=False)
    use_until: float
    """A reading of ``seatlease._service.clock.elapsed``."""


class RefreshToken:
    """Credentials from a refresh token. An ID token is used until some minutes before its expiry.

    ``api_key`` is the Web API key of the Firebase project. It names the project and is no secret. If Firebase answers
    with a new refresh token, that one is used from then on, and ``on_rotated`` is called with it on another thread.
    An error of ``on_rotated`` is logged, and the user stays signed in.
    """

    def __init__(self, refresh_token: str, *, api_key: str, on_rotated: Callable[[str], object] | None = None) -> None:
        self._refresh_token = stripped(refresh_token)
        self._api_key = stripped(api_key)
        self._on_rotated = on_rotated
        self._service_url: str | None = None
        self._kept: _IdToken | None = None
        self._exchanges = 0
        self._turn: tuple[asyncio.AbstractEventLoop, asyncio.Lock] | None = None

    def __repr__(self) -> str:
        return "RefreshToken(...)"

    def serve(self, service_url: str) -> None:
        """Note a service that the ID tokens are for. ``Seat`` does so. For one at ``https://`` no emulator is asked."""
        if self._service_url is None or is_encrypted(service_url):
            self._service_url = service_url

    async def id_token(self, *, refresh: bool = False) -> str:
        """Give an ID token. Several callers at once share one exchange.

        Raises:
            SignInRequired: the refresh token is no longer valid, or its account is disabled or gone.
            RequestRefused: Firebase does not accept the API key.
            ServiceUnreachable: Firebase did not answer.
        """
        before = self._exchanges
        async with self._one_at_a_time():
            kept = self._kept
            # Who asks for another one is served by an exchange that came while it waited for its turn.
            is_new_enough = not refresh or self._exchanges != before
            if kept is None or not is_new_enough or elapsed() >= kept.use_until:
                kept = self._kept = await self._exchange()
        return kept.text

    def _one_at_a_time(self) -> asyncio.Lock:
        # A lock belongs to one loop; after a fork there is another loop, and nobody left to let go of the old lock.
        loop = asyncio.get_running_loop()
        if self._turn is None or self._turn[0] is not loop:
            self._turn = (loop, asyncio.Lock())
        return self._turn[1]

    async def _exchange(self) -> _IdToken:
        asked_at = elapsed()
        form = {"grant_type": "refresh_token", "refresh_token": self._refresh_token}
        answer = await ask(SECURE_TOKEN, api_key=self._api_key, service_url=self._service_url, form=form)
        id_token, rotated, seconds = (answer.get(each) for each in ("id_token", "refresh_token", "expires_in"))
        if not (isinstance(id_token, str) and id_token and isinstance(rotated, str) and rotated):
            message = "The sign-in service's answer is incomplete. Try again later."
            raise ServiceUnreachable(message)
        lasts = _seconds(seconds)
        self._exchanges += 1
        if rotated != self._refresh_token:
            self._refresh_token = rotated
            await self._tell(rotated)
        # Counted from before the question: no way back is long enough to make it look valid for longer than it is.
        return _IdToken(text=id_token, use_until=asked_at + lasts - min(_SPARE_SECONDS, lasts / 2))

    async def _tell(self, rotated: str) -> None:
        if self._on_rotated is None:
            return
        try:
            await asyncio.get_running_loop().run_in_executor(None, self._on_rotated, rotated)
        except Exception as error:  # noqa: BLE001 it is the program's function; what it raised may hold the token
            _logger.warning("on_rotated failed (%s): a new refresh token was not saved", type(error).__name__)


def _seconds(told: object) -> float:
    """Read how long an ID token lasts, from a text. An unreadable text means 0, and the token is used once."""
    try:
        return min(_LONGEST_SECONDS, max(0.0, float(str(told))))
    except ValueError:
        return 0.0

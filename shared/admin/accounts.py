"""Accounts of Firebase Authentication, read and changed through firebase-admin."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import firebase_admin
from firebase_admin import auth

ANSWER_WITHIN_SECONDS = 5
"""The timeout of one request."""

_MAX_UID_LENGTH = 128


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """An account that can sign in. ``claims`` are all its custom claims: ours, and those that other software set.

    An ``email`` that is not verified may be another person's: anybody can sign up with it.
    """

    user_id: str
    email: str | None
    verified_email: str | None
    claims: Mapping[str, Any]


class Accounts:
    """The accounts of one project, reached with the platform's credentials or at the emulator in the environment.

    It connects on first use. Each call is one request, safe to repeat. A call that fails raises the library's error.
    """

    def __init__(self, *, project: str) -> None:
        options = {"projectId": project, "httpTimeout": ANSWER_WITHIN_SECONDS}
        self._app = firebase_admin.initialize_app(options=options, name=f"accounts-{project}")

    async def find(self, user_id: str) -> Account | None:
        # The library raises ValueError for a text that cannot be a uid. No account has such a uid.
        if not 0 < len(user_id) <= _MAX_UID_LENGTH:
            return None
        return await self._found(auth.get_user, user_id)

    async def find_by_email(self, email: str) -> Account | None:
        """Find an account by its e-mail address, verified or not."""
        name, at, domain = email.partition("@")
        if not (name and at and domain) or "@" in domain:
            return None
        return await self._found(auth.get_user_by_email, email)

    async def set_claims(self, user_id: str, claims: Mapping[str, Any]) -> None:
        """Replace all custom claims of an account. Tokens issued from now on carry them."""
        await asyncio.to_thread(auth.set_custom_user_claims, user_id, dict(claims), app=self._app)

    async def end_sign_ins(self, user_id: str) -> None:
        """Revoke the refresh tokens of an account. Its user must sign in again to get a new ID token."""
        await asyncio.to_thread(auth.revoke_refresh_tokens, user_id, app=self._app)

    async def _found(self, find: Callable[..., Any], by: str) -> Account | None:
        try:
            record = await asyncio.to_thread(find, by, app=self._app)
        except auth.UserNotFoundError:
            return None
        return Account(
            user_id=record.uid,
            email=record.email,
            verified_email=record.email if record.email_verified else None,
            claims=record.custom_claims or {},
        )

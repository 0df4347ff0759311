"""Accounts of Firebase Authentication, by way of firebase-admin."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import firebase_admin
from firebase_admin import auth

ANSWER_WITHIN_SECONDS = 5
"""How long one request may take."""

_MAX_UID_LENGTH = 128


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """A person who can sign in. ``claims`` are all the custom claims of their tokens, ours and others'."""

    user_id: str
    email: str | None
    claims: Mapping[str, Any]


class Accounts:
    """The accounts of one project, with the platform's credentials or at the emulator that the environment names.

    Each call is one request, safe to repeat. It raises the library's error when it fails.
    """

    def __init__(self, *, project: str) -> None:
        """Connect on first use."""
        options = {"projectId": project, "httpTimeout": ANSWER_WITHIN_SECONDS}
        self._app = firebase_admin.initialize_app(options=options, name=f"accounts-{project}")

    async def find(self, user_id: str) -> Account | None:
        # What cannot be a uid belongs to nobody, and the library would take it for a fault of ours.
        if not 0 < len(user_id) <= _MAX_UID_LENGTH:
            return None
        return await self._found(auth.get_user, user_id)

    async def find_by_email(self, email: str) -> Account | None:
        """Find an account by its e-mail address, if that is verified: anybody may sign up with anybody's."""
        name, at, domain = email.partition("@")
        if not (name and at and domain) or "@" in domain:
            return None
        return await self._found(auth.get_user_by_email, email, is_verified=True)

    async def set_claims(self, user_id: str, claims: Mapping[str, Any]) -> None:
        """Replace all custom claims of an account: tokens from now on have them."""
        await asyncio.to_thread(auth.set_custom_user_claims, user_id, dict(claims), app=self._app)

    async def end_sign_ins(self, user_id: str) -> None:
        """Revoke the refresh tokens of an account: no new ID token without signing in again."""
        await asyncio.to_thread(auth.revoke_refresh_tokens, user_id, app=self._app)

    async def _found(self, find: Callable[..., Any], by: str, *, is_verified: bool = False) -> Account | None:
        try:
            record = await asyncio.to_thread(find, by, app=self._app)
        except auth.UserNotFoundError:
            return None
        if is_verified and not record.email_verified:
            return None
        return Account(user_id=record.uid, email=record.email, claims=record.custom_claims or {})

"""Custom tokens of Firebase Authentication, made through firebase-admin. One lets a device sign in as its user."""

import asyncio
from collections.abc import Mapping

import firebase_admin
from firebase_admin import auth

ANSWER_WITHIN_SECONDS = 5
"""The timeout of the request that signs a token."""


class CustomTokens:
    """Makes the custom tokens of one project.

    The function's own service account signs them: the platform's credentials have no key, so IAM Credentials does it
    (``signBlob``). Where an Auth emulator is named they are unsigned.
    """

    def __init__(self, *, project: str) -> None:
        options = {"projectId": project, "httpTimeout": ANSWER_WITHIN_SECONDS}
        self._app = firebase_admin.initialize_app(options=options, name=f"custom-tokens-{project}")

    async def make(self, user_id: str, claims: Mapping[str, str | int]) -> str:
        """Make a token for this account, with claims for the ID tokens of its sign-in. It lasts an hour.

        Raises:
            Exception: any error of the library, such as a missing right to sign.
        """
        token = await asyncio.to_thread(auth.create_custom_token, user_id, dict(claims), app=self._app)
        return bytes(token).decode()

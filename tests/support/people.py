"""The users of a test: accounts of the Firebase Auth emulator, and the claims of their tokens."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import firebase_admin
import httpx
import pytest
from firebase_admin import auth

from infra.local.loopback import NO_TLS

_OWNER = {"Authorization": "Bearer owner"}
AUTH_PROJECT = "demo-accounts"
"""The Auth emulator's own: programs name their project by its API key, and it takes any key for this one's."""

_PASSWORD = "correct horse battery staple"


@dataclass(frozen=True, kw_only=True)
class People:
    """The accounts of a project, as an admin sees them in the Firebase console."""

    app: firebase_admin.App
    url: str

    def sign_up(self, *, uid: str | None = None, email: str | None = None, is_verified: bool = True) -> str:
        """Make an account, and give its uid."""
        uid = uid or f"u{uuid4().hex[:20]}"
        address = email or f"{uid}@example.com"
        auth.create_user(uid=uid, email=address, email_verified=is_verified, password=_PASSWORD, app=self.app)
        return uid

    def verify(self, uid: str) -> None:
        """Let the user verify the e-mail address."""
        auth.update_user(uid, email_verified=True, app=self.app)

    def claims(self, uid: str) -> dict[str, Any]:
        return dict(auth.get_user(uid, app=self.app).custom_claims or {})

    def signs_in(self, uid: str) -> str:
        """Sign in with the password, as a program does, and give the ID token."""
        email = auth.get_user(uid, app=self.app).email
        asked = {
            "email": email,
            "password": _PASSWORD,
            "returnSecureToken": True,
            # A program names its project by its API key; the emulator has one key for all.
            "targetProjectId": self.app.project_id,
        }
        url = f"{self.url}/identitytoolkit.googleapis.com/v1/accounts:signInWithPassword"
        answer = httpx.post(url, headers=_OWNER, json=asked, verify=NO_TLS).raise_for_status().json()
        # The emulator notes the time of a revocation in whole seconds, and one in this second would be none.
        signed_in = int(time.time())
        while int(time.time()) == signed_in:
            time.sleep(0.02)
        return str(answer["idToken"])

    def are_revoked(self, id_token: str) -> bool:
        """Whether the sign-in that this token comes from was revoked."""
        try:
            auth.verify_id_token(id_token, app=self.app, check_revoked=True)
        except auth.RevokedIdTokenError:
            return True
        return False


@contextmanager
def people_of(project: str, auth_host: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[People]:
    """The accounts of a project at the emulator. The library finds the emulator in the environment only."""
    monkeypatch.setenv("FIREBASE_AUTH_EMULATOR_HOST", auth_host)
    app = firebase_admin.initialize_app(options={"projectId": project}, name=f"people-{project}-{uuid4().hex[:6]}")
    try:
        yield People(app=app, url=f"http://{auth_host}")
    finally:
        firebase_admin.delete_app(app)

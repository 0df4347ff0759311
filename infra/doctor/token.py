"""The canary's ID token: given by a person, or made with the help of a service account without roles.

A person pastes a token (``SEATLEASE_CANARY_TOKEN``). A build makes one as Firebase documents it for servers:

1. The account ``seatlease-canary`` signs a custom token that names the user.
2. Firebase Authentication exchanges it for an ID token with the user's claims.

No secret is stored. The account signs through the IAM API, so the caller needs the role
``iam.serviceAccountTokenCreator`` on that account. The Web API key names the project.
"""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import firebase_admin
import httpx
from firebase_admin import auth, credentials

from infra.doctor.project import ANSWER_WITHIN_SECONDS, PUBLIC, Project


class TokenError(Exception):
    """No token could be made. The message says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SignIn:
    """What a sign-in needs: the canary's Firebase user id, and the project's Web API key.

    ``key`` is a service account key that signs on this machine. Without it the IAM API signs.
    """

    user_id: str
    api_key: str
    key: Any = None


def id_token(project: Project, sign_in: SignIn) -> str:
    """Sign a user in and return the ID token, which is valid for one hour.

    Raises:
        TokenError: the account may not sign, or Firebase refused the sign-in.
        DefaultCredentialsError: this machine has no credentials.
    """
    custom = _custom_token(project, sign_in)
    address = project.endpoints.get("identity", PUBLIC["identity"])
    answer = httpx.post(
        f"{address}/v1/accounts:signInWithCustomToken",
        params={"key": sign_in.api_key},
        json={"token": custom, "returnSecureToken": True},
        timeout=ANSWER_WITHIN_SECONDS,
    )
    if answer.status_code != HTTPStatus.OK:
        message = f"Firebase refused to sign in the user {sign_in.user_id}: {_told_by(answer)}"
        raise TokenError(message)
    return str(answer.json()["idToken"])


def _custom_token(project: Project, sign_in: SignIn) -> str:
    credential = credentials.Certificate(sign_in.key) if sign_in.key else credentials.ApplicationDefault()
    options = {"projectId": project.project, "serviceAccountId": project.canary_account}
    app = firebase_admin.initialize_app(credential, options, name=f"canary-{uuid4().hex}")
    try:
        signed: bytes = auth.create_custom_token(sign_in.user_id, app=app)
    except (auth.TokenSignError, ValueError) as error:
        message = f"the service account {project.canary_account} could not sign a token: {error}"
        raise TokenError(message) from error
    finally:
        firebase_admin.delete_app(app)
    return signed.decode()


def _told_by(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return str(answer.status_code)

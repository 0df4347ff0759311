"""The canary's ID token: given by a person, or made for one by a service account that may.

A person pastes one (``SEATLEASE_CANARY_TOKEN``). A build has none to paste, so it asks for one the way that Firebase
documents for servers: a service account signs a custom token that names the user, and Firebase Authentication gives
an ID token for it, with the claims that the user has. No secret is stored: the account signs through the IAM API,
for which the caller needs the role ``iam.serviceAccountTokenCreator`` on it; the Web API key names the project.
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
    """No token is to be had. The message says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Signer:
    """Who signs in whom: a service account (its e-mail address), a user of Firebase, and the project's Web API key.

    ``key`` is a service account's key to sign with on this machine; without it the IAM API signs.
    """

    service_account: str
    user_id: str
    api_key: str
    key: Any = None


def id_token(project: Project, signer: Signer) -> str:
    """Sign a user in and return the ID token, which is good for an hour.

    Raises:
        TokenError: the account may not sign, or Firebase takes no sign-in.
        DefaultCredentialsError: there are no credentials on this machine.
    """
    custom = _custom_token(project, signer)
    address = project.endpoints.get("identity", PUBLIC["identity"])
    answer = httpx.post(
        f"{address}/v1/accounts:signInWithCustomToken",
        params={"key": signer.api_key},
        json={"token": custom, "returnSecureToken": True},
        timeout=ANSWER_WITHIN_SECONDS,
    )
    if answer.status_code != HTTPStatus.OK:
        message = f"Firebase takes no sign-in of {signer.user_id}: {_told_by(answer)}"
        raise TokenError(message)
    return str(answer.json()["idToken"])


def _custom_token(project: Project, signer: Signer) -> str:
    credential = credentials.Certificate(signer.key) if signer.key else credentials.ApplicationDefault()
    options = {"projectId": project.project, "serviceAccountId": signer.service_account}
    app = firebase_admin.initialize_app(credential, options, name=f"canary-{uuid4().hex}")
    try:
        signed: bytes = auth.create_custom_token(signer.user_id, app=app)
    except (auth.TokenSignError, ValueError) as error:
        message = f"{signer.service_account} signs no token: {error}"
        raise TokenError(message) from error
    finally:
        firebase_admin.delete_app(app)
    return signed.decode()


def _told_by(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return str(answer.status_code)

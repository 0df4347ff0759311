"""Accounts in Firebase Authentication, in the cloud or at the emulator in the environment."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from uuid import uuid4

import firebase_admin
from firebase_admin import auth
from firebase_admin.exceptions import FirebaseError
from google.auth.exceptions import GoogleAuthError

from infra.doctor.database import end
from shared.rules.claims import OtherAccount

_AT_ONCE = 100
"""The most accounts that Firebase looks up in one request."""


class AccountError(Exception):
    """Firebase Authentication did not do what was asked. The message says why."""


def end_unless_both_are_emulators(emulator_host: str | None) -> None:
    """End the program if documents are in an emulator and accounts in the cloud, or the other way round."""
    if bool(emulator_host) != bool(os.environ.get("FIREBASE_AUTH_EMULATOR_HOST")):
        end("set FIRESTORE_EMULATOR_HOST and FIREBASE_AUTH_EMULATOR_HOST both, or none of them")


def accounts_with(emails: Sequence[str], *, project: str) -> Mapping[str, OtherAccount]:
    """Find accounts by e-mail address. An address in small letters that no account has is left out.

    Raises:
        AccountError: Firebase did not answer, or refused.
    """
    found: dict[str, OtherAccount] = {}
    with _app(project) as app:
        for begin in range(0, len(emails), _AT_ONCE):
            wanted = [auth.EmailIdentifier(each) for each in emails[begin : begin + _AT_ONCE]]
            for record in auth.get_users(wanted, app=app).users:
                found[record.email.lower()] = OtherAccount(user_id=record.uid, is_verified=record.email_verified)
    return found


def has_account(*, project: str, user_id: str) -> bool:
    """Whether the user has an account.

    Raises:
        AccountError: Firebase did not answer, or refused.
    """
    try:
        with _app(project) as app:
            auth.get_user(user_id, app=app)
    except auth.UserNotFoundError:
        return False
    return True


def delete_account(*, project: str, user_id: str) -> None:
    """Delete the user's account. It is no error if there is none.

    Raises:
        AccountError: Firebase did not answer, or refused.
    """
    try:
        with _app(project) as app:
            auth.delete_user(user_id, app=app)
    except auth.UserNotFoundError:
        return


@contextmanager
def _app(project: str) -> Iterator[firebase_admin.App]:
    app = firebase_admin.initialize_app(options={"projectId": project}, name=f"admin-{uuid4().hex}")
    try:
        yield app
    except auth.UserNotFoundError:
        raise
    except (FirebaseError, GoogleAuthError, ValueError) as error:
        # ValueError: the library refuses a text that cannot be a uid.
        message = f"Firebase Authentication: {error}"
        raise AccountError(message) from error
    finally:
        firebase_admin.delete_app(app)

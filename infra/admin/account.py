"""The person's account in Firebase Authentication, in the cloud or at the emulator in the environment."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import firebase_admin
from firebase_admin import auth
from firebase_admin.exceptions import FirebaseError
from google.auth.exceptions import GoogleAuthError


class AccountError(Exception):
    """Firebase Authentication did not do what was asked. The message says why."""


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
    app = firebase_admin.initialize_app(options={"projectId": project}, name=f"erase-{uuid4().hex}")
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

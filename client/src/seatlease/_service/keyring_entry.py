"""Keyring entry: a secret in the operating system's keyring, if there is a usable one.

The library comes with the extra ``cli``. Its backends may raise any error of the libraries below them.
"""

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

_logger = logging.getLogger("seatlease")
_SERVICE = "seatlease"


def put(name: str, secret: str) -> bool:
    """Store a secret under a name, and say whether a keyring stored it."""
    backend = _usable()
    if backend is None:
        return False
    try:
        backend.set_password(_SERVICE, name, secret)
    except Exception as error:  # noqa: BLE001 see above; there is another place to keep it
        _logger.warning("the keyring did not store the sign-in (%s)", type(error).__name__)
        return False
    return True


def get(name: str) -> str | None:
    """Find the secret under a name. A keyring that cannot be read, such as a locked one, counts as empty."""
    backend = _usable()
    if backend is None:
        return None
    try:
        return backend.get_password(_SERVICE, name)
    except Exception as error:  # noqa: BLE001 see above; then the user has to sign in
        _logger.warning("the keyring cannot be read (%s)", type(error).__name__)
        return None


def drop(name: str) -> None:
    """Remove the secret under a name, if there is one.

    Raises:
        OSError: it was not removed.
    """
    backend = _usable()
    if backend is None or get(name) is None:
        return
    try:
        backend.delete_password(_SERVICE, name)
    except Exception as error:
        message = f"the keyring did not remove the sign-in ({type(error).__name__})"
        raise OSError(message) from error


def _usable() -> "KeyringBackend | None":
    try:
        import keyring  # noqa: PLC0415 it is an extra, and takes a tenth of a second to find its backends
    except ImportError:
        return None
    backend = keyring.get_keyring()
    # Those that keep nothing ("null") or fail ("fail") have no priority above 0. Source: the library's own filter.
    return backend if backend.priority > 0 else None

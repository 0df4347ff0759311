"""Keyring entry: a secret in the operating system's keyring, if there is a usable one that answers.

The library comes with the extra ``cli``. Its backends may raise any error of the libraries below them. They may also
wait for a question to be answered, on a screen that nobody sees.
"""

import logging
import threading
from collections.abc import Callable
from concurrent import futures
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

_logger = logging.getLogger("seatlease")
_SERVICE = "seatlease"
_T = TypeVar("_T")

ANSWER_WITHIN_SECONDS = 5.0

_is_passed_over = threading.Event()
"""Set when the keyring did not answer once. This process asks it no more."""


class _NoAnswer(Exception):  # noqa: N818 a keyring that waits for its user is not a fault
    """The keyring did not answer in time. Its user was told."""


def put(name: str, secret: str) -> bool:
    """Store a secret under a name, and say whether a keyring stored it."""

    def store(backend: "KeyringBackend") -> bool:
        backend.set_password(_SERVICE, name, secret)
        return True

    try:
        return _asked(store, without=False)
    except _NoAnswer:
        return False
    except Exception as error:  # noqa: BLE001 see above; there is another place to keep it
        _logger.warning("the keyring did not store the sign-in (%s)", type(error).__name__)
        return False


def get(name: str) -> str | None:
    """Find the secret under a name. A keyring that cannot be read, such as a locked one, counts as empty."""
    try:
        return _asked(lambda backend: backend.get_password(_SERVICE, name), without=None)
    except _NoAnswer:
        return None
    except Exception as error:  # noqa: BLE001 see above; then the user has to sign in
        _logger.warning("the keyring cannot be read (%s)", type(error).__name__)
        return None


def drop(name: str) -> None:
    """Remove the secret under a name, if there is one.

    Raises:
        OSError: it was not removed.
    """

    def remove(backend: "KeyringBackend") -> None:
        backend.delete_password(_SERVICE, name)

    if get(name) is None and not _is_passed_over.is_set():
        return
    try:
        _asked(remove, without=None)
    except _NoAnswer:
        message = "the keyring does not answer, so it may still have the sign-in"
        raise OSError(message) from None
    except Exception as error:
        message = f"the keyring did not remove the sign-in ({type(error).__name__})"
        raise OSError(message) from error


def _asked(ask: "Callable[[KeyringBackend], _T]", *, without: _T) -> _T:
    """Ask the keyring, on a thread of its own that never delays the program's exit. Without one: ``without``.

    Raises:
        _NoAnswer: it did not answer in time, now or before.
        Exception: what the backend raised.
    """
    if _is_passed_over.is_set():
        raise _NoAnswer
    answer: futures.Future[_T] = futures.Future()

    def answer_it() -> None:
        try:
            backend = _usable()
            answer.set_result(without if backend is None else ask(backend))
        except BaseException as error:  # noqa: BLE001 it is the asking thread's, whatever it is
            answer.set_exception(error)

    threading.Thread(target=answer_it, name="seatlease-keyring", daemon=True).start()
    if not futures.wait([answer], timeout=ANSWER_WITHIN_SECONDS).done:
        _is_passed_over.set()
        _logger.warning(
            "the keyring did not answer within %g s, and is passed over; unlock it, and try again",
            ANSWER_WITHIN_SECONDS,
        )
        raise _NoAnswer
    return answer.result()


def _usable() -> "KeyringBackend | None":
    try:
        import keyring  # noqa: PLC0415 it is an extra, and takes a tenth of a second to find its backends
    except ImportError:
        return None
    backend = keyring.get_keyring()
    # Those that keep nothing ("null") or fail ("fail") have no priority above 0. Source: the library's own filter.
    return backend if backend.priority > 0 else None

"""Stored sign-ins: one for each service, in the operating system's keyring or in a private file.

A refresh token is as good as a password. The keyring is used if there is one (the extra ``cli`` brings the library).
Otherwise a file of mode 0600 in the user's configuration folder keeps it as plain text, as ``gcloud`` and ``gh`` do.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from pathlib import Path

from filelock import FileLock
from platformdirs import user_config_path

from seatlease._service import keyring_entry
from seatlease._service.private_file import write_private
from seatlease._service.refresh_token import RefreshToken

_WAIT_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class StoredSignIn:
    """The user who is signed in at the service of this address. The repr hides the refresh token."""

    url: str
    api_key: str
    email: str
    refresh_token: str = field(repr=False)


def save(sign_in: StoredSignIn) -> None:
    """Store it. It replaces another one of the same service.

    Raises:
        OSError: it cannot be written, or another process held the lock for 10 s.
    """
    with _alone(sign_in.url):
        _put(sign_in)


def find(url: str) -> StoredSignIn | None:
    """Find the sign-in for the service of this address, or ``None``. It takes no lock and writes nothing.

    Raises:
        OSError: it cannot be read.
    """
    # A sign-in is replaced as a whole, so a reader finds the old or the new one.
    return _get(url)


def load(url: str) -> RefreshToken | None:
    """Make credentials from the sign-in for the service of this address; ``None`` without one.

    A new refresh token from Firebase is stored, unless the user signed out or in meanwhile.

    Raises:
        OSError: as ``find``.
    """
    kept = find(url)
    if kept is None:
        return None
    credentials = RefreshToken(kept.refresh_token, api_key=kept.api_key, on_rotated=_keeps(kept))
    credentials.serve(url)
    return credentials


def forget(url: str) -> bool:
    """Sign out of the service of this address, and say whether there was a sign-in.

    Raises:
        OSError: it cannot be removed, or another process held the lock for 10 s.
    """
    with _alone(url):
        was_there = _get(url) is not None
        keyring_entry.drop(_name(url))
        _file(url).unlink(missing_ok=True)
    return was_there


def _keeps(loaded: StoredSignIn) -> Callable[[str], None]:
    mine = loaded

    def keep(rotated: str) -> None:
        nonlocal mine
        with _alone(mine.url):
            # Whoever signed out or in meanwhile, in whichever process, knows better.
            if _get(mine.url) != mine:
                return
            mine = replace(mine, refresh_token=rotated)
            _put(mine)

    return keep


# In at most one of two places, and the file counts: it is written only when the keyring fails, and removed when the
# keyring has taken a newer one.


def _put(sign_in: StoredSignIn) -> None:
    text = json.dumps({**asdict(sign_in), "url": _same(sign_in.url)})
    if keyring_entry.put(_name(sign_in.url), text):
        _file(sign_in.url).unlink(missing_ok=True)
    else:
        write_private(_file(sign_in.url), text)


def _get(url: str) -> StoredSignIn | None:
    try:
        text: str | None = _file(url).read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        text = keyring_entry.get(_name(url))
    except UnicodeDecodeError:
        text = ""
    return None if text is None else _read(text, url)


def _read(text: str, url: str) -> StoredSignIn | None:
    """Read a stored sign-in. A damaged one counts as none: signing in again replaces it."""
    try:
        kept = json.loads(text)
        values = {name: kept[name] for name in ("url", "api_key", "email", "refresh_token")}
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    if not all(isinstance(value, str) for value in values.values()) or values["url"] != _same(url):
        return None
    return StoredSignIn(**values)


def _same(url: str) -> str:
    return url.rstrip("/")


def _file(url: str) -> Path:
    return user_config_path("seatlease", appauthor=False) / f"{_name(url)}.json"


def _name(url: str) -> str:
    return f"sign-in-{sha256(_same(url).encode()).hexdigest()[:16]}"


def _alone(url: str) -> FileLock:
    file = _file(url)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return FileLock(file.with_suffix(".lock"), timeout=_WAIT_SECONDS)

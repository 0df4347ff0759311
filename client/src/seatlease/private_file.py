"""A file of the user's own: whole or not there, and for nobody else to read."""

import contextlib
import os
import tempfile
from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Put this text in the place of what is there. Who reads meanwhile reads the old or the new, never a part.

    Its mode is 0600, and a folder that is made for it has 0700. On Windows it has the rights of its folder, which in a
    user's profile are the user's own.

    Raises:
        OSError: it cannot be written. What was there is there still.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # its mode is 0600
    draft = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):  # the first error is the one to tell
            draft.unlink()
        raise

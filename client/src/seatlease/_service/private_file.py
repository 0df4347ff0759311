"""Private files: written whole or not at all, and readable by their user only."""

import contextlib
import os
import tempfile
from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Replace the file with this text. A reader sees the old or the new text, never a part.

    Its mode is 0600, and a folder made for it has 0700. On Windows it has the rights of its folder, which in a user's
    profile are the user's own.

    Raises:
        OSError: it cannot be written. The old file is unchanged.
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

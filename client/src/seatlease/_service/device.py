"""Device: the id of this device. It does not reveal the machine.

The id is the HMAC-SHA256 of the license key, keyed with the machine's own id, which is never sent. Two licenses on one
machine have ids that cannot be linked, and neither leads back to the machine.

A container uses its host name instead of the machine's id. The machine id of an image is missing or the same in every
container made from it, so all of them would be one device with one seat. With its host name (Docker's container id, the
pod's name) each container is a device of its own. Set ``SEATLEASE_HARDWARE_ID`` where containers share a host name
(``--network=host``), or where a replaced container is to be the same device.

Virtual machines made from one image may have one id, and are one device then. ``seatlease doctor`` names them.

The operating system's user is not part of the id: the service tells the users of a device apart by their accounts.
"""

import hmac
import os
import re
import socket
from functools import cache
from hashlib import sha256
from pathlib import Path

import machineid

from seatlease._service.given import stripped
from seatlease._service.license_key import given_key
from seatlease.errors import RequestRefused

_VARIABLE = "SEATLEASE_HARDWARE_ID"
_TAKEN_BY_THE_SERVICE = re.compile(
    r"[^\x00-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u2028-\u202e"
    r"\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    r"\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f\ud800-\udfff]{1,256}"
)
"""No control or formatting characters. A surrogate comes from bytes in the environment that are not UTF-8."""
THE_MACHINES = "the machine's id"
_SYSTEMDS_FILE = Path("/etc/machine-id")
_MARKS_OF_CONTAINERS = (Path("/.dockerenv"), Path("/run/.containerenv"))
_IN_KUBERNETES = "KUBERNETES_SERVICE_HOST"
_NOT_YET = "uninitialized"
"""What systemd writes as the id into an image that gets its own at the first start. Source: machine-id(5)."""


def hardware_id(license_key: str) -> str:
    """Give this device's id for a license. It stays the same until the operating system is installed again.

    ``SEATLEASE_HARDWARE_ID`` in the environment is used instead, without blanks around it. The first call may run a
    program of the operating system (macOS, some Windows), so do not call it on an event loop.

    Raises:
        RequestRefused: the service would refuse the id in the environment.
    """
    if given := stripped(os.environ.get(_VARIABLE, "")):
        if not _TAKEN_BY_THE_SERVICE.fullmatch(given):
            message = f"{_VARIABLE} must be at most 256 characters of UTF-8, without control or formatting characters."
            raise RequestRefused(message)
        return given
    named = f"seatlease/{given_key(license_key)}"
    # surrogatepass: a key that cannot be sent is for the request to refuse, not for this.
    key, text = (each.encode("utf-8", "surrogatepass") for each in (own_id(), named))
    return hmac.new(key, text, sha256).hexdigest()


def origin() -> str:
    """Say where the id comes from. It explains why two devices count as one, or one as two."""
    if stripped(os.environ.get(_VARIABLE, "")):
        return f"set by {_VARIABLE}"
    if _is_container():
        return f"a container, identified by its host name {socket.gethostname()}"
    return f"no machine id, so the host name {socket.gethostname()}" if _machine_id() is None else THE_MACHINES


@cache
def own_id() -> str:
    """What tells this machine or container from others. It is never sent as it is."""
    machine_id = None if _is_container() else _machine_id()
    return machine_id or f"host/{socket.gethostname()}"


def _is_container() -> bool:
    return _IN_KUBERNETES in os.environ or any(mark.exists() for mark in _MARKS_OF_CONTAINERS)


def _machine_id() -> str | None:
    """Read the machine's own id. On Linux it is systemd's: D-Bus's copy, which the library prefers, may be older."""
    try:
        told = _SYSTEMDS_FILE.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        told = ""
    if told and told != _NOT_YET:
        return told
    try:
        told = str(machineid.id())
    except machineid.MachineIdNotFound:
        return None
    return None if told == _NOT_YET else told

"""Device: which one this is, told so that nobody learns which machine it is.

The id is the HMAC-SHA256 of the license key under the machine's own id, which is never sent: the ids of one machine for
two licenses cannot be linked, and neither leads back to the machine.

A container takes its host name for the machine's id. The machine id in an image is the same in each container made from
it, or missing, so all of them would be one device and hold one seat. By its host name (Docker's container id, the name
of the pod) each is a device of its own. Where containers share a host name (``--network=host``), or a replaced one is
to be the same device, ``SEATLEASE_HARDWARE_ID`` names the device.

The operating system's user is no part of it: the service tells the users of a device apart by their accounts.
"""

import hmac
import os
import re
import socket
from functools import cache
from hashlib import sha256
from pathlib import Path

import machineid

from seatlease.errors import RequestRefused

_VARIABLE = "SEATLEASE_HARDWARE_ID"
_TAKEN_BY_THE_SERVICE = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,256}")
"""Half a character (a surrogate) comes of bytes in the environment that are no UTF-8, and cannot be sent at all."""
_MARKS_OF_CONTAINERS = (Path("/.dockerenv"), Path("/run/.containerenv"))
_IN_KUBERNETES = "KUBERNETES_SERVICE_HOST"
_NOT_YET = "uninitialized"
"""What systemd writes for the id in an image that is to get one at its first start. Source: machine-id(5)."""


def hardware_id(license_key: str) -> str:
    """Name this device for a license: the same each time, until the operating system is installed anew.

    ``SEATLEASE_HARDWARE_ID`` in the environment is taken as it is. The first call may run a program of the operating
    system (macOS, some Windows), so it is not for an event loop.

    Raises:
        RequestRefused: the environment's id is not one that the service takes.
    """
    given = os.environ.get(_VARIABLE)
    if given:
        if not _TAKEN_BY_THE_SERVICE.fullmatch(given):
            message = f"{_VARIABLE} has to be at most 256 characters of UTF-8, and no control characters."
            raise RequestRefused(message)
        return given
    named = f"seatlease/{license_key}"
    # surrogatepass: a key that cannot be sent is for the request to refuse, not for this.
    key, text = (each.encode("utf-8", "surrogatepass") for each in (_own_id(), named))
    return hmac.new(key, text, sha256).hexdigest()


def origin() -> str:
    """Say where the id comes from, for who looks for the reason of two devices that are one, or one that is two."""
    if os.environ.get(_VARIABLE):
        return f"named by {_VARIABLE}"
    if _is_container():
        return f"a container, known by its host name {socket.gethostname()}"
    return f"no machine id, so the host name {socket.gethostname()}" if _machine_id() is None else "the machine's id"


@cache
def _own_id() -> str:
    machine_id = None if _is_container() else _machine_id()
    return machine_id or f"host/{socket.gethostname()}"


def _is_container() -> bool:
    return _IN_KUBERNETES in os.environ or any(mark.exists() for mark in _MARKS_OF_CONTAINERS)


def _machine_id() -> str | None:
    try:
        told = str(machineid.id())
    except machineid.MachineIdNotFound:
        return None
    return None if told == _NOT_YET else told

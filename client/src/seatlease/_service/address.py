"""Address: where tokens and passwords may be sent. Nothing secret leaves this machine in clear."""

import os
from ipaddress import ip_address

import httpx

from seatlease.errors import RequestRefused

INSECURE = "SEATLEASE_INSECURE"


def refuse_in_clear(url: str) -> None:
    """Refuse an address at ``http://`` unless it is on this machine, or ``SEATLEASE_INSECURE=1`` is set.

    Raises:
        RequestRefused: tokens would be sent in clear.
    """
    try:
        read = httpx.URL(url)
    except httpx.InvalidURL:
        return  # nothing can be sent there
    if read.scheme == "http" and not is_this_machine(read.host) and os.environ.get(INSECURE) != "1":
        message = (
            f"The service's address must begin with https://. To {read.host}, http:// would send tokens in clear; "
            f"{INSECURE}=1 allows that."
        )
        raise RequestRefused(message)


def is_encrypted(url: str) -> bool:
    return url.lower().startswith("https://")


def is_this_machine(host: str) -> bool:
    """Whether it is ``localhost`` or a loopback address. Other names are not looked up: an answer could be forged."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False

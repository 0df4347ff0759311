"""Address: where tokens and passwords may be sent. Nothing secret leaves this machine in clear."""

import contextlib
import os
import socket
import ssl
from collections.abc import Iterator
from ipaddress import ip_address

import httpx

from seatlease._service.certificates import what_is_wrong
from seatlease._service.given import stripped
from seatlease.errors import RequestRefused

INSECURE = "SEATLEASE_INSECURE"


def base_of(url: str) -> str:
    """The address without blanks around it, a slash at its end, and the path of the functions, ``/v1``."""
    return stripped(url).rstrip("/").removesuffix("/v1").rstrip("/")


def refuse_in_clear(url: str) -> None:
    """Refuse what is no address, and one at ``http://`` that is on another machine without ``SEATLEASE_INSECURE=1``.

    Raises:
        RequestRefused: nothing can be sent there, or tokens would be sent in clear.
    """
    message = f"The service's address must begin with https:// and name a host, as {url!r} does not."
    try:
        read = httpx.URL(url)
    except httpx.InvalidURL:
        raise RequestRefused(message) from None
    if read.scheme not in {"https", "http"} or not read.host:
        raise RequestRefused(message)
    is_allowed = stripped(os.environ.get(INSECURE, "")) == "1"
    if read.scheme == "http" and not is_this_machine(read.host) and not is_allowed:
        message = (
            f"The service's address must begin with https://. To {read.host}, http:// would send tokens in clear; "
            f"{INSECURE}=1 allows that."
        )
        raise RequestRefused(message)


def why_unreachable(error: BaseException) -> str:
    """Say in words why no connection was made, or name the error."""
    for each in _chain(error):
        if isinstance(each, socket.gaierror):
            return "there is no host of this name"
        if isinstance(each, ConnectionRefusedError):
            return "the connection was refused"
        if isinstance(each, ssl.SSLError):
            return what_is_wrong(each)
    return "the connection broke" if has_broken(error) else type(error).__name__


def has_broken(error: BaseException) -> bool:
    """Whether there was a connection and it broke, as one lost packet or a server that ends can do."""
    return isinstance(error, httpx.ReadError | httpx.WriteError | httpx.RemoteProtocolError) or any(
        isinstance(each, ConnectionResetError | BrokenPipeError) for each in _chain(error)
    )


def _chain(error: BaseException) -> list[BaseException]:
    """The error and what caused it."""
    found: list[BaseException] = [error]
    for each in found:  # it grows
        causes = (each.__cause__ or each.__context__, *getattr(each, "exceptions", ()))
        found += [cause for cause in causes if cause is not None and cause not in found]
    return found


@contextlib.contextmanager
def naming_the_proxy() -> Iterator[None]:
    """Make an HTTP client within the block: it reads the proxies that the environment names.

    Raises:
        RequestRefused: one of them cannot be used. Its address is not shown, because it may have a password.
    """
    try:
        yield
    except (httpx.InvalidURL, ValueError):
        why = "is no address of one"
    except ImportError:
        why = "is a SOCKS proxy, which needs pip install httpx[socks]"
    else:
        return
    message = f"What HTTPS_PROXY, HTTP_PROXY or ALL_PROXY names {why}."
    raise RequestRefused(message) from None


def is_encrypted(url: str) -> bool:
    return url.lower().startswith("https://")


def is_this_machine(host: str) -> bool:
    """Whether it is ``localhost`` or a loopback address. Other names are not looked up: an answer could be forged."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False

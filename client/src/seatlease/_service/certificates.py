"""Certificates: which authorities are trusted, and what is wrong with a certificate that is not.

The authorities are the operating system's and those of certifi, so a company's own works where its browsers do. With
``SSL_CERT_FILE`` or ``SSL_CERT_DIR`` in the environment only theirs count, as everywhere with OpenSSL.
"""

import os
import ssl
from functools import cache

import certifi

_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_EXPIRED, _NOT_YET_VALID = 10, 9
_UNKNOWN_AUTHORITY = frozenset({2, 18, 19, 20, 21})
_ANOTHER_NAME = frozenset({62, 64})


def trusted() -> ssl.SSLContext:
    """Give the context for all requests of this process: to read the authorities takes some 30 ms."""
    return _trusted(tuple(os.environ.get(name) for name in _VARIABLES))


@cache
def _trusted(named: tuple[str | None, ...]) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not any(named):
        context.load_verify_locations(certifi.where())
    return context


def what_is_wrong(error: ssl.SSLError) -> str:
    """Say what is wrong with the service's certificate, or with the encryption. Source: OpenSSL's X509_V_ERR codes."""
    code = getattr(error, "verify_code", None)
    if code in _UNKNOWN_AUTHORITY:
        return (
            "this machine does not know the authority of its certificate; "
            "SSL_CERT_FILE may name a file with your network's authorities"
        )
    if code == _EXPIRED:
        return "its certificate has expired, or this machine's clock is wrong"
    if code == _NOT_YET_VALID:
        return "its certificate is not valid yet, or this machine's clock is wrong"
    if code in _ANOTHER_NAME:
        return "its certificate is for another name"
    return f"no encrypted connection: {error.reason or type(error).__name__}"

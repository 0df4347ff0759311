"""HTTP between programs on this machine, without TLS."""

import ssl

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For ``verify`` of httpx. Otherwise each client reads all trusted certificates, which takes 20 to 50 ms of processor
time. This context trusts no certificate, so a call over TLS fails."""

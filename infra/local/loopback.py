"""HTTP between programs of this machine, which speak no TLS."""

import ssl

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For ``verify`` of httpx, which otherwise reads all certificates of the authorities that it trusts, for each client
anew: 20 to 50 ms of processor time. This one trusts nobody, so that a call over TLS fails."""

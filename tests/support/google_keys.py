"""A stand-in for Google's public keys for ID tokens: a real fetch over real TLS, with a key of the test.

firebase-admin fetches the keys from one fixed HTTPS address. The server under test uses a small proxy through the
usual environment variables. The proxy leads that address to this machine, with a certificate that only that server
trusts.
"""

import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

GOOGLE = "www.googleapis.com"


@dataclass(frozen=True, kw_only=True)
class SigningKey:
    """An RSA key with the certificate that Google would publish for it."""

    key_id: str
    private: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))

    def certificate(self) -> str:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "securetoken.test")])
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(self.private.public_key())
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        signed = builder.sign(self.private, hashes.SHA256())
        return signed.public_bytes(serialization.Encoding.PEM).decode()

    def token(self, *, project: str, **changes: Any) -> str:  # noqa: ANN401 a test may claim anything
        """Sign an ID token as Firebase does; a change to ``None`` leaves the claim out."""
        now = int(time.time())
        claims = {
            "iss": f"https://securetoken.google.com/{project}",
            "aud": project,
            "sub": "m0",
            "org_id": "org",
            "auth_time": now - 10,
            "iat": now - 10,
            "exp": now + 3600,
            **changes,
        }
        kept = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(kept, self.private, algorithm="RS256", headers={"kid": self.key_id})


@dataclass(frozen=True, kw_only=True)
class GoogleKeys:
    """The address of the proxy and what a server under test has to be told; ``fetches`` counts the requests."""

    environment: dict[str, str]
    fetches: list[str]


@contextmanager
def publishing(key: SigningKey, folder: Path) -> Iterator[GoogleKeys]:
    """Publish the key's certificate where firebase-admin looks for it."""
    authority, fetches = trustme.CA(), list[str]()
    trusted = folder / "ca.pem"
    authority.cert_pem.write_to_path(trusted)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(GOOGLE).configure_cert(context)
    body = json.dumps({key.key_id: key.certificate()}).encode()

    class Keys(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            fetches.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Cache-Control", "public, max-age=3600")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Proxy(BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:
            if self.path != f"{GOOGLE}:443":
                self.send_error(403)
                return
            self.send_response(200)
            self.end_headers()
            with socket.create_connection(keys.server_address[:2]) as upstream:  # type: ignore[arg-type]  # bound to IPv4
                back = threading.Thread(target=_pump, args=(upstream, self.connection))
                back.start()
                _pump(self.connection, upstream)
                back.join()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    keys, proxy = ThreadingHTTPServer(("127.0.0.1", 0), Keys), ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    keys.socket = context.wrap_socket(keys.socket, server_side=True)
    threads = [threading.Thread(target=server.serve_forever) for server in (keys, proxy)]
    for thread in threads:
        thread.start()
    try:
        address = f"http://127.0.0.1:{proxy.server_address[1]}"
        environment = {"HTTPS_PROXY": address, "NO_PROXY": "127.0.0.1,localhost", "REQUESTS_CA_BUNDLE": str(trusted)}
        yield GoogleKeys(environment=environment, fetches=fetches)
    finally:
        for server, thread in zip((keys, proxy), threads, strict=True):
            server.shutdown()
            thread.join()
            server.server_close()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)

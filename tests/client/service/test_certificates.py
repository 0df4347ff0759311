"""Certificates: the operating system's authorities count, and what is wrong with a certificate is said."""

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import certifi
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

import seatlease
from seatlease._service import certificates
from seatlease._service.credentials import IdToken
from seatlease._service.service import Service
from seatlease.cli.checks import check_address
from seatlease.testing import FakeService
from tests.support.http_server import serving

_USAGE: dict[str, object] = {"organization": {}, "licenses": [], "next_page_token": None}


class _Company:
    """An authority of a company's own, in a file as ``SSL_CERT_FILE`` names one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "A company's authority")])
        is_authority = x509.BasicConstraints(ca=True, path_length=None)
        built = self._builder(self._name, self._key.public_key(), ends_in=timedelta(days=1))
        authority = built.add_extension(is_authority, critical=True).sign(self._key, hashes.SHA256())
        self.file = folder / "authority.pem"
        self.file.write_bytes(authority.public_bytes(Encoding.PEM))

    def server(self, name: str, *, ends_in: timedelta = timedelta(days=1)) -> ssl.SSLContext:
        """Make what a server with this name needs."""
        key, subject = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
        built = self._builder(subject, key.public_key(), ends_in=ends_in)
        named = x509.SubjectAlternativeName([x509.DNSName(name)])
        certificate = built.add_extension(named, critical=True).sign(self._key, hashes.SHA256())
        file = self._folder / "server.pem"
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        file.write_bytes(private + certificate.public_bytes(Encoding.PEM))
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(file)
        return context

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, *, ends_in: timedelta
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return x509.CertificateBuilder(
            issuer_name=self._name,
            subject_name=subject,
            public_key=key,
            serial_number=x509.random_serial_number(),
            not_valid_before=now - timedelta(days=30),
            not_valid_after=now + ends_in,
        )


@pytest.fixture
def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[_Company]:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    certificates._trusted.cache_clear()  # noqa: SLF001 a process's authorities do not change; a test's do
    yield _Company(tmp_path)
    certificates._trusted.cache_clear()  # noqa: SLF001 as above


@contextmanager
def _encrypted(tls: ssl.SSLContext) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = FakeService().keys.jwks if self.path.endswith("keys") else _USAGE
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *_: object) -> None:
            """Keep the tests' output clean."""

    with serving(Handler, tls=tls) as url:
        yield url.replace("127.0.0.1", "localhost")


async def _usage(url: str) -> object:
    async with Service(url, IdToken("a.b.c")) as service:
        return await service.usage()


@pytest.mark.parametrize("where", ["the system's store", "SSL_CERT_FILE"])
async def test_a_companys_own_authority_counts(company: _Company, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    if where == "SSL_CERT_FILE":
        monkeypatch.setenv(where, str(company.file))
    else:
        monkeypatch.setattr(
            ssl.SSLContext, "load_default_certs", lambda context, _: context.load_verify_locations(company.file)
        )

    with _encrypted(company.server("localhost")) as url:
        assert await _usage(url) == _USAGE
        assert seatlease.Keys.fetch(url).jwks


@pytest.mark.parametrize(
    ("name", "ends_in", "is_known", "says"),
    [
        ("localhost", timedelta(days=1), False, "does not know the authority of its certificate; SSL_CERT_FILE"),
        ("localhost", timedelta(days=-1), True, "its certificate has expired"),
        ("elsewhere.example", timedelta(days=1), True, "its certificate is for another name"),
    ],
)
async def test_what_is_wrong_with_a_certificate_is_said(
    company: _Company,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    ends_in: timedelta,
    is_known: bool,  # noqa: FBT001 a table's column
    says: str,
) -> None:
    if is_known:
        monkeypatch.setenv("SSL_CERT_FILE", str(company.file))

    with _encrypted(company.server(name, ends_in=ends_in)) as url:
        with pytest.raises(seatlease.ServiceUnreachable, match=says):
            await _usage(url)
        with pytest.raises(seatlease.ServiceUnreachable, match=says):
            seatlease.Keys.fetch(url)
        (finding,) = await check_address(url)

    assert says in finding.says


@pytest.mark.usefixtures("company")
def test_the_authorities_of_the_system_and_of_certifi_are_trusted() -> None:
    def serials(context: ssl.SSLContext) -> set[str]:
        return {str(each["serialNumber"]) for each in context.get_ca_certs()}

    of_certifi = ssl.create_default_context(cafile=certifi.where())

    assert serials(certificates.trusted()) == serials(ssl.create_default_context()) | serials(of_certifi)

"""What is kept of the device that a request comes from."""

from collections.abc import Iterator

import pytest
from starlette.requests import Request

from shared.edge.devices import device_of
from shared.edge.settings import settings
from tests.infra.bare_server import SETTINGS


@pytest.fixture(autouse=True)
def fresh_settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing read before, and nothing left behind."""
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.mark.parametrize(
    ("kept", "address", "found"),
    [
        (None, "203.0.113.7", "203.0.113.7"),
        ("whole", "2001:DB8:7:8::9", "2001:db8:7:8::9"),
        ("shortened", "203.0.113.7", "203.0.113.0"),
        ("shortened", "2001:db8:7:8::9", "2001:db8:7::"),
        ("shortened", "::ffff:203.0.113.7", "203.0.113.0"),
        ("shortened", "no address", None),
        ("none", "203.0.113.7", None),
        ("none", "2001:db8:7:8::9", None),
    ],
)
def test_no_more_of_an_address_is_kept_than_the_setting_says(
    monkeypatch: pytest.MonkeyPatch, kept: str | None, address: str, found: str | None
) -> None:
    if kept is not None:
        monkeypatch.setenv("SEATLEASE_CLIENT_ADDRESSES", kept)
    request = Request({"type": "http", "headers": [(b"x-forwarded-for", f"192.0.2.1, {address}".encode())]})

    device = device_of(request, hardware_id="laptop", instance_id=None)

    assert device.ip_address == found


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        pytest.param(["6.6.6.6, 203.0.113.9"], "203.0.113.9", id="the last of a list"),
        pytest.param(["203.0.113.9", "6.6.6.6"], "6.6.6.6", id="the last of two headers"),
        pytest.param(["6.6.6.6,,203.0.113.9"], "203.0.113.9", id="beside a gap"),
        pytest.param(["203.0.113.9,"], None, id="an empty last one"),
        pytest.param(["203.0.113.9:443"], None, id="with a port"),
        pytest.param(["2001:DB8::0:1"], "2001:db8::1", id="of the sixth version"),
        pytest.param(["[2001:db8::1]"], None, id="in brackets"),
        pytest.param(["fe80::1%<script>"], None, id="with a zone of any text"),
        pytest.param(["fe80::1%" + "x" * 50_000], None, id="with a zone of any length"),
        pytest.param(["localhost"], None, id="a name"),
        pytest.param(["0x7f.1"], None, id="in hexadecimal"),
        pytest.param([], None, id="none at all"),
    ],
)
def test_what_is_kept_as_the_address_is_one_and_what_the_nearest_proxy_saw(sent: list[str], kept: str | None) -> None:
    request = Request({"type": "http", "headers": [(b"x-forwarded-for", each.encode()) for each in sent]})

    assert device_of(request, hardware_id="laptop", instance_id=None).ip_address == kept


@pytest.mark.parametrize(
    ("header", "sent", "kept"),
    [
        pytest.param(None, ["203.0.113.9"], "192.0.2.1", id="not chosen"),
        pytest.param("Fastly-Client-IP", ["203.0.113.9"], "203.0.113.9", id="through Hosting"),
        pytest.param("Fastly-Client-IP", [], "192.0.2.1", id="not through Hosting"),
        pytest.param("Fastly-Client-IP", ["203.0.113.9", "6.6.6.6"], None, id="sent twice"),
        pytest.param("Fastly-Client-IP", ["203.0.113.9, 6.6.6.6"], None, id="a list"),
        pytest.param("Fastly-Client-IP", ["<script>"], None, id="no address"),
    ],
)
def test_hostings_header_tells_the_address_only_if_the_deployment_has_chosen_it(
    monkeypatch: pytest.MonkeyPatch, header: str | None, sent: list[str], kept: str | None
) -> None:
    if header is not None:
        monkeypatch.setenv("SEATLEASE_ADDRESS_HEADER", header)
    fastly = [(b"fastly-client-ip", each.encode()) for each in sent]
    request = Request({"type": "http", "headers": [(b"x-forwarded-for", b"192.0.2.1"), *fastly]})

    assert device_of(request, hardware_id="laptop", instance_id=None).ip_address == kept

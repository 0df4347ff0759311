import urllib.request
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
from filelock import FileLock, Timeout

from seatlease._keeping.sharing import state_folder
from seatlease._service import device
from seatlease.cli.findings import Finding, fine, problem
from seatlease.errors import RequestRefused

_ENOUGH_OF_AN_ID = 12


def check_device(license_key: str | None, *, given: str | None) -> Finding:
    """Name this device. Its id differs for each license."""
    try:
        told = given or device.hardware_id(license_key or "")
    except RequestRefused as error:
        return problem("device", error.message, "set a different one")
    origin = "given by --hardware-id" if given else device.origin()
    shown = told if len(told) <= _ENOUGH_OF_AN_ID else f"{told[:_ENOUGH_OF_AN_ID]}…"
    of_which = "" if license_key is not None or given else ", a different one for each license key"
    return fine("device", f"hardware id {shown}: {origin}{of_which}")


def check_sharing() -> Finding:
    """Check whether this user's processes can share a seat."""
    folder = state_folder()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder) as draft, FileLock(Path(draft) / "lock", timeout=0):
            pass
    except (OSError, Timeout, NotImplementedError) as error:
        says = f"{folder} cannot be used ({type(error).__name__})"
        advice = (
            "make it writable, or set XDG_STATE_HOME: until then the first program to end gives back the seat of all"
        )
        return problem("sharing", says, advice)
    return fine("sharing", f"programs of this user share a seat through files in {folder}")


def check_proxies(url: str) -> Finding:
    """Say which proxy requests use. A password in its address is not shown."""
    scheme, host = httpx.URL(url).scheme, httpx.URL(url).host
    proxies = urllib.request.getproxies()
    proxy = proxies.get(scheme) or proxies.get("all")
    if proxy is None:
        return fine("proxies", "none")
    if urllib.request.proxy_bypass(host):
        return fine("proxies", f"none for {host} (NO_PROXY)")
    try:
        read = httpx.URL(proxy)
    except httpx.InvalidURL:
        return problem(
            "proxies", "the environment names a proxy without a valid address", "check HTTPS_PROXY and ALL_PROXY"
        )
    return fine("proxies", f"requests go through {read.scheme}://{read.host}:{read.port or 'its own port'}")

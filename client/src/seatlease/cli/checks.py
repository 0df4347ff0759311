"""What the doctor looks at: this machine, the sign-in, the service, the license, the keys."""

import os
import urllib.request
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import httpx
import jwt
from filelock import FileLock, Timeout

from seatlease._keeping.sharing import state_folder
from seatlease._service import device
from seatlease._service.address import is_encrypted, is_this_machine, naming_the_proxy, why_unreachable
from seatlease._service.answers import error_of, time_of
from seatlease._service.certificates import trusted
from seatlease._service.credentials import IdToken
from seatlease._service.firebase import EMULATOR, emulator_for
from seatlease._service.keys import Keys
from seatlease.cli.environment import Found, fetch_usage, find_credentials
from seatlease.cli.saying import Misconfigured, ending_soon, in_words, sentence_of, shortened, why_no_seat
from seatlease.errors import NotEntitled, RequestRefused, SeatleaseError, ServiceUnreachable, SignInRequired


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One result of the doctor. ``advice`` says what to do; every problem has one."""

    name: str
    status: Literal["ok", "problem"]
    says: str
    advice: str = ""


def fine(name: str, says: str) -> Finding:
    return Finding(name=name, status="ok", says=says)


def problem(name: str, says: str, advice: str) -> Finding:
    return Finding(name=name, status="problem", says=says, advice=advice)


def check_device(license_key: str | None, *, given: str | None) -> Finding:
    """Name this device. Its id differs for each license."""
    try:
        told = given or device.hardware_id(license_key or "")
    except RequestRefused as error:
        return problem("device", error.message, "set a different one")
    origin = "given by --hardware-id" if given else device.origin()
    of_which = "" if license_key is not None or given else ", a different one for each license key"
    return fine("device", f"hardware id {shortened(told)}: {origin}{of_which}")


def check_sharing() -> Finding:
    """Check whether this user's processes can share a seat."""
    folder = state_folder()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder) as draft, FileLock(Path(draft) / "lock", timeout=0):
            pass
    except (OSError, Timeout, NotImplementedError) as error:
        says = f"{folder} cannot be used ({type(error).__name__})"
        advice = "make it writable, or set XDG_STATE_HOME: until then each program counts as an instance of its own"
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


_CLOCK_MAY_BE_OFF_BY = timedelta(seconds=60)
_ASKING_SECONDS = 10.0


async def check_address(url: str) -> list[Finding]:
    """Ask without a token: only the service refuses that in its own form. Its answer also tells the time."""
    name, asked_at = "address", datetime.now(timezone.utc)
    try:
        with naming_the_proxy():
            http = httpx.AsyncClient(verify=trusted(), timeout=_ASKING_SECONDS, follow_redirects=False)
        async with http:
            response = await http.get(f"{url}/v1/usage")
    except RequestRefused as error:
        return [problem(name, error.message, "correct or unset it")]
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        advice = "check the address, the network and the proxies"
        return [problem(name, f"{url} does not answer ({why_unreachable(error)})", advice)]
    answered_at = datetime.now(timezone.utc)
    if error_of(response).code != "TOKEN_MISSING":
        says = f"something else answers at {url} (status {response.status_code})"
        return [problem(name, says, "check the address; or a proxy or the network's sign-in page answers")]
    return [_connection(url), _clock(response.json(), asked_at=asked_at, answered_at=answered_at)]


def _connection(url: str) -> Finding:
    answers = f"the license service answers at {url}"
    if is_encrypted(url):
        return fine("address", f"{answers}, encrypted")
    if is_this_machine(httpx.URL(url).host):
        return fine("address", f"{answers}, in clear, on this machine")
    return problem("address", f"{answers}, in clear: tokens can be read on the way", "use its https:// address")


def check_emulator(url: str) -> list[Finding]:
    """Say whether sign-ins go to Firebase's Auth emulator, if the environment names one."""
    named = os.environ.get(EMULATOR)
    if not named:
        return []
    try:
        emulator = emulator_for(url)
    except RequestRefused as error:
        return [problem("emulator", error.message, f"correct or unset {EMULATOR}")]
    if emulator is not None:
        return [fine("emulator", f"sign-ins go to the emulator at {emulator} ({EMULATOR}), in clear, on this machine")]
    why = "the service's address begins with https://" if is_encrypted(url) else "it is not on this machine"
    return [fine("emulator", f"{EMULATOR} is set to {named} and ignored, because {why}")]


def _clock(body: dict[str, Any], *, asked_at: datetime, answered_at: datetime) -> Finding:
    off_by = asked_at + (answered_at - asked_at) / 2 - time_of(body["server_time"])
    direction = "ahead of" if off_by > timedelta() else "behind"
    is_right = abs(off_by) < timedelta(seconds=1)
    says = "right to the second" if is_right else f"{in_words(abs(off_by))} {direction} the service's"
    if abs(off_by) > _CLOCK_MAY_BE_OFF_BY:
        return problem("clock", says, "set this machine's clock: signing in and starting offline need it")
    return fine("clock", says)


def check_keys(url: str) -> Finding:
    """Check whether leases can be proven. A service that shows no keys still grants seats."""
    try:
        keys = Keys.fetch(url)
    except ServiceUnreachable as error:
        return fine("keys", f"leases cannot be proven offline: {error.message}")
    return fine("keys", f"public keys to verify leases with: {len(keys.jwks['keys'])}")


async def check_user(url: str, license_key: str | None, *, hardware_id: str | None) -> list[Finding]:
    """Get a token and send it to the service. With a license key, look for that license and for clones."""
    try:
        found = find_credentials(url)
        token = await found.credentials.id_token()
    except (SignInRequired, Misconfigured) as error:
        return [problem("sign-in", str(error), "run seatlease login, or set what is missing")]
    except SeatleaseError as error:
        return [problem("sign-in", sentence_of(error), "try again later, and check the API key")]
    looked_at = _token(token, found)
    # What was just looked at is what is sent; one that cannot be taken is not.
    return (
        [looked_at]
        if looked_at.status == "problem"
        else [looked_at, *await _accepted(url, token, license_key, hardware_id)]
    )


def _token(token: str, found: Found) -> Finding:
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
        left = datetime.fromtimestamp(claims["exp"], timezone.utc) - datetime.now(timezone.utc)
        user, organization = claims["sub"], claims.get("org_id")
    except (jwt.PyJWTError, KeyError, TypeError, ValueError, OverflowError):
        return problem("sign-in", f"{found.origin} gives something that is not an ID token", _another(found))
    who = f"{claims.get('email') or 'no e-mail address'}, uid {user}"
    says = f"{who}, organization {organization or 'none'}, from {found.origin}"
    if left <= timedelta():
        return problem("sign-in", f"the token has expired: {says}", _another(found))
    if organization is None:
        return problem("sign-in", says, "ask the organization's administrator to add this uid, then sign in again")
    return fine("sign-in", f"{says}; the token lasts {in_words(left)}")


def _another(found: Found) -> str:
    """Advise how to get other credentials. A variable goes before a stored sign-in, which would change nothing."""
    if found.is_stored:
        return "run seatlease login"
    return f"set {found.origin} to a new token, or unset it and run seatlease login"


async def _accepted(url: str, token: str, license_key: str | None, hardware_id: str | None) -> list[Finding]:
    credentials = IdToken(token)
    try:
        answer = await fetch_usage(url, credentials, license_key=license_key)
    except NotEntitled as error:
        if error.code == "LICENSE_NOT_FOUND":
            accepted = fine("access", "the service accepts the token")
            return [accepted, problem("license", error.message, "check the license key")]
        return [problem("access", sentence_of(error), "show this to the organization's administrator")]
    except SignInRequired as error:
        return [problem("access", sentence_of(error), "sign in again, in the Firebase project of this service")]
    except SeatleaseError as error:
        return [problem("access", sentence_of(error), "try again later")]
    organization = answer["organization"]
    accepted = fine("access", f"the service accepts the token, for {organization['name']}")
    if license_key is None:
        return [accepted]
    return [
        accepted,
        *(_license(license_, now=time_of(answer["server_time"])) for license_ in answer["licenses"]),
        *_clones(answer, license_key, hardware_id),
    ]


def _clones(answer: dict[str, Any], license_key: str, given: str | None) -> list[Finding]:
    """Name what looks like clones: several instances on the seat of this device, which nobody named."""
    if given or device.origin() != device.THE_MACHINES:
        return []
    own = device.hardware_id(license_key)
    sessions = [each for license_ in answer["licenses"] for each in license_["sessions"] if each["hardware_id"] == own]
    crowded = next((each for each in sessions if each.get("instances", 1) > 1), None)
    if crowded is None:
        return []
    says = f"{crowded['instances']} instances share this device's seat, from {', '.join(crowded['addresses'])}"
    advice = "for clones of one machine, set SEATLEASE_HARDWARE_ID on each; for users of this machine, do nothing"
    return [Finding(name="clones", status="ok", says=says, advice=advice)]


def _license(license_: dict[str, Any], *, now: datetime) -> Finding:
    name, because = license_["name"] or license_["license_id"], why_no_seat(license_)
    if because is not None:
        is_early = license_.get("status") == "not_started"
        advice = "tell the organization's administrator; an administrator asks the vendor of the program"
        return problem(
            "license", f"{name} gives no seat: {because}", f"start again then, or {advice}" if is_early else advice
        )
    ends_at = None if license_.get("expires_at") is None else time_of(license_["expires_at"])
    soon = ending_soon(ends_at, now=now)
    until = "" if ends_at is None else f"; the license ends on {ends_at.astimezone():%Y-%m-%d %H:%M}"
    until += "" if soon is None else f" ({soon})"
    return fine("license", f"{name}: {license_['in_use']} of {license_['max']} seats are in use{until}")

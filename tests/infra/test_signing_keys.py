"""The keys that leases are signed with: made by a command, read at start, and refused when they are not usable."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest

from infra.build.signing_keys import new_key, private_text, public_text
from infra.build.stage import ROOT, stage
from shared.edge.lease_tokens import PrivateKey, lease_tokens
from shared.edge.public_keys import MAX_KEYS, public_keys
from shared.edge.settings import SettingsError, settings
from tests.infra.bare_server import SETTINGS, bare_server
from tests.rules.make import NOW, a_license, a_session

KEY, OTHER = new_key(), new_key()
PRIVATE, PUBLIC = "SEATLEASE_SIGNING_KEYS", "SEATLEASE_PUBLIC_KEYS"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An environment with nothing of ours in it but what every function needs, and nothing read before."""
    for name in list(os.environ):
        if name.startswith("SEATLEASE_") or name.endswith("_EMULATOR_HOST"):
            monkeypatch.delenv(name)
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    forget()
    yield
    forget()


def forget() -> None:
    for read_once in (settings, lease_tokens, public_keys):
        read_once.cache_clear()


def refused(read: Callable[[], object]) -> str:
    """The reason why an instance does not start."""
    with pytest.raises(SettingsError) as error:
        read()
    return str(error.value)


# What an instance that signs reads


def test_the_first_key_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PRIVATE, private_text([KEY, OTHER]))
    monkeypatch.setenv(PUBLIC, public_text([OTHER, KEY]))

    token = lease_tokens().sign(a_session(), a_license(), organization_id="acme", now=NOW)

    assert jwt.get_unverified_header(token)["kid"] == KEY.kid


@pytest.mark.parametrize("environment", ["development", "production"])
def test_without_a_key_nothing_that_gives_leases_starts(monkeypatch: pytest.MonkeyPatch, environment: str) -> None:
    monkeypatch.setenv("SEATLEASE_ENVIRONMENT", environment)

    told = refused(lease_tokens)

    assert told.startswith("refusing to start: SEATLEASE_SIGNING_KEYS is missing")
    assert "python -m infra.build.signing_keys new" in told


def changed(**members: Any) -> str:  # noqa: ANN401 a slip is of any type
    """A set of one private key with a slip in it; ``None`` takes a member away."""
    (key,) = json.loads(private_text([KEY]))["keys"]
    return json.dumps({"keys": [{name: value for name, value in {**key, **members}.items() if value is not None}]})


SLIPS = {
    "nothing": ("", "Invalid JSON"),
    "no JSON": (KEY.d.get_secret_value(), "Invalid JSON"),
    "no set": (json.dumps({"kty": "OKP", "d": KEY.d.get_secret_value()}), "keys Field required"),
    "no key": ('{"keys": []}', "at least 1 item"),
    "too many keys": (private_text([KEY] * (MAX_KEYS + 1)), f"at most {MAX_KEYS} items"),
    "public keys": (public_text([KEY]), "keys.0.d Field required"),
    "another kind": (changed(kty="RSA"), "keys.0.kty Input should be 'OKP'"),
    "another curve": (changed(crv="Ed448"), "keys.0.crv Input should be 'Ed25519'"),
    "another use": (changed(use="enc"), "keys.0.use Input should be 'sig'"),
    "another algorithm": (changed(alg="ES256"), "keys.0.alg Input should be 'EdDSA'"),
    "no name": (changed(kid=None), "keys.0.kid Field required"),
    "another key's name": (changed(kid=OTHER.kid), "kid is not the key's thumbprint"),
    "another key's secret": (changed(d=OTHER.d.get_secret_value()), "Public key does not match private key"),
    "half a secret": (changed(d=KEY.d.get_secret_value()[:20]), "keys.0.d"),
    "no secret's letters": (changed(d="!" * 43), KEY.kid),
    "half a point": (changed(x=KEY.x[:20]), "keys.0.x String should match pattern"),
    "something more": (changed(x5c=["..."]), "keys.0.x5c Extra inputs are not permitted"),
}


@pytest.mark.parametrize(("text", "told"), SLIPS.values(), ids=SLIPS)
def test_keys_that_cannot_be_used_are_refused_and_never_shown(
    monkeypatch: pytest.MonkeyPatch, text: str, told: str
) -> None:
    monkeypatch.setenv(PRIVATE, text)

    refusal = refused(lease_tokens)

    assert refusal.startswith("refusing to start: SEATLEASE_SIGNING_KEYS holds no usable set of keys: ")
    assert told in refusal
    assert not any(key.d.get_secret_value()[:20] in refusal for key in (KEY, OTHER))


def test_a_key_that_nobody_is_shown_does_not_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PRIVATE, private_text([KEY, OTHER]))
    monkeypatch.setenv(PUBLIC, public_text([OTHER]))

    told = refused(lease_tokens)

    assert f"the signing key ({KEY.kid}) is not in SEATLEASE_PUBLIC_KEYS" in told


def test_no_key_is_shown_where_settings_and_keys_are_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PRIVATE, private_text([KEY]))

    printed = f"{settings()!r} {settings()} {KEY!r} {KEY} {lease_tokens()!r} {vars(lease_tokens())!r}"

    assert KEY.kid in printed
    assert KEY.d.get_secret_value() not in printed


# What the function that shows them reads


def test_without_keys_to_show_there_is_nothing_to_start_for() -> None:
    assert refused(public_keys).startswith("refusing to start: SEATLEASE_PUBLIC_KEYS is missing")


def test_a_private_key_among_the_public_ones_is_refused_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PUBLIC, private_text([KEY]))

    told = refused(public_keys)

    assert "a private key is among the public ones" in told
    assert KEY.d.get_secret_value() not in told


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"keys": null}', '{"keys": ["d"]}', '{"keys": []}'])
def test_public_keys_that_are_none_are_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(PUBLIC, text)

    assert refused(public_keys).startswith("refusing to start: SEATLEASE_PUBLIC_KEYS holds no usable set of keys: ")


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("acquire", PRIVATE),
        pytest.param("heartbeat", PRIVATE, marks=pytest.mark.long),
        pytest.param("keys", PUBLIC, marks=pytest.mark.long),
    ],
)
def test_an_instance_in_production_without_its_keys_ends_and_says_why(tmp_path: Path, name: str, variable: str) -> None:
    environment = {**SETTINGS, "SEATLEASE_ENVIRONMENT": "production", "K_SERVICE": f"seatlease-{name}"}

    with bare_server(name, stage(name, tmp_path), environment) as server:
        answered = server.wait_until_it_answers_or_ends()
        status, output = server.popen.poll(), server.output

    assert not answered
    assert status not in (None, 0)
    assert f"refusing to start: {variable} is missing" in output


# The command


def command(*arguments: str, stdin: str = "") -> tuple[int, list[str], str]:
    """Run it: its exit status, the private keys' names, and what it tells beside them."""
    ran = subprocess.run(
        [sys.executable, "-m", "infra.build.signing_keys", *arguments],
        cwd=ROOT,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    kids = [key["kid"] for key in json.loads(ran.stdout)["keys"]] if ran.stdout else []
    assert not any(key["d"] in ran.stderr for key in (json.loads(ran.stdout)["keys"] if ran.stdout else []))
    return ran.returncode, kids, ran.stderr


def shown(told: str) -> list[str]:
    """The names of the public keys in the line for the variable file."""
    (line,) = [line for line in told.splitlines() if line.startswith("public_keys = ")]
    return [key["kid"] for key in json.loads(line.removeprefix("public_keys = "))["keys"]]


def test_a_new_set_has_one_key_that_the_service_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "infra.build.signing_keys", "new"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    monkeypatch.setenv(PRIVATE, ran.stdout)

    token = lease_tokens().sign(a_session(), a_license(), organization_id="acme", now=NOW)

    assert shown(ran.stderr) == [jwt.get_unverified_header(token)["kid"]]


def test_a_rotation_shows_the_new_key_then_signs_with_it_then_retires_the_old() -> None:
    added, kids, told = command("rotate", stdin=private_text([KEY]))
    status, promoted, told_then = command("promote", stdin=private_text([KEY, OTHER]))
    last, left, told_at_last = command("retire", stdin=private_text([OTHER, KEY]))

    assert (added, status, last) == (0, 0, 0)
    assert len(kids) == 2
    assert kids[0] == KEY.kid
    assert shown(told) == kids
    assert promoted == shown(told_then) == [OTHER.kid, KEY.kid]
    assert left == shown(told_at_last) == [OTHER.kid]


@pytest.mark.parametrize(
    ("arguments", "stdin", "told"),
    [
        pytest.param(["rotate"], private_text([new_key() for _ in range(MAX_KEYS)]), "run retire first", id="too many"),
        pytest.param(["rotate"], "", "Invalid JSON", id="nothing read"),
        pytest.param(["promote"], private_text([KEY]), "no second key", id="nothing to promote"),
    ],
)
def test_what_cannot_be_done_is_told_and_nothing_is_printed(arguments: list[str], stdin: str, told: str) -> None:
    status, kids, said = command(*arguments, stdin=stdin)

    assert (status, kids) == (1, [])
    assert told in said


def test_a_key_is_never_shown_on_a_terminal() -> None:
    reader, terminal = os.openpty()
    with open(reader, "rb", buffering=0) as shown_there, open(terminal, "wb", buffering=0) as output:  # noqa: PTH123 no paths
        ran = subprocess.run(
            [sys.executable, "-m", "infra.build.signing_keys", "new"],
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        output.write(b"the end")
        printed = shown_there.read(10_000)

    assert ran.returncode == 1
    assert "pipe it into Secret Manager" in ran.stderr
    assert printed == b"the end"


def test_each_new_key_is_another() -> None:
    keys: list[PrivateKey] = [new_key() for _ in range(10)]

    assert len({key.d.get_secret_value() for key in keys}) == len({key.kid for key in keys}) == 10

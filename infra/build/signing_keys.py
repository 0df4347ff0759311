"""Make and change the keys that sign lease tokens: ``python -m infra.build.signing_keys --help``.

Every command writes the private keys to standard output. Pipe them into Secret Manager. It writes the public keys to
standard error. Copy them into the environment's variable file. The command stores no keys.
"""

import json
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm
from rich.console import Console

from infra.doctor.options import program
from shared.edge.lease_tokens import PrivateKey, PrivateKeySet
from shared.edge.public_keys import MAX_KEYS, PublicKeySet, read_keys, thumbprint
from shared.edge.settings import SettingsError

app = program(__doc__, no_args_is_help=True)
told = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)


def new_key() -> PrivateKey:
    """Make a key with the operating system's random numbers."""
    made = OKPAlgorithm.to_jwk(Ed25519PrivateKey.generate(), as_dict=True)
    return PrivateKey(**made, kid=thumbprint(made["x"]), use="sig", alg="EdDSA")


def private_text(keys: Sequence[PrivateKey]) -> str:
    """The value of SEATLEASE_SIGNING_KEYS. The first key signs."""
    return _text([{**key.model_dump(), "d": key.d.get_secret_value()} for key in keys])


def public_text(keys: Sequence[PrivateKey]) -> str:
    """The value of SEATLEASE_PUBLIC_KEYS: the same keys without their secrets."""
    text = _text([key.model_dump(exclude={"d"}) for key in keys])
    return read_keys(PublicKeySet, text, variable="SEATLEASE_PUBLIC_KEYS").model_dump_json()


@app.command()
def new() -> None:
    """Make a first key."""
    _tell([new_key()])


@app.command()
def rotate() -> None:
    """Read the private keys from standard input and add a new key. It is published, but does not sign yet."""
    keys = _read()
    if len(keys) == MAX_KEYS:
        _refuse(f"there are already {MAX_KEYS} keys: run retire first")
    _tell([*keys, new_key()])


@app.command()
def promote() -> None:
    """Read the private keys from standard input and put the last key first, so that it signs."""
    *others, last = _read()
    if not others:
        _refuse("there is no second key to promote: run rotate first")
    _tell([last, *others])


@app.command()
def retire() -> None:
    """Read the private keys from standard input and keep only the key that signs."""
    _tell(_read()[:1])


def _read() -> list[PrivateKey]:
    try:
        return read_keys(PrivateKeySet, sys.stdin.read(), variable="standard input").keys
    except SettingsError as error:
        _refuse(str(error))


def _tell(keys: Sequence[PrivateKey]) -> None:
    if sys.stdout.isatty():
        _refuse(
            "the output contains private keys, so it is not printed to a terminal: pipe it into Secret Manager, "
            "see infra/docs/deploy.md#the-signing-keys"
        )
    sys.stdout.write(private_text(keys) + "\n")
    told.print(f"signs: {keys[0].kid}; also accepted: {', '.join(key.kid for key in keys[1:]) or 'none'}")
    told.print("into infra/terraform/environments/ENVIRONMENT.tfvars, with the new secret version's number:")
    told.print(f"public_keys = {public_text(keys)}")


def _refuse(why: str) -> NoReturn:
    told.print(why)
    raise typer.Exit(1)


def _text(keys: Sequence[dict[str, Any]]) -> str:
    return json.dumps({"keys": keys}, separators=(",", ":"))


if __name__ == "__main__":
    app()

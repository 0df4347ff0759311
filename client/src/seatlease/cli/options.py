"""Options of several commands. None takes a secret: every user of a machine can see its command lines."""

from typing import Annotated

import typer


def _address(text: str) -> str:
    if not text.startswith(("https://", "http://")) or not text.partition("://")[2].strip("/"):
        message = "an address starts with https:// or http://"
        raise typer.BadParameter(message)
    return text.rstrip("/")


Url = Annotated[
    str,
    typer.Option(envvar="SEATLEASE_URL", parser=_address, metavar="URL", help="The service's address, without /v1."),
]
LicenseKey = Annotated[str, typer.Option(envvar="SEATLEASE_LICENSE_KEY", help="The key of the license.")]
OneLicenseKey = Annotated[
    str | None, typer.Option(envvar="SEATLEASE_LICENSE_KEY", help="Look only at the license with this key.")
]
HardwareId = Annotated[
    str | None,
    typer.Option(help="Names this device, as SEATLEASE_HARDWARE_ID does. By default, a hash of the machine's id."),
]
ApiKey = Annotated[
    str, typer.Option(envvar="SEATLEASE_API_KEY", help="The Firebase project's Web API key. It is no secret.")
]

"""Options that several commands have. None of them takes a secret: everybody on a machine sees its command lines."""

from typing import Annotated

import typer


def _address(text: str) -> str:
    if not text.startswith(("https://", "http://")) or not text.partition("://")[2].strip("/"):
        message = "an address begins with https://"
        raise typer.BadParameter(message)
    return text.rstrip("/")


Url = Annotated[
    str, typer.Option(envvar="SEATLEASE_URL", parser=_address, metavar="URL", help="Of the license service.")
]
LicenseKey = Annotated[str, typer.Option(envvar="SEATLEASE_LICENSE_KEY", help="Of the license that a seat is of.")]
OneLicenseKey = Annotated[str | None, typer.Option(envvar="SEATLEASE_LICENSE_KEY", help="Only this license.")]
HardwareId = Annotated[
    str | None,
    typer.Option(help="Names this device, as SEATLEASE_HARDWARE_ID does; without them the machine's own id, hashed."),
]
ApiKey = Annotated[
    str, typer.Option(envvar="SEATLEASE_API_KEY", help="The Firebase project's Web API key. It is no secret.")
]

"""What the doctor and the smoke test are told on their command lines."""

from enum import StrEnum
from typing import Annotated

import typer

REGION = "europe-west1"
"""Terraform's default."""


class Environment(StrEnum):
    """The files in ``infra/terraform/environments``."""

    DEVELOPMENT = "development"
    STAGING = "staging"
    PRODUCTION = "production"


ProjectOption = Annotated[str, typer.Option(help="The Google Cloud project.", envvar="SEATLEASE_PROJECT")]
RegionOption = Annotated[
    str, typer.Option(help="Where the functions and the scheduler are.", envvar="SEATLEASE_REGION")
]
EnvironmentOption = Annotated[Environment, typer.Option(help="Which of infra/terraform/environments was deployed.")]
UrlOption = Annotated[
    str | None,
    typer.Option(help="One address for all functions, or one with {function} in it; the platform's when left out."),
]
TokenOption = Annotated[
    str | None, typer.Option(help="An ID token of the canary's user.", envvar="SEATLEASE_CANARY_TOKEN")
]
LicenseKeyOption = Annotated[
    str | None, typer.Option(help="A license of the canary's organization.", envvar="SEATLEASE_CANARY_LICENSE_KEY")
]
UserOption = Annotated[
    str, typer.Option(help="The canary's user, to make a token for.", envvar="SEATLEASE_CANARY_USER")
]
SignerOption = Annotated[
    str | None,
    typer.Option(help="The service account that signs for such a token.", envvar="SEATLEASE_CANARY_SIGNER"),
]
ApiKeyOption = Annotated[
    str | None, typer.Option(help="Firebase's Web API key, for such a token.", envvar="SEATLEASE_CANARY_API_KEY")
]
EndpointsOption = Annotated[
    list[str] | None, typer.Option(hidden=True, metavar="SERVICE=ADDRESS", help="A service that answers elsewhere.")
]

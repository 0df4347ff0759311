"""The form of the programs of ``infra``, and the command-line options that several of them have."""

from enum import StrEnum
from typing import Annotated

import typer

REGION = "europe-west1"
"""The default region, as in Terraform."""


class Environment(StrEnum):
    """The environments: one for each file in ``infra/terraform/environments``."""

    DEVELOPMENT = "development"
    STAGING = "staging"
    PRODUCTION = "production"


ProjectOption = Annotated[
    str, typer.Option(metavar="PROJECT", help="The Google Cloud project.", envvar="SEATLEASE_PROJECT")
]
RegionOption = Annotated[
    str, typer.Option(metavar="REGION", help="Region of the functions and the scheduler.", envvar="SEATLEASE_REGION")
]
EnvironmentOption = Annotated[
    Environment, typer.Option(metavar="NAME", help="The deployed environment, of infra/terraform/environments.")
]
DatabaseOption = Annotated[
    str | None, typer.Option(metavar="NAME", help="The Firestore database. Default: the one in the environment's file.")
]
UrlOption = Annotated[
    str | None,
    typer.Option(
        metavar="URL", help="One address for all functions, or one with {function} in it. Default: the platform's."
    ),
]
TokenOption = Annotated[
    str | None, typer.Option(metavar="TOKEN", help="An ID token of the canary's user.", envvar="SEATLEASE_CANARY_TOKEN")
]
LicenseKeyOption = Annotated[
    str | None,
    typer.Option(
        metavar="KEY", help="License key of the canary's organization.", envvar="SEATLEASE_CANARY_LICENSE_KEY"
    ),
]
UserOption = Annotated[
    str, typer.Option(metavar="UID", help="User id of the canary, to make a token for.", envvar="SEATLEASE_CANARY_USER")
]
ApiKeyOption = Annotated[
    str | None,
    typer.Option(metavar="KEY", help="Firebase Web API key, for that token.", envvar="SEATLEASE_CANARY_API_KEY"),
]
EndpointsOption = Annotated[
    list[str] | None, typer.Option(hidden=True, metavar="SERVICE=ADDRESS", help="Another address of a Google service.")
]


def program(what_it_does: str, *, no_args_is_help: bool = False) -> typer.Typer:
    return typer.Typer(
        context_settings={"help_option_names": ["-h", "--help"]},
        help=what_it_does,
        no_args_is_help=no_args_is_help,
        rich_markup_mode=None,  # the boxes of rich cut off names that are to be copied
        pretty_exceptions_show_locals=False,  # local variables hold keys and tokens
    )

"""The smoke test of a new deployment, the doctor's part that takes seconds: ``python -m infra.doctor.smoke --help``.

It calls the functions as clients do, and nothing else: each answers, and the canary takes a seat and gives it back.
Exit status: 0 when all of it works, 1 when something does not or could not be checked, 2 for usage.
"""

from typing import Annotated

import typer

from infra.doctor.cli import check_functions, endpoints_from, report, signer_from
from infra.doctor.options import (
    REGION,
    ApiKeyOption,
    EndpointsOption,
    LicenseKeyOption,
    ProjectOption,
    RegionOption,
    SignerOption,
    TokenOption,
    UrlOption,
    UserOption,
)
from infra.doctor.project import Project

app = typer.Typer(
    help="Call what was just deployed, as clients do.",
    pretty_exceptions_show_locals=False,  # one of them is a token
)


@app.command()
def smoke(
    project: ProjectOption,
    *,
    region: RegionOption = REGION,
    url: UrlOption = None,
    canary_token: TokenOption = None,
    canary_license_key: LicenseKeyOption = None,
    canary_user: UserOption = "canary",
    canary_signer: SignerOption = None,
    canary_api_key: ApiKeyOption = None,
    without_canary: Annotated[
        bool, typer.Option("--without-canary", help="Before there is an organization: take no seat.")
    ] = False,
    endpoint: EndpointsOption = None,
) -> None:
    """Call each function for clients, and take a seat, keep it and give it back."""
    deployed = Project(project=project, region=region, endpoints=endpoints_from(endpoint or []))
    findings = check_functions(
        deployed,
        url=url,
        token=canary_token,
        license_key=canary_license_key,
        signer=None if without_canary else signer_from(canary_signer, user=canary_user, api_key=canary_api_key),
        with_canary=not without_canary,
    )
    report(findings, project=project, title=f"smoke test of {project}, {region}", as_json_text=False)


if __name__ == "__main__":
    app()

"""The smoke test of a new deployment, which takes seconds: ``python -m infra.doctor.smoke --help``.

It only calls the functions, as clients do: each must answer, and the canary acquires a seat and releases it.
Exit status: 0 if all is well, 1 if something is wrong or could not be checked, 2 for wrong options.
"""

from typing import Annotated

import typer

from infra.doctor.cli import check_functions, endpoints_from, report, sign_in_from
from infra.doctor.options import (
    REGION,
    ApiKeyOption,
    EndpointsOption,
    LicenseKeyOption,
    ProjectOption,
    RegionOption,
    TokenOption,
    UrlOption,
    UserOption,
    program,
)
from infra.doctor.project import Project

app = program("Call the deployed functions as clients do.")


@app.command()
def smoke(
    project: ProjectOption,
    *,
    region: RegionOption = REGION,
    url: UrlOption = None,
    canary_token: TokenOption = None,
    canary_license_key: LicenseKeyOption = None,
    canary_user: UserOption = "canary",
    canary_api_key: ApiKeyOption = None,
    without_canary: Annotated[
        bool, typer.Option("--without-canary", help="Acquire no seat. For the time before there is an organization.")
    ] = False,
    endpoint: EndpointsOption = None,
) -> None:
    """Call each client function; acquire a seat, send a heartbeat and release it."""
    deployed = Project(project=project, region=region, endpoints=endpoints_from(endpoint or []))
    findings = check_functions(
        deployed,
        url=url,
        token=canary_token,
        license_key=canary_license_key,
        sign_in=sign_in_from(user=canary_user, api_key=canary_api_key),
        with_canary=not without_canary,
    )
    report(findings, project=project, title=f"smoke test of {project}, {region}", as_json_text=False)


if __name__ == "__main__":
    app()

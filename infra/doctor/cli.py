"""The doctor's command line: ``python -m infra.doctor --help``.

Exit status: 0 if all is well, 1 if something is wrong or could not be checked, 2 for wrong options.
"""

import sys
from collections.abc import Mapping, Sequence
from typing import Annotated

import typer
from google.auth.exceptions import GoogleAuthError
from httpx import TransportError
from rich.console import Console

from infra.build.preflight.apis import Looking
from infra.build.preflight.quotas import check_quotas
from infra.doctor.alerts import check_alerts
from infra.doctor.backlog import check_backlog
from infra.doctor.canary import Canary, Functions, check_answering, check_canary, no_canary
from infra.doctor.events import check_events
from infra.doctor.finding import Finding
from infra.doctor.indexes import check_indexes
from infra.doctor.jobs import check_jobs
from infra.doctor.options import (
    REGION,
    ApiKeyOption,
    DatabaseOption,
    EndpointsOption,
    Environment,
    EnvironmentOption,
    LicenseKeyOption,
    ProjectOption,
    RegionOption,
    TokenOption,
    UrlOption,
    UserOption,
    program,
)
from infra.doctor.project import Project, database_of
from infra.doctor.recovery import check_database
from infra.doctor.report import as_json, is_healthy, tell
from infra.doctor.rounds import check_rounds
from infra.doctor.rules import check_rules
from infra.doctor.services import check_services
from infra.doctor.token import SignIn, TokenError, id_token
from infra.doctor.topic import check_topic

app = program("Check a deployed project, and print a command for each problem.")

EACH_AT_ITS_OWN = "https://{region}-{project}.cloudfunctions.net/{{function}}"
"""The platform's own address of a function."""


@app.command()
def doctor(
    project: ProjectOption,
    *,
    region: RegionOption = REGION,
    environment: EnvironmentOption = Environment.PRODUCTION,
    database: DatabaseOption = None,
    topic: Annotated[str, typer.Option(metavar="TOPIC", help="The audit topic.")] = "seatlease-audit",
    url: UrlOption = None,
    canary_token: TokenOption = None,
    canary_license_key: LicenseKeyOption = None,
    canary_user: UserOption = "canary",
    canary_api_key: ApiKeyOption = None,
    as_json_text: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    endpoint: EndpointsOption = None,
) -> None:
    """Check a deployed project, and print a command for each problem."""
    deployed = Project(
        project=project,
        region=region,
        environment=environment.value,
        database=database or database_of(environment),
        topic=topic,
        endpoints=endpoints_from(endpoint or []),
    )
    findings = [
        *check_services(deployed),
        *check_quotas(Looking(project=deployed)),
        *check_jobs(deployed),
        *check_events(deployed),
        *check_alerts(deployed),
        *check_topic(deployed, with_bigquery=deployed.is_in_bigquery),
        *check_backlog(deployed),
        *check_rounds(deployed),
        *check_database(deployed),
        *check_indexes(deployed),
        *check_rules(deployed),
        *check_functions(
            deployed,
            url=url,
            token=canary_token,
            license_key=canary_license_key,
            sign_in=sign_in_from(user=canary_user, api_key=canary_api_key),
        ),
    ]
    report(findings, project=project, title=f"{project}, {region}", as_json_text=as_json_text)


def check_functions(
    deployed: Project,
    *,
    url: str | None,
    token: str | None,
    license_key: str | None,
    sign_in: SignIn | None,
    with_canary: bool = True,
) -> list[Finding]:
    """Call the client functions: without a token, and as the canary."""
    address = url or EACH_AT_ITS_OWN.format(region=deployed.region, project=deployed.project)
    functions = Functions(url=address, project=deployed.project, region=deployed.region)
    findings = check_answering(functions)
    if not with_canary:
        return findings
    if not license_key:
        return [*findings, no_canary(functions, "no license key: give --canary-license-key")]
    if not token and sign_in is None:
        why = "no token: give --canary-token or --canary-api-key"
        return [*findings, no_canary(functions, why)]
    try:
        given = token or (id_token(deployed, sign_in) if sign_in else "")
    except (TokenError, GoogleAuthError, TransportError) as error:
        return [*findings, no_canary(functions, str(error))]
    return [*findings, *check_canary(functions, Canary(token=given, license_key=license_key))]


def sign_in_from(*, user: str, api_key: str | None) -> SignIn | None:
    """Combine the options of a sign-in. Without an API key there is none."""
    return SignIn(user_id=user, api_key=api_key) if api_key else None


def endpoints_from(given: Sequence[str]) -> Mapping[str, str]:
    """Split each SERVICE=ADDRESS."""
    return dict(each.split("=", 1) for each in given)


def report(findings: Sequence[Finding], *, project: str, title: str, as_json_text: bool) -> None:
    """Print the findings, and exit with 1 unless all of them are OK."""
    if as_json_text:
        sys.stdout.write(as_json(findings, project=project) + "\n")
    else:
        tell(findings, Console(), title=title)
    if not is_healthy(findings):
        raise typer.Exit(1)

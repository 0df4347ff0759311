"""The command line of the preflight: ``python -m infra.build.preflight --help``.

Exit status: 0 if a deployment may begin, 1 if something is wrong or could not be checked, 2 for wrong options.
"""

from typing import Annotated

import typer

from infra.build.preflight.account import check_account
from infra.build.preflight.apis import look_at_apis
from infra.build.preflight.existing import check_existing
from infra.build.preflight.policies import check_policies
from infra.build.preflight.quotas import check_quotas
from infra.doctor.cli import endpoints_from, report
from infra.doctor.options import (
    REGION,
    DatabaseOption,
    EndpointsOption,
    Environment,
    EnvironmentOption,
    ProjectOption,
    RegionOption,
    program,
)
from infra.doctor.project import Project, database_of

app = program("Look at a project before anything is deployed into it.")


@app.command()
def preflight(
    project: ProjectOption,
    *,
    region: RegionOption = REGION,
    environment: EnvironmentOption = Environment.PRODUCTION,
    database: DatabaseOption = None,
    as_json_text: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    endpoint: EndpointsOption = None,
) -> None:
    """Look at APIs, billing, quotas, organization policies and what is there already. Nothing is changed."""
    looked_at = Project(
        project=project,
        region=region,
        environment=environment.value,
        database=database or database_of(environment),
        endpoints=endpoints_from(endpoint or []),
    )
    looking, findings = look_at_apis(looked_at)
    findings = [
        *findings,
        *check_account(looking),
        *check_quotas(looking),
        *check_policies(looking),
        *check_existing(looking),
    ]
    report(findings, project=project, title=f"preflight of {project}, {region}", as_json_text=as_json_text)

"""Check that each function's Cloud Run service is ready, and that its traffic goes to the newest revision."""

from collections.abc import Iterator, Mapping
from typing import Any

from infra.build.triggers import deployed_name, triggers
from infra.doctor.finding import Area, Finding
from infra.doctor.project import Project

_READY = "CONDITION_SUCCEEDED"
_NEWEST = "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST"


def check_services(project: Project) -> list[Finding]:
    area = Area(name="services", api="run.googleapis.com", role="roles/run.viewer", project=project.project)
    return area.ask("services", lambda: list(_look_at(area, project)))


def _look_at(area: Area, project: Project) -> Iterator[Finding]:
    path = f"/v2/projects/{project.project}/locations/{project.region}/services?pageSize=100"
    deployed = {each["name"].rpartition("/")[2]: each for each in project.listed("run", path, "services")}
    for name in sorted(map(deployed_name, triggers())):
        if name in deployed:
            yield _state(area, project, name, deployed[name])
        else:
            yield area.wrong(f"service {name}", f"is not in {project.region}", mend=project.apply)


def _state(area: Area, project: Project, name: str, service: Mapping[str, Any]) -> Finding:
    where = f"--region={project.region} --project={project.project}"
    condition = service.get("terminalCondition", {})
    if condition.get("state") != _READY:
        found = f"is not ready: {condition.get('message') or condition.get('state') or 'it says no reason'}"
        return area.wrong(f"service {name}", found, mend=f"gcloud run services describe {name} {where}")
    # A revision without a share of the traffic may only have an address of its own.
    shares = [each for each in service.get("traffic", []) if each.get("percent")]
    if older := [each.get("revision", "?") for each in shares if each.get("type") != _NEWEST]:
        found = f"its traffic stays at {', '.join(older)}, whatever is deployed"
        return area.wrong(
            f"service {name}", found, mend=f"gcloud run services update-traffic {name} --to-latest {where}"
        )
    return area.ok(f"service {name}", "is ready, and serves its newest revision")

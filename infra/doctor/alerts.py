"""Check that the alerts are on, and that a person gets their mail."""

from infra.doctor.finding import Area, Finding
from infra.doctor.project import Project, variables_file

OURS = "Seatlease: "
"""How the names of Seatlease's alerts begin."""


def check_alerts(project: Project) -> list[Finding]:
    area = Area(name="alerts", api="monitoring.googleapis.com", role="roles/monitoring.viewer", project=project.project)
    return area.ask("alerts", lambda: [_look_at(area, project)])


def _look_at(area: Area, project: Project) -> Finding:
    path = f"/v3/projects/{project.project}/alertPolicies?pageSize=100"
    alerts = [
        each for each in project.listed("monitoring", path, "alertPolicies") if each["displayName"].startswith(OURS)
    ]
    if not alerts:
        return area.wrong("alerts", "there are none", mend=project.apply)
    if off := [each["displayName"].removeprefix(OURS) for each in alerts if not each.get("enabled")]:
        return area.wrong("alerts", f"these are off: {'; '.join(off)}", mend=project.apply)
    if all(each.get("notificationChannels") for each in alerts):
        return area.ok("alerts", f"{len(alerts)} are on, and each is sent to an address")
    if not project.is_protected:
        return area.ok("alerts", f"{len(alerts)} are on, and show in the console only")
    mend = f'set alert_emails = ["..."] in {variables_file(project.environment)}, then: {project.apply}'
    return area.wrong("alerts", "they show in the console only, so no person hears of one", mend=mend)

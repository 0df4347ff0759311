"""Check that Firestore's events have their Eventarc triggers, in the database's location."""

from collections.abc import Iterator, Mapping
from typing import Any

from infra.build.triggers import OnDocument, deployed_name, triggers
from infra.doctor.finding import Area, Finding
from infra.doctor.project import Project


def check_events(project: Project) -> list[Finding]:
    area = Area(name="events", api="eventarc.googleapis.com", role="roles/eventarc.viewer", project=project.project)
    return area.ask("triggers", lambda: list(_look_at(area, project)))


def _look_at(area: Area, project: Project) -> Iterator[Finding]:
    location = project.database_location
    path = f"/v1/projects/{project.project}/locations/{location}/triggers?pageSize=100"
    made = {each["name"].rpartition("/")[2]: each for each in project.listed("eventarc", path, "triggers")}
    for function, trigger in triggers().items():
        for number in range(len(trigger.events)) if isinstance(trigger, OnDocument) else ():
            service = deployed_name(function)
            name = f"{service}-{number}"
            problem = _problem(project, made[name]) if name in made else f"is not in {location}"
            if problem is None:
                yield area.ok(f"trigger {name}", f"calls {service} for events of {project.database}")
            else:
                yield area.wrong(f"trigger {name}", f"{problem}, so no event calls {service}", mend=project.apply)


def _problem(project: Project, trigger: Mapping[str, Any]) -> str | None:
    database = next(each["value"] for each in trigger["eventFilters"] if each["attribute"] == "database")
    if database != project.database:
        return f"is of the database {database}"
    if failed := [each.get("message", name) for name, each in trigger.get("conditions", {}).items()]:
        return f"does not work ({'; '.join(failed)})"
    return None

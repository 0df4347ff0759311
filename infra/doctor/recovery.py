"""Check that the database is where it should be, and can be brought back after a mistake."""

from collections.abc import Iterator

from infra.doctor.finding import Area, Finding
from infra.doctor.project import Project


def check_database(project: Project) -> list[Finding]:
    area = Area(name="database", api="firestore.googleapis.com", role="roles/datastore.viewer", project=project.project)
    schedules = Area(
        name=area.name, api=area.api, role="roles/datastore.backupSchedulesViewer", project=project.project
    )
    return [
        *area.ask("database", lambda: list(_look_at(area, project))),
        *schedules.ask("daily backup", lambda: list(_backups(schedules, project))),
    ]


def _look_at(area: Area, project: Project) -> Iterator[Finding]:
    database = project.ask("firestore", _path(project))
    if database is None:
        yield area.wrong("database", f"there is none named {project.database}", mend=project.apply)
        return
    yield area.ok("database", f"{project.database} is in {database['locationId']}")
    locks = {
        "point-in-time recovery": database.get("pointInTimeRecoveryEnablement") == "POINT_IN_TIME_RECOVERY_ENABLED",
        "delete protection": database.get("deleteProtectionState") == "DELETE_PROTECTION_ENABLED",
    }
    for subject, is_on in locks.items():
        if is_on == project.is_protected:
            yield area.ok(subject, "is on" if is_on else "is off, as this environment wants it")
        else:
            yield area.wrong(subject, "is on" if is_on else "is off", mend=project.apply)


def _backups(area: Area, project: Project) -> Iterator[Finding]:
    listed = (project.ask("firestore", f"{_path(project)}/backupSchedules") or {}).get("backupSchedules", [])
    kept = [each["retention"] for each in listed if "dailyRecurrence" in each]
    if kept:
        yield area.ok("daily backup", f"each is kept for {int(kept[0].removesuffix('s')) // (24 * 60 * 60)} days")
    elif project.is_protected:
        yield area.wrong("daily backup", "there is none: a deleted database is lost", mend=project.apply)
    else:
        yield area.ok("daily backup", "there is none, as this environment wants it")


def _path(project: Project) -> str:
    return f"/v1/projects/{project.project}/databases/{project.database}"

"""The deployed services and the protected database, all well, from the recordings."""

from typing import Any

from infra.build.triggers import deployed_name, triggers
from tests.infra.recorded_api import RecordedApi, recorded

PROJECT = "projects/demo-seatlease"
DATABASE = f"GET /v1/{PROJECT}/databases/(default)"
BACKUPS = f"{DATABASE}/backupSchedules"


def services_in(region: str) -> str:
    return f"GET /v2/{PROJECT}/locations/{region}/services"


def say_services(api: RecordedApi, *, region: str = "europe-west1", **changed: dict[str, Any]) -> None:
    """A service for each function; ``changed`` has other fields by the function's name."""
    services = [
        {
            **recorded("run_service"),
            "name": f"{PROJECT}/locations/{region}/services/{deployed_name(function)}",
            **changed.get(function, {}),
        }
        for function in triggers()
    ]
    api.say(services_in(region), {"services": services})


def say_deployment(api: RecordedApi, *, region: str) -> None:
    say_services(api, region=region)
    api.say(DATABASE, recorded("database"))
    api.say(BACKUPS, {"backupSchedules": [recorded("backup_schedule")]})

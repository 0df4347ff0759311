"""The deployed services, triggers, alerts and the protected database, all well, from the recordings."""

from typing import Any

from infra.build.triggers import OnDocument, deployed_name, triggers
from tests.infra.recorded_api import RecordedApi, recorded

PROJECT = "projects/demo-seatlease"
DATABASE = f"GET /v1/{PROJECT}/databases/(default)"
BACKUPS = f"{DATABASE}/backupSchedules"
ALERTS = f"GET /v3/{PROJECT}/alertPolicies"


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


def triggers_in(location: str) -> str:
    return f"GET /v1/{PROJECT}/locations/{location}/triggers"


def say_triggers(api: RecordedApi, *, location: str = "europe-west1", **changed: Any) -> None:  # noqa: ANN401 JSON of any form
    """A trigger for each event; ``changed`` has other fields of every trigger."""
    named = {
        f"{deployed_name(function)}-{number}": event
        for function, called in triggers().items()
        if isinstance(called, OnDocument)
        for number, event in enumerate(called.events)
    }
    made = [
        {**recorded("trigger"), "name": f"{PROJECT}/locations/{location}/triggers/{name}", **changed} for name in named
    ]
    api.say(triggers_in(location), {"triggers": made})


def say_alerts(api: RecordedApi, **changed: Any) -> None:  # noqa: ANN401 as above
    """Two alerts of ours, the first one changed, and one of another app."""
    other = {**recorded("alert_policy"), "displayName": "The shop is slow", "notificationChannels": []}
    api.say(ALERTS, {"alertPolicies": [{**recorded("alert_policy"), **changed}, recorded("alert_policy"), other]})


def say_deployment(api: RecordedApi, *, region: str) -> None:
    say_services(api, region=region)
    say_triggers(api, location=region)
    say_alerts(api)
    api.say(DATABASE, recorded("database"))
    api.say(BACKUPS, {"backupSchedules": [recorded("backup_schedule")]})

"""What another app of the project has already: databases, rules, Hosting sites, an App Engine app with its place."""

from collections.abc import Mapping
from typing import Any

from google.api_core.exceptions import Forbidden

from infra.build.preflight.apis import Looking
from infra.doctor.finding import Area, Finding
from infra.doctor.project import DEFAULT_DATABASE, Project, variables_file
from infra.doctor.rules import release_name, released_rules

OUR_DATABASE = "seatlease"

_RULES_API = "firebaserules.googleapis.com"

_PAGE = "infra/docs/deploy.md#an-existing-firebase-project"

_PLACES_OF_APP_ENGINE = {"us-central": "nam5", "europe-west": "eur3"}
"""Where the default database of an App Engine app is, if not in the app's region. Source: App Engine, Locations."""


def check_existing(looking: Looking) -> list[Finding]:
    return [*_database(looking), *_app_engine(looking), *_rules(looking), *_hosting(looking)]


def our_site(project: str) -> str:
    """The Hosting site that the deploy page makes."""
    return f"{project}-seatlease"


def _database(looking: Looking) -> list[Finding]:
    area = looking.area("existing", api="firestore", role="roles/datastore.viewer")
    project = looking.project
    subject = f"database {project.database}"

    def question() -> list[Finding]:
        found = _databases(project)
        others = sorted(found.keys() - {project.database})
        beside = f". Not touched: {', '.join(others)}" if others else ""
        if project.database not in found:
            return [area.ok(subject, f"is not there: the first apply makes it{beside}")]
        if problem := _problem(looking, area, subject, found):
            return [problem]
        return [area.ok(subject, f"is there, with the rules of Seatlease{beside}")]

    return looking.ask(area, subject, question)


def _problem(looking: Looking, area: Area, subject: str, found: Mapping[str, Any]) -> Finding | None:
    project, database = looking.project, found[looking.project.database]
    file = variables_file(project.environment)
    name = OUR_DATABASE if OUR_DATABASE not in found else "ANOTHER-NAME"
    another = f'set database = "{name}" in {file}: {_PAGE}'
    if database["type"] != "FIRESTORE_NATIVE":
        return area.wrong(subject, f"is there, of the type {database['type']}, which cannot be changed", mend=another)
    rules = None if _RULES_API in looking.off else released_rules(project)
    if rules is None:
        words = "is there, and has no rules. If Seatlease's first apply made it, go on. Otherwise another app uses it"
        return area.wrong(subject, words, mend=another)
    if not rules.are_ours:
        return area.wrong(
            subject, "is there, with rules that are not those of Seatlease: another app uses it", mend=another
        )
    wanted = project.database_location
    if database["locationId"] != wanted:
        words = f"is in {database['locationId']}, not in {wanted}, and cannot be moved"
        return area.wrong(subject, words, mend=f'set database_location = "{database["locationId"]}" in {file}')
    return None


def _databases(project: Project) -> dict[str, Any]:
    listed = project.ask("firestore", f"/v1/projects/{project.project}/databases") or {}
    return {each["name"].rpartition("/")[2]: each for each in listed.get("databases", [])}


def _app_engine(looking: Looking) -> list[Finding]:
    """The default database shares the place of an App Engine app, which is fixed. Other databases do not.

    Cloud Scheduler's jobs do not either: only those with an App Engine target have to be in the app's region.
    """
    area = looking.area("existing", api="appengine", role="roles/appengine.appViewer")
    project = looking.project

    def question() -> list[Finding]:
        app = _app_of(project)
        if app is None:
            return [area.ok("App Engine", "no app, so nothing has a place yet")]
        region, place = app["locationId"], _PLACES_OF_APP_ENGINE.get(app["locationId"], app["locationId"])
        if project.database != DEFAULT_DATABASE:
            return [area.ok("App Engine", f"an app in {region}, which binds only {DEFAULT_DATABASE}")]
        wanted = project.database_location
        if place == wanted:
            return [area.ok("App Engine", f"an app in {region}, and {DEFAULT_DATABASE} has to be in {place} with it")]
        if DEFAULT_DATABASE in _databases(project):
            return [area.ok("App Engine", f"an app in {region}, and {DEFAULT_DATABASE} has its place already")]
        found = f"an app in {region} binds {DEFAULT_DATABASE} to {place}, not {wanted}, and cannot be moved"
        mend = f'set database = "{OUR_DATABASE}" in {variables_file(project.environment)}: {_PAGE}'
        return [area.wrong("App Engine", found, mend=mend)]

    return looking.ask(area, "App Engine", question)


def _app_of(project: Project) -> dict[str, Any] | None:
    """The project's App Engine app. Where the API is off there is none: to make one switches it on."""
    try:
        return project.ask("appengine", f"/v1/apps/{project.project}")
    except Forbidden as error:
        if error.reason == "SERVICE_DISABLED":
            return None
        raise


def _rules(looking: Looking) -> list[Finding]:
    area = looking.area("existing", api="firebaserules", role="roles/firebaserules.viewer")
    project, ours = looking.project, release_name(looking.project.database)

    def question() -> list[Finding]:
        path = f"/v1/projects/{project.project}/releases?pageSize=100"
        names = {each["name"].partition("/releases/")[2] for each in project.listed("rules", path, "releases")}
        rules = released_rules(project) if ours in names else None
        if rules is not None and not rules.are_ours:
            return [
                area.wrong(
                    f"rules {ours}",
                    "are another app's, or older ones of ours. The first apply refuses to replace them",
                    mend=f"choose a database of your own, or merge them into infra/firestore.rules: {_PAGE}",
                )
            ]
        others = ", ".join(sorted(names - {ours})) or "none"
        return [area.ok(f"rules {ours}", f"nothing to merge. Not touched: {others}")]

    return looking.ask(area, f"rules {ours}", question)


def _hosting(looking: Looking) -> list[Finding]:
    area = looking.area("existing", api="firebasehosting", role="roles/firebasehosting.viewer")
    project, ours = looking.project, our_site(looking.project.project)
    subject = f"Hosting site {ours}"

    def question() -> list[Finding]:
        path = f"/v1beta1/projects/{project.project}/sites?pageSize=100"
        sites = {each["name"].rpartition("/")[2] for each in project.listed("hosting", path, "sites")}
        others = ", ".join(sorted(sites - {ours})) or "none"
        made = "is there" if ours in sites else "is not there: the deploy page makes it"
        return [area.ok(subject, f"{made}. Not touched: {others}")]

    return looking.ask(area, subject, question)

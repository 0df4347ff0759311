"""Check that the released Firestore security rules are exactly ``infra/firestore.rules``."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from google.api_core.exceptions import from_http_response
from google.auth.transport.requests import AuthorizedSession

from infra.build.stage import ROOT
from infra.doctor.finding import Area, Finding
from infra.doctor.project import ANSWER_WITHIN_SECONDS, Project

_RULES = ROOT / "infra/firestore.rules"


def check_rules(project: Project) -> list[Finding]:
    area = Area(
        name="rules",
        api="firebaserules.googleapis.com",
        role="roles/firebaserules.viewer",
        project=project.project,
    )
    return area.ask("security rules", lambda: list(_look_at(area, project)))


def _look_at(area: Area, project: Project) -> Iterator[Finding]:
    session, address = project.session("rules")
    # The default database's release has the bare name.
    suffix = "" if project.database == "(default)" else f"/{project.database}"
    with session:
        release = _get(session, f"{address}/v1/projects/{project.project}/releases/cloud.firestore{suffix}")
        if release is None:
            yield area.wrong("security rules", "none are released for this database", mend=project.apply)
            return
        ruleset = _get(session, f"{address}/v1/{release['rulesetName']}")
    if ruleset is None:
        yield area.wrong("security rules", "the release names rules that do not exist", mend=project.apply)
        return
    contents = [file["content"] for file in ruleset["source"]["files"]]
    if contents == [_RULES.read_text()]:
        since = release.get("updateTime", "its release")
        yield area.ok("security rules", f"same as infra/firestore.rules since {since}")
    else:
        yield area.wrong(
            "security rules", f"differ from infra/firestore.rules: {_difference(contents)}", mend=project.apply
        )


def _get(session: AuthorizedSession, url: str) -> dict[str, Any] | None:
    answer = session.get(url, timeout=ANSWER_WITHIN_SECONDS)
    if answer.status_code == HTTPStatus.NOT_FOUND:
        return None
    if not answer.ok:
        raise from_http_response(answer)
    return dict(answer.json())


def _difference(contents: list[str]) -> str:
    if len(contents) != 1:
        return f"{len(contents)} files are released"
    deployed, written = contents[0].splitlines(), _RULES.read_text().splitlines()
    for number, (here, there) in enumerate(zip(deployed, written, strict=False), start=1):
        if here != there:
            return f"line {number} reads {here.strip()!r}"
    return f"{len(deployed)} lines, but the file has {len(written)}, or the line ends differ"

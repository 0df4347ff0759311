"""Check that the released Firestore security rules are exactly ``infra/firestore.rules``."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from infra.build.stage import ROOT
from infra.doctor.finding import Area, Finding
from infra.doctor.project import DEFAULT_DATABASE, Project

_RULES = ROOT / "infra/firestore.rules"


@dataclass(frozen=True, kw_only=True, slots=True)
class Released:
    """The rules that are released for a database. ``contents`` is None if the release names rules that are gone."""

    contents: Sequence[str] | None
    since: str

    @property
    def are_ours(self) -> bool:
        """Whether they are exactly those of the file."""
        return self.contents == [_RULES.read_text()]


def release_name(database: str) -> str:
    """The release of a database's rules. The default database's has the bare name."""
    return "cloud.firestore" if database == DEFAULT_DATABASE else f"cloud.firestore/{database}"


def released_rules(project: Project) -> Released | None:
    """The rules of the project's database; None if none are released.

    Raises:
        GoogleAPICallError: the service refuses.
    """
    release = project.ask("rules", f"/v1/projects/{project.project}/releases/{release_name(project.database)}")
    if release is None:
        return None
    ruleset = project.ask("rules", f"/v1/{release['rulesetName']}")
    contents = None if ruleset is None else [file["content"] for file in ruleset["source"]["files"]]
    return Released(contents=contents, since=release.get("updateTime", "its release"))


def check_rules(project: Project) -> list[Finding]:
    area = Area(
        name="rules",
        api="firebaserules.googleapis.com",
        role="roles/firebaserules.viewer",
        project=project.project,
    )
    return area.ask("security rules", lambda: list(_look_at(area, project)))


def _look_at(area: Area, project: Project) -> Iterator[Finding]:
    rules = released_rules(project)
    if rules is None:
        yield area.wrong("security rules", "none are released for this database", mend=project.apply)
    elif rules.contents is None:
        yield area.wrong("security rules", "the release names rules that do not exist", mend=project.apply)
    elif rules.are_ours:
        yield area.ok("security rules", f"same as infra/firestore.rules since {rules.since}")
    else:
        yield area.wrong(
            "security rules", f"differ from infra/firestore.rules: {_difference(rules.contents)}", mend=project.apply
        )


def _difference(contents: Sequence[str]) -> str:
    if len(contents) != 1:
        return f"{len(contents)} files are released"
    deployed, written = contents[0].splitlines(), _RULES.read_text().splitlines()
    for number, (here, there) in enumerate(zip(deployed, written, strict=False), start=1):
        if here != there:
            return f"line {number} reads {here.strip()!r}"
    return f"{len(deployed)} lines, but the file has {len(written)}, or the line ends differ"

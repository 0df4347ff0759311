"""The APIs that Terraform and this program need, and those that are off."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from infra.build.stage import ROOT
from infra.doctor.finding import Area, Finding
from infra.doctor.project import Project

AT_ONCE = 20
"""The most APIs that one request switches on. Source: Service Usage, services.batchEnable."""

_LIST = re.compile(r"toset\(\[(.*?)\]\)", re.DOTALL)

ASKED_BEFORE = ("cloudbilling", "orgpolicy", "serviceusage")
"""Needed before Terraform runs, and not by what it makes: by this program."""


def needed_apis() -> list[str]:
    """The APIs of ``infra/terraform/apis.tf``, and those above."""
    listed = _LIST.search((ROOT / "infra/terraform/apis.tf").read_text())
    names = re.findall(r'"(\w+)"', listed[1]) if listed else []
    return sorted(f"{name}.googleapis.com" for name in {*names, *ASKED_BEFORE})


@dataclass(frozen=True, kw_only=True, slots=True)
class Looking:
    """The project, and the APIs that are known to be off: to ask them would only say so once more."""

    project: Project
    off: frozenset[str] = frozenset()

    @property
    def enable(self) -> str:
        """The command that switches them on."""
        apis = sorted(self.off)
        parts = [apis[start : start + AT_ONCE] for start in range(0, len(apis), AT_ONCE)]
        return " && ".join(
            f"gcloud services enable {' '.join(part)} --project={self.project.project}" for part in parts
        )

    def area(self, name: str, *, api: str, role: str) -> Area:
        return Area(name=name, api=f"{api}.googleapis.com", role=role, project=self.project.project)

    def ask(self, area: Area, subject: str, questions: Callable[[], Sequence[Finding]]) -> list[Finding]:
        """Run the checks of an area, if its API is on."""
        if area.api in self.off:
            return [area.unknown(subject, f"{area.api} is off", mend=self.enable)]
        return area.ask(subject, questions)


def look_at_apis(project: Project) -> tuple[Looking, list[Finding]]:
    """Find the APIs that are off. If that cannot be asked, all of them are taken to be on."""
    looking = Looking(project=project)
    area = looking.area("project", api="serviceusage", role="roles/serviceusage.serviceUsageViewer")
    on: set[str] = set()

    def question() -> list[Finding]:
        path = f"/v1/projects/{project.project}/services?filter=state:ENABLED&pageSize=200"
        on.update(service["name"].rpartition("/")[2] for service in project.listed("apis", path, "services"))
        return []

    if unknown := area.ask("APIs", question):
        return looking, unknown
    needed = needed_apis()
    looking = Looking(project=project, off=frozenset(needed) - on)
    if looking.off:
        names = ", ".join(name.partition(".")[0] for name in sorted(looking.off))
        return looking, [area.wrong("APIs", f"{len(looking.off)} are off: {names}", mend=looking.enable)]
    return looking, [area.ok("APIs", f"all {len(needed)} are on")]

"""What terraform would make, read from its own plan, against a mock of the provider."""

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from infra.build.stage import MANIFEST
from infra.terraform.offline.terraform import Terraform

ENVIRONMENTS = ("development", "staging", "production")


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One resource: its kind, its name and key in the .tf files, and what is known of it before it is made."""

    kind: str
    name: str
    key: str
    values: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that would be made."""

    resources: tuple[Resource, ...]

    @classmethod
    def of(cls, planned: Mapping[str, Any]) -> Self:
        """Read it from the JSON form in which terraform shows a plan."""
        resources = tuple(
            Resource(
                kind=change["type"],
                name=change["name"],
                key=str(change.get("index", "")),
                values=change["change"]["after"],
            )
            for change in planned["resource_changes"]
            if change["mode"] == "managed"
        )
        return cls(resources=resources)

    def of_kind(self, kind: str, name: str | None = None) -> dict[str, Mapping[str, Any]]:
        """The resources of a kind, or of a kind and a name, by their keys; without a key by their names."""
        found = [each for each in self.resources if each.kind == kind and name in {None, each.name}]
        by_key = {each.key or each.name: each.values for each in found}
        assert len(by_key) == len(found), f"say which {kind}: some share a key"
        return by_key

    def one(self, kind: str, name: str | None = None) -> Mapping[str, Any]:
        """The only resource of its kind (and name)."""
        (only,) = self.of_kind(kind, name).values()
        return only


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What came of ``terraform test``: how it ended, what it said, and the plan of its first run."""

    status: int
    said: str
    plan: Plan | None


def copy_of(configured: Path, into: Path) -> Path:
    """Copy the configuration once more, to change it. Of what was staged only the names matter."""
    (into / "build").mkdir(parents=True)
    shutil.copy(configured.parents[1] / "build" / MANIFEST, into / "build")
    shutil.copytree(configured.parent, into / "infra")
    return into / "infra" / configured.name


def run_tests(
    terraform: Terraform, folder: Path, *, file: str = "deployment", environment: str = "production"
) -> Judged:
    """Run the tests of one file as in one environment."""
    variables = f"-var-file=environments/{environment}.tfvars"
    ran = terraform.run("test", "-json", "-verbose", f"-filter=tests/{file}.tftest.hcl", variables, folder=folder)
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    plans = [line["test_plan"] for line in lines if line["type"] == "test_plan"]
    return Judged(
        status=ran.returncode,
        said="\n".join([*_said(lines), ran.stderr]),
        plan=Plan.of(plans[0]) if plans else None,
    )


def _said(lines: list[Mapping[str, Any]]) -> Iterator[str]:
    for line in lines:
        if line["type"] == "diagnostic":
            yield f"{line['diagnostic']['summary']}: {line['diagnostic'].get('detail', '')}"
        elif line["type"] != "test_plan":
            yield line["@message"]

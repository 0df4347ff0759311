"""The two quotas that a new project meets: the CPUs of Cloud Run and those of Cloud Build, in the region."""

import re
from typing import Any

from infra.build.preflight.apis import Looking
from infra.build.stage import ROOT
from infra.doctor.finding import Finding

RUN_CPUS = "run.googleapis.com/cpu_allocation"
BUILD_CPUS = "cloudbuild.googleapis.com/concurrent_public_pool_build_cpus"
CPUS_OF_A_BUILD = 2

BUILD_REGIONS = ("us-central1", "us-west2", "europe-west1", "asia-east1", "australia-southeast1", "southamerica-east1")
"""Where restricted projects, among them new ones, may build. Source: Cloud Build, "Locations"."""

_UNLIMITED = -1
_ROLE = "roles/servicemanagement.quotaViewer"


def needed_run_cpus() -> float:
    """The CPUs of all functions with all their instances."""
    text = (ROOT / "infra/terraform/functions.tf").read_text()
    sizes = re.findall(r"\bcpu = \"([\d.]+)\",.*\bmaximum = (\d+)", text)
    return sum(float(cpus) * int(maximum) for cpus, maximum in sizes)


def check_quotas(looking: Looking) -> list[Finding]:
    return [*_run(looking), *_build(looking)]


def _run(looking: Looking) -> list[Finding]:
    area = looking.area("quotas", api="run", role=_ROLE)
    project, needed = looking.project, needed_run_cpus()
    subject = f"Cloud Run CPUs in {project.region}"

    def question() -> list[Finding]:
        limit = _limit(looking, RUN_CPUS)
        if limit is None:
            return [area.unknown(subject, f"Google does not list {RUN_CPUS}", mend=_console(project.project))]
        if limit == _UNLIMITED or limit >= needed * 1000:
            return [area.ok(subject, f"{_cpus(limit / 1000)}; all functions together take at most {needed:g}")]
        found = f"{_cpus(limit / 1000)}, but all functions together may take {needed:g}: some would not start"
        return [area.wrong(subject, found, mend=_console(project.project))]

    return looking.ask(area, subject, question)


def _build(looking: Looking) -> list[Finding]:
    area = looking.area("quotas", api="cloudbuild", role=_ROLE)
    project = looking.project
    subject = f"Cloud Build CPUs in {project.region}"

    def question() -> list[Finding]:
        limit = _limit(looking, BUILD_CPUS)
        if limit is None:
            return [area.unknown(subject, f"Google does not list {BUILD_CPUS}", mend=_console(project.project))]
        if limit == _UNLIMITED or limit >= CPUS_OF_A_BUILD:
            return [area.ok(subject, f"{_cpus(limit)}; each function's build takes {CPUS_OF_A_BUILD}")]
        found = f"{_cpus(limit)}: this project may not build functions in this region"
        others = ", ".join(region for region in BUILD_REGIONS if region != project.region)
        mend = f"choose another region before the first apply: {others}"
        return [area.wrong(subject, found, mend=mend)]

    return looking.ask(area, subject, question)


def _limit(looking: Looking, metric: str) -> int | None:
    """The quota in force in the region; None if there is no such quota."""
    project, api = looking.project, metric.partition("/")[0]
    name = metric.replace("/", "%2F")
    path = f"/v1beta1/projects/{project.project}/services/{api}/consumerQuotaMetrics/{name}?view=FULL"
    found = project.ask("apis", path) or {}
    buckets = [bucket for limit in found.get("consumerQuotaLimits", []) for bucket in limit.get("quotaBuckets", [])]
    # Buckets go from the least specific to the most specific: the default of all regions comes first.
    fitting = [bucket for bucket in buckets if _region_of(bucket) in {None, project.region}]
    return int(fitting[-1].get("effectiveLimit", 0)) if fitting else None


def _region_of(bucket: dict[str, Any]) -> str | None:
    region: str | None = bucket.get("dimensions", {}).get("region")
    return region


def _cpus(number: float) -> str:
    return "no limit" if number < 0 else f"{number:g}"


def _console(project: str) -> str:
    return f"https://console.cloud.google.com/iam-admin/quotas?project={project}"

"""Organization policies that stop a deployment: who may get a right, and where something may be."""

from typing import Any

from infra.build.preflight.apis import Looking
from infra.doctor.finding import Finding
from infra.doctor.project import variable, variables_file

MEMBERS = ("iam.allowedPolicyMemberDomains", "iam.managed.allowedPolicyMembers")
PLACES = "gcp.resourceLocations"

_GROUPS = {"europe": ("eu", "europe"), "northamerica": ("northamerica", "canada")}
"""The groups of places that a region may be in, where they have another name than its first word."""


def check_policies(looking: Looking) -> list[Finding]:
    return [*_all_users(looking), *_places(looking)]


def _all_users(looking: Looking) -> list[Finding]:
    area = looking.area("policies", api="orgpolicy", role="roles/orgpolicy.policyViewer")
    environment, subject = looking.project.environment, "allUsers"

    def question() -> list[Finding]:
        forbidden_by = [name for name in MEMBERS if not _allows_all(_rules(looking, name))]
        if not forbidden_by:
            return [area.ok(subject, "may get the right to call the functions for clients")]
        if variable(environment, "grant_all_users") == "false":
            found = f"{', '.join(forbidden_by)} forbids them, and grant_all_users is false"
            return [area.ok(subject, f"{found}: open the functions after the build (infra/docs/deploy.md#all-users)")]
        mend = f"set grant_all_users = false in {variables_file(environment)}, and read infra/docs/deploy.md#all-users"
        return [area.wrong(subject, f"{', '.join(forbidden_by)} forbids them, so clients could not call", mend=mend)]

    return looking.ask(area, subject, question)


def _places(looking: Looking) -> list[Finding]:
    area = looking.area("policies", api="orgpolicy", role="roles/orgpolicy.policyViewer")
    region, environment = looking.project.region, looking.project.environment
    subject = f"resources in {region}"

    def question() -> list[Finding]:
        rules = _rules(looking, PLACES)
        if _allows_all(rules):
            return [area.ok(subject, f"{PLACES} allows every place")]
        allowed = {value for rule in rules for value in rule.get("values", {}).get("allowedValues", [])}
        if allowed & _names_of(region):
            found = f"{PLACES} allows this region. If it refuses a build, submit it with --region={region}"
            return [area.ok(subject, found)]
        found = f"{PLACES} allows only {', '.join(sorted(allowed)) or 'nothing'}"
        mend = (
            f"choose an allowed region (REGION, and region in {variables_file(environment)}), or ask for an exception"
        )
        return [area.wrong(subject, found, mend=mend)]

    return looking.ask(area, subject, question)


def _rules(looking: Looking, constraint: str) -> list[dict[str, Any]]:
    path = f"/v2/projects/{looking.project.project}/policies/{constraint}:getEffectivePolicy"
    policy = looking.project.ask("policies", path) or {}
    return list(policy.get("spec", {}).get("rules", []))


def _allows_all(rules: list[dict[str, Any]]) -> bool:
    """Without a rule the constraint's default holds, which allows everything. A rule has one of these forms."""
    return not any(rule.get("denyAll") or rule.get("enforce") or "values" in rule for rule in rules)


def _names_of(region: str) -> set[str]:
    continent = region.partition("-")[0]
    groups = _GROUPS.get(continent, (continent,))
    return {region, f"in:{region}-locations", *(f"in:{group}-locations" for group in groups)}

"""Data Access audit logs: Terraform replaces the settings of two services, also those that another app made."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from infra.build.stage import ROOT
from infra.doctor.finding import Area, Finding

_FILE = "infra/terraform/audit_logs.tf"
_PAGE = "infra/docs/deploy.md#an-existing-firebase-project"
_OUR_ACCOUNTS = "serviceAccount:seatlease-"


def check_audit_logs(area: Area, policy: Mapping[str, Any]) -> Finding:
    """Compare the project's IAM policy with what Terraform's file keeps."""
    subject = "Data Access audit logs"
    lost = list(_lost(policy))
    if not lost:
        return area.ok(subject, "an apply replaces nothing of another app")
    mend = f"add them to {_FILE} if you want to keep them, or remove them from the project: {_PAGE}"
    return area.wrong(subject, f"an apply would remove {'; '.join(lost)}", mend=mend)


def _lost(policy: Mapping[str, Any]) -> Iterator[str]:
    kept = _kept()
    services = {service for service, _ in kept}
    for config in policy.get("auditConfigs", []):
        service = config["service"]
        for log in config["auditLogConfigs"] if service in services else []:
            name = f"{log['logType']} of {service}"
            ours = kept.get((service, log["logType"]))
            if ours is None:
                yield name
                continue
            for member in log.get("exemptedMembers", []):
                if not member.startswith(_OUR_ACCOUNTS) and f'"{member}"' not in ours:
                    yield f"the exemption of {member} from {name}"


def _kept() -> dict[tuple[str, str], str]:
    """By service and log type: the block of Terraform's file that sets it."""
    resources = re.findall(
        r'^resource "google_project_iam_audit_config" .*?^}', (ROOT / _FILE).read_text(), re.MULTILINE | re.DOTALL
    )
    return {
        (service, log_type): block
        for resource in resources
        for service in re.findall(r'^  service = "(.+)"', resource, re.MULTILINE)
        for block in re.findall(r"^  audit_log_config {.*?^  }", resource, re.MULTILINE | re.DOTALL)
        for log_type in re.findall(r'^    log_type *= "(\w+)"', block, re.MULTILINE)
    }

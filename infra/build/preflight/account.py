"""What the project itself must have: billing, Firebase, sign-in, and Google's own accounts with their rights."""

from collections.abc import Mapping
from typing import Any

from infra.build.preflight.apis import Looking
from infra.build.preflight.audit_logs import check_audit_logs
from infra.doctor.finding import Area, Finding


def check_account(looking: Looking) -> list[Finding]:
    return [*_billing(looking), *_firebase(looking), *_sign_in(looking), *_policy(looking)]


def _billing(looking: Looking) -> list[Finding]:
    area = looking.area("project", api="cloudbilling", role="roles/browser")
    project = looking.project

    def question() -> list[Finding]:
        billing = project.ask("billing", f"/v1/projects/{project.project}/billingInfo") or {}
        if billing.get("billingEnabled"):
            return [area.ok("billing", "is on")]
        mend = f"gcloud billing projects link {project.project} --billing-account=ACCOUNT"
        return [area.wrong("billing", "is off: functions, builds and backups need it", mend=mend)]

    return looking.ask(area, "billing", question)


def _firebase(looking: Looking) -> list[Finding]:
    area = looking.area("project", api="firebase", role="roles/firebase.viewer")
    project = looking.project

    def question() -> list[Finding]:
        if project.ask("firebase", f"/v1beta1/projects/{project.project}") is not None:
            return [area.ok("Firebase", "is added to this project")]
        mend = f"make auth-emulator && .firebase/node_modules/.bin/firebase projects:addfirebase {project.project}"
        return [area.wrong("Firebase", "is not added to this project, so no user can sign in", mend=mend)]

    return looking.ask(area, "Firebase", question)


def _sign_in(looking: Looking) -> list[Finding]:
    area = looking.area("project", api="identitytoolkit", role="roles/firebaseauth.viewer")
    project = looking.project

    def question() -> list[Finding]:
        if project.ask("identity", f"/admin/v2/projects/{project.project}/config") is not None:
            return [area.ok("sign-in", "Firebase Authentication is set up")]
        mend = (
            f"open https://console.firebase.google.com/project/{project.project}/authentication, choose Get started, "
            "and switch on the sign-in methods that your clients use"
        )
        return [area.wrong("sign-in", "Firebase Authentication is not set up", mend=mend)]

    return looking.ask(area, "sign-in", question)


def _policy(looking: Looking) -> list[Finding]:
    area = looking.area("project", api="cloudresourcemanager", role="roles/iam.securityReviewer")
    project = looking.project.project

    def question() -> list[Finding]:
        policy = looking.project.ask("projects", f"/v3/projects/{project}:getIamPolicy", body={}) or {}
        return [_agents(area, policy), check_audit_logs(area, policy)]

    return looking.ask(area, "IAM policy", question)


def _agents(area: Area, policy: Mapping[str, Any]) -> Finding:
    """Google makes its own accounts when they are first needed, and what needs them then fails."""
    agents = {
        member
        for binding in policy.get("bindings", [])
        if binding["role"] == "roles/eventarc.serviceAgent"
        for member in binding["members"]
    }
    subject, project = "Eventarc's account", area.project
    if any("@gcp-sa-eventarc." in member for member in agents):
        return area.ok(subject, "is there, with its role")
    mend = (
        f"gcloud beta services identity create --service=eventarc.googleapis.com --project={project} && "
        f"gcloud beta services identity create --service=pubsub.googleapis.com --project={project} && "
        f"gcloud projects add-iam-policy-binding {project} --condition=None --role=roles/eventarc.serviceAgent "
        f'--member="serviceAccount:service-$(gcloud projects describe {project} --format="value(projectNumber)")'
        '@gcp-sa-eventarc.iam.gserviceaccount.com"'
    )
    return area.wrong(subject, "has no role yet, so the first trigger is refused", mend=mend)

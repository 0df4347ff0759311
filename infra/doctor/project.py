"""The deployed project, and clients of the Google services that know about it."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import google.auth
from google.api_core.client_options import ClientOptions
from google.api_core.exceptions import from_http_response
from google.auth.credentials import AnonymousCredentials, Credentials
from google.auth.transport.requests import AuthorizedSession

from infra.build.stage import ROOT

ANSWER_WITHIN_SECONDS = 20

_CLOUD_PLATFORM = "https://www.googleapis.com/auth/cloud-platform"

PUBLIC = {
    "apis": "https://serviceusage.googleapis.com",
    "appengine": "https://appengine.googleapis.com",
    "billing": "https://cloudbilling.googleapis.com",
    "eventarc": "https://eventarc.googleapis.com",
    "firebase": "https://firebase.googleapis.com",
    "firestore": "https://firestore.googleapis.com",
    "hosting": "https://firebasehosting.googleapis.com",
    "identity": "https://identitytoolkit.googleapis.com",
    "monitoring": "https://monitoring.googleapis.com",
    "policies": "https://orgpolicy.googleapis.com",
    "projects": "https://cloudresourcemanager.googleapis.com",
    "pubsub": "https://pubsub.googleapis.com",
    "rules": "https://firebaserules.googleapis.com",
    "run": "https://run.googleapis.com",
    "scheduler": "https://cloudscheduler.googleapis.com",
}
"""The public address of each service."""

DEFAULT_DATABASE = "(default)"
FIRESTORE_HOST = "firestore.googleapis.com"


def variables_file(environment: str) -> str:
    """The environment's file of variables, from the repository's root."""
    return f"infra/terraform/environments/{environment}.tfvars"


def variable(environment: str, name: str) -> str | None:
    """A variable as the environment's file has it, or None if the file leaves it out.

    Raises:
        FileNotFoundError: there is no such environment.
    """
    text = (ROOT / variables_file(environment)).read_text()
    found = re.search(rf"^{name} *= *(.+)$", text, re.MULTILINE)
    return found[1].strip() if found else None


def database_of(environment: str) -> str:
    """The environment's database.

    Raises:
        FileNotFoundError: as ``variable``.
    """
    return str(json.loads(variable(environment, "database") or f'"{DEFAULT_DATABASE}"'))


def firestore_host_of(environment: str) -> str:
    """Where the environment's functions call Firestore.

    Raises:
        FileNotFoundError: as ``variable``.
    """
    return str(json.loads(variable(environment, "firestore_host") or f'"{FIRESTORE_HOST}"'))


@dataclass(frozen=True, kw_only=True, slots=True)
class Project:
    """The deployed project. ``endpoints`` replaces the address of a service, by an emulator or a test's server."""

    project: str
    region: str
    environment: str = "production"
    database: str = DEFAULT_DATABASE
    topic: str = "seatlease-audit"
    endpoints: Mapping[str, str] = field(default_factory=dict)

    @property
    def subscription(self) -> str:
        """The subscription that brings the audit trail into BigQuery."""
        return f"{self.topic}-bigquery"

    @property
    def dead_letter_topic(self) -> str:
        """The topic for messages that BigQuery does not accept."""
        return f"{self.topic}-dead-letters"

    @property
    def canary_account(self) -> str:
        """The service account that signs the canary in. It has no roles."""
        return f"seatlease-canary@{self.project}.iam.gserviceaccount.com"

    @property
    def is_in_bigquery(self) -> bool:
        """Whether this environment sends the audit trail to BigQuery."""
        return variable(self.environment, "audit_in_bigquery") == "true"

    @property
    def is_protected(self) -> bool:
        """Whether nothing of this environment may be lost."""
        return variable(self.environment, "is_protected") != "false"

    @property
    def database_location(self) -> str:
        """Where the environment wants its database: a region or a multi-region."""
        return (variable(self.environment, "database_location") or self.region).strip('"')

    @property
    def apply(self) -> str:
        """The command that applies the Terraform files."""
        return (
            f"terraform -chdir=infra/terraform apply -var-file=environments/{self.environment}.tfvars "
            f"-var=project_id={self.project} -var=region={self.region}"
        )

    def credentials(self, service: str) -> Credentials:
        """The caller's credentials; anonymous ones for a service in ``endpoints``.

        Raises:
            DefaultCredentialsError: this machine has no credentials.
        """
        if service in self.endpoints:
            return AnonymousCredentials()
        credentials, _ = google.auth.default(scopes=[_CLOUD_PLATFORM], quota_project_id=self.project)
        return credentials

    def client(self, kind: Any, service: str) -> Any:  # noqa: ANN401 Google's clients have no common type
        """Make one of Google's clients over REST, the same transport in the cloud and in tests."""
        elsewhere = self.endpoints.get(service)
        options = ClientOptions(api_endpoint=elsewhere) if elsewhere else None
        return kind(credentials=self.credentials(service), transport="rest", client_options=options)

    def ask(self, service: str, path: str, *, body: object = None) -> dict[str, Any] | None:
        """Ask a service that has no client library here: by GET, or with a body by POST. None: there is no such thing.

        Raises:
            GoogleAPICallError: the service refuses.
        """
        with AuthorizedSession(self.credentials(service)) as session:
            url = f"{self.endpoints.get(service, PUBLIC[service])}{path}"
            method = "GET" if body is None else "POST"
            answer = session.request(method, url, json=body, timeout=ANSWER_WITHIN_SECONDS)
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return None
        if not answer.ok:
            raise from_http_response(answer)
        return dict(answer.json())

    def listed(self, service: str, path: str, name: str) -> Iterator[dict[str, Any]]:
        """Ask for a list, page by page. ``path`` has a query already.

        Raises:
            GoogleAPICallError: as ``ask``.
        """
        token = ""
        while True:
            page = self.ask(service, f"{path}&pageToken={token}") or {}
            yield from page.get(name, [])
            if not (token := page.get("nextPageToken", "")):
                return

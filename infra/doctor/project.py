"""The deployed project, and clients of the Google services that know about it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import google.auth
from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials, Credentials
from google.auth.transport.requests import AuthorizedSession

from infra.build.stage import ROOT

ANSWER_WITHIN_SECONDS = 20

_CLOUD_PLATFORM = "https://www.googleapis.com/auth/cloud-platform"

PUBLIC = {
    "scheduler": "https://cloudscheduler.googleapis.com",
    "pubsub": "https://pubsub.googleapis.com",
    "firestore": "https://firestore.googleapis.com",
    "rules": "https://firebaserules.googleapis.com",
    "identity": "https://identitytoolkit.googleapis.com",
}
"""The public address of each service."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Project:
    """The deployed project. ``endpoints`` replaces the address of a service, by an emulator or a test's server."""

    project: str
    region: str
    environment: str = "production"
    database: str = "(default)"
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
        """Whether this environment sends the audit trail to BigQuery.

        Raises:
            FileNotFoundError: there is no such environment.
        """
        variables = (ROOT / f"infra/terraform/environments/{self.environment}.tfvars").read_text()
        return re.search(r"^audit_in_bigquery *= *true$", variables, re.MULTILINE) is not None

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

    def session(self, service: str) -> tuple[AuthorizedSession, str]:
        """For a service without a client library: a session with the caller's credentials, and the address."""
        return AuthorizedSession(self.credentials(service)), self.endpoints.get(service, PUBLIC[service])

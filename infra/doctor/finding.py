"""The doctor's findings. A check that failed is a finding too."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import grpc
import httpx
from google.api_core.exceptions import Forbidden, GoogleAPICallError, RetryError
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError, RefreshError
from requests import RequestException

from shared.firestore.errors import StoreError

_LOG_IN = "gcloud auth application-default login"


class Mark(StrEnum):
    """The result of one check."""

    OK = "ok"
    WRONG = "wrong"
    UNKNOWN = "could not check"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """The result of checking one thing. ``mend`` is the command or the sentence that solves the problem."""

    area: str
    subject: str
    mark: Mark
    found: str
    mend: str | None = None
    milliseconds: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Area:
    """The checks that ask one service: its API, and the role that is enough to ask it."""

    name: str
    api: str
    role: str
    project: str

    def ok(self, subject: str, found: str, *, milliseconds: int | None = None) -> Finding:
        return Finding(area=self.name, subject=subject, mark=Mark.OK, found=found, milliseconds=milliseconds)

    def wrong(self, subject: str, found: str, *, mend: str, milliseconds: int | None = None) -> Finding:
        return Finding(
            area=self.name, subject=subject, mark=Mark.WRONG, found=found, mend=mend, milliseconds=milliseconds
        )

    def unknown(self, subject: str, found: str, *, mend: str | None = None) -> Finding:
        return Finding(area=self.name, subject=subject, mark=Mark.UNKNOWN, found=found, mend=mend)

    def ask(self, subject: str, questions: Callable[[], Sequence[Finding]]) -> list[Finding]:
        """Run the checks. If the service does not answer, return a finding that says why and what would help."""
        try:
            return list(questions())
        except DefaultCredentialsError:
            return [self.unknown(subject, "this machine has no Google Cloud credentials", mend=_LOG_IN)]
        except RefreshError as error:
            return [self.unknown(subject, f"Google refused the credentials: {error}", mend=_LOG_IN)]
        except (GoogleAPICallError, GoogleAuthError, RequestException, RetryError, StoreError) as error:
            return [self.unknown(subject, _words(error), mend=self._mend(error))]
        except (grpc.RpcError, httpx.TransportError, TimeoutError) as error:
            return [self.unknown(subject, _words(error), mend=self._mend(error))]

    def _mend(self, error: Exception) -> str | None:
        text = f"{error} {_words(error)}"
        if "SERVICE_DISABLED" in text or "has not been used in project" in text:
            return f"gcloud services enable {self.api} --project={self.project}"
        if isinstance(error, Forbidden) or "PERMISSION_DENIED" in text:
            return (
                f"gcloud projects add-iam-policy-binding {self.project} "
                f'--member="user:$(gcloud config get-value account)" --role={self.role}'
            )
        return None


def _words(error: Exception) -> str:
    if isinstance(error, grpc.RpcError):
        return _told_by(error)
    if isinstance(error, GoogleAPICallError):
        # Over REST the library puts the request before the service's message.
        return f"{error.code} {re.sub(r'^[A-Z]+ https?://[^ ]+: ', '', error.message)}"
    return str(error) or repr(error)


def _told_by(error: Any) -> str:  # noqa: ANN401 the raised object is an error and a call at once
    return f"{error.code().name}: {error.details()}"

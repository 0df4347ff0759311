"""The settings. They are read from the environment once and checked together before anything is served."""

import os
import re
from collections.abc import Iterator
from datetime import timedelta
from enum import StrEnum
from functools import cache
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError, model_validator

from shared.documents.forms import MAX_GRACE_SECONDS

PLATFORM_GRACE_SECONDS = 10
"""The platform kills an instance this long after SIGTERM. Source: Cloud Run's container runtime contract."""


PURGED_WITHIN_DAYS = 7
"""A margin: Firestore's TTL policies typically delete within a day, in no order. Source: its page on TTL policies."""

_FIRESTORE_HOST = r"^firestore(\.[a-z0-9-]+\.rep)?\.googleapis\.com$"
"""The global endpoint, or that of a location. Source: Firestore's page on locations and regional endpoints."""

_TOPIC_ID = r"^[A-Za-z][A-Za-z0-9._~%+-]{2,254}$"
"""Source: Pub/Sub's guidelines for the names of topics."""

_ORIGIN = re.compile(r"https://[a-z0-9.-]+(?!:443$)(:[0-9]{1,5})?")
_LOCAL_ORIGIN = re.compile(r"http://(localhost|127\.0\.0\.1)(?!:80$)(:[0-9]{1,5})?")
"""As a browser sends them: in small letters, without a path, and without the port that the scheme implies."""


class SettingsError(Exception):
    """A setting is missing or wrong. Nothing was started."""


class Environment(StrEnum):
    """Where the functions run."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"
    TEST = "test"


class AddressHeader(StrEnum):
    """The header that says a client's IP address. Firebase Hosting sets the second one."""

    FORWARDED = "X-Forwarded-For"
    FASTLY = "Fastly-Client-IP"


class ClientAddresses(StrEnum):
    """What is kept of the IP addresses of clients. Shortened: the /24 of an IPv4 address, the /48 of an IPv6 one."""

    WHOLE = "whole"
    SHORTENED = "shortened"
    NONE = "none"


def _origins(text: object) -> object:
    """Split ``SEATLEASE_ALLOWED_ORIGINS`` at its commas."""
    if not isinstance(text, str):
        return text
    origins = tuple(origin.strip() for origin in text.split(",") if origin.strip())
    for origin in origins:
        if not (_ORIGIN.fullmatch(origin) or _LOCAL_ORIGIN.fullmatch(origin)):
            message = (
                f"{origin!r} is no origin, such as https://app.example.com: "
                "in small letters, without a path or a slash at the end, and without :443"
            )
            raise ValueError(message)
    return origins


class Settings(BaseModel):
    """All settings of a function. The variable of each is its name in capitals after ``SEATLEASE_``, or its alias."""

    model_config = ConfigDict(frozen=True)

    environment: Environment
    project: Annotated[str, Field(min_length=1, validation_alias="GOOGLE_CLOUD_PROJECT")]
    database: Annotated[str, Field(min_length=1)] = "(default)"
    firestore_host: Annotated[str, Field(pattern=_FIRESTORE_HOST)] = "firestore.googleapis.com"
    trusted_proxy_hops: Annotated[int, Field(ge=0, le=10)] = 1
    address_header: AddressHeader = AddressHeader.FORWARDED
    client_addresses: ClientAddresses = ClientAddresses.WHOLE
    allowed_origins: Annotated[tuple[str, ...], BeforeValidator(_origins)] = ()
    default_lease_seconds: Annotated[int, Field(ge=3, le=86_400)] = 360
    default_grace_seconds: Annotated[int, Field(ge=0, le=MAX_GRACE_SECONDS)] = 0
    signing_keys: SecretStr | None = None
    public_keys: str | None = None
    answer_within_seconds: Annotated[int, Field(ge=1, lt=PLATFORM_GRACE_SECONDS)] = 8
    store_timeout_seconds: Annotated[int, Field(ge=1)] = 4
    audit_topic: Annotated[str, Field(pattern=_TOPIC_ID)] = "seatlease-audit"
    publish_timeout_seconds: Annotated[int | None, Field(ge=1)] = None
    run_within_seconds: Annotated[int, Field(ge=1, le=1_500)] = 45
    keep_sessions_days: Annotated[int, Field(ge=1)] = 30
    keep_audit_events_days: Annotated[int, Field(ge=1)] = 400
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    platform_service: Annotated[str | None, Field(validation_alias="K_SERVICE")] = None
    firestore_emulator_host: Annotated[str | None, Field(validation_alias="FIRESTORE_EMULATOR_HOST")] = None
    pubsub_emulator_host: Annotated[str | None, Field(validation_alias="PUBSUB_EMULATOR_HOST")] = None
    auth_emulator_host: Annotated[str | None, Field(validation_alias="FIREBASE_AUTH_EMULATOR_HOST")] = None

    @model_validator(mode="after")
    def _no_contradictions(self) -> Self:
        if problems := [*self._about_where_it_runs(), *self._about_times()]:
            raise ValueError("; ".join(problems))
        return self

    def _about_where_it_runs(self) -> Iterator[str]:
        if self.environment is Environment.PRODUCTION and (emulators := _emulators()):
            yield f"{emulators} must not be set with SEATLEASE_ENVIRONMENT=production; remove one of the two"
        local = [origin for origin in self.allowed_origins if _LOCAL_ORIGIN.fullmatch(origin)]
        if self.environment is Environment.PRODUCTION and local:
            yield (
                f"SEATLEASE_ALLOWED_ORIGINS: {', '.join(local)} must not be allowed with "
                "SEATLEASE_ENVIRONMENT=production: any program on a user's machine can serve such a page"
            )
        if self.address_header is AddressHeader.FASTLY and self.trusted_proxy_hops == 0:
            yield (
                f"SEATLEASE_ADDRESS_HEADER={self.address_header} must not be set with SEATLEASE_TRUSTED_PROXY_HOPS=0: "
                "without a proxy, only clients themselves can send it"
            )
        if self.environment is Environment.TEST and self.platform_service:
            yield "SEATLEASE_ENVIRONMENT=test must not run on the platform (K_SERVICE is set); use another environment"
        if self.environment is Environment.TEST and not self.firestore_emulator_host:
            yield "SEATLEASE_ENVIRONMENT=test needs FIRESTORE_EMULATOR_HOST: tests must not touch a real database"
        if self.firestore_emulator_host and not self.pubsub_emulator_host:
            yield (
                "FIRESTORE_EMULATOR_HOST is set and PUBSUB_EMULATOR_HOST is not: "
                "events of the emulator would go to the real topic; set both or none"
            )
        if self.pubsub_emulator_host and not self.firestore_emulator_host:
            yield (
                "PUBSUB_EMULATOR_HOST is set and FIRESTORE_EMULATOR_HOST is not: "
                "real events would be stamped as published and be lost; set both or none"
            )
        if self.auth_emulator_host and not self.firestore_emulator_host:
            yield (
                "FIREBASE_AUTH_EMULATOR_HOST is set and FIRESTORE_EMULATOR_HOST is not: "
                "unsigned tokens would give access to the real database; set both or none"
            )

    def _about_times(self) -> Iterator[str]:
        if self.store_timeout_seconds >= self.answer_within_seconds:
            yield (
                f"SEATLEASE_STORE_TIMEOUT_SECONDS ({self.store_timeout_seconds}) must be less than "
                f"SEATLEASE_ANSWER_WITHIN_SECONDS ({self.answer_within_seconds}), or there is no time for a retry"
            )
        if self.publish_timeout_seconds is not None and self.publish_timeout_seconds >= self.answer_within_seconds:
            yield (
                f"SEATLEASE_PUBLISH_TIMEOUT_SECONDS ({self.publish_timeout_seconds}) must be less than "
                f"SEATLEASE_ANSWER_WITHIN_SECONDS ({self.answer_within_seconds}), or there is no time to stamp events"
            )
        if self.keep_audit_events_days < self.keep_sessions_days + PURGED_WITHIN_DAYS:
            yield (
                f"SEATLEASE_KEEP_AUDIT_EVENTS_DAYS ({self.keep_audit_events_days}) must be at least "
                f"{PURGED_WITHIN_DAYS} more than SEATLEASE_KEEP_SESSIONS_DAYS ({self.keep_sessions_days}). "
                "Otherwise Firestore may purge the event of a session's end before the session. "
                "The purge of the session would then be reported as a deletion by hand"
            )

    @property
    def publish_timeout(self) -> timedelta:
        """The timeout of publishing events, with all retries. The default is half of the time for an answer."""
        return timedelta(seconds=self.publish_timeout_seconds or self.answer_within_seconds / 2)

    @property
    def run_within(self) -> timedelta:
        """How long a scheduled function begins new work. It ends at most ``answer_within`` later."""
        return timedelta(seconds=self.run_within_seconds)


@cache
def settings() -> Settings:
    """Read the settings, once.

    Raises:
        SettingsError: settings are missing or contradict each other. The message lists all problems.
    """
    problems = []
    # Checked first and separately, because it would switch authentication off.
    if (emulators := _emulators()) and (service := os.environ.get("K_SERVICE")):
        problems.append(
            f"{emulators} must not be set on the platform (K_SERVICE={service}): it switches authentication off"
        )
    try:
        read = Settings.model_validate(_from_environment())
    except ValidationError as error:
        problems += [_in_words(problem["loc"], problem["msg"]) for problem in error.errors()]
    if problems:
        message = f"refusing to start: {'; '.join(problems)}"
        raise SettingsError(message)
    return read


def _from_environment() -> dict[str, str]:
    """Find the settings among the environment's variables, by their exact names.

    Google's libraries read the emulators' variables so. With another spelling here, they could see an emulator that
    these settings do not.

    The package pydantic-settings does this and much more, but its import took a twentieth of a cold start.
    """
    found = {}
    for name, field in Settings.model_fields.items():
        alias = field.validation_alias
        variable = alias if isinstance(alias, str) else f"SEATLEASE_{name.upper()}"
        if variable in os.environ:
            found[variable if alias else name] = os.environ[variable]
    return found


def _emulators() -> str:
    """The names of the variables that point to an emulator."""
    names = (name for name, value in os.environ.items() if value and name.endswith("_EMULATOR_HOST"))
    return ", ".join(sorted(names))


def _in_words(location: tuple[int | str, ...], message: str) -> str:
    name = str(location[0]) if location else ""
    if name and name.islower():
        name = f"SEATLEASE_{name.upper()}"
    told = message.removeprefix("Value error, ")
    return f"{name}: {told}" if name else told

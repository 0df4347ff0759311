"""An instance whose environment contradicts itself does not start, and says why."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.build.stage import stage
from shared.edge.settings import Environment, Settings, SettingsError, settings
from tests.infra.bare_server import SETTINGS, bare_server

EMULATORS = (
    "FIRESTORE_EMULATOR_HOST",
    "FIREBASE_AUTH_EMULATOR_HOST",
    "PUBSUB_EMULATOR_HOST",
    "FIREBASE_STORAGE_EMULATOR_HOST",
)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An environment with nothing of ours in it, and nothing read before."""
    for name in list(os.environ):
        if name.startswith(("SEATLEASE_", "K_", "GOOGLE_CLOUD_")) or name.endswith("_EMULATOR_HOST"):
            monkeypatch.delenv(name)
    settings.cache_clear()
    yield
    settings.cache_clear()


def read(monkeypatch: pytest.MonkeyPatch, **environment: str) -> Settings:
    """Read the settings in an environment that would do, changed as told."""
    for name, value in {**SETTINGS, **environment}.items():
        monkeypatch.setenv(name, value)
    return settings()


def refusal(monkeypatch: pytest.MonkeyPatch, **environment: str) -> str:
    """The reason why the settings are refused in such an environment."""
    with pytest.raises(SettingsError) as refused:
        read(monkeypatch, **environment)
    return str(refused.value)


def test_environment_and_project_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    found = read(monkeypatch)

    assert (found.environment, found.project) == (Environment.DEVELOPMENT, "demo-seatlease")


def test_settings_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    before = read(monkeypatch)

    after = read(monkeypatch, GOOGLE_CLOUD_PROJECT="another")

    assert after is before


@pytest.mark.parametrize("missing", ["SEATLEASE_ENVIRONMENT", "GOOGLE_CLOUD_PROJECT"])
def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    (present,) = SETTINGS.keys() - {missing}
    monkeypatch.setenv(present, SETTINGS[present])

    with pytest.raises(SettingsError, match=missing):
        settings()


def test_an_empty_project_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "GOOGLE_CLOUD_PROJECT" in refusal(monkeypatch, GOOGLE_CLOUD_PROJECT="")


def test_an_unknown_environment_is_refused_and_the_known_ones_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    told = refusal(monkeypatch, SEATLEASE_ENVIRONMENT="staging")

    assert all(word in told for word in ("SEATLEASE_ENVIRONMENT", "development", "production", "test"))


@pytest.mark.parametrize("emulator", EMULATORS)
@pytest.mark.parametrize("environment", ["development", "production"])
def test_an_emulator_on_the_platform_is_refused(
    monkeypatch: pytest.MonkeyPatch, emulator: str, environment: str
) -> None:
    # Beside an emulator anybody's unsigned token is accepted.
    told = refusal(monkeypatch, SEATLEASE_ENVIRONMENT=environment, K_SERVICE="acquire", **{emulator: "127.0.0.1:8080"})

    assert emulator in told
    assert "K_SERVICE=acquire" in told


@pytest.mark.parametrize("emulator", EMULATORS)
def test_an_emulator_in_production_is_refused(monkeypatch: pytest.MonkeyPatch, emulator: str) -> None:
    told = refusal(monkeypatch, SEATLEASE_ENVIRONMENT="production", **{emulator: "127.0.0.1:8080"})

    assert emulator in told
    assert "SEATLEASE_ENVIRONMENT=production" in told


@pytest.mark.parametrize("emulator", EMULATORS)
def test_an_emulator_variable_that_is_empty_is_no_emulator(monkeypatch: pytest.MonkeyPatch, emulator: str) -> None:
    found = read(monkeypatch, SEATLEASE_ENVIRONMENT="production", K_SERVICE="acquire", **{emulator: ""})

    assert found.platform_service == "acquire"


def test_a_test_without_the_firestore_emulator_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    told = refusal(monkeypatch, SEATLEASE_ENVIRONMENT="test", PUBSUB_EMULATOR_HOST="127.0.0.1:8085")

    assert "FIRESTORE_EMULATOR_HOST" in told


def test_a_test_beside_the_emulators_may_start(monkeypatch: pytest.MonkeyPatch) -> None:
    found = read(
        monkeypatch,
        SEATLEASE_ENVIRONMENT="test",
        FIRESTORE_EMULATOR_HOST="127.0.0.1:8080",
        PUBSUB_EMULATOR_HOST="127.0.0.1:8085",
    )

    assert found.firestore_emulator_host == "127.0.0.1:8080"


@pytest.mark.parametrize(
    ("set_", "missing"),
    [
        ("FIRESTORE_EMULATOR_HOST", "PUBSUB_EMULATOR_HOST"),
        ("PUBSUB_EMULATOR_HOST", "FIRESTORE_EMULATOR_HOST"),
        ("FIREBASE_AUTH_EMULATOR_HOST", "FIRESTORE_EMULATOR_HOST"),
    ],
)
def test_one_emulator_without_the_other_is_refused(monkeypatch: pytest.MonkeyPatch, set_: str, missing: str) -> None:
    # Half of the events would be real and half of them not; or who may read real documents would be.
    told = refusal(monkeypatch, **{set_: "127.0.0.1:8080"})

    assert f"{set_} is set and {missing} is not" in told


def test_a_variable_in_small_letters_hides_no_emulator(monkeypatch: pytest.MonkeyPatch) -> None:
    # firebase-admin reads the name in capitals, and takes unsigned tokens.
    told = refusal(monkeypatch, FIREBASE_AUTH_EMULATOR_HOST="h:1", firebase_auth_emulator_host="")

    assert "FIREBASE_AUTH_EMULATOR_HOST is set and FIRESTORE_EMULATOR_HOST is not" in told


def test_a_test_on_the_platform_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    told = refusal(monkeypatch, SEATLEASE_ENVIRONMENT="test", K_SERVICE="acquire")

    assert "SEATLEASE_ENVIRONMENT=test must not run on the platform" in told


def test_origins_of_web_pages_are_listed_with_commas_and_none_is_allowed_unless_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert read(monkeypatch).allowed_origins == ()
    settings.cache_clear()

    found = read(monkeypatch, SEATLEASE_ALLOWED_ORIGINS="https://app.example.com, http://localhost:3000")

    assert found.allowed_origins == ("https://app.example.com", "http://localhost:3000")


@pytest.mark.parametrize(
    "origin",
    [
        *("*", "null", "https://*.example.com", "https://App.example.com", "https://app.example.com/"),
        *("https://app.example.com:443", "http://app.example.com", "http://localhost:80", "app.example.com"),
    ],
)
def test_what_no_browser_sends_as_an_origin_is_refused_and_shown(monkeypatch: pytest.MonkeyPatch, origin: str) -> None:
    told = refusal(monkeypatch, SEATLEASE_ALLOWED_ORIGINS=f"https://ok.example.com,{origin}")

    assert f"SEATLEASE_ALLOWED_ORIGINS: '{origin}' is no origin" in told


def test_production_refuses_web_pages_of_the_users_own_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    told = refusal(monkeypatch, SEATLEASE_ENVIRONMENT="production", SEATLEASE_ALLOWED_ORIGINS="http://localhost:3000")

    assert "http://localhost:3000 must not be allowed with SEATLEASE_ENVIRONMENT=production" in told


@pytest.mark.parametrize("store_timeout", ["5", "6"])
def test_a_store_that_may_take_as_long_as_the_answer_is_refused(
    monkeypatch: pytest.MonkeyPatch, store_timeout: str
) -> None:
    told = refusal(monkeypatch, SEATLEASE_ANSWER_WITHIN_SECONDS="5", SEATLEASE_STORE_TIMEOUT_SECONDS=store_timeout)

    assert f"SEATLEASE_STORE_TIMEOUT_SECONDS ({store_timeout})" in told
    assert "SEATLEASE_ANSWER_WITHIN_SECONDS (5)" in told


def test_publishing_has_half_of_an_answers_time_unless_said(monkeypatch: pytest.MonkeyPatch) -> None:
    found = read(monkeypatch, SEATLEASE_ANSWER_WITHIN_SECONDS="3", SEATLEASE_STORE_TIMEOUT_SECONDS="2")

    assert found.publish_timeout.total_seconds() == 1.5


@pytest.mark.parametrize("publish_timeout", ["5", "6"])
def test_a_topic_that_may_take_as_long_as_the_answer_is_refused(
    monkeypatch: pytest.MonkeyPatch, publish_timeout: str
) -> None:
    told = refusal(monkeypatch, SEATLEASE_ANSWER_WITHIN_SECONDS="5", SEATLEASE_PUBLISH_TIMEOUT_SECONDS=publish_timeout)

    assert f"SEATLEASE_PUBLISH_TIMEOUT_SECONDS ({publish_timeout})" in told
    assert "SEATLEASE_ANSWER_WITHIN_SECONDS (5)" in told


@pytest.mark.parametrize(
    ("sessions", "events", "is_taken"), [("30", "37", True), ("30", "36", False), ("400", "400", False)]
)
def test_events_are_kept_longer_than_sessions(
    monkeypatch: pytest.MonkeyPatch, *, sessions: str, events: str, is_taken: bool
) -> None:
    days = {"SEATLEASE_KEEP_SESSIONS_DAYS": sessions, "SEATLEASE_KEEP_AUDIT_EVENTS_DAYS": events}

    if is_taken:
        assert read(monkeypatch, **days).keep_audit_events_days == int(events)
    else:
        told = refusal(monkeypatch, **days)
        assert f"SEATLEASE_KEEP_AUDIT_EVENTS_DAYS ({events}) must be at least 7 more" in told


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SEATLEASE_AUDIT_TOPIC", "a topic"),
        ("SEATLEASE_AUDIT_TOPIC", "ab"),
        ("SEATLEASE_AUDIT_TOPIC", "projects/p/topics/t"),
        ("SEATLEASE_PUBLISH_TIMEOUT_SECONDS", "0"),
        ("SEATLEASE_RUN_WITHIN_SECONDS", "0"),
        ("SEATLEASE_RUN_WITHIN_SECONDS", "1501"),
        ("SEATLEASE_TRUSTED_PROXY_HOPS", "-1"),
        ("SEATLEASE_TRUSTED_PROXY_HOPS", "11"),
        ("SEATLEASE_DEFAULT_LEASE_SECONDS", "2"),
        ("SEATLEASE_DEFAULT_LEASE_SECONDS", "86401"),
        ("SEATLEASE_DEFAULT_LEASE_SECONDS", "six minutes"),
        ("SEATLEASE_DEFAULT_GRACE_SECONDS", "-1"),
        ("SEATLEASE_DEFAULT_GRACE_SECONDS", "2592001"),
        ("SEATLEASE_ANSWER_WITHIN_SECONDS", "0"),
        ("SEATLEASE_ANSWER_WITHIN_SECONDS", "10"),
        ("SEATLEASE_STORE_TIMEOUT_SECONDS", "0"),
        ("SEATLEASE_KEEP_SESSIONS_DAYS", "0"),
        ("SEATLEASE_KEEP_AUDIT_EVENTS_DAYS", "0"),
        ("SEATLEASE_LOG_LEVEL", "LOUD"),
        ("SEATLEASE_CLIENT_ADDRESSES", "short"),
        ("SEATLEASE_ADDRESS_HEADER", "X-Real-IP"),
        ("SEATLEASE_DATABASE", ""),
        ("SEATLEASE_FIRESTORE_HOST", "firestore.example.com"),
    ],
)
def test_a_value_out_of_its_range_is_refused_and_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    assert name in refusal(monkeypatch, **{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SEATLEASE_TRUSTED_PROXY_HOPS", "0"),
        ("SEATLEASE_TRUSTED_PROXY_HOPS", "10"),
        ("SEATLEASE_DEFAULT_LEASE_SECONDS", "3"),
        ("SEATLEASE_DEFAULT_LEASE_SECONDS", "86400"),
        ("SEATLEASE_DEFAULT_GRACE_SECONDS", "0"),
        ("SEATLEASE_DEFAULT_GRACE_SECONDS", "2592000"),
        ("SEATLEASE_ANSWER_WITHIN_SECONDS", "9"),
        ("SEATLEASE_STORE_TIMEOUT_SECONDS", "1"),
    ],
)
def test_a_value_at_the_end_of_its_range_is_taken(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    found = read(monkeypatch, **{name: value})

    assert getattr(found, name.removeprefix("SEATLEASE_").lower()) == int(value)


def test_a_header_of_firebase_hosting_is_refused_where_clients_connect_directly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = refusal(monkeypatch, SEATLEASE_ADDRESS_HEADER="Fastly-Client-IP", SEATLEASE_TRUSTED_PROXY_HOPS="0")

    assert "SEATLEASE_ADDRESS_HEADER=Fastly-Client-IP must not be set with SEATLEASE_TRUSTED_PROXY_HOPS=0" in told


def test_several_problems_are_all_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    told = refusal(
        monkeypatch,
        SEATLEASE_ENVIRONMENT="staging",
        GOOGLE_CLOUD_PROJECT="",
        SEATLEASE_DEFAULT_LEASE_SECONDS="1",
        SEATLEASE_LOG_LEVEL="LOUD",
    )

    names = ("ENVIRONMENT", "GOOGLE_CLOUD_PROJECT", "SEATLEASE_DEFAULT_LEASE_SECONDS", "SEATLEASE_LOG_LEVEL")
    assert all(name in told for name in names)


def test_an_instance_on_the_platform_with_an_emulator_ends_and_says_why(tmp_path: Path) -> None:
    environment = {**SETTINGS, "K_SERVICE": "acquire", "FIREBASE_AUTH_EMULATOR_HOST": "127.0.0.1:9099"}

    with bare_server("acquire", stage("acquire", tmp_path), environment) as server:
        answered = server.wait_until_it_answers_or_ends()
        status, output = server.popen.poll(), server.output

    assert not answered
    assert status not in (None, 0)
    assert (
        "refusing to start: FIREBASE_AUTH_EMULATOR_HOST must not be set on the platform (K_SERVICE=acquire)" in output
    )

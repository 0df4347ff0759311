"""Metrics count real log lines of ours; alerts and charts look at metrics that there are."""

import json
import logging
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from google.cloud import firestore
from google.cloud.monitoring_dashboard_v1 import Dashboard
from google.protobuf import json_format
from starlette.requests import Request
from starlette.responses import Response

from infra.local.audit_topic import create_topic
from shared.audit.relay import Relays
from shared.audit.topic import Topic
from shared.documents.paths import OrganizationPaths
from shared.documents.policy import Policy
from shared.documents.writing import Retention, audit_event_fields
from shared.edge.errors import ApiError, Code
from shared.edge.http import http_function
from shared.edge.logs import configure_logging
from shared.edge.settings import settings
from shared.firestore.client import Firestore
from shared.firestore.errors import Contended, StoreUnavailable
from shared.rules.audit import Detail, acquired
from shared.seats.expire import Expiries
from tests.infra.bare_server import SETTINGS
from tests.infra.log_filter import entry_of, field_of, matches, parsed
from tests.infra.planned import Plan
from tests.rules.make import a_session

METRIC, ALERT = "google_logging_metric", "google_monitoring_alert_policy"
RUNBOOK = "infra/docs/deploy.md"

GOOGLES_OWN = {
    "firestore.googleapis.com/document/read_ops_count",
    "firestore.googleapis.com/document/write_ops_count",
    "pubsub.googleapis.com/subscription/num_undelivered_messages",
    "run.googleapis.com/container/cpu/utilizations",
    "run.googleapis.com/container/instance_count",
    "run.googleapis.com/request_count",
    "run.googleapis.com/request_latencies",
}
"""Metrics that we take from Google's list. That these are there cannot be seen offline."""


@pytest.fixture
def as_deployed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The settings of a function, and afterwards the loggers as they were."""
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()
    root, ours = logging.getLogger(), logging.getLogger("shared")
    before = (root.handlers[:], root.level, ours.level)
    yield
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    ours.setLevel(before[2])
    settings.cache_clear()


@contextmanager
def printed() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """What is logged meanwhile, as the lines that a function on the platform prints."""
    with redirect_stdout(StringIO()) as output:
        configure_logging("INFO")
        yield lambda: [json.loads(line) for line in output.getvalue().splitlines()]


async def answered(error: Exception | None) -> int:
    """Answer a request to acquire, that ends in this error, with the code that answers every request."""

    async def acquire(_: Request) -> Response:
        if error is not None:
            raise error
        return Response()

    serve: Any = http_function("POST")(acquire)
    response = await serve(Request({"type": "http", "method": "POST", "path": "/", "headers": []}))
    return int(response.status_code)


def counted_by(plan: Plan, lines: Sequence[Mapping[str, Any]], *, service: str = "seatlease-acquire") -> set[str]:
    """The metrics that count one of these lines. Each label and value that they take from it has to be there."""
    found = set()
    for name, metric in plan.of_kind(METRIC).items():
        for entry in (entry_of(line, service=service) for line in lines):
            if matches(metric["filter"], entry):
                taken = [*(metric["label_extractors"] or {}).values(), metric["value_extractor"] or "EXTRACT(severity)"]
                fields = [re.sub(r"^EXTRACT\((.*)\)$", r"\1", extractor) for extractor in taken]
                assert all(field_of(entry, field) is not None for field in fields), (name, entry)
                found.add(name)
    return found


@pytest.mark.usefixtures("as_deployed")
@pytest.mark.parametrize(
    ("error", "status", "metrics"),
    [
        (ApiError(Code.SEAT_LIMIT_REACHED, "full"), 409, {"denials"}),
        (ApiError(Code.ORGANIZATION_SEAT_LIMIT_REACHED, "full"), 409, {"denials"}),
        (Contended("others were faster"), 503, {"contention", "server_errors"}),
        (StoreUnavailable("no answer"), 503, {"server_errors"}),
        (RuntimeError("a fault"), 500, {"server_errors"}),
        (ApiError(Code.LICENSE_NOT_FOUND, "none"), 404, set()),
        (ApiError(Code.TOKEN_EXPIRED, "old"), 401, set()),
        (None, 200, set()),
    ],
    ids=lambda value: getattr(value, "code", None) or type(value).__name__ if isinstance(value, Exception) else "",
)
async def test_a_line_of_an_answer_is_counted_as_what_it_is(
    plan: Plan, error: Exception | None, status: int, metrics: set[str]
) -> None:
    with printed() as lines:
        found = await answered(error)

    assert found == status
    assert counted_by(plan, lines()) == metrics


@pytest.fixture
async def relays(project: str, firestore_host: str, pubsub_host: str) -> AsyncIterator[Relays]:
    """The one that publishes, on a project without a topic."""
    second = timedelta(seconds=1)
    store = Firestore(project=project, database="(default)", emulator_host=firestore_host, answer_within=4 * second)
    topic = Topic(project=project, topic="seatlease-audit", emulator_host=pubsub_host, publish_within=4 * second)
    yield Relays(store, topic, answer_within=8 * second, run_within=8 * second)
    await topic.close()
    store.close()


def left_behind(console: firestore.Client) -> None:
    """Write an audit event that nobody published."""
    paths = OrganizationPaths("acme")
    use: dict[str, Detail] = {"seats": {"in_use": 1, "max": 1}, "organization_seats": {"in_use": 1, "max": None}}
    event = acquired(a_session(started_at=datetime.now(UTC) - timedelta(minutes=5)), grant_number=1, details=use)
    retention = Retention(sessions_for=timedelta(days=1), audit_events_for=timedelta(days=1))
    console.document(paths.audit_event(event.name)).set(audit_event_fields(event, paths, retention))


@pytest.mark.usefixtures("as_deployed")
async def test_a_run_that_leaves_events_is_counted_with_their_number(
    plan: Plan, relays: Relays, console: firestore.Client
) -> None:
    left_behind(console)

    with printed() as lines:
        report = await relays.relay_left_behind()

    assert report.events_left == 1
    assert counted_by(plan, lines(), service="seatlease-expire-sessions") == {"runs_with_events_left", "events_left"}


@pytest.mark.usefixtures("as_deployed")
async def test_a_run_that_leaves_none_is_only_a_point_of_the_chart(
    plan: Plan, relays: Relays, console: firestore.Client, project: str, pubsub_host: str
) -> None:
    create_topic(pubsub_host, project=project)
    left_behind(console)

    with printed() as lines:
        report = await relays.relay_left_behind()

    assert (report.events_published, report.events_left) == (1, 0)
    assert counted_by(plan, lines(), service="seatlease-expire-sessions") == {"events_left"}


@pytest.mark.usefixtures("as_deployed")
@pytest.mark.parametrize(
    ("seconds", "metrics"), [(0, {"unfinished_expiries"}), (60, set())], ids=["no time", "time enough"]
)
async def test_a_run_that_leaves_lapsed_sessions_is_counted(
    plan: Plan, store: Firestore, policy: Policy, seconds: int, metrics: set[str]
) -> None:
    with printed() as lines:
        report = await Expiries(store, policy, run_within=timedelta(seconds=seconds)).expire()

    assert report.is_complete is not bool(metrics)
    assert counted_by(plan, lines(), service="seatlease-expire-sessions") == metrics


def test_lines_of_somebody_elses_service_are_not_counted(plan: Plan) -> None:
    line = {"severity": "INFO", "message": "answered", "code": "SEAT_LIMIT_REACHED", "status": 409}

    assert counted_by(plan, [line]) == {"denials"}
    assert counted_by(plan, [line], service="another") == set()


def test_the_codes_in_filters_are_in_the_catalogue(plan: Plan) -> None:
    compared = [each for metric in plan.of_kind(METRIC).values() for each in parsed(metric["filter"])]

    codes = {value for each in compared if each.field == "jsonPayload.code" for value in each.values}

    assert codes == {"SEAT_LIMIT_REACHED", "ORGANIZATION_SEAT_LIMIT_REACHED", "CONTENTION"}
    assert codes <= {code.name for code in Code}


# Alerts and the dashboard


def conditions(plan: Plan) -> dict[str, Mapping[str, Any]]:
    return {
        name: next(each for each in (*policy["condition_threshold"], *policy["condition_absent"]))
        for name, alert in plan.of_kind(ALERT).items()
        for policy in alert["conditions"]
    }


def charts(plan: Plan) -> list[dict[str, Any]]:
    widgets = json.loads(plan.one("google_monitoring_dashboard")["dashboard_json"])["gridLayout"]["widgets"]
    return [each["timeSeriesQuery"]["timeSeriesFilter"] for widget in widgets for each in widget["xyChart"]["dataSets"]]


def labels_of_ours(plan: Plan) -> dict[str, set[str]]:
    """The labels of each metric of ours, by its full name."""
    return {
        f"logging.googleapis.com/user/{metric['name']}": {
            each["key"] for each in metric["metric_descriptor"][0]["labels"]
        }
        for metric in plan.of_kind(METRIC).values()
    }


def test_alerts_and_charts_look_at_metrics_and_labels_that_there_are(plan: Plan) -> None:
    ours = labels_of_ours(plan)
    looked_at = [
        *((each["filter"], ()) for each in conditions(plan).values()),
        *((each["filter"], each["aggregation"]["groupByFields"]) for each in charts(plan)),
    ]

    for text, groups in looked_at:
        (metric,) = re.findall(r'metric\.type="([^"]+)"', text)
        labels = {*re.findall(r"metric\.labels?\.(\w+)", text), *re.findall(r"metric\.label\.(\w+)", " ".join(groups))}
        assert metric in ours.keys() | GOOGLES_OWN, text
        assert metric in GOOGLES_OWN or labels <= ours[metric], text


def test_every_metric_of_ours_is_on_the_dashboard_or_in_an_alert(plan: Plan) -> None:
    shown = " ".join(each["filter"] for each in (*conditions(plan).values(), *charts(plan)))

    assert [metric for metric in labels_of_ours(plan) if metric not in shown] == []


def test_services_that_alerts_name_are_functions(plan: Plan) -> None:
    services = {each["name"] for each in plan.of_kind("google_cloudfunctions2_function").values()}

    named = {
        name
        for each in conditions(plan).values()
        for name in re.findall(r"seatlease-[\w-]+", each["filter"])
        if "service_name" in each["filter"]
    }

    assert named
    assert named <= services


def test_functions_that_nobody_waits_for_have_an_alert_for_their_failures(plan: Plan) -> None:
    public = set(plan.of_kind("google_cloud_run_v2_service_iam_member", "public"))
    rest = {
        function["name"]
        for name, function in plan.of_kind("google_cloudfunctions2_function").items()
        if name not in public
    }

    assert set(re.findall(r"seatlease-[\w-]+", conditions(plan)["failing_functions"]["filter"])) == rest


def test_functions_for_clients_have_an_alert_for_what_the_platform_answers(plan: Plan) -> None:
    public = set(plan.of_kind("google_cloud_run_v2_service_iam_member", "public"))
    names = {each["name"] for key, each in plan.of_kind("google_cloudfunctions2_function").items() if key in public}

    watched = conditions(plan)["platform_errors"]["filter"]

    assert set(re.findall(r"seatlease-[\w-]+", watched)) == names
    assert 'response_code=monitoring.regex.full_match("429|5..")' in watched
    assert conditions(plan)["platform_errors"]["threshold_value"] > conditions(plan)["server_errors"]["threshold_value"]


def test_slow_answers_are_an_alert_only_where_instances_are_warm(plans: Mapping[str, Plan]) -> None:
    alerted = {name for name, plan in plans.items() if "slow_answers" in plan.of_kind(ALERT)}

    assert alerted == {"production"}


def test_every_alert_says_what_it_means_and_where_it_says_what_to_do(plan: Plan) -> None:
    alerts = plan.of_kind(ALERT)

    texts = {name: alert["documentation"][0]["content"] for name, alert in alerts.items()}

    assert len(alerts) == 11
    for name, text in texts.items():
        meaning, _, todo = text.partition("\n\n")
        assert len(meaning) > 40
        assert todo == f"What to do: {RUNBOOK}#alert-{name.replace('_', '-')}"


def test_nobody_is_told_unless_somebody_is_named(plan: Plan) -> None:
    assert not plan.of_kind("google_monitoring_notification_channel")


def test_the_dashboard_is_of_the_form_that_monitoring_takes(plan: Plan) -> None:
    written = json.loads(plan.one("google_monitoring_dashboard")["dashboard_json"])

    read = Dashboard.pb(Dashboard())
    json_format.ParseDict(written, read)

    assert read.display_name == "Seatlease"
    assert len(read.grid_layout.widgets) == 12


def test_a_chart_is_named_after_what_it_is_split_by(plan: Plan) -> None:
    widgets = json.loads(plan.one("google_monitoring_dashboard")["dashboard_json"])["gridLayout"]["widgets"]

    legends = {each["title"]: each["xyChart"]["dataSets"][0]["legendTemplate"] for each in widgets}

    assert legends["Contention, by function"] == "${metric.labels.function}"
    assert legends["Audit events left unpublished by a run"] == ""


def test_a_slip_in_the_dashboard_is_found() -> None:
    with pytest.raises(json_format.ParseError, match="xyCharts"):
        json_format.ParseDict({"gridLayout": {"widgets": [{"xyCharts": {}}]}}, Dashboard.pb(Dashboard()))

"""What the doctor says of audit events that were not published. On the Firestore emulator."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from google.cloud import firestore

from infra.doctor.backlog import check_backlog
from infra.doctor.finding import Finding, Mark
from infra.doctor.project import Project
from shared.rules.audit import AuditType

LOGS = "gcloud logging read 'resource.labels.service_name=\"{}\" severity>=WARNING' --freshness=1h --project={}"


@pytest.fixture
def deployed(project: str, firestore_host: str) -> Project:
    return Project(project=project, region="us-central1", endpoints={"firestore-data": firestore_host})


def write_event(console: firestore.Client, *, ago: timedelta, kind: AuditType, is_published: bool = False) -> None:
    now = datetime.now(UTC)
    event = {"type": kind.value, "at": now - ago} | ({} if is_published else {"unpublished_shard": 7})
    console.collection("organizations/northwind/audit_events").add(event)


def found_by(findings: list[Finding]) -> dict[str, tuple[Mark, str, str | None]]:
    return {finding.subject: (finding.mark, finding.found, finding.mend) for finding in findings}


def test_an_empty_database_has_no_backlog(deployed: Project) -> None:
    found = found_by(check_backlog(deployed))

    assert found == {
        "relay_audit": (Mark.OK, "published every event in time", None),
        "expire_sessions": (Mark.OK, "0 events wait for its next run", None),
    }


def test_events_that_are_published_or_were_just_made_are_no_backlog(
    deployed: Project, console: firestore.Client
) -> None:
    write_event(console, ago=timedelta(hours=2), kind=AuditType.ACQUIRED, is_published=True)
    write_event(console, ago=timedelta(seconds=80), kind=AuditType.ACQUIRED)

    found = found_by(check_backlog(deployed))

    assert found["relay_audit"][:2] == (Mark.OK, "published every event in time")
    assert found["expire_sessions"][:2] == (Mark.OK, "0 events wait for its next run")


def test_denials_wait_for_expire_sessions_and_are_no_backlog_until_it_should_have_come(
    deployed: Project, console: firestore.Client
) -> None:
    write_event(console, ago=timedelta(minutes=4), kind=AuditType.DENIED)

    found = found_by(check_backlog(deployed))

    assert found["relay_audit"][0] is Mark.OK
    assert found["expire_sessions"] == (Mark.OK, "1 events wait for its next run", None)


def test_an_event_that_was_left_behind_is_a_fault_of_relay_audit(deployed: Project, console: firestore.Client) -> None:
    write_event(console, ago=timedelta(minutes=3, seconds=1), kind=AuditType.RELEASED)

    found = found_by(check_backlog(deployed))

    mark, words, mend = found["relay_audit"]
    assert mark is Mark.WRONG
    assert words.startswith("1 events are unpublished after 90 seconds or more, the oldest 0:03:0")
    assert mend == LOGS.format("seatlease-relay-audit", deployed.project)
    assert found["expire_sessions"][0] is Mark.OK


def test_an_event_that_expire_sessions_should_have_published_is_a_fault_of_both(
    deployed: Project, console: firestore.Client
) -> None:
    for minutes in (3, 20, 60):
        write_event(console, ago=timedelta(minutes=minutes, seconds=1), kind=AuditType.EXPIRED)

    found = found_by(check_backlog(deployed))

    assert [mark for mark, _, _ in found.values()] == [Mark.WRONG, Mark.WRONG]
    _, words, mend = found["expire_sessions"]
    assert words.startswith("2 events should be published by now, the oldest 1:00:0")
    assert words.endswith("; 3 wait in total")
    assert mend == LOGS.format("seatlease-expire-sessions", deployed.project)


def test_an_old_denial_is_a_fault_of_expire_sessions_alone(deployed: Project, console: firestore.Client) -> None:
    write_event(console, ago=timedelta(minutes=20), kind=AuditType.DENIED)

    found = found_by(check_backlog(deployed))

    assert [mark for mark, _, _ in found.values()] == [Mark.OK, Mark.WRONG]


# What could not be asked


class _Refusing(grpc.GenericRpcHandler):
    """Answers every call as Firestore does to somebody without the right to read."""

    def service(self, _: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        handler: grpc.RpcMethodHandler = grpc.unary_stream_rpc_method_handler(self._refuse)
        return handler

    @staticmethod
    def _refuse(_: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        context.abort(grpc.StatusCode.PERMISSION_DENIED, "Missing or insufficient permissions.")
        yield b""


@pytest.fixture
def refusing_host() -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(1), handlers=[_Refusing()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None).wait()


def test_a_database_that_one_may_not_read_could_not_be_checked(refusing_host: str) -> None:
    elsewhere = {"firestore-data": refusing_host}

    (finding,) = check_backlog(Project(project="demo-seatlease", region="us-central1", endpoints=elsewhere))

    told = "PERMISSION_DENIED: Missing or insufficient permissions."
    assert (finding.mark, finding.found) == (Mark.UNKNOWN, told)
    assert str(finding.mend).endswith("--role=roles/datastore.viewer")


def test_a_database_that_does_not_answer_could_not_be_checked(unused_tcp_port: int) -> None:
    elsewhere = {"firestore-data": f"127.0.0.1:{unused_tcp_port}"}

    (finding,) = check_backlog(Project(project="demo-seatlease", region="us-central1", endpoints=elsewhere))

    assert finding.mark is Mark.UNKNOWN
    assert finding.found.startswith("UNAVAILABLE: ")
    assert finding.mend is None

"""Instances in a session's document: none are written where the session's own fields say the same."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.documents.reading import session_from
from shared.documents.writing import Retention, session_fields
from shared.firestore.client import Document
from shared.rules.session import Instance
from tests.rules.make import HOME, INSTANT, NOW, a_session, an_instance

RETENTION = Retention(sessions_for=timedelta(days=1), audit_events_for=timedelta(days=2))


@pytest.mark.parametrize(
    ("instances", "is_written"),
    [
        pytest.param((an_instance(),), False, id="one without a name"),
        pytest.param((an_instance(ip_address="192.0.2.8"),), True, id="at another address"),
        pytest.param((an_instance(heard_at=NOW - INSTANT),), True, id="heard of before"),
        pytest.param((an_instance("instance-a-instance", ip_address=HOME),), True, id="with a name"),
        pytest.param((an_instance(), an_instance("instance-a-instance")), True, id="beside one with a name"),
        pytest.param((), True, id="none"),
    ],
)
def test_what_is_written_of_instances_is_read_again(instances: tuple[Instance, ...], *, is_written: bool) -> None:
    session = replace(a_session(), instances=instances)

    fields = session_fields(session, RETENTION)

    document = Document(path=f"organizations/acme/sessions/{session.session_id}", fields=fields, update_time=None)
    assert session_from(document) == session
    assert (fields["instances"] is not None) is is_written

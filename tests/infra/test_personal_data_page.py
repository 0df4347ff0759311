"""The page on personal data: its commands, run on the local stack, leave nothing of a person but what it names."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from infra.build.stage import ROOT
from infra.local.audit_topic import subscribed
from infra.local.auth import sign_up
from infra.local.tokens import unsigned_token
from tests.infra.served import Served, infra_local, until
from tests.support.subscriber import Subscriber
from tests.support.tenant import Tenant

PAGE = (ROOT / "infra/docs/personal-data.md").read_text()
COMMANDS = re.findall(r"^\$ (make erase .+)$", PAGE, re.MULTILINE)
NAMED = "PROJECT=my-project ORGANIZATION=northwind UID=ada"


@dataclass(frozen=True, kw_only=True)
class Erasable:
    """A person of an organization on the stack, and what must be gone in the end."""

    stack: Served
    tenant: Tenant
    uid: str
    email: str
    device: str = "the-persons-own-device"
    address: str = "203.0.113.77"

    @property
    def traces(self) -> list[str]:
        return [self.uid, self.email, self.device, self.address]

    def call(self, function: str, user_id: str, **body: str) -> httpx.Response:
        """Call a function as a user, from the person's address if it is the person."""
        token = unsigned_token(
            project=self.stack.state["project"], organization_id=self.tenant.organization_id, user_id=user_id
        )
        address = self.address if user_id == self.uid else "198.51.100.1"
        headers = {"Authorization": f"Bearer {token}", "X-Forwarded-For": address}
        url = self.stack.state["functions"][function]
        return httpx.post(url, json=body, headers=headers, timeout=30)

    def acquire(self, user_id: str, license_key: str | None = None) -> httpx.Response:
        device = self.device if user_id == self.uid else f"device-of-{user_id}"
        return self.call("acquire", user_id, license_key=license_key or self.tenant.license_key, hardware_id=device)

    def run(self, command: str) -> str:
        """Run a command of the page as it stands there, for this person, and give what it printed."""
        assert NAMED in command
        project, organization_id = self.stack.state["project"], self.tenant.organization_id
        told = command.replace(NAMED, f"PROJECT={project} ORGANIZATION={organization_id} UID={self.uid}").split()
        # What is installed already is used as it is, whatever the times of the files say.
        installed = ["--assume-old=.venv/.ready", f"BIN={Path(sys.executable).parent}"]
        environment = {
            **os.environ,
            "FIRESTORE_EMULATOR_HOST": self.stack.state["firestore_emulator_host"],
            "FIREBASE_AUTH_EMULATOR_HOST": self.stack.state["auth_emulator_host"],
        }
        ran = subprocess.run(
            [*told, *installed], cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=150
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    def accounts(self) -> int:
        """How many accounts have the person's id."""
        project = self.stack.state["project"]
        url = f"http://{self.stack.state['auth_emulator_host']}/identitytoolkit.googleapis.com/v1/projects/{project}"
        asked = httpx.post(
            f"{url}/accounts:lookup", json={"localId": [self.uid]}, headers={"Authorization": "Bearer owner"}
        )
        return len(asked.raise_for_status().json().get("users", []))

    def documents(self) -> str:
        """All documents of the organization, as one text."""
        collections = self.tenant.organization.collections()
        found = [(each.reference.path, each.to_dict()) for collection in collections for each in collection.stream()]
        return f"{self.tenant.organization.get().to_dict()} {found}"


@pytest.fixture
def person(local_stack: Served, tenant: Tenant) -> Erasable:
    """An owner with an account, who is in every collection that tells about people."""
    host = local_stack.state["auth_emulator_host"]
    if host is None:
        pytest.skip("no Firebase Auth emulator here: there is no npm, or make auth-emulator has not run")
    uid = f"u{uuid4().hex[:20]}"
    made = Erasable(stack=local_stack, tenant=tenant, uid=uid, email=f"{uid}@person.example")
    sign_up(host, project=local_stack.state["project"], user_id=uid, email=made.email)
    tenant.user(uid).set({"role": "owner", "full_name": made.email})
    until(lambda: (tenant.user(uid).get().to_dict() or {}).get("email") == made.email, what="the review of the user")
    return made


@pytest.fixture
def subscriber(local_stack: Served) -> Iterator[Subscriber]:
    """Receives what is published from now on. A test names it first, so that it receives what its other fixtures do."""
    state, name = local_stack.state, f"test-{uuid4().hex[:12]}"
    with subscribed(state["pubsub_emulator_host"], project=state["project"], subscription=name) as subscription:
        yield Subscriber(subscription=subscription)
        subscription.client.delete_subscription(subscription=subscription.path)


@pytest.mark.skipif(shutil.which("make") is None, reason="the page's commands are targets of make")
@pytest.mark.long
def test_the_commands_of_the_page_leave_nothing_of_a_person(
    subscriber: Subscriber, person: Erasable, tenant: Tenant
) -> None:
    full = f"{tenant.license_key}-full"
    tenant.license().update({"max_concurrent_seats": 2})
    tenant.add_license("full", full, seats=0)
    others_session = person.acquire("m0").json()["session_id"]
    assert person.acquire(person.uid).status_code == 201
    assert person.acquire(person.uid, full).status_code == 409
    assert person.call("release", person.uid, session_id=others_session).status_code == 204
    assert person.acquire("m1").status_code == 201
    assert person.acquire("m2").status_code == 409
    before = person.documents()
    assert all(trace in before for trace in person.traces)

    shown, erased = [person.run(command) for command in COMMANDS]

    assert "Nothing was changed" in shown
    assert f'WHERE organization_id = "{tenant.organization_id}" AND user_id = "{person.uid}"' in erased
    assert person.accounts() == 0
    assert person.acquire("m2").status_code == 201, "the person's seat is free"
    after = person.documents()
    assert [trace for trace in person.traces if trace in after] == []
    # What was published until now names the person, as the page says. What comes from now on does not.
    published = [each for each in tenant.event_documents() if each.get("published_at") is not None]
    subscriber.wait_for([each.id for each in published], within=60)
    assert any(person.uid in str(message.event) for message in subscriber.messages)
    subscriber.messages.clear()
    (denial,) = (each for each in tenant.event_documents("session.denied") if each.get("user_id") == "erased")
    tenant.age(denial.reference)
    assert infra_local("tick", "expire_sessions", "--state-folder", person.stack.state_folder).returncode == 0
    subscriber.wait_for([denial.id], within=60)
    late = [message.event for message in subscriber.messages]
    assert [event for event in late if any(trace in str(event) for trace in person.traces)] == []


def test_the_page_has_one_command_that_shows_and_one_that_erases() -> None:
    assert [("CONFIRM=yes" in command, NAMED in command) for command in COMMANDS] == [(False, True), (True, True)]

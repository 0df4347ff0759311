"""The page for organizations, in a real browser on the local stack. What a machine may lack, a test is skipped for."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio
from google.cloud import firestore
from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright

from infra.local.auth import PASSWORD, sign_up
from infra.local.portal_build import NO_NPM, build, find_npm
from infra.local.stack import PROJECT
from infra.local.tokens import unsigned_token
from tests.infra.served import Served
from tests.support.tenant import Tenant
from tests.support.waiting import wait_until

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PATIENCE_MS = 60_000
"""How long the page may take for what it does at once, on a machine where much else runs."""


@pytest.fixture(scope="session")
def built_page() -> Path:
    """The folder of the page, built from the sources as they are."""
    if find_npm() is None:
        pytest.skip(NO_NPM)
    return build()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """One browser for all tests. Each test has a context of its own: no cookies, no storage, no account."""
    program = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if program is None:
        pytest.skip("Chromium is missing, so the page for organizations is not tried in a browser")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        await browser.close()


@dataclass(frozen=True, kw_only=True)
class Person:
    """An account, which may be of a user of the organization, and the programs of its person."""

    user_id: str
    email: str
    base_url: str
    organization_id: str

    def call(self, path: str, body: dict[str, Any], **headers: str) -> httpx.Response:
        token = unsigned_token(project=PROJECT, organization_id=self.organization_id, user_id=self.user_id)
        sent = {"Authorization": f"Bearer {token}", **headers}
        return httpx.post(f"{self.base_url}/v1/{path}", json=body, headers=sent, timeout=30)

    def acquire(self, license_key: str, *, device: str = "workstation-7", program: str = "Studio/4.2") -> str:
        """Take a seat with a program, and give the session's id."""
        body = {"license_key": license_key, "hardware_id": device}
        answer = self.call("acquire", body, **{"User-Agent": program})
        assert answer.is_success, answer.text
        return str(answer.json()["session_id"])


@dataclass(frozen=True, kw_only=True)
class Company:
    """An organization of the test's own, and the accounts of its people."""

    tenant: Tenant
    base_url: str
    auth_host: str

    def account(self, name: str, *, address: str | None = None) -> Person:
        """Make an account with a verified address that belongs to no organization."""
        user_id = f"{name}-{uuid4().hex[:10]}"
        email = address or f"{user_id}@example.com"
        sign_up(self.auth_host, project=PROJECT, user_id=user_id, email=email)
        return Person(user_id=user_id, email=email, base_url=self.base_url, organization_id=self.tenant.organization_id)

    def employ(self, name: str, role: str, *, shown_as: str | None = None) -> Person:
        """Make an account and its user, and wait until the account names the organization."""
        person = self.account(name)
        self.tenant.user(person.user_id).set({"email": shown_as or person.email, "role": role})
        wait_until(lambda: "org_id" in self.claims(person), within=60)
        return person

    def claims(self, person: Person) -> str:
        url = f"http://{self.auth_host}/identitytoolkit.googleapis.com/v1/projects/{PROJECT}/accounts:lookup"
        asked = {"localId": [person.user_id]}
        found = httpx.post(url, json=asked, headers={"Authorization": "Bearer owner"}, timeout=30).json()
        return str(found["users"][0].get("customAttributes", ""))


@pytest.fixture
def company(built_page: Path, local_stack: Served, stack_console: firestore.Client) -> Company:  # noqa: ARG001 the stack serves the built page
    auth_host = local_stack.state["auth_emulator_host"]
    if auth_host is None:
        pytest.skip("there is no Auth emulator, so nobody can sign in to the page: make auth-emulator")
    tenant = Tenant.create(stack_console, members=0)
    tenant.organization.update({"name": "Northwind"})
    return Company(tenant=tenant, base_url=f"http://127.0.0.1:{local_stack.port}", auth_host=auth_host)


@dataclass(kw_only=True)
class Visitor:
    """A person at a browser. Whatever the browser complains about is noted."""

    page: Page
    base_url: str
    complaints: list[str] = field(default_factory=list)

    def listen(self) -> Self:
        def heard(said: ConsoleMessage) -> None:
            # A policy that was broken, a file that is missing, and what a script logs.
            if said.type in {"error", "warning"}:
                self.complaints.append(f"{said.type}: {said.text}")

        self.page.on("console", heard)
        self.page.on("pageerror", lambda error: self.complaints.append(f"exception: {error}"))
        self.page.set_default_timeout(PATIENCE_MS)
        return self

    async def open(self, path: str) -> None:
        await self.page.goto(self.base_url + path)

    async def sign_in(self, person: Person, *, at: str = "/") -> None:
        """Ask for a screen, be sent to sign in, and come back to the screen."""
        await self.open(at)
        await self.page.get_by_label("Your e-mail address at work").fill(person.email)
        await self.page.get_by_role("button", name="Continue").click()
        await self.page.get_by_label("Password", exact=True).fill(PASSWORD)
        await self.page.get_by_role("button", name="Sign in").click()
        await self.page.wait_for_url(self.base_url + at)


@asynccontextmanager
async def visitor(browser: Browser, company: Company, **options: Any) -> AsyncIterator[Visitor]:  # noqa: ANN401 the browser's own options
    """Give a browser to a person. What it complained about fails the test."""
    context = await browser.new_context(locale="en-GB", timezone_id="Europe/Berlin", reduced_motion="reduce", **options)
    try:
        visitor = Visitor(page=await context.new_page(), base_url=company.base_url).listen()
        yield visitor
        assert visitor.complaints == []
    finally:
        await context.close()

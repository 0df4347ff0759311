"""A person signs a device in on the page: the command line's own code, a real browser, the real service."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from playwright.async_api import Browser, expect

from seatlease._service.browser_sign_in import ToConfirm, sign_in_through_browser
from seatlease._service.sign_in import SignedIn
from seatlease.errors import SignInRequired
from tests.portal.conftest import PATIENCE_MS, Company, visitor

expect.set_options(timeout=PATIENCE_MS)
pytestmark = pytest.mark.asyncio(loop_scope="session")


@dataclass(frozen=True, kw_only=True)
class Device:
    """A command line that waits for a person to confirm."""

    confirm: ToConfirm
    path: str
    waiting: "asyncio.Task[SignedIn]"


@asynccontextmanager
async def device(company: Company, monkeypatch: pytest.MonkeyPatch, *, listen: bool) -> AsyncIterator[Device]:
    monkeypatch.setenv("FIREBASE_AUTH_EMULATOR_HOST", company.auth_host)
    told: asyncio.Queue[ToConfirm] = asyncio.Queue()
    signing_in = sign_in_through_browser(
        service_url=company.base_url, api_key="any", listen=listen, tell=told.put_nowait
    )
    waiting = asyncio.create_task(signing_in)
    try:
        confirm = await asyncio.wait_for(told.get(), 60)
        yield Device(confirm=confirm, path=confirm.page.removeprefix(company.base_url), waiting=waiting)
    finally:
        waiting.cancel()


async def test_a_person_confirms_a_device_of_their_own_with_a_click(
    browser: Browser, company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = company.employ("mia", "member")
    async with device(company, monkeypatch, listen=True) as asking, visitor(browser, company) as at:
        await at.sign_in(member, at=asking.path)
        await expect(at.page.get_by_text("Northwind")).to_be_visible()
        await expect(at.page.get_by_text("another address")).to_have_count(0)
        await at.page.get_by_role("button", name="Sign the device in").click()
        await expect(at.page.get_by_text("You are signed in.")).to_be_visible()

        signed_in = await asyncio.wait_for(asking.waiting, 60)

    assert (signed_in.user_id, signed_in.email) == (member.user_id, member.email)


@pytest.mark.long
async def test_for_a_device_elsewhere_a_person_types_its_code(
    browser: Browser, company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = company.employ("mia", "member")
    async with device(company, monkeypatch, listen=False) as asking, visitor(browser, company) as at:
        assert (asking.path, asking.confirm.user_code is None) == ("/cli", False)
        await at.sign_in(member, at="/cli")
        await at.page.get_by_label("The code that your device shows").fill((asking.confirm.user_code or "").lower())
        await at.page.get_by_role("button", name="Continue").click()
        await at.page.get_by_role("button", name="Sign the device in").click()
        await expect(at.page.get_by_role("heading", name="Signed in")).to_be_visible()

        signed_in = await asyncio.wait_for(asking.waiting, 60)

    assert signed_in.user_id == member.user_id


async def test_a_person_refuses_a_device(browser: Browser, company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    member = company.employ("mia", "member")
    async with device(company, monkeypatch, listen=True) as asking, visitor(browser, company) as at:
        await at.sign_in(member, at=asking.path)
        await at.page.get_by_role("button", name="Refuse").click()
        await expect(at.page.get_by_text("The sign-in was refused.")).to_be_visible()

        with pytest.raises(SignInRequired, match="refused"):
            await asyncio.wait_for(asking.waiting, 60)

"""What the people of an organization see and do on the page: a real browser, the real service, Google's emulators."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import pytest
from playwright.async_api import Browser, Page, expect

from infra.local.portal_build import PORTAL
from tests.portal.conftest import PATIENCE_MS, Company, visitor

expect.set_options(timeout=PATIENCE_MS)
pytestmark = pytest.mark.asyncio(loop_scope="session")

SCREENS = ("/", "/history", "/people", "/license", "/activity")
AXE = PORTAL / "node_modules/axe-core/axe.min.js"
HOSTILE = "<img src=x onerror=alert(1)>"
WITHIN_MS = 20_000
"""The page promises to show a change so soon."""


async def sees(page: Page, text: str) -> None:
    """Wait for what the card of the license says."""
    await expect(page.locator(".big")).to_have_text(text, timeout=WITHIN_MS)


@pytest.mark.long
async def test_an_owner_sees_within_20_seconds_that_a_seat_is_taken_and_given_back(
    browser: Browser, company: Company
) -> None:
    owner, member = company.employ("olivia", "owner"), company.employ("mia", "member")
    async with visitor(browser, company) as at:
        await at.sign_in(owner)
        await sees(at.page, "0 of 3 seats in use")

        session_id = member.acquire(company.tenant.license_key)
        await sees(at.page, "1 of 3 seats in use")
        await expect(at.page.get_by_role("row", name=member.email)).to_contain_text("workstation-7")

        assert member.call("release", {"session_id": session_id}).status_code == 204
        await sees(at.page, "0 of 3 seats in use")


@pytest.mark.long
async def test_who_signs_out_leaves_no_trace_of_the_screen_for_the_next_person(
    browser: Browser, company: Company
) -> None:
    owner = company.employ("olivia", "owner")
    async with visitor(browser, company) as at:
        await at.sign_in(owner)
        await at.page.get_by_role("link", name="License", exact=True).click()

        await at.page.get_by_role("button", name="Sign out").click()

        await expect(at.page).to_have_url(re.compile(r"/sign-in$"))


async def test_an_owner_takes_a_seat_back_and_its_program_ends_at_its_next_heartbeat(
    browser: Browser, company: Company
) -> None:
    owner, member = company.employ("olivia", "owner"), company.employ("mia", "member")
    session_id = member.acquire(company.tenant.license_key)
    async with visitor(browser, company) as at:
        await at.sign_in(owner)

        await at.page.get_by_role("button", name=f"Take back the seat of {member.email}").click()
        await at.page.get_by_label("may take a seat again").select_option("in an hour")
        await at.page.get_by_role("dialog").get_by_role("button", name="Take back").click()

        await expect(at.page.get_by_role("status").filter(has_text="is free")).to_be_visible()
        await sees(at.page, "0 of 3 seats in use")
    beat = member.call("heartbeat", {"session_id": session_id})
    assert (beat.status_code, beat.json()["error"]["code"]) == (410, "SESSION_REVOKED")
    again = member.call("acquire", {"license_key": company.tenant.license_key, "hardware_id": "workstation-7"})
    assert again.json()["error"]["code"] == "KEPT_OUT"


async def test_a_member_sees_only_their_own_seats_and_gives_one_back(browser: Browser, company: Company) -> None:
    member, other = company.employ("mia", "member"), company.employ("otto", "member")
    member.acquire(company.tenant.license_key)
    other.acquire(company.tenant.license_key, device="the-others-device")
    async with visitor(browser, company) as at:
        await at.sign_in(member)
        await sees(at.page, "2 of 3 seats in use")

        await expect(at.page.get_by_role("row", name=member.email)).to_be_visible()
        assert await at.page.get_by_role("row").count() == 2, "a heading and one's own seat"
        for hidden in (other.email, "the-others-device", company.tenant.license_key):
            assert hidden not in await at.page.content()
        assert await at.page.get_by_role("navigation").count() == 0

        await at.page.get_by_role("button", name="Give back the seat").click()
        await at.page.get_by_role("dialog").get_by_role("button", name="Give back").click()
        await sees(at.page, "1 of 3 seats in use")
        await expect(at.page.get_by_text("You hold no seat")).to_be_visible()

        await at.open("/people")
        await expect(at.page.get_by_role("heading", name="Not for you")).to_be_visible()
        at.forgive("403")


@pytest.mark.long
async def test_an_invited_colleague_sets_a_password_joins_and_takes_a_seat(browser: Browser, company: Company) -> None:
    owner = company.employ("olivia", "owner")
    address = f"new-{owner.user_id}@example.com"
    async with visitor(browser, company) as at:
        await at.sign_in(owner, at="/people")
        await at.page.get_by_label("E-mail address").fill(address)
        await at.page.get_by_role("button", name="Invite").click()
        invitation = at.page.get_by_role("region", name="Invited").get_by_role("row", name=address)
        mail = await invitation.get_by_role("link", name=f"Write a mail to {address}").get_attribute("href")
    link = f"/join?org={company.tenant.organization_id}"
    assert mail is not None
    assert quote(company.base_url + link, safe="") in mail

    async with visitor(browser, company) as at:
        await at.open(link)
        await at.page.get_by_label("Your e-mail address at work").fill(address)
        await at.page.get_by_role("button", name="Continue").click()
        await at.page.get_by_role("button", name="Set a password").click()
        await at.page.get_by_label("A password of your choice").fill("a long enough one")
        await at.page.get_by_role("button", name="Set the password").click()
        await expect(at.page.get_by_role("heading", name="Confirm your address")).to_be_visible()
        company.open_mail_to(address)
        await at.page.get_by_role("button", name="I have opened the link").click()
        await at.page.wait_for_url(f"{company.base_url}/")
        await sees(at.page, "0 of 3 seats in use")

        company.person_at(address).acquire(company.tenant.license_key)
        await expect(at.page.get_by_role("row", name=address)).to_be_visible(timeout=WITHIN_MS)


async def test_what_was_chosen_for_one_person_does_not_stand_there_for_the_next(
    browser: Browser, company: Company
) -> None:
    owner, member, other = (
        company.employ(*who) for who in [("olivia", "owner"), ("mia", "member"), ("otto", "member")]
    )
    async with visitor(browser, company) as at:
        await at.sign_in(owner, at="/people")
        dialog = at.page.get_by_role("dialog")
        await at.page.get_by_role("button", name=f"Edit {member.email}").click()
        await dialog.get_by_label("Role").select_option("admin")
        await dialog.get_by_label("Groups").fill("design")
        await at.page.keyboard.press("Escape")

        await at.page.get_by_role("button", name=f"Edit {other.email}").click()

        await expect(dialog.get_by_label("Role")).to_have_value("member")
        await expect(dialog.get_by_label("Groups")).to_have_value("")


async def test_a_person_of_no_organization_sees_nothing_of_any(browser: Browser, company: Company) -> None:
    stranger = company.account("mallory")
    company.employ("mia", "member").acquire(company.tenant.license_key)
    async with visitor(browser, company) as at:
        await at.sign_in(stranger)

        await expect(at.page.get_by_role("heading", name="You belong to no organization yet")).to_be_visible()
        await at.open(f"/join?org={company.tenant.organization_id}")
        await expect(at.page.get_by_text("invitation").first).to_be_visible()
        await expect(at.page.get_by_role("button", name="Try again")).to_be_visible()
        assert "Northwind" not in await at.page.content()
        at.forgive("403")


async def test_what_others_named_is_shown_as_text(browser: Browser, company: Company) -> None:
    owner = company.employ("olivia", "owner")
    hostile = company.employ("mallory", "member", shown_as=HOSTILE)
    hostile.acquire(company.tenant.license_key, device=f"d {HOSTILE}", program=f"p {HOSTILE}")
    company.tenant.license().update({"name": HOSTILE})
    company.tenant.organization.update({"name": HOSTILE})
    async with visitor(browser, company) as at:
        await at.sign_in(owner)

        row = at.page.get_by_role("row").filter(has_text=f"d {HOSTILE}")
        await expect(row).to_contain_text(f"p {HOSTILE}")
        await expect(row.get_by_role("rowheader")).to_have_text(HOSTILE)
        await expect(at.page.get_by_role("heading", level=2).first).to_have_text(HOSTILE)
        assert await at.page.locator("img").count() == 0


@pytest.mark.long
async def test_without_a_connection_the_page_says_how_old_it_is_and_asks_again(
    browser: Browser, company: Company
) -> None:
    owner = company.employ("olivia", "owner")
    async with visitor(browser, company) as at:
        await at.sign_in(owner)
        await sees(at.page, "0 of 3 seats in use")

        await at.page.context.set_offline(offline=True)
        await expect(at.page.get_by_text("Trying again.")).to_be_visible()
        await sees(at.page, "0 of 3 seats in use")
        at.forgive("ERR_INTERNET_DISCONNECTED")

        await at.page.context.set_offline(offline=False)
        await expect(at.page.get_by_text("Trying again.")).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.long)])
async def test_every_screen_is_accessible_wide_and_narrow(
    browser: Browser, company: Company, tmp_path: Path, scheme: Literal["light", "dark"]
) -> None:
    owner, member = company.employ("olivia", "owner"), company.employ("mia", "member")
    company.tenant.license().update(
        {
            "max_borrow_seconds": 86_400,
            "reservations": {"design": 1},
            "expires_at": datetime.now(UTC) + timedelta(days=5),
        }
    )
    member.acquire(company.tenant.license_key, program="A program with a rather long name/2026.11.4 (build 4711)")
    owner.acquire(company.tenant.license_key, device="the-owners-notebook.corp.example.com")
    async with visitor(browser, company, color_scheme=scheme) as at:
        look = Look(page=at.page, folder=tmp_path, scheme=scheme)
        await at.open("/sign-in")
        await at.page.get_by_label("Your e-mail address at work").fill(owner.email)
        await look("sign-in")
        await at.page.get_by_role("button", name="Continue").click()
        await look("password")
        await at.page.get_by_role("button", name="Set a password").click()
        await look("first-password")
        await at.sign_in(owner)
        for path in SCREENS:
            await at.open(path)
            await expect(at.page.get_by_text("Last updated")).to_be_visible()
            await look(path.strip("/") or "now")
        await at.open("/")
        await at.page.get_by_role("button", name="Take back").click()
        await look("take-back")
    assert look.violations == []


@dataclass(kw_only=True)
class Look:
    """Takes a picture of what is shown, wide and narrow, and lets axe judge it."""

    page: Page
    folder: Path
    scheme: str
    violations: list[str] = field(default_factory=list)

    async def __call__(self, name: str) -> None:
        for width in (1280, 320):
            await self.page.set_viewport_size({"width": width, "height": 900})
            await self.page.screenshot(path=self.folder / f"{name}-{width}-{self.scheme}.png", full_page=True)
            await self.page.evaluate(AXE.read_text())
            found = await self.page.evaluate("axe.run().then((report) => report.violations)")
            for violation in found:
                places = ", ".join(str(node["target"]) for node in violation["nodes"])
                self.violations.append(f"{name} at {width}: {violation['id']}: {violation['help']}: {places}")
            wide = await self.page.evaluate("document.documentElement.scrollWidth")
            if wide > width:
                self.violations.append(f"{name} at {width}: it is {wide} wide")

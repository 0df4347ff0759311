"""The screens History and Activity, in a real browser: what owners read there, and what nobody else does."""

import asyncio
import csv
import io
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from google.cloud import firestore
from playwright.async_api import Browser, Page, Request, expect

from infra.local.stack import PROJECT
from infra.local.tokens import unsigned_token
from shared.documents.paths import OrganizationPaths
from shared.documents.usage_days import usage_day_fields
from shared.rules.denial import WINDOW_FOR
from shared.rules.history import Records, RefusalSeen, TenureSeen, usage_day
from tests.portal.conftest import PATIENCE_MS, Company, Person, visitor
from tests.portal.test_page import HOSTILE, Look
from tests.support.tenant import LICENSE_ID

pytestmark = pytest.mark.asyncio(loop_scope="session")

DAYS = 20
SENTENCE = "3 seats were enough for 97.9 % of the busy time; 4 would have been enough for all of it."


@pytest.fixture
def used(company: Company) -> Company:
    """A license of 3 seats, all in use for 8 hours of each past day. A fourth person was refused for 10 minutes."""
    now = datetime.now(UTC).replace(microsecond=0)
    paths = OrganizationPaths(company.tenant.organization_id)
    batch = company.tenant.console.batch()
    for back in range(DAYS + 1):
        day = now.date() - timedelta(days=back)
        # Today nothing has happened, so that no number depends on the time of the test.
        counted = usage_day(LICENSE_ID, day, _working_day(day) if back else Records(seats=3), computed_at=now)
        batch.set(company.tenant.console.document(paths.usage_day(LICENSE_ID, day)), usage_day_fields(counted))
    batch.commit()
    return company


def _working_day(day: date) -> Records:
    start = datetime.combine(day, time(8), tzinfo=UTC)
    end = start + timedelta(hours=8)
    refused_at = [start + timedelta(hours=2, minutes=minute) for minute in range(10)]
    return Records(
        tenures=[
            TenureSeen(
                session_id=f"s{number}",
                user_id=f"u{number}",
                started_at=start,
                last_heartbeat_at=end,
                lease_expires_at=end + timedelta(minutes=6),
                ended_at=end,
            )
            for number in range(3)
        ],
        refusals=[
            RefusalSeen(session_id="s9", user_id="u9", at=at, last_attempt_at=at, complete_at=at + WINDOW_FOR)
            for at in refused_at
        ],
        seats=3,
    )


def asked_of(person: Person, **query: str) -> httpx.Response:
    token = unsigned_token(project=PROJECT, organization_id=person.organization_id, user_id=person.user_id)
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.get(f"{person.base_url}/v1/history", params=query, headers=headers, timeout=30)


async def saved(page: Page, button: str) -> tuple[str, list[dict[str, str]]]:
    """Click, and give the name and the rows of the file that the browser keeps."""
    async with page.expect_download(timeout=PATIENCE_MS) as download:
        await page.get_by_role("button", name=button).click()
    file = await download.value
    content = await asyncio.to_thread((await file.path()).read_bytes)
    assert content.startswith("\ufeff".encode()), "a spreadsheet knows UTF-8 by its byte order mark"
    return file.suggested_filename, list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def days_asked_for(requests: list[Request]) -> Iterator[date]:
    for request in requests:
        query = parse_qs(urlsplit(request.url).query)
        first, last = (date.fromisoformat(query[word][0]) for word in ("from", "to"))
        yield from (first + timedelta(days=number) for number in range((last - first).days + 1))


async def test_an_owner_reads_how_many_seats_were_enough_and_takes_the_numbers_along(
    browser: Browser, used: Company
) -> None:
    owner = used.employ("olivia", "owner")
    async with visitor(browser, used, accept_downloads=True) as at:
        await at.sign_in(owner, at="/history?range=7d")

        await expect(at.page.locator(".lead")).to_have_text(SENTENCE, timeout=PATIENCE_MS)
        await expect(at.page.get_by_text("Times are those of Europe/Berlin.")).to_be_visible()
        figures = at.page.locator("figure")
        assert [await figures.nth(n).locator("h2").inner_text() for n in range(3)] == [
            "Seats in use",
            "Hours of the week",
            "How many seats would have been enough",
        ]
        name, rows = await saved(at.page, "Save each half hour as CSV")

    assert name.startswith(f"{owner.organization_id}-{LICENSE_ID}-half-hours-")
    assert {row["peak_in_use"] for row in rows} == {"0", "3"}
    last_week = datetime.now(UTC).date() - timedelta(days=7)
    told = asked_of(owner, **{"from": f"{last_week}", "to": f"{datetime.now(UTC).date()}"}).json()
    summary = told["licenses"][0]["summary"]
    assert 0.979 <= summary["enough_share"] < 0.98, "the page and the service count alike"
    assert summary["seats_enough_for"] == {"95": 3, "99": 4, "100": 4}


async def test_a_link_names_what_is_shown_and_no_settled_day_is_asked_for_twice(
    browser: Browser, used: Company
) -> None:
    owner = used.employ("olivia", "owner")
    asked: list[Request] = []
    async with visitor(browser, used) as at:
        at.page.on("request", lambda request: asked.append(request) if "/v1/history?" in request.url else None)
        await at.sign_in(owner, at="/history?range=7d")
        await expect(at.page.locator(".lead")).to_have_text(SENTENCE, timeout=PATIENCE_MS)

        await at.page.get_by_role("button", name="30 days").click()
        await expect(at.page.get_by_text("in each day")).to_be_visible(timeout=PATIENCE_MS)

        assert at.page.url.endswith("/history?range=30d")
        today = datetime.now(UTC).date()
        settled = [day for day in days_asked_for(asked) if day < today - timedelta(days=2)]
        assert len(settled) > DAYS
        assert len(settled) == len(set(settled))


async def test_a_license_that_was_never_used_says_when_numbers_will_come(browser: Browser, company: Company) -> None:
    owner = company.employ("olivia", "owner")
    async with visitor(browser, company) as at:
        await at.sign_in(owner, at="/history")

        await expect(at.page.get_by_text("within an hour after a person took a seat")).to_be_visible(
            timeout=PATIENCE_MS
        )


@pytest.mark.parametrize("screen", ["history", pytest.param("activity", marks=pytest.mark.long)])
async def test_what_cannot_be_asked_for_says_so_and_is_there_at_the_next_try(
    browser: Browser, used: Company, screen: str
) -> None:
    owner = used.employ("olivia", "owner")
    async with visitor(browser, used) as at:
        await at.page.route("**/v1/history?*", lambda route: route.abort())
        await at.sign_in(owner, at=f"/{screen}")
        await expect(at.page.get_by_role("alert")).to_contain_text("Check the connection", timeout=PATIENCE_MS)
        # The browser notes the request that failed, which is right.
        at.complaints[:] = [each for each in at.complaints if "ERR_FAILED" not in each]

        await at.page.unroute("**/v1/history?*")
        await at.page.get_by_role("button", name="Try again").click()

        await expect(at.page.get_by_role("button", name="CSV").first).to_be_visible(timeout=PATIENCE_MS)


@pytest.mark.parametrize("screen", ["history", pytest.param("activity", marks=pytest.mark.long)])
async def test_a_member_gets_neither_history_nor_activity(browser: Browser, used: Company, screen: str) -> None:
    member = used.employ("mia", "member")
    async with visitor(browser, used) as at:
        await at.sign_in(member, at=f"/{screen}")

        await expect(at.page.get_by_role("heading", name="Not for you")).to_be_visible(timeout=PATIENCE_MS)
        assert "busy time" not in await at.page.content()
    for view in ("days", "events"):
        assert asked_of(member, view=view).json()["error"]["code"] == "ROLE_NOT_ALLOWED"


async def test_an_owner_reads_the_audit_trail_in_plain_words_and_links_to_one_event(
    browser: Browser, company: Company
) -> None:
    owner, member = company.employ("olivia", "owner"), company.employ("mia", "member")
    company.tenant.license().update({"max_concurrent_seats": 1})
    session_id = member.acquire(company.tenant.license_key)
    assert owner.call("acquire", {"license_key": company.tenant.license_key, "hardware_id": "d"}).status_code == 409
    assert member.call("release", {"session_id": session_id}).status_code == 204
    async with visitor(browser, company, accept_downloads=True) as at:
        await at.sign_in(owner, at="/activity")

        def row(what: str) -> Any:  # noqa: ANN401 a locator
            return at.page.get_by_role("row").filter(has=at.page.get_by_role("rowheader", name=what, exact=True))

        await expect(row("Took a seat")).to_contain_text("1 of 1 seats in use", timeout=PATIENCE_MS)
        await expect(row("Took a seat")).to_contain_text(member.email)
        await expect(row("Was refused a seat")).to_contain_text("1 of 1 seats in use, 1 attempt")
        await expect(row("Gave the seat back")).to_contain_text("held for")
        _, rows = await saved(at.page, "Save as CSV")
        assert {"session.acquired", "session.denied", "session.released"} <= {each["type"] for each in rows}

        await at.page.get_by_label("What").select_option("Was refused a seat")
        await expect(row("Took a seat")).to_have_count(0)
        await at.page.get_by_label("What").select_option("all")
        await row("Took a seat").get_by_role("link").click()
        await expect(row("Took a seat")).to_have_count(1)
        await expect(at.page.get_by_role("rowheader")).to_have_count(1)
        assert "event=" in at.page.url
        await at.page.reload()
        await expect(row("Took a seat")).to_have_count(1)


async def test_what_a_program_sent_is_shown_as_text_in_the_activity(browser: Browser, company: Company) -> None:
    owner, member = company.employ("olivia", "owner"), company.employ("mallory", "member", shown_as=HOSTILE)
    company.tenant.license().update({"name": HOSTILE})
    member.acquire(company.tenant.license_key, device=f"=d {HOSTILE}")
    _add_unknown_event(company)
    async with visitor(browser, company, accept_downloads=True) as at:
        await at.sign_in(owner, at="/activity")

        row = at.page.get_by_role("row").filter(has_text="Took a seat")
        await expect(row).to_contain_text(f"{HOSTILE}, =d {HOSTILE}", timeout=PATIENCE_MS)
        await expect(at.page.get_by_role("row").filter(has_text="session.teleported")).to_contain_text(f"to: {HOSTILE}")
        assert await at.page.locator("img").count() == 0
        _, rows = await saved(at.page, "Save as CSV")
        assert f"'=d {HOSTILE}" in {each["hardware_id"] for each in rows}, "no spreadsheet runs it as a formula"


def _add_unknown_event(company: Company) -> None:
    """An event of a newer release, of which the page does not know the type."""
    events: firestore.CollectionReference = company.tenant.organization.collection("audit_events")
    fields = {"type": "session.teleported", "at": datetime.now(UTC), "actor": "system", "details": {"to": HOSTILE}}
    events.document("teleported").set({**fields, "published_at": datetime.now(UTC)})


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.long
async def test_history_and_activity_are_accessible_wide_and_narrow(
    browser: Browser, used: Company, tmp_path: Path, scheme: Literal["light", "dark"]
) -> None:
    owner = used.employ("olivia", "owner")
    used.employ("mia", "member").acquire(used.tenant.license_key)
    async with visitor(browser, used, color_scheme=scheme) as at:
        look = Look(page=at.page, folder=tmp_path, scheme=scheme)
        await at.sign_in(owner, at="/history?range=7d")
        await expect(at.page.locator("figure")).to_have_count(3, timeout=PATIENCE_MS)
        for summary in await at.page.get_by_text("Numbers of this chart").all():
            await summary.click()
        await look("history")
        await at.open("/activity")
        await expect(at.page.get_by_role("rowheader", name="Took a seat")).to_be_visible(timeout=PATIENCE_MS)
        await look("activity")
    assert look.violations == []

"""Fetching who holds which seat, all pages of it."""

from typing import Any

from seatlease.credentials import Credentials
from seatlease.service import Service


async def fetch_usage(url: str, credentials: Credentials, *, license_key: str | None) -> dict[str, Any]:
    """Give the answer with the sessions of all pages, in the form of the service's last page.

    The totals, and the time, are the first page's: sessions may come and go between two pages.

    Raises:
        SeatleaseError: a page was refused, or there was no answer.
    """
    async with Service(url, credentials) as service:
        answer = await service.usage(license_key=license_key)
        licenses = {license_["license_id"]: license_ for license_ in answer["licenses"]}
        while (token := answer["next_page_token"]) is not None:
            page = await service.usage(license_key=license_key, page_token=token)
            for license_ in page["licenses"]:
                known = licenses.setdefault(license_["license_id"], license_)
                if known is not license_:
                    known["sessions"] += license_["sessions"]
            answer["next_page_token"] = page["next_page_token"]
    return {**answer, "licenses": list(licenses.values())}

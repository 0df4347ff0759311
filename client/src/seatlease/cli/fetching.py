from typing import Any

from seatlease._service.credentials import Credentials
from seatlease._service.service import Service


async def fetch_usage(url: str, credentials: Credentials, *, license_key: str | None) -> dict[str, Any]:
    """Give the sessions of all pages in one answer of the service's form.

    The totals and the time are those of the first page: sessions may change between two pages.

    Raises:
        SeatleaseError: a page was refused, or the service did not answer.
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

"""Each promise names tests that exist."""

from infra.build.stage import ROOT
from tests.infra.test_security_page import missing

PAGE = (ROOT / "tests/README.md").read_text()
ROWS = [[cell.strip() for cell in row.split("|")[1:-1]] for row in PAGE.splitlines() if row.startswith("| ")][1:]
AT_LEAST = 25


def test_every_promise_is_shown_by_tests_that_there_are() -> None:
    lost = {promise: absent for promise, shown_by in ROWS if (absent := missing(shown_by))}

    assert len(ROWS) >= AT_LEAST
    assert lost == {}

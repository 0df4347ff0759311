"""Each promise of the project, and each attempt that SECURITY.md names, is shown by tests that exist."""

import ast
import re
from functools import cache

import pytest

from infra.build.stage import ROOT

PROMISES, ATTEMPTS = (ROOT / "tests/README.md").read_text().split('<a id="attempts"></a>')
SECURITY = (ROOT / "SECURITY.md").read_text().partition("## Who is trusted with what")[0]
AT_LEAST = 25


def rows(text: str) -> list[list[str]]:
    """The rows of all tables of two columns, without their headings."""
    cells = [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]]
        for row in text.splitlines()
        if row.startswith("| ")
    ]
    return [row for row in cells if row[0] not in {"promise", "attempt"}]


@cache
def names_in(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / file).read_text())
    functions = (node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(node.name for node in functions if node.name.startswith("test_"))


def missing(shown_by: str) -> list[str]:
    """What is named in this cell and is no test."""
    named = re.findall(r"`([^`]+)`", shown_by)
    lost = []
    for each in named:
        file, _, test = each.partition("::")
        if not test or not (ROOT / file).is_file() or test not in names_in(file):
            lost.append(each)
    return lost if named else ["nothing is named"]


@pytest.mark.parametrize("page", [PROMISES, ATTEMPTS], ids=["promises", "attempts"])
def test_every_row_is_shown_by_tests_that_there_are(page: str) -> None:
    found = rows(page)

    lost = {promise: absent for promise, shown_by in found if (absent := missing(shown_by))}

    assert len(found) >= AT_LEAST
    assert lost == {}


def test_every_attempt_of_the_security_page_is_made_by_tests_and_no_other() -> None:
    attempts = [attempt for attempt, stopped_by in rows(SECURITY) if stopped_by]

    assert [attempt for attempt, _ in rows(ATTEMPTS)] == attempts


@pytest.mark.parametrize(
    "cell",
    [
        "",
        "some test",
        "`tests/functions/test_tokens.py`",
        "`tests/functions/test_tokens.py::test_that_is_not_there`",
        "`tests/functions/test_gone.py::test_a_token_that_is_not_good_is_401`",
        "`tests/functions/test_tokens.py::_acquire`",
    ],
)
def test_a_test_that_is_not_there_is_found(cell: str) -> None:
    assert missing(cell) != []

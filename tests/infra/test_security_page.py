"""The threat model names tests that there are, for every threat."""

import ast
import re
from functools import cache

import pytest

from infra.build.stage import ROOT

PAGE = (ROOT / "SECURITY.md").read_text()
HEADER = "| who | may try | what stops it | shown by |"
AT_LEAST = 20


def threats() -> list[list[str]]:
    """The rows of the threat model."""
    table = PAGE.partition(HEADER)[2].partition("\n\n")[0]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in table.splitlines()[2:]]


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


@pytest.mark.parametrize("threat", threats(), ids=lambda threat: threat[1][:50])
def test_every_threat_is_shown_to_be_stopped_by_tests_that_there_are(threat: list[str]) -> None:
    who, may_try, stopped_by, shown_by = threat

    assert all((who, may_try, stopped_by))
    assert missing(shown_by) == []


def test_the_table_is_found() -> None:
    assert len(threats()) >= AT_LEAST
    assert PAGE.count("`tests/") == sum(threat[3].count("`tests/") for threat in threats())


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

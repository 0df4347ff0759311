"""The words of CONTRIBUTING are the words of the code."""

import ast
import re

import pytest

from infra.build.stage import ROOT

_SECTION = (ROOT / "CONTRIBUTING.md").read_text().partition("\n## Words\n")[2].partition("\n## ")[0]
_ROW = re.compile(r"^\| (?P<word>\w+) \| [^|]+ \| `(?P<where>[^`]+)` \|$", re.MULTILINE)
GLOSSARY = {row["word"]: row["where"] for row in _ROW.finditer(_SECTION)}

SYNONYMS = ("tenant", "checkout", "checkin", "entitlement", "slot", "lockout", "keepalive", "machine", "renewal")
"""Words of other systems for ours: license servers and other services have them."""


def _names(code: str) -> set[str]:
    """Every name that a module defines or uses, without the names of modules that it imports."""
    tree = ast.parse(code)
    named = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    named |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    named |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    return named | {
        node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }


SHARED = {path: path.read_text() for path in sorted((ROOT / "shared").rglob("*.py"))}


def test_the_glossary_has_the_words_of_the_protocol() -> None:
    words = {"organization", "user", "license", "seat", "session", "lease", "device", "grant", "tenure"}

    assert words | {"acquire", "heartbeat", "release", "expire", "revoke", "deny"} <= GLOSSARY.keys()


@pytest.mark.parametrize("word", sorted(GLOSSARY))
def test_a_word_is_where_the_glossary_says(word: str) -> None:
    where = GLOSSARY[word]

    if where.endswith(".py"):
        assert word in (ROOT / where).read_text().lower()
    else:
        assert any(where in names for names in map(_names, SHARED.values()))


def test_the_product_has_no_other_words_for_them() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {name}"
        for path, code in SHARED.items()
        for name in sorted(_names(code))
        if any(synonym in name.lower() for synonym in SYNONYMS)
    ]

    assert found == []

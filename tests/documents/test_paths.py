"""Paths: what may name a document."""

import pytest

from shared.documents.paths import can_be_document_id


@pytest.mark.parametrize("text", ["a", "x" * 1_500, "é" * 750, "é" * 64, "a b", "...", "__x", "x\n"])
def test_what_firestore_takes_as_an_id_is_one(text: str) -> None:
    assert can_be_document_id(text)


@pytest.mark.parametrize(
    "text", ["", ".", "..", "a/b", "__x__", "__\n__", "x" * 1_501, "é" * 751, "x" * 200 + "/", "\ud800", "\ud800" * 200]
)
def test_what_it_refuses_is_none(text: str) -> None:
    assert not can_be_document_id(text)

"""Paths: what may name a document, and what it costs to ask."""

import tracemalloc

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


def test_long_texts_are_not_remembered() -> None:
    # A page token is asked about before anything is refused, and an address may have 64 kB.
    can_be_document_id("warm")
    tracemalloc.start()

    for number in range(500):
        can_be_document_id(f"{number}".ljust(60_000, "x"))

    remembered, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert remembered < 1_000_000

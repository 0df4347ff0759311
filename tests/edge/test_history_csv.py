"""The history as CSV: what a spreadsheet would run is text."""

import pytest

from shared.edge.history_csv import csv_of_trail
from shared.seats.history import TrailEvent
from tests.rules.make import NOW


@pytest.mark.parametrize(
    ("device", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("\uff1d1+1", "'\uff1d1+1"),
        ("x;=cmd|'/C calc'!A0;", "x;'=cmd|'/C calc'!A0;"),
        ("x;@a;-1", "x;'@a;'-1"),
        ("Linux; x86_64 (a=b)", "Linux; x86_64 (a=b)"),
    ],
)
def test_no_text_begins_a_cell_with_a_formula_whichever_sign_separates_cells(device: str, cell: str) -> None:
    event = TrailEvent(event_id="e", at=NOW, fields={"type": "session.started", "hardware_id": device})

    text = csv_of_trail([event])

    assert f",{cell}," in text

"""The client's own copy of the service's limits."""

import re

from seatlease._service import device
from shared.documents.forms import MAX_KEY_LENGTH, NO_CONTROL_CHARACTERS

TEXTS = ["", "x", "x" * MAX_KEY_LENGTH, "x" * (MAX_KEY_LENGTH + 1), *map(chr, range(300))]


def test_the_client_takes_the_hardware_ids_that_the_service_takes() -> None:
    allowed = re.compile(NO_CONTROL_CHARACTERS.strip("^$"))
    by_service = {text: len(text) <= MAX_KEY_LENGTH and allowed.fullmatch(text) is not None for text in TEXTS}

    by_client = {text: device._TAKEN_BY_THE_SERVICE.fullmatch(text) is not None for text in TEXTS}  # noqa: SLF001 held together here

    assert by_client == by_service
    assert set(by_service.values()) == {True, False}

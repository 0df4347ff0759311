"""The client's own copy of the service's limits."""

import re

import pytest

from seatlease._service import device
from shared.documents.forms import MAX_KEY_LENGTH, NO_CONTROL_CHARACTERS


@pytest.mark.parametrize("text", ["", "x", "x" * MAX_KEY_LENGTH, "x" * (MAX_KEY_LENGTH + 1), *map(chr, range(300))])
def test_the_client_takes_the_hardware_ids_that_the_service_takes(text: str) -> None:
    is_taken = len(text) <= MAX_KEY_LENGTH and re.fullmatch(NO_CONTROL_CHARACTERS.strip("^$"), text) is not None

    assert (device._TAKEN_BY_THE_SERVICE.fullmatch(text) is not None) == is_taken  # noqa: SLF001 held together here

"""The client's own copy of the service's limits."""

import re
import sys
import unicodedata

from seatlease._service import device
from seatlease._service.service import MAX_IDLE_SECONDS, MAX_TOKEN_LENGTH
from shared.documents.forms import MAX_KEY_LENGTH, NO_CONTROL_CHARACTERS
from shared.edge import identity, requests

CHARACTERS = [chr(number) for number in range(sys.maxunicode + 1) if not 0xD800 <= number <= 0xDFFF]
TEXTS = ["", "x" * MAX_KEY_LENGTH, "x" * (MAX_KEY_LENGTH + 1), "x\n", "\nx", *CHARACTERS]


def test_the_client_takes_the_hardware_ids_that_the_service_takes() -> None:
    allowed = re.compile(NO_CONTROL_CHARACTERS)
    by_service = {text: len(text) <= MAX_KEY_LENGTH and allowed.fullmatch(text) is not None for text in TEXTS}

    by_client = {text: device._TAKEN_BY_THE_SERVICE.fullmatch(text) is not None for text in TEXTS}  # noqa: SLF001 held together here

    assert by_client == by_service
    assert set(by_service.values()) == {True, False}


def test_the_client_takes_the_tokens_that_the_service_takes() -> None:
    assert MAX_TOKEN_LENGTH == identity.MAX_TOKEN_LENGTH


def test_the_client_sends_the_idle_times_that_the_service_takes() -> None:
    assert MAX_IDLE_SECONDS == requests.MAX_IDLE_SECONDS


def test_every_control_and_formatting_character_of_unicode_is_refused_and_no_other() -> None:
    allowed = re.compile(NO_CONTROL_CHARACTERS)
    refused = {character for character in CHARACTERS if allowed.fullmatch(character) is None}

    controls = {each for each in CHARACTERS if unicodedata.category(each) in {"Cc", "Cf", "Zl", "Zp"}}

    assert controls <= refused
    # This Python may know a Unicode that had not yet assigned some of them.
    assert {unicodedata.category(each) for each in refused - controls} <= {"Cn"}
    assert len(refused - controls) < 20

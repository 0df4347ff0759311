"""License keys: which texts are the same key."""

import pytest

from shared.rules.license import normal_key

KEY = "7K3QF-9XW1M-QZP0T-H0RGA-5VNBE"


@pytest.mark.parametrize(
    "typed",
    [
        KEY,
        f"  {KEY}\n",
        KEY.lower(),
        KEY.replace("-", ""),
        KEY.replace("-", " "),
        KEY.replace("-", "\u2013"),
        " ".join(KEY),
        KEY.replace("0", "O"),
        KEY.replace("0", "o").lower(),
        KEY.replace("1", "I"),
        KEY.replace("1", "l"),
        KEY.replace("V", "U"),
    ],
)
def test_a_generated_key_is_the_same_however_it_is_typed(typed: str) -> None:
    assert normal_key(typed) == KEY


@pytest.mark.parametrize(
    "own", ["ACME-Design-Studio", "acme-design-studio", "a b", "0O", KEY[:-1], f"{KEY}-7", "-", ""]
)
def test_of_a_key_of_the_vendors_own_every_letter_counts_but_blanks_around_it(own: str) -> None:
    assert normal_key(own) == own
    assert normal_key(f" {own}\u00a0") == own

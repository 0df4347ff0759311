"""License keys: the client and the service agree on the normal form."""

from hypothesis import given
from hypothesis import strategies as st

import seatlease
from seatlease._service.license_key import normal_key
from shared.rules import license as of_the_service

_TYPED = st.text(alphabet=st.sampled_from("0123456789abcdefghijklmnopqrstuvwxyzILOU- "), min_size=20, max_size=32)


@given(_TYPED | st.text(max_size=12))
def test_the_client_and_the_service_have_one_normal_form(typed: str) -> None:
    assert normal_key(typed) == of_the_service.normal_key(typed)


def test_a_device_is_the_same_however_its_key_is_typed() -> None:
    key = "7K3QF-9XW1M-QZP0T-H0RGA-5VNBE"

    typed = {seatlease.hardware_id(each) for each in (key, key.lower(), f" {key} ", key.replace("-", ""))}

    assert len(typed) == 1

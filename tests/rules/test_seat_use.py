"""The counters: changed by addition, with a checksum against an edit by hand."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.rules.seat_use import SeatUse, checksum_change, checksum_weight

LICENSE_IDS = st.sampled_from(["cad", "render", "grants", "licenses/cad"])
COUNTERS = st.dictionaries(LICENSE_IDS, st.integers(min_value=-50, max_value=50))
GRANTS = st.integers(min_value=0, max_value=1_000)


def test_an_organization_without_sessions_uses_no_seat() -> None:
    use = SeatUse()

    counted = (use.total, use.of("cad"), use.grants)

    assert counted == (0, 0, 0)


def test_the_total_counts_all_licenses_together() -> None:
    use = SeatUse(by_license={"cad": 3, "render": 2})

    total = use.total

    assert total == 5


def test_a_license_that_is_absent_uses_no_seat() -> None:
    use = SeatUse(by_license={"cad": 3})

    held = use.of("render")

    assert held == 0


def test_changes_are_added_to_the_counters_and_grants_to_their_number() -> None:
    use = SeatUse(by_license={"cad": 3, "render": 2}, grants=9)

    after = use.changed({"cad": 1, "sim": 2}, granted=3, pools={})

    assert after == SeatUse(by_license={"cad": 4, "render": 2, "sim": 2}, grants=12)


def test_an_edited_epoch_does_not_fit_the_checksum() -> None:
    checksums = {SeatUse(by_license={"cad": 3}, grants=9, epoch=epoch).checksum for epoch in (None, "one", "two")}

    assert len(checksums) == 3


def test_a_license_whose_last_seat_falls_free_leaves_the_counters() -> None:
    use = SeatUse(by_license={"cad": 1, "render": 2}, grants=9)

    after = use.changed({"cad": -1}, granted=0, pools={})

    assert after == SeatUse(by_license={"render": 2}, grants=9)


def test_a_grant_that_takes_over_a_lapsed_seat_changes_only_the_number_of_grants() -> None:
    use = SeatUse(by_license={"cad": 1}, grants=9)

    after = use.changed({"cad": 0}, granted=1, pools={})

    assert after == SeatUse(by_license={"cad": 1}, grants=10)


def test_a_change_leaves_the_counters_it_starts_from_alone() -> None:
    use = SeatUse(by_license={"cad": 1}, grants=9)

    use.changed({"cad": 1}, granted=1, pools={})

    assert use == SeatUse(by_license={"cad": 1}, grants=9)


def test_a_counter_below_zero_is_kept_for_whoever_checks_it() -> None:
    use = SeatUse(by_license={})

    after = use.changed({"cad": -1}, granted=0, pools={})

    assert after.by_license == {"cad": -1}


@settings(max_examples=50)
@given(start=COUNTERS, changes=COUNTERS, grants=GRANTS, granted=GRANTS)
def test_changed_counters_have_a_checksum_that_is_changed_by_the_weight_of_the_changes(
    start: dict[str, int], changes: dict[str, int], grants: int, granted: int
) -> None:
    use = SeatUse(by_license=start, grants=grants)

    after = use.changed(changes, granted=granted, pools={})

    assert after.checksum == use.checksum + checksum_change(changes, grants=granted, by_pool={})


@settings(max_examples=50)
@given(start=COUNTERS, one=COUNTERS, other=COUNTERS)
def test_changes_may_come_in_any_order(start: dict[str, int], one: dict[str, int], other: dict[str, int]) -> None:
    use = SeatUse(by_license=start)

    first_one, first_other = use.changed(one, granted=1, pools={}), use.changed(other, granted=0, pools={})

    assert first_one.changed(other, granted=0, pools={}) == first_other.changed(one, granted=1, pools={})


@settings(max_examples=50)
@given(start=COUNTERS, license_id=LICENSE_IDS, by=st.integers(min_value=-50, max_value=50).filter(bool))
def test_an_edit_by_hand_of_one_counter_breaks_the_checksum(start: dict[str, int], license_id: str, by: int) -> None:
    checksum = SeatUse(by_license=start, grants=7).checksum
    edited = SeatUse(by_license={**start, license_id: start.get(license_id, 0) + by}, grants=7)

    still_fits = edited.checksum == checksum

    assert not still_fits


@settings(max_examples=50)
@given(start=COUNTERS, grants=GRANTS, by=st.integers(min_value=-50, max_value=50).filter(bool))
def test_an_edit_by_hand_of_the_number_of_grants_breaks_the_checksum(
    start: dict[str, int], grants: int, by: int
) -> None:
    checksum = SeatUse(by_license=start, grants=grants).checksum
    edited = SeatUse(by_license=start, grants=grants + by)

    still_fits = edited.checksum == checksum

    assert not still_fits


def test_a_seat_moved_by_hand_from_one_license_to_another_breaks_the_checksum() -> None:
    checksum = SeatUse(by_license={"cad": 3, "render": 2}).checksum
    edited = SeatUse(by_license={"cad": 2, "render": 3})

    still_fits = edited.checksum == checksum

    assert edited.total == 5
    assert not still_fits


def test_a_counter_that_is_removed_by_hand_breaks_the_checksum() -> None:
    checksum = SeatUse(by_license={"cad": 3, "render": 2}).checksum
    edited = SeatUse(by_license={"cad": 3})

    still_fits = edited.checksum == checksum

    assert not still_fits


@pytest.mark.parametrize(
    ("added", "grants"), [({}, 0), ({"cad": 1}, 1), ({"cad": 1, "render": -1}, 1), ({"cad": -1}, 0)]
)
def test_what_additions_alone_have_made_has_no_checksum(added: dict[str, int], grants: int) -> None:
    made = SeatUse().changed(added, granted=grants, pools={})

    assert checksum_change(added, grants=grants, by_pool={}) != made.checksum


def test_a_license_named_like_the_number_of_grants_does_not_weigh_like_it() -> None:
    named_grants = checksum_change({"grants": 1}, grants=0, by_pool={})

    one_grant = checksum_change({}, grants=1, by_pool={})

    assert named_grants != one_grant


@pytest.mark.parametrize("counted", ["", "grants", "licenses/cad", "licenses/ü"])
def test_a_weight_is_a_positive_number_of_31_bits_that_follows_from_the_name(counted: str) -> None:
    weight = checksum_weight(counted)

    assert 0 < weight < 2**31
    assert weight == checksum_weight(counted)


def test_licenses_differ_in_weight() -> None:
    names = [f"licenses/{number}" for number in range(100)]

    weights = Counter(checksum_weight(name) for name in names)

    assert len(weights) == len(names)

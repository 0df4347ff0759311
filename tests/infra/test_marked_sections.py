"""Parts of pages that programs write."""

import pytest

from infra.pages.marked_sections import MarksMissingError, replaced

PAGE = "Words.\n<!-- seats: generated -->\nstale\n<!-- end of seats -->\nMore words.\n"


def test_what_is_generated_replaces_what_stands_between_its_marks_and_nothing_else() -> None:
    after = replaced(PAGE, "seats", "fresh")

    assert after == "Words.\n<!-- seats: generated -->\n\nfresh\n\n<!-- end of seats -->\nMore words.\n"


def test_generating_again_changes_nothing() -> None:
    once = replaced(PAGE, "seats", "fresh")

    twice = replaced(once, "seats", "fresh")

    assert twice == once


def test_one_part_leaves_the_others_of_the_page_alone() -> None:
    other = PAGE.replace("seats", "users")

    after = replaced(PAGE + other, "seats", "fresh")

    assert after.endswith(other)


@pytest.mark.parametrize("page", ["Words.\n", PAGE + PAGE, PAGE.replace("<!-- end of seats -->", "")])
def test_a_page_without_just_one_place_for_it_is_refused(page: str) -> None:
    with pytest.raises(MarksMissingError, match="<!-- end of seats -->"):
        replaced(page, "seats", "fresh")

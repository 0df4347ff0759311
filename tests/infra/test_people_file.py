"""People in CSV: what spreadsheets write is read, and each bad row is reported with its line."""

import pytest

from infra.admin.people_file import MAX_ROWS, BadRow, read_people
from shared.rules.user import Role


def problems_of(text: str) -> list[tuple[int, str]]:
    """The lines of the bad rows, and what is wrong with each."""
    return [(each.line, each.problem) for each in read_people(text)[1]]


@pytest.mark.parametrize(
    "text",
    [
        "email,uid,role,is_active,groups\nada@example.com,u1,owner,true,cad render\n",
        "email;uid;role;is_active;groups\r\nada@example.com;u1;owner;TRUE;cad, render\r\n",
        '"Email"\t"UID"\t"Role"\t"is_active"\t"groups"\n"Ada@Example.com"\t" u1 "\t"Owner"\t"yes"\t"CAD | Render"',
        "groups,is_active,role,uid,email\ncad render cad,1,OWNER,u1,ADA@example.com\n,,,,\n",
    ],
    ids=["commas", "semicolons", "quoted with tabs", "other order and an empty row"],
)
def test_what_spreadsheets_write_is_the_same_person(text: str) -> None:
    rows, bad = read_people(text)

    (ada,) = rows
    assert (ada.line, ada.user_id, ada.email, ada.role) == (2, "u1", "ada@example.com", Role.OWNER)
    assert (ada.is_active, ada.groups) == (True, ("cad", "render"))
    assert bad == []


def test_a_column_alone_is_read_and_what_is_left_out_is_not_said() -> None:
    rows, bad = read_people("email\nada@example.com\nbo@example.com\n")

    assert [(each.line, each.email) for each in rows] == [(2, "ada@example.com"), (3, "bo@example.com")]
    assert {(each.user_id, each.role, each.is_active, each.groups) for each in rows} == {(None, None, None, None)}
    assert bad == []


def test_a_hyphen_takes_a_person_out_of_all_groups_and_an_empty_cell_says_nothing() -> None:
    rows, _ = read_people("uid,groups\nu1,-\nu2,\n")

    assert [each.groups for each in rows] == [(), None]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("u1,cad/render", "group 'cad/render': write letters"),
        (f"u1,{'g' * 65}", "write letters"),
        (f"u1,{' '.join(f'g{number}' for number in range(21))}", "21 groups: write at most 20"),
    ],
)
def test_bad_groups_are_reported(row: str, told: str) -> None:
    ((_, problem),) = problems_of(f"uid,groups\n{row}\n")

    assert told in problem


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (",,member,", "neither email nor uid"),
        ("ada,,,", "not an e-mail address"),
        ("a/b@example.com,,,", "not an e-mail address"),
        (",a/b,,", "no account has such a UID"),
        (f",{'u' * 129},,", "no account has such a UID"),
        (",system,,", "as an actor"),
        (",u9,Manager,", "write one of owner, admin, member, guest"),
        (",u9,,perhaps", "write true or false"),
        (",u9,member", "3 values for 4 columns"),
        (",u1,,", "u1 stands in line 2 already"),
        ("ADA@example.com,,,", "ada@example.com stands in line 2 already"),
        ('"u9"x,,,', "not CSV"),
    ],
)
def test_a_bad_row_is_reported_with_its_line(row: str, told: str) -> None:
    text = f'email,uid,role,is_active\nada@example.com,u1,,\n\n"\nbo@example.com",,,\n{row}\n'

    ((line, problem),) = problems_of(text)

    assert line == 6  # the row before has a line break in a value
    assert told in problem


@pytest.mark.parametrize(
    ("names", "told"),
    [("mail,role", "unknown columns: 'mail'"), ("email,email", "twice"), ("role", "neither"), ("", "neither")],
)
def test_without_the_names_of_the_columns_nothing_is_read(names: str, told: str) -> None:
    rows, bad = read_people(f"{names}\nada@example.com,x\n")

    assert rows == []
    assert [each.line for each in bad] == [1]
    assert told in bad[0].problem


def test_a_file_has_at_most_ten_thousand_people() -> None:
    people = "\n".join(f"u{number}" for number in range(MAX_ROWS))

    assert len(read_people(f"uid\n{people}")[0]) == MAX_ROWS
    rows, bad = read_people(f"uid\n{people}\none-more")
    assert rows == []
    assert bad == [BadRow(line=MAX_ROWS + 2, problem="more than 10000 people: split the file")]

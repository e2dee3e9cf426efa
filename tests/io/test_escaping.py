"""Words of others on a terminal, in Markdown and in a spreadsheet."""

import string

import pytest
from hypothesis import given, settings, strategies as st

from fdsl.io.escaping import escape_csv, escape_markdown, escape_rst, printable

ANY = st.text(st.characters(), max_size=40)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("over\rwritten", r"over\rwritten"),
        ("\x9b2J", r"\x9b2J"),
        ("abc\u202etxt.exe", r"abc\u202etxt.exe"),
        ("two\nlines\tand more — é 日本", "two\nlines\tand more — é 日本"),
    ],
)
def test_control_characters_are_shown_and_letters_are_left_alone(text, shown):
    assert printable(text) == shown


@given(ANY)
def test_nothing_that_a_terminal_obeys_is_left(text):
    left = printable(text)
    assert not {c for c in left if ord(c) < 32 or 127 <= ord(c) < 160} - {"\n", "\t"}
    assert printable(left) == left


@given(ANY)
def test_markdown_is_one_line_without_live_markup(text):
    left = escape_markdown(text)
    assert "\n" not in left
    for mark in "<>|*`[]":
        for place, character in enumerate(left):
            if character == mark:
                before = left[:place]
                assert (len(before) - len(before.rstrip("\\"))) % 2 == 1


@settings(max_examples=60, deadline=None)
@given(
    ANY
    | st.sampled_from(
        ["x\n\n.. raw:: html\n\n   <script>a</script>\n", "`a <javascript:b>`_", "|x|_"]
    )
)
def test_restructured_text_is_one_paragraph_without_live_markup(text):
    from docutils.core import publish_doctree

    words = escape_rst(text)
    tree = publish_doctree(
        f"table1: {words}", settings_overrides={"report_level": 5, "halt_level": 5}
    )
    assert [node.tagname for node in tree] == ["paragraph"]
    assert {node.tagname for node in tree.findall()} == {"document", "paragraph", "#text"}


@pytest.mark.parametrize(
    "text", ["=cmd|' /C calc'!A0", "+1+2", "-1+2", "@SUM(A1)", "\t=1", "\r=1", "＝1+1", "-", "+"]
)
def test_what_a_spreadsheet_would_compute_has_an_apostrophe_before_it(text):
    assert escape_csv(text) == f"'{text}"


@pytest.mark.parametrize(
    "text", ["", "-11.48", "+8.83", "1e-3", "-0.00", "3", "FractalDB-1k", "– x", "a=b"]
)
def test_numbers_and_plain_words_stay(text):
    assert escape_csv(text) == text


@given(st.text(string.printable, max_size=20))
def test_no_cell_begins_as_a_formula_unless_it_is_a_number(text):
    cell = escape_csv(text)
    assert not cell.startswith(("=", "@", "\t", "\r", "\n"))
    if cell.startswith(("+", "-")):
        float(cell)

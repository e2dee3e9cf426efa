"""Fragments are read only as they were written."""

import numpy as np
import pytest
from markupsafe import Markup

from fdsl.io.storage import DamagedFile
from fdsl.report.html import read_fragment, write_fragment

TEXT = Markup("<h3>A table</h3>\n<p>95 % – ± ×</p>")


@pytest.fixture
def fragment(tmp_path):
    path = tmp_path / "table3.fragment.html"
    write_fragment(path, TEXT)
    return path


def test_a_fragment_comes_back_as_markup(fragment):
    found = read_fragment(fragment)
    assert isinstance(found, Markup)
    assert found == TEXT + "\n"


def test_no_flipped_bit_and_no_shorter_file_is_a_fragment(fragment):
    whole, rng = fragment.read_bytes(), np.random.default_rng(0)
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(rng.integers(8))
        for content in (damaged, whole[:place]):
            fragment.write_bytes(content)
            with pytest.raises(DamagedFile, match=r"table3\.fragment\.html is damaged"):
                read_fragment(fragment)


def test_a_page_of_others_is_no_fragment(tmp_path):
    (tmp_path / "x.html").write_text("<p>x</p>\n")
    with pytest.raises(DamagedFile, match=r"x\.html is damaged or no fragment"):
        read_fragment(tmp_path / "x.html")

"""File names of the authors' programs."""

import pytest
from hypothesis import given, strategies as st

from fdsl.images.export import layouts
from fdsl.schema.base import ConfigError


@pytest.mark.parametrize(
    ("name", "place", "path"),
    [
        ("fractaldb", (0, 0), "00000/00000_00_count_0_flip0.png"),
        ("fractaldb", (12, 24), "00012/00012_24_count_0_flip0.png"),
        ("fractaldb", (12, 25), "00012/00012_00_count_0_flip1.png"),
        ("fractaldb", (999, 999), "00999/00999_24_count_9_flip3.png"),
        ("exfractaldb", (3, 144), "images/000003/000003_00144_000.png"),
        ("exfractaldb", (3, 145 * 11 + 7), "images/000003/000003_00007_011.png"),
        ("ofdb3d", (3, 145), "image/000003/000003_00000_001.png"),
        ("rcdb", (7, 999), "image/00007/00007_0999.png"),
        ("visualatom", (7, 3), "00007/vertex_0437_instance_0003.png"),
        ("plain", (7, 3), "00007/00007_00003.png"),
    ],
)
def test_names_are_the_authors(name, place, path):
    layout = layouts.get(name, settings={})
    assert layout.name(*place, 437) == path
    assert layout.find(path) == place
    assert layout.find(f"somewhere/else/{path}") == place
    assert layout.find(path + ".tmp") is None


@given(
    name=st.sampled_from(layouts.NAMES[1:]),
    settings=st.fixed_dictionaries(
        {"weighted": st.booleans(), "flips": st.booleans(), "weight_steps": st.integers(1, 9)}
    ),
    places=st.lists(
        st.tuples(st.integers(0, 200_000), st.integers(0, 20_000)), min_size=2, unique=True
    ),
)
def test_every_image_has_a_name_of_its_own_that_leads_back(name, settings, places):
    layout = layouts.get(name, settings=settings)
    names = [layout.name(*place, 5) for place in places]
    assert [layout.find(path) for path in names] == places
    assert len(set(names)) == len(places)


def test_auto_is_the_layout_of_the_formula():
    assert layouts.resolve("auto", dataset="fractaldb1k", formula="fractaldb") == "fractaldb"
    assert layouts.resolve("auto", dataset="ofdb3d_1k", formula="exfractaldb") == "ofdb3d"
    assert layouts.resolve("auto", dataset="perlin100", formula="perlin") == "plain"
    assert layouts.resolve("plain", dataset="rcdb1k", formula="rcdb") == "plain"
    with pytest.raises(ConfigError, match="did you mean 'rcdb'"):
        layouts.resolve("rcdbb", dataset="rcdb1k", formula="rcdb")

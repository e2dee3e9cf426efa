from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from oracles import visualatom as slow
from scipy import stats

from fdsl.formulas import constants, visualatom
from fdsl.schema.base import ConfigError, validate
from fdsl.seeding import tree
from fdsl.seeding.tree import Stage

RELEASED_DEFAULTS = {"noise": (2.0, 6.0), "step": (0.0, 0.01), "radius": (0, 50)}


@pytest.fixture(scope="module")
def atoms():
    rows = [
        visualatom.sample_category(visualatom.Settings(), seed=0, category=c) for c in range(3000)
    ]
    return {name: np.concatenate([row[name] for row in rows]) for name in visualatom.PARAMETERS}


def atom(**changes):
    values = dict(zip(visualatom.PARAMETERS, (30, 8, 3.0, 0.1, 20, 3, 5, 1.2, 1.6), strict=True))
    return constants.row(visualatom.PARAMETERS, *(values | changes).values())


@pytest.mark.parametrize(
    "options",
    [
        {},
        RELEASED_DEFAULTS,
        {"image_size_px": 32},
        {"image_size_px": 96, "frequency_1": (0, 0), "frequency_2": (0, 0), "centre_range_px": 0},
        {"image_size_px": 64, "noise": (40.0, 90.0), "amplitude": 20.0},
        {"vertices": (1, 6), "oval": 1.0},
    ],
)
def test_equals_its_oracle(options):
    chosen = visualatom.Settings(**{"orbits": (1, 20)} | options)
    for category in range(4):
        rows = visualatom.sample_category(chosen, seed=5, category=category)
        image = visualatom.render(chosen, rows, seed=5, category=category, instance=2)
        state = tree.kernel_state(5, visualatom.FORMULA_ID, category, 2, Stage.RENDER)
        one = {name: values[0].item() for name, values in rows.items()}
        np.testing.assert_array_equal(image, slow.draw(chosen, one, state))


@pytest.mark.parametrize(
    ("name", "law"),
    [
        ("noise", stats.uniform(0, 4)),
        ("step", stats.uniform(0, 0.1)),
        ("oval_x", stats.uniform(1, 1)),
        ("oval_y", stats.uniform(1, 1)),
    ],
)
def test_numbers_are_uniform(atoms, name, law):
    assert stats.kstest(atoms[name], law.cdf).pvalue > 1e-4


@pytest.mark.parametrize(
    ("name", "low", "high", "bins"),
    [
        ("vertices", 200, 1000, 9),
        ("orbits", 1, 200, 10),
        ("radius", 10, 60, 17),
        ("frequency_1", 0, 20, 21),
    ],
)
def test_counts_are_uniform_with_both_ends(atoms, name, low, high, bins):
    values = atoms[name]
    assert low <= values.min() <= values.max() <= high
    counts = np.bincount((values - low) * bins // (high - low + 1), minlength=bins)
    assert stats.chisquare(counts).pvalue > 1e-4


def test_the_second_frequency_differs_unless_the_first_is_zero(atoms):
    first, second = atoms["frequency_1"], atoms["frequency_2"]
    assert not (second == first)[first > 0].any()
    assert (second[first == 0] == 0).any()
    # uniform on 21 values after 0, else on the 20 others
    law = np.full((21, 21), 1 / 20)
    np.fill_diagonal(law, 0)
    law[0] = 1 / 21
    expected = law.mean(axis=0) * len(first)
    assert stats.chisquare(np.bincount(second, minlength=21), expected).pvalue > 1e-4


def test_waves_grow_with_the_orbits():
    chosen = visualatom.Settings(centre_range_px=0, amplitude=0.5)
    quiet = {"noise": 0.0, "vertices": 720, "radius": 60, "oval_x": 1.0, "oval_y": 1.0}
    rows = atom(**quiet, orbits=100, frequency_1=4, frequency_2=0, step=0.0)
    image = visualatom.render(chosen, rows, seed=0, category=0, instance=0)
    y, x = np.nonzero(image)
    radius = np.hypot(x - 255.5, y - 255.5)
    assert abs(radius.max() - (60 + 100 * 0.5)) < 1.5  # 100 orbits, each half a pixel further
    assert abs(radius.min() - (60 - 100 * 0.5)) < 1.5
    angle = np.arctan2(y - 255.5, x - 255.5)[radius > 105]
    crests = np.unique(np.round(angle / (np.pi / 8)))
    assert crests.tolist() == [-7, -3, 1, 5]  # the maxima of sin(4 angle)


def test_lengths_scale_with_the_image():
    extents = []
    for size in (64, 512):
        chosen = visualatom.Settings(image_size_px=size)
        rows = atom(noise=0.0, orbits=20, step=1.0, radius=40)
        row, column = np.nonzero(visualatom.render(chosen, rows, seed=0, category=0, instance=0))
        extents.append((np.ptp(row) / size, np.ptp(column) / size, row.mean() / size))
    np.testing.assert_allclose(extents[0], extents[1], atol=0.04)


@pytest.mark.parametrize("options", [{}, RELEASED_DEFAULTS])
def test_no_image_is_blank(options):
    chosen = visualatom.Settings(image_size_px=32, vertices=(3, 40), **options)
    for category in range(400):
        rows = visualatom.sample_category(chosen, seed=0, category=category)
        assert visualatom.render(chosen, rows, seed=0, category=category, instance=category).any()


def test_an_atom_outside_of_the_image_gets_another_centre_or_an_error():
    tiny = atom(noise=0.0, step=0.0, radius=0, orbits=1, frequency_1=0, frequency_2=0)
    chosen = visualatom.Settings(image_size_px=4)
    for instance in range(200):  # a point; at the largest centre it is outside
        assert visualatom.render(chosen, tiny, seed=0, category=0, instance=instance).any()
    far = atom(noise=0.0, step=100.0, radius=256, orbits=1, oval_x=4.0, oval_y=4.0, vertices=720)
    with pytest.raises(ValueError, match="no part of category 7 is inside"):
        visualatom.render(chosen, far, seed=0, category=7, instance=0)


@pytest.mark.parametrize("vertices", [1, 2, 3])
def test_few_vertices_are_drawn(vertices):
    chosen = visualatom.Settings(image_size_px=32)
    assert visualatom.render(chosen, atom(vertices=vertices), seed=0, category=0, instance=0).any()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("vertices", 0),
        ("orbits", -1),
        ("noise", -1.0),
        ("step", np.nan),
        ("radius", 1e9),
        ("vertices", 3.5),
        ("oval_x", np.inf),
    ],
)
def test_impossible_constants_are_refused(name, value):
    rows = atom() | {name: np.array([value])}
    with pytest.raises(ValueError, match=rf"{name} = .* must be"):
        visualatom.render(visualatom.Settings(), rows, seed=0, category=0, instance=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"vertices": (10, 3)}, "two ascending numbers"),
        ({"image_size_px": 1}, "greater than or equal to 4"),
        ({"frequency_1": (0, 20), "frequency_2": (7, 7)}, "leaves no other value"),
        ({"oval": 0.5}, "greater than or equal to 1"),
    ],
)
def test_impossible_settings_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        validate(visualatom.Settings, options, where="test")


@settings(max_examples=50, deadline=None)
@given(
    size=st.integers(4, 150),
    vertices=st.tuples(st.integers(1, 60), st.integers(0, 20)),
    orbits=st.integers(1, 20),
    noise=st.floats(0, 10),
    frequencies=st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(1, 9)),
    amplitude=st.floats(0, 2),
    oval=st.floats(1, 2),
    centre=st.integers(0, 512),
    instance=st.integers(0, 2**32 - 1),
)
def test_any_settings_give_an_image_that_is_not_blank(
    size, vertices, orbits, noise, frequencies, amplitude, oval, centre, instance
):
    low, high, more = frequencies
    chosen = visualatom.Settings(
        image_size_px=size,
        vertices=(vertices[0], sum(vertices)),
        orbits=(1, orbits),
        noise=(0.0, noise),
        frequency_1=(low, low + more),
        frequency_2=(high, high + more),
        amplitude=amplitude,
        oval=oval,
        centre_range_px=centre,
    )
    rows = visualatom.sample_category(chosen, seed=1, category=3)
    image = visualatom.render(chosen, rows, seed=1, category=3, instance=instance)
    assert image.shape == (size, size)
    assert image.any()

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import stats

from fdsl.formulas import rcdb
from fdsl.schema.base import ConfigError, validate

SMALL = rcdb.Settings(
    image_size_px=32, vertices=(3, 20), polygons=(3, 6), noise=(16.0, 40.0), radius=(0, 60)
)


@pytest.fixture(scope="module")
def constants():
    rows = [rcdb.sample_category(rcdb.Settings(), seed=0, category=c) for c in range(3000)]
    return {name: np.concatenate([row[name] for row in rows]) for name in rcdb.PARAMETERS}


def test_constants_follow_their_law(constants):
    vertices = constants["vertices"]
    law = np.exp(-np.arange(3, 201) / 100)
    expected = (law / law.sum()).reshape(-1, 22).sum(axis=1) * vertices.size
    counts = np.histogram(vertices, bins=np.arange(3, 202, 22))[0]
    assert vertices.min() >= 3
    assert vertices.max() <= 200
    assert stats.chisquare(counts, expected).pvalue > 1e-4
    polygons = np.bincount((constants["polygons"] - 1) // 20, minlength=10)
    assert constants["polygons"].min() >= 1
    assert constants["polygons"].max() <= 200
    assert stats.chisquare(polygons).pvalue > 1e-4
    assert stats.kstest(constants["noise"], stats.uniform(0, 4).cdf).pvalue > 1e-4
    assert stats.kstest(constants["step"], stats.uniform(0, 0.1).cdf).pvalue > 1e-4
    assert len(np.unique(constants["noise"])) == vertices.size


def test_vertices_alone_differ_when_asked():
    chosen = rcdb.Settings(vary="vertices")
    rows = [rcdb.sample_category(chosen, seed=s, category=c) for s in (0, 1) for c in range(198)]
    assert [int(r["vertices"][0]) for r in rows] == 2 * list(range(3, 201))
    assert {(int(r["polygons"][0]), float(r["noise"][0]), float(r["step"][0])) for r in rows} == {
        (100, 2.0, 0.05)
    }
    with pytest.raises(ValueError, match="at most 198 classes"):
        rcdb.sample_category(chosen, seed=0, category=198)


@pytest.mark.parametrize("options", [{}, {"background": "white"}, {"broken_lines": 62}])
def test_no_image_is_blank(options):
    for base in (rcdb.Settings(image_size_px=32), SMALL):
        chosen = base.model_copy(update=options)
        background = 255 if chosen.background == "white" else 0
        for category in range(150):
            rows = rcdb.sample_category(chosen, seed=0, category=category)
            image = rcdb.render(chosen, rows, seed=0, category=category, instance=category % 7)
            assert (image != background).any()


def test_broken_lines_only_erase():
    rows = rcdb.sample_category(rcdb.Settings(), seed=0, category=3)
    whole, broken = (
        rcdb.render(
            rcdb.Settings(image_size_px=256, broken_lines=n), rows, seed=0, category=3, instance=1
        )
        for n in (0, 500)
    )
    changed = whole != broken
    assert (broken[changed] == 0).all()
    assert 0.5 < changed.sum() / (whole > 0).sum() < 0.9


def test_lengths_scale_with_the_image():
    rows = {"vertices": [40], "polygons": [1], "noise": [0.0], "step": [0.0]}
    rows = {name: np.array(value) for name, value in rows.items()}
    extents = []
    for size in (64, 512):
        chosen = rcdb.Settings(image_size_px=size, radius=(50, 50), oval=1.0)
        row, column = np.nonzero(rcdb.render(chosen, rows, seed=0, category=0, instance=0))
        extents.append(
            (np.ptp(row) / size, np.ptp(column) / size, row.mean() / size, column.mean() / size)
        )
    np.testing.assert_allclose(extents[0], extents[1], atol=0.04)
    assert abs(extents[1][0] - 100 / 512) < 0.01


@pytest.mark.parametrize("vertices", [1, 2, 3])
def test_few_vertices_are_drawn(vertices):
    rows = {"vertices": [vertices], "polygons": [4], "noise": [10.0], "step": [0.0]}
    rows = {name: np.array(value) for name, value in rows.items()}
    assert rcdb.render(SMALL, rows, seed=0, category=0, instance=0).any()


@pytest.mark.parametrize(
    ("name", "value"), [("vertices", 0), ("polygons", 0), ("noise", -1.0), ("step", np.nan)]
)
def test_impossible_constants_are_refused(name, value):
    rows = rcdb.sample_category(SMALL, seed=0, category=0) | {name: np.array([value])}
    with pytest.raises(ValueError, match="must be"):
        rcdb.render(SMALL, rows, seed=0, category=0, instance=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"vertices": (10, 3)}, "two ascending numbers"),
        ({"image_size_px": 224, "lengths": "pixels"}, "outside of the image"),
        ({"image_size_px": 32, "broken_lines": 1000}, "the study's share is 62"),
        ({"image_size_px": 2}, "greater than or equal to 4"),
        ({"radius": (0, 1000)}, "two ascending numbers from 0 to 128"),
    ],
)
def test_impossible_settings_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        validate(rcdb.Settings, options, where="test")


@settings(max_examples=60, deadline=None)
@given(
    size=st.integers(4, 200),
    vertices=st.integers(1, 60),
    polygons=st.integers(1, 20),
    noise=st.floats(0, 100),
    step=st.floats(0, 100),
    oval=st.floats(1, 4),
    white=st.booleans(),
    instance=st.integers(0, 2**32 - 1),
)
def test_any_settings_give_an_image_that_is_not_blank(
    size, vertices, polygons, noise, step, oval, white, instance
):
    chosen = rcdb.Settings(image_size_px=size, oval=oval, background="white" if white else "black")
    rows = {"vertices": [vertices], "polygons": [polygons], "noise": [noise], "step": [step]}
    image = rcdb.render(
        chosen, {k: np.array(v) for k, v in rows.items()}, seed=1, category=0, instance=instance
    )
    assert image.shape == (size, size)
    if step + 2 * noise < 20 and oval <= 2 and vertices > 2:
        assert (image != (255 if white else 0)).any()

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from fdsl.formulas import exfractaldb, ifs
from fdsl.schema.base import ConfigError, validate
from fdsl.seeding import tree

SMALL = exfractaldb.Settings(image_size_px=32, points=500)


@pytest.fixture(scope="module")
def categories():
    return [
        exfractaldb.sample_category(exfractaldb.Settings(), seed=0, category=c) for c in range(30)
    ]


def test_parameters_follow_their_law(categories):
    for rows in categories:
        assert 2 <= len(rows["map"]) <= 7
        table = np.array([rows[name] for name in "abcdefghijkl"])
        assert np.abs(table).max() <= 1
        areas = [abs(np.linalg.det(table[:9, k].reshape(3, 3))) for k in range(table.shape[1])]
        np.testing.assert_allclose(rows["p"], np.array(areas) / sum(areas), rtol=1e-9)


def test_accepted_categories_spread_along_all_axes(categories):
    settings = exfractaldb.Settings()
    for category, rows in enumerate(categories[:5]):
        system, shares = ifs.read_system("abcdefghijkl", rows)
        candidate = int(rows["candidate"][0])
        state = tree.kernel_state(
            0, exfractaldb.FORMULA_ID, category, candidate, tree.Stage.PARAMETERS
        )
        assert exfractaldb.spread(settings, system, shares, state) > 0.05


def test_spread_is_the_smallest_variance_of_the_scaled_points():
    # eight corners of the unit cube, uniformly: variance 1/4 an axis, 1 after scaling to [-1, 1]
    corners = np.zeros((8, 12))
    corners[:, 9:] = [[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)]
    shares = np.full(8, 1 / 8)
    settings = exfractaldb.Settings(search_points=50_000)
    assert abs(exfractaldb.spread(settings, corners, shares, tree.kernel_state(1)) - 1) < 0.01
    corners[:, 11] *= 0.5
    assert abs(exfractaldb.spread(settings, corners, shares, tree.kernel_state(1)) - 0.25) < 0.01
    assert exfractaldb.spread(settings, corners * 0, shares, tree.kernel_state(1)) == 0


def test_weight_table_is_the_published_one_without_its_typing_error():
    table = exfractaldb.weight_rows(6)
    assert table.shape == (145, 12)
    assert (table[6] == 1).all()
    np.testing.assert_array_equal(table[[0, 5, 7, 12], 0], [0.4, 0.9, 1.1, 1.6])
    np.testing.assert_array_equal(
        table[13:25, 1], [0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6]
    )
    assert table[108, 8] == 1.6
    assert len(np.unique(table, axis=0)) == 145
    assert [len(exfractaldb.weight_rows(steps)) for steps in (1, 2, 3, 4, 5)] == [
        25,
        49,
        73,
        97,
        121,
    ]


def test_no_image_is_blank(categories):
    for category, rows in enumerate(categories):
        for instance in range(0, 1740, 97):
            assert exfractaldb.render(
                SMALL, rows, seed=0, category=category, instance=instance
            ).any()


def rotations(view: str, count: int):
    settings = exfractaldb.Settings(view=view)
    return [exfractaldb.view_rotation(settings, k, tree.kernel_state(0, k)) for k in range(count)]


def test_random_views_are_uniform_rotations():
    found = np.array(rotations("random", 3000))
    np.testing.assert_allclose(
        found @ found.transpose(0, 2, 1), np.broadcast_to(np.eye(3), found.shape), atol=1e-14
    )
    np.testing.assert_allclose(np.linalg.det(found), 1, atol=1e-14)
    for row in range(3):
        for column in range(3):
            # a coordinate of a uniform point on the sphere is uniform on [-1, 1] (Archimedes)
            assert stats.kstest(found[:, row, column], stats.uniform(-1, 2).cdf).pvalue > 1e-4
    angles = np.arccos(np.clip((np.trace(found, axis1=1, axis2=2) - 1) / 2, -1, 1))
    assert stats.kstest(angles, lambda a: (a - np.sin(a)) / np.pi).pvalue > 1e-4


def test_fixed_views_are_twelve_azimuths_with_a_small_jitter():
    for k, rotation in enumerate(rotations("fixed12", 36)):
        assert rotation[1].tolist() == [0, 1, 0]
        azimuth = np.degrees(np.arctan2(rotation[2, 0], rotation[0, 0]))
        off = (azimuth - 30 * (k % 12 + 1) + 180) % 360 - 180
        assert 0 < abs(off) <= np.pi
    jitter = [np.degrees(np.arctan2(r[2, 0], r[0, 0])) for r in rotations("fixed12", 600)[::12]]
    assert np.ptp(jitter) > 5


def test_the_view_advances_after_all_weights():
    rows = exfractaldb.sample_category(exfractaldb.Settings(), seed=0, category=0)
    still = SMALL.model_copy(update={"view": "fixed12", "weighted": False})
    turned = SMALL.model_copy(update={"view": "fixed12"})
    identity = exfractaldb.render(turned, rows, seed=0, category=0, instance=6)
    views = [
        exfractaldb.view_rotation(still, 6 // 145, tree.kernel_state(1)),
        exfractaldb.view_rotation(still, 151 // 145, tree.kernel_state(1)),
    ]
    assert identity.any()
    assert not np.allclose(*views)


def test_a_diverging_system_is_refused_or_kept():
    system = np.zeros((1, 12))
    system[0, [0, 4, 8, 9, 10, 11]] = 2.0
    rows = ifs.columns("abcdefghijkl", system, np.ones(1), candidate=1)
    with pytest.raises(ValueError, match="diverges even without a weight"):
        exfractaldb.render(SMALL, rows, seed=0, category=0, instance=0)
    kept = exfractaldb.render(
        SMALL.model_copy(update={"diverged": "keep"}), rows, seed=0, category=0, instance=0
    )
    assert kept.any()


def test_a_system_that_is_one_point_is_drawn_in_the_middle():
    rows = ifs.columns("abcdefghijkl", np.zeros((1, 12)), np.ones(1), candidate=1)
    image = exfractaldb.render(SMALL, rows, seed=0, category=0, instance=0)
    assert np.argwhere(image).tolist() == [[16, 16]]


def test_one_row_of_the_weights_in_twelve_views():
    rows = exfractaldb.sample_category(exfractaldb.Settings(), seed=0, category=0)
    official = SMALL.model_copy(update={"instance_row": 0, "view": "fixed12"})
    weighted = {name: values.copy() for name, values in rows.items()}
    weighted["a"] *= 0.4
    plain = SMALL.model_copy(update={"weighted": False, "view": "fixed12"})
    for view in range(12):
        place = {"seed": 0, "category": 0, "instance": view}
        np.testing.assert_array_equal(
            exfractaldb.render(official, rows, **place),
            exfractaldb.render(plain, weighted, **place),
        )
    azimuths = {
        round(np.degrees(np.arctan2(r[2, 0], r[0, 0])) / 30) % 12
        for r in (exfractaldb.view_rotation(plain, k, tree.kernel_state(0, k)) for k in range(12))
    }
    assert azimuths == set(range(12))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"point_size_px": 2}, "odd"),
        ({"instance_row": 145}, "none of the rows 0 to 144"),
        ({"instance_row": 25, "weight_steps": 1}, "none of the rows 0 to 24"),
        ({"instance_row": 0, "weighted": False}, "set one of the two"),
        ({"maps": (5, 2)}, "two ascending numbers"),
        ({"maps": (1, 1)}, "a single map is a point"),
    ],
)
def test_impossible_settings_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        validate(exfractaldb.Settings, options, where="test")

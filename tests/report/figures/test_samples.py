"""Figures of sample images: layout, bytes, fonts, refusals."""

import re
from functools import partial

import numpy as np
import pytest
from PIL import Image

from fdsl.report.figures.inputs import save
from fdsl.report.figures.samples import draw_samples
from fdsl.report.grid import image_grid, mosaic


def write_samples(samples, *, out, note=""):
    save(partial(draw_samples, samples, note=note), out=out)


def flat(grey, *, size=(10, 10)):
    return np.full(size, grey, np.uint8)


@pytest.fixture
def samples():
    rng = np.random.default_rng(0)
    grid = [[rng.integers(0, 256, (16, 16), dtype=np.uint8) for _ in range(3)] for _ in range(2)]
    colour = [
        [rng.integers(0, 256, (8, 12, 3), dtype=np.uint8) for _ in range(2)] for _ in range(2)
    ]
    return {"Grey × 2": grid, "Colour": colour}


def test_a_mosaic_holds_every_image_unchanged(samples):
    for images in samples.values():
        whole = mosaic(images, where="samples")
        rows, columns = len(images), len(images[0])
        height, width = images[0][0].shape[:2]
        gap = (whole.shape[0] - rows * height) // (rows - 1)
        for row in range(rows):
            for column in range(columns):
                top, left = row * (height + gap), column * (width + gap)
                image = images[row][column]
                expected = image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)
                assert (whole[top : top + height, left : left + width] == expected).all()
        assert (whole[height : height + gap] == 255).all()


@pytest.mark.parametrize(
    ("images", "says"),
    [
        ([], "no images"),
        ([[]], "no images"),
        ([[flat(1), flat(2)], [flat(3)]], "category 1 has 1 images, category 0 has 2"),
        ([[flat(1), flat(2, size=(9, 10))]], r"image 1 of category 0 is uint8 \(9, 10\)"),
        ([[flat(1).astype(float)]], "is float64"),
        ([[np.zeros((4, 4, 2), np.uint8)]], r"uint8 \(4, 4, 2\)"),
    ],
)
def test_an_uneven_grid_is_refused(images, says):
    with pytest.raises(ValueError, match=says):
        mosaic(images, where="RCDB-1k")


def test_a_figure_is_the_same_bytes_again(samples, tmp_path):
    for name in ("first", "second"):
        write_samples(samples, out=tmp_path / name / "figure2.png", note="reduced")
    for suffix in (".png", ".pdf"):
        first, second = (tmp_path / name / f"figure2{suffix}" for name in ("first", "second"))
        assert first.read_bytes() == second.read_bytes()


def test_a_figure_is_fit_for_print(samples, tmp_path):
    write_samples(samples, out=tmp_path / "figure2.png")
    with Image.open(tmp_path / "figure2.png") as png:
        assert png.info["dpi"] == pytest.approx((300, 300), abs=0.1)
        assert png.width <= 7.1 * 300
        assert "Software" not in png.info
    pdf = (tmp_path / "figure2.pdf").read_bytes()
    assert b"/CreationDate" not in pdf
    assert b"/Type3" not in pdf
    assert re.search(rb"/FontFile2", pdf)


def test_every_dataset_gets_a_panel_also_in_a_second_line(samples, tmp_path):
    one = dict(list(samples.items())[:1])
    many = {f"panel {number}": samples["Grey × 2"] for number in range(4)}
    heights = []
    for name, chosen in (("one", one), ("many", many)):
        write_samples(chosen, out=tmp_path / f"{name}.png")
        with Image.open(tmp_path / f"{name}.png") as png:
            heights.append(png.height)
    assert heights[1] > 1.5 * heights[0]


def test_every_panel_shows_its_mosaic(samples):
    figure, _ = draw_samples(samples)
    shown = [np.asarray(axes.images[0].get_array()) for axes in figure.axes if axes.images]
    wanted = [mosaic(images, where=title) for title, images in samples.items()]
    assert [image.shape for image in shown] == [image.shape for image in wanted]
    assert all((a == b).all() for a, b in zip(shown, wanted, strict=True))


def test_a_figure_of_nothing_and_of_another_type_is_refused(samples, tmp_path):
    with pytest.raises(ValueError, match="at least one dataset"):
        write_samples({}, out=tmp_path / "figure2.png")
    assert not list(tmp_path.iterdir())


def test_a_grid_for_the_screen_enlarges_small_images_exactly():
    images = [[flat(0), flat(100)], [flat(200), flat(50)]]
    grid = np.asarray(image_grid(images, cell_px=25))
    values, counts = np.unique(grid[..., 0], return_counts=True)
    found = dict(zip(values.tolist(), counts.tolist(), strict=True))
    assert {value: found[value] for value in (0, 50, 100, 200)} == dict.fromkeys(
        (0, 50, 100, 200), 20 * 20
    )


def test_a_grid_makes_room_for_its_labels():
    images = [[flat(128, size=(64, 64))] * 2] * 2
    bare = image_grid(images)
    labelled = image_grid(
        images, title="RCDB-1k × 2", rows=["category 0", "category 1"], columns=["0", "1"]
    )
    assert labelled.width > bare.width
    assert labelled.height > bare.height
    assert (np.asarray(labelled.convert("L"))[:30] < 100).any()


def test_labels_must_match_the_images():
    with pytest.raises(ValueError, match="1 row labels for 2 rows of images"):
        image_grid([[flat(1)], [flat(2)]], rows=["only one"])

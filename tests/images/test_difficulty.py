"""Difficulty: 1-nearest-neighbour accuracy on pixels, by an oracle and at its two ends."""

import numpy as np
import pytest
from PIL import Image

import fdsl
from fdsl.images import difficulty
from fdsl.images.streamed import SyntheticImages
from fdsl.io.storage import DamagedFile, write_checksummed
from fdsl.schema.catalogue import SyntheticDataset


class Drawn(SyntheticImages):
    """Images that a function of category and instance gives."""

    def __init__(self, image, *, classes, instances):
        sizes = {"classes": classes, "instances": instances}
        self.dataset = SyntheticDataset(formula="x", settings={}, **sizes)
        self.image = image

    def __getitem__(self, index):
        category, instance = divmod(index, self.dataset.instances)
        return self.image(category, instance), category


def noise(*key, side=8, levels=256, channels=()):
    rng = np.random.default_rng(key)
    return rng.integers(0, levels, (side, side, *channels)).astype(np.uint8)


def brute_force(images, side):
    """Return the accuracy in percent, by distances of every pair."""

    def pixels(image):
        if len(image) > side:
            image = np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BOX))
        return image.astype(int)

    instances = images.dataset.instances
    rows = [(pixels(images[k][0]), images[k][1], k % instances % 2) for k in range(len(images))]
    gallery = [(image, label) for image, label, odd in rows if not odd]
    right = [
        label == gallery[int(np.argmin([((image - g) ** 2).sum() for g, _ in gallery]))][1]
        for image, label, odd in rows
        if odd
    ]
    return 100 * int(sum(right)) / len(right)


def test_instances_that_look_alike_are_easy():
    images = Drawn(lambda category, _: noise(category), classes=40, instances=5)
    found = difficulty.measure(images, side_px=8, seed=0)
    assert found == difficulty.Difficulty(
        accuracy=100, chance=2.5, gallery=120, gallery_of=120, queries=80, queries_of=80, side_px=8
    )


def test_noise_is_as_hard_as_chance():
    images = Drawn(noise, classes=10, instances=200)
    found = difficulty.measure(images, side_px=8, seed=0)
    assert found.chance == 10
    assert abs(found.accuracy - 10) < 4  # three standard errors of 1,000 queries are 2.8


@pytest.mark.parametrize("channels", [(), (3,)])
@pytest.mark.parametrize(("side", "levels"), [(4, 2), (8, 256), (3, 256)])
def test_it_is_what_brute_force_finds(side, levels, channels):
    """Two levels on few pixels make many ties, of which the first image counts."""
    base = [noise(k, side=8, levels=levels, channels=channels) for k in range(6)]

    def image(category, instance):
        changed = noise(category, instance, side=8, levels=levels, channels=channels)
        return np.where(changed > levels // 3, base[category], changed)

    images = Drawn(image, classes=6, instances=7)
    found = difficulty.measure(images, side_px=side, seed=1)
    assert found.accuracy == brute_force(images, side)
    assert found.side_px == side
    assert (found.gallery, found.queries) == (24, 18)


def test_blocks_of_the_gallery_change_nothing(monkeypatch):
    images = Drawn(lambda *key: noise(*key, levels=3, side=2), classes=4, instances=40)
    whole = difficulty.measure(images, side_px=8, seed=0)
    monkeypatch.setattr(difficulty, "BLOCK", 7)
    assert difficulty.measure(images, side_px=8, seed=0) == whole


def test_large_datasets_are_sampled_and_say_so(monkeypatch):
    read = []

    def image(category, instance):
        read.append((category, instance))
        return noise(category)

    images = Drawn(image, classes=50, instances=40)
    monkeypatch.setattr(difficulty, "MOST_GALLERY", 100)
    monkeypatch.setattr(difficulty, "MOST_QUERIES", 30)
    found = difficulty.measure(images, side_px=8, seed=0)
    assert (found.gallery, found.gallery_of, found.queries, found.queries_of) == (
        *(100, 1000),
        *(30, 1000),
    )
    assert len(read) == 130
    assert {c for c, k in read if k % 2 == 0} == set(range(50))  # spread over all categories
    asked = [key for key in read if key[1] % 2]
    read.clear()
    difficulty.measure(images, side_px=8, seed=1)
    assert [key for key in read if key[1] % 2] != asked  # the seed decides which


def test_small_images_stay_as_they_are():
    images = Drawn(noise, classes=2, instances=2)
    assert difficulty.measure(images, side_px=32, seed=0).side_px == 8


def test_a_formula_is_measured_and_progress_is_told():
    seen = []
    images = fdsl.load("fractaldb1k", classes=3, instances=4, image_size_px=32).images

    def progress(numbers):
        seen.append(len(numbers))
        return numbers

    found = difficulty.measure(images, side_px=16, seed=0, progress=progress)
    assert seen == [found.gallery] == [6]
    assert found.accuracy == brute_force(images, 16)


def test_the_file_is_checked(tmp_path):
    images = Drawn(noise, classes=2, instances=2)
    found = difficulty.measure(images, side_px=8, seed=0)
    path = tmp_path / "a.json"
    write_checksummed(path, found.model_dump(mode="json"))
    assert difficulty.read(path) == found
    path.write_text(path.read_text().replace('"side_px": 8', '"side_px": 9'))
    with pytest.raises(DamagedFile):
        difficulty.read(path)

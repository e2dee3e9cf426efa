"""Parameter files, shards, and the two ways to the same pixels."""

import json
import pickle
from multiprocessing import get_context

import numpy as np
import pyarrow as pa
import pytest

from fdsl import formulas
from fdsl.images import parameters as parameter_file
from fdsl.images.shards import (
    FORMAT,
    KEY,
    ROWS_PER_BATCH,
    Shard,
    ShardedImages,
    render_shard,
    shard_range,
    write_shard,
)
from fdsl.images.streamed import StreamedImages, preview
from fdsl.io.storage import DamagedFile
from fdsl.schema.base import ConfigError
from fdsl.schema.catalogue import SyntheticDataset

SMALL = {
    "fractaldb": {
        "image_size_px": 24,
        "pad_px": 2,
        "points": 300,
        "search_points": 4000,
        "search_size_px": 64,
    },
    "exfractaldb": {"image_size_px": 24, "points": 300},
    "rcdb": {"image_size_px": 24},
    "visualatom": {"image_size_px": 24, "orbits": (1, 9)},
    "one_parameter": {
        "image_size_px": 24,
        "points": 300,
        "search_size_px": 64,
        "search_points": 4000,
    },
    "perlin": {"image_size_px": 24},
    "dead_leaves": {"image_size_px": 24},
    "bezier": {"image_size_px": 24},
}


def dataset(formula="fractaldb", **changes):
    settings = {**SMALL[formula], **changes.pop("settings", {})}
    values = {
        "title": formula,
        "formula": formula,
        "classes": 5,
        "instances": 7,
        "settings": settings,
        "source": "test",
    }
    return SyntheticDataset.model_validate(values | changes)


def sampled(of, *, seed=0, workers=1):
    return parameter_file.stack(list(parameter_file.sample(of, seed=seed, workers=workers)))


def streamed(of, *, seed=0):
    return StreamedImages(of, sampled(of, seed=seed), seed=seed)


def sharded(of, folder, *, shards, seed=0):
    images = streamed(of, seed=seed)
    paths = [folder / f"shard-{k}.arrow" for k in range(shards)]
    for k, path in enumerate(paths):
        render_shard(path, images, part=shard_range(k, shards=shards, images=len(images)))
    return ShardedImages(of, paths, seed=seed)


def same(left, right):
    return len(left) == len(right) and all(
        np.array_equal(left[k][0], right[k][0]) and left[k][1] == right[k][1]
        for k in range(len(left))
    )


@pytest.mark.parametrize("formula", list(formulas.FORMULAS))
@pytest.mark.parametrize("shards", [1, 3])
def test_stored_and_streamed_pixels_are_equal(tmp_path, formula, shards):
    of = dataset(formula)
    assert same(streamed(of), sharded(of, tmp_path, shards=shards))


def test_an_image_does_not_depend_on_how_many_others_there_are():
    few, many = streamed(dataset(classes=2, instances=3)), streamed(dataset(classes=5, instances=7))
    assert np.array_equal(few.image(category=1, instance=2), many.image(category=1, instance=2))
    assert not np.array_equal(few.image(category=1, instance=1), many.image(category=1, instance=2))


def test_a_part_draws_the_same_and_does_not_grow_with_the_dataset():
    few, many = streamed(dataset()), streamed(dataset(classes=12))
    parts = [pickle.loads(pickle.dumps(images.part([8, 9, 15]))) for images in (few, many)]
    for index in (8, 9, 15):
        for part in parts:
            assert np.array_equal(part.draw(index)[0], few.draw(index)[0])
    with pytest.raises(KeyError):
        parts[0].draw(0)
    assert abs(len(pickle.dumps(few.part([8]))) - len(pickle.dumps(many.part([8])))) < 10


def test_another_seed_gives_another_dataset():
    assert not same(streamed(dataset(), seed=0), streamed(dataset(), seed=1))


def test_parameters_do_not_depend_on_workers():
    one, two = sampled(dataset(), workers=1), sampled(dataset(), workers=2)
    assert np.array_equal(one.offsets, two.offsets)
    assert all(np.array_equal(one.columns[name], two.columns[name]) for name in one.columns)


def _draw(images, index, queue):
    queue.put(images[index])


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_images_cross_process_borders(tmp_path, method):
    of = dataset()
    for images in [streamed(of), sharded(of, tmp_path, shards=2)]:
        expected = images[17]
        context = get_context(method)
        queue = context.Queue()
        child = context.Process(target=_draw, args=(images, 17, queue))
        child.start()
        image, label = queue.get(timeout=60)
        child.join()
        assert np.array_equal(image, expected[0])
        assert label == expected[1]
        assert same(pickle.loads(pickle.dumps(images)), images)


def test_labels_are_those_of_the_images(tmp_path):
    of = dataset()
    for images in [streamed(of), sharded(of, tmp_path, shards=2)]:
        assert images.labels.tolist() == [images[k][1] for k in range(len(images))]
        assert images.classes == 5


@pytest.mark.parametrize("index", [-1, 35])
def test_an_index_out_of_range_is_an_error(tmp_path, index):
    for images in [streamed(dataset()), sharded(dataset(), tmp_path, shards=2)]:
        with pytest.raises(IndexError, match="0 to 34"):
            images[index]


def test_a_parameter_file_comes_back(tmp_path):
    of, path = dataset(), tmp_path / "p.parquet"
    written = sampled(of)
    parameter_file.write(path, written, dataset=of, seed=0)
    found = parameter_file.read(path, dataset=of, seed=0)
    assert np.array_equal(found.offsets, written.offsets)
    assert all(
        np.array_equal(found.columns[name], written.columns[name]) for name in written.columns
    )


@pytest.mark.parametrize(
    ("change", "seed", "word"),
    [
        ({}, 1, "seed"),
        ({"classes": 6}, 0, "classes"),
        ({"settings": {"points": 301}}, 0, "settings"),
    ],
)
def test_parameters_of_another_dataset_are_refused_with_both_values(tmp_path, change, seed, word):
    path = tmp_path / "p.parquet"
    parameter_file.write(path, sampled(dataset()), dataset=dataset(), seed=0)
    with pytest.raises(DamagedFile, match=rf"p\.parquet was made with {word} = .*, not"):
        parameter_file.read(path, dataset=dataset(**change), seed=seed)


@pytest.mark.parametrize("place", [0.02, 0.3, 0.6, 0.98])
@pytest.mark.parametrize("damage", ["flip", "cut"])
def test_damaged_parameters_are_refused_by_name(tmp_path, place, damage):
    path = tmp_path / "p.parquet"
    parameter_file.write(path, sampled(dataset()), dataset=dataset(), seed=0)
    _damage(path, place, damage)
    try:
        found = parameter_file.read(path, dataset=dataset(), seed=0)
    except DamagedFile as error:
        assert "p.parquet" in str(error)
    else:  # a bit that decides nothing, such as the writer's name
        assert np.array_equal(found.columns["p"], sampled(dataset()).columns["p"])


@pytest.mark.parametrize("place", [0.001, 0.2, 0.5, 0.8, 0.999])
@pytest.mark.parametrize("damage", ["flip", "cut"])
def test_a_damaged_shard_is_refused_or_its_pixels_are_right(tmp_path, place, damage):
    of = dataset()
    images = sharded(of, tmp_path, shards=1)
    _damage(tmp_path / "shard-0.arrow", place, damage)
    reference = streamed(of)
    for k in range(len(images)):
        try:
            image, label = images[k]
        except DamagedFile as error:
            assert "shard-0.arrow" in str(error)
        else:
            assert np.array_equal(image, reference[k][0])
            assert label == reference[k][1]


def test_every_flipped_bit_of_an_image_is_noticed(tmp_path):
    """Flip each bit of a stored image in turn: it may never come back as something else."""
    of = dataset()
    sharded(of, tmp_path, shards=1)
    path = tmp_path / "shard-0.arrow"
    content = bytearray(path.read_bytes())
    stored = pa.ipc.open_file(path).read_all()["image"][0].as_py()
    first = content.index(stored)
    for bit in range(8 * len(stored)):
        content[first + bit // 8] ^= 1 << bit % 8
        path.write_bytes(content)
        with pytest.raises(DamagedFile, match="row 0 does not match its checksum"):
            ShardedImages(of, [path], seed=0)[0]
        content[first + bit // 8] ^= 1 << bit % 8


def test_a_shard_of_an_older_format_is_refused_by_name(tmp_path):
    of = dataset()
    sharded(of, tmp_path, shards=1)
    path = tmp_path / "shard-0.arrow"
    table = pa.ipc.open_file(path).read_all()
    held = json.loads(table.schema.metadata[KEY]) | {"format": FORMAT - 1}
    older = table.replace_schema_metadata({KEY: json.dumps(held).encode()})
    with pa.ipc.new_file(path, older.schema) as writer:
        writer.write_table(older)
    with pytest.raises(DamagedFile, match=rf"shard-0\.arrow was made with format = {FORMAT - 1}"):
        ShardedImages(of, [path], seed=0)[0]


def _damage(path, place, how):
    content = bytearray(path.read_bytes())
    at = int(place * (len(content) - 1))
    if how == "cut":
        content = content[:at]
    else:
        content[at] ^= 0x10
    path.write_bytes(content)


def test_shards_of_another_seed_or_order_are_refused(tmp_path):
    of = dataset()
    sharded(of, tmp_path, shards=2)
    paths = [tmp_path / "shard-0.arrow", tmp_path / "shard-1.arrow"]
    with pytest.raises(DamagedFile, match="was made with seed = 0, not 1"):
        ShardedImages(of, paths, seed=1)[0]
    with pytest.raises(DamagedFile, match="was made with images"):
        ShardedImages(of, paths[::-1], seed=0)[0]


def test_shards_longer_than_a_batch(tmp_path):
    count = ROWS_PER_BATCH + 5
    write_shard(
        tmp_path / "s.arrow",
        range(count),
        lambda k: (np.full((2, 2), k % 251, np.uint8), k, 3),
        about={},
    )
    shard = Shard(tmp_path / "s.arrow", {})
    assert shard.rows() == count
    for row in [0, ROWS_PER_BATCH - 1, ROWS_PER_BATCH, count - 1, 5]:
        image, category, instance = shard.image(row)
        assert (image == row % 251).all()
        assert (category, instance) == (row, 3)


def test_a_failing_writer_leaves_nothing(tmp_path):
    def draw(index):
        if index == 3:
            raise RuntimeError
        return np.zeros((2, 2), np.uint8), 0, index

    with pytest.raises(RuntimeError):
        write_shard(tmp_path / "s.arrow", range(5), draw, about={})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("shards", "images"), [(1, 1), (3, 10), (7, 7), (64, 1000)])
def test_shards_share_out_every_image_once(shards, images):
    parts = [shard_range(k, shards=shards, images=images) for k in range(shards)]
    assert [index for part in parts for index in part] == list(range(images))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize(("shard", "shards", "images"), [(2, 2, 10), (-1, 2, 10), (0, 11, 10)])
def test_a_shard_that_cannot_be_is_refused(shard, shards, images):
    with pytest.raises(ValueError, match="does not exist"):
        shard_range(shard, shards=shards, images=images)


def test_preview_shows_the_dataset():
    of = dataset(classes=2, instances=3)
    assert np.array_equal(preview(of, seed=0)[1][2], streamed(of)[5][0])


def test_unknown_settings_are_refused_with_the_allowed_ones():
    with pytest.raises(ConfigError, match=r"ponts.*did you mean 'points'"):
        streamed(dataset(settings={"ponts": 3}))

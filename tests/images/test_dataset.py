"""`fdsl.load`."""

import pickle
import subprocess
import sys
from multiprocessing import get_context

import numpy as np
import pandas as pd
import pytest

import fdsl
from fdsl.images.parameters import sample, stack
from fdsl.images.streamed import StreamedImages
from fdsl.schema.base import ConfigError

SMALL = {"classes": 4, "instances": 30, "image_size_px": 32, "points": 300}


def load(**changes):
    return fdsl.load("fractaldb1k", **(SMALL | changes))


def test_import_costs_nothing():
    code = (
        "import sys, fdsl; print(sorted({'numpy', 'numba', 'pandas', 'pyarrow', 'pydantic', 'yaml'}"
        " & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"
    with pytest.raises(AttributeError, match="laod"):
        _ = fdsl.laod


def test_drawing_loads_no_tables():
    code = (
        "import sys, fdsl; fdsl.load('rcdb1k', image_size_px=32)[0]; "
        "print(sorted({'pandas', 'pyarrow', 'torch', 'matplotlib'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


def test_it_is_the_catalogues_dataset():
    dataset = load(seed=3)
    entry = dataset.images.dataset
    streamed = StreamedImages(entry, stack(list(sample(entry, seed=3))), seed=3)
    assert len(dataset) == len(streamed) == 120
    for index in (0, 31, 119):
        image, label = dataset[index]
        expected, category = streamed[index]
        np.testing.assert_array_equal(image, expected)
        assert label == category
    assert (dataset[-1][0] == dataset[119][0]).all()
    assert (dataset.image(category=1, instance=1) == dataset[31][0]).all()
    assert dataset.labels.tolist() == [k // 30 for k in range(120)]
    assert [label for _, label in dataset] == dataset.labels.tolist()


def test_published_sizes_are_the_defaults():
    dataset = fdsl.load("fractaldb1k")
    assert (len(dataset), dataset.classes, dataset.instances) == (1_000_000, 1000, 1000)
    assert dataset[0][0].shape == (362, 362)


def test_only_the_category_asked_for_is_searched():
    dataset = load()
    dataset.image(category=2, instance=0)
    assert dataset.images.parameters.missing() == [0, 1, 3]


def test_parameters_are_a_frame_and_do_not_depend_on_workers():
    one, two = load(), load()
    two.image(category=3, instance=0)
    assert list(two.search(workers=2)) == [0, 1, 2]
    assert isinstance(one.parameters, pd.DataFrame)
    pd.testing.assert_frame_equal(one.parameters, two.parameters)
    assert one.parameters["category"].unique().tolist() == [0, 1, 2, 3]
    assert one.parameters.groupby("category")["p"].sum().to_numpy() == pytest.approx(1)


def _draw(dataset, queue):
    queue.put(dataset[47])


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_it_crosses_process_borders(method):
    dataset = load()
    expected = dataset[47]
    context = get_context(method)
    queue = context.Queue()
    child = context.Process(target=_draw, args=(dataset, queue))
    child.start()
    image, label = queue.get(timeout=60)
    child.join()
    np.testing.assert_array_equal(image, expected[0])
    assert label == expected[1]
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(dataset))[47][0], expected[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"ponts": 3},
            r"'ponts' is unknown \(did you mean 'points'\?\). Allowed: .*classes.*weight",
        ),
        ({"points": 0}, "points = 0: should be greater"),
        ({"classes": 1}, "classes = 1"),
        ({"seed": -1}, "seed = -1 must be an integer from 0 to 9223372036854775807"),
        ({"seed": 2**63}, "seed = 9223372036854775808"),
        ({"seed": 1.5}, "seed = 1.5"),
        ({"seed": "0"}, "seed = '0'"),
        ({"threads": 4}, "threads = 4 means nothing without official"),
        ({"official": True, "parameters": "x"}, "leave parameters out"),
        ({"official": True, "patch_mode": "per_image"}, "override = 'patch_mode' is unknown"),
    ],
)
def test_what_cannot_be_is_refused(arguments, message):
    with pytest.raises(ConfigError, match=message):
        load(**arguments)


def test_half_a_category_is_refused():
    with pytest.raises(TypeError, match="'float' object cannot be interpreted as an integer"):
        load().image(category=0.5, instance=0)


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'fractaldb1k'"):
        fdsl.load("fractaldb_1k")


@pytest.mark.parametrize("index", [120, -121])
def test_an_index_out_of_range_is_an_error(index):
    with pytest.raises(IndexError, match=f"image {index} is out of range 0 to 119"):
        load()[index]
    with pytest.raises(IndexError, match="instance 30 is out of range 0 to 29"):
        load().image(category=0, instance=30)
    with pytest.raises(TypeError):
        load()["0"]


@pytest.mark.parametrize("name", ["fractaldb1k", "rcdb1k", "visualatom1k", "ofdb2d_1k"])
def test_official_modes_are_loaded_by_name(name):
    sizes = {"classes": 2, "instances": 1, "image_size_px": 64}
    dataset = fdsl.load(name, official=True, threads=2, **sizes)
    assert dataset.origin["official"] == {"threads": 2}
    assert dataset[0][0].shape == (64, 64)


def test_the_origin_tells_datasets_apart():
    origins = [load(), load(seed=1), load(points=301), load(official=True)]
    assert len({str(d.origin) for d in origins}) == 4
    assert str(load().origin) == str(load().origin)

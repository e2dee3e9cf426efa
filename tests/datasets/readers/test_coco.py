"""COCO's format: what pycocotools itself reads from the same file, and refusal of everything that
cannot be.
"""

import json
import pickle
import shutil

import numpy as np
import pytest
from oracles import downstream_layouts as layouts
from oracles.downstream_layouts import pixels
from PIL import Image

from fdsl.datasets.downstream import MissingData, check, load
from fdsl.datasets.readers.run_lengths import run_lengths, uncompressed
from fdsl.datasets.splits import load_splits
from fdsl.io.storage import DamagedFile

pytest.importorskip("pycocotools")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("made")
    return layouts.coco(root), root


@pytest.fixture
def copy(made, tmp_path):
    entry, root = made
    shutil.copytree(root / "coco", tmp_path / "coco")
    return entry, tmp_path


def annotations(root, part="train2017"):
    return root / f"coco/annotations/instances_{part}.json"


def change(root, edit):
    """Change the training part's JSON file by a function of its content."""
    content = json.loads(annotations(root).read_text())
    content = edit(content) or content
    annotations(root).write_text(json.dumps(content))


@pytest.mark.filterwarnings(
    "ignore:__array__ implementation"
)  # of pycocotools, called by the test itself
@pytest.mark.parametrize("part", ["train2017", "val2017"])
def test_pycocotools_reads_the_same_objects(part, copy, capsys):
    from pycocotools.coco import COCO

    entry, root = copy
    source = load(entry, root, split="train" if part == "train2017" else "test")
    theirs = COCO(annotations(root, part))
    assert source.image_ids.tolist() == sorted(theirs.getImgIds()) == [17, 42, 900]
    assert source.category_ids.tolist() == sorted(theirs.getCatIds()) == [1, 13, 90]
    assert source.category_names == ("a", "m", "z")
    for index, number in enumerate(source.image_ids.tolist()):
        scene = source[index]
        shown = sorted(theirs.getAnnIds(imgIds=[number]))
        objects = [each for each in theirs.loadAnns(shown) if each["bbox"][2] > 0]
        picture = pixels(root / "coco" / part / theirs.loadImgs([number])[0]["file_name"])
        np.testing.assert_array_equal(scene.image, picture)
        assert scene.image_id == number
        assert len(objects) == len(scene.boxes)
        assert scene.masks.shape == (len(objects), *picture.shape[:2])
        for k, thing in enumerate(objects):
            np.testing.assert_array_equal(scene.masks[k], theirs.annToMask(thing))
            assert source.category_ids[scene.labels[k]] == thing["category_id"]
            assert scene.crowd[k] == thing["iscrowd"]
            assert scene.area[k] == thing["area"]
            x, y, w, h = thing["bbox"]
            left, top = max(x, 0), max(y, 0)
            right, bottom = min(x + w, picture.shape[1]), min(y + h, picture.shape[0])
            assert scene.boxes[k].tolist() == np.float32([left, top, right, bottom]).tolist()
    kinds = (scene.image, scene.boxes, scene.labels, scene.masks, scene.crowd, scene.area)
    assert [array.dtype.name for array in kinds] == [
        "uint8",
        "float32",
        "int64",
        "uint8",
        "bool",
        "float64",
    ]


def test_empty_pictures_crowds_and_dropped_objects_are_counted(copy):
    entry, root = copy
    source = load(entry, root, split="train")
    assert source.objects.tolist() == [1, 0, 2]
    assert source.per_class() == [1, 1, 1]  # the crowd is of category 1 as well
    assert source.dropped == 1
    empty = source[1]
    assert empty.boxes.shape == (0, 4)
    assert empty.masks.shape == (0, *empty.image.shape[:2])
    assert source[-1].image_id == 900
    with pytest.raises(IndexError):
        source[3]


def test_a_box_is_clipped_to_its_picture(copy):
    entry, root = copy
    source = load(entry, root, split="train")
    boxes = source[2].boxes
    assert boxes[0].tolist() == [0, 5, 33, 90]
    for index in range(3):
        scene = source[index]
        height, width = scene.image.shape[:2]
        assert (scene.boxes[:, :2] >= 0).all()
        assert (scene.boxes[:, 2] <= width).all()
        assert (scene.boxes[:, 3] <= height).all()
        assert (scene.boxes[:, :2] < scene.boxes[:, 2:]).all()


def test_sources_pickle_and_checks_do_not_depend_on_the_place_or_the_order_in_the_file(copy):
    entry, root = copy
    source = load(entry, root, split="train")
    again = pickle.loads(pickle.dumps(source))
    for ours, theirs in zip(source[2], again[2], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    before = check(entry, root, decode=True)
    shutil.move(root / "coco", root / "elsewhere/coco")
    change(root / "elsewhere", lambda content: {k: v[::-1] for k, v in content.items()})
    after = check(entry, root / "elsewhere")
    assert after["parts"] == before["parts"]
    assert after["md5"] != before["md5"]

    def moved(content):
        content["annotations"][-1]["segmentation"][0][0] += 9.0

    change(root / "elsewhere", moved)
    assert check(entry, root / "elsewhere")["parts"]["train"] != before["parts"]["train"]


def set_in(kind, key, value, position=0):
    def edit(content):
        content[kind][position][key] = value

    return edit


def remove(kind, key):
    def edit(content):
        del content[kind][0][key]

    return edit


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda _: [1], "not a file of COCO instances"),
        (lambda _: {"images": [], "annotations": []}, "'categories' is missing"),
        (lambda c: c["categories"].pop() and None, "2 categories, the catalogue says 3"),
        (lambda c: c["categories"].append(c["categories"][0]), "an id stands twice in categories"),
        (lambda c: c["images"].append(c["images"][0]), "an id stands twice in images"),
        (lambda c: c["annotations"].append(c["annotations"][0]), "twice in annotations"),
        (set_in("images", "id", "900"), "id '900' in images is not an integer"),
        (set_in("images", "height", 0), "height = 0 of id 900"),
        (set_in("images", "width", 1.5), r"width = 1\.5 of id 900"),
        (set_in("images", "file_name", "../../x.jpg"), "not below"),
        (remove("images", "file_name"), "'file_name' is missing"),
        (set_in("annotations", "image_id", 7), "annotation 5: 7 is missing or unknown"),
        (set_in("annotations", "category_id", 7), "annotation 5: 7 is missing or unknown"),
        (set_in("annotations", "iscrowd", 2), "annotation 5: iscrowd = 2"),
        (remove("annotations", "bbox"), "annotation 5: 'bbox' is missing"),
        (set_in("annotations", "bbox", [1, 2, 3]), "annotation 5: bbox .* has 3 numbers"),
        (set_in("annotations", "bbox", [1, 2, 3, "4"]), "not a list of finite numbers"),
        (set_in("annotations", "bbox", [1, 2, 3, float("nan")]), "not a list of finite numbers"),
        (set_in("annotations", "area", None), "area = .* is not a list of finite numbers"),
        (set_in("annotations", "segmentation", []), "segmentation is empty"),
        (set_in("annotations", "segmentation", [[1, 2, 3, 4]]), "4 numbers, expected 3 or more"),
        (set_in("annotations", "segmentation", [[1, 2, 3, 4, 5, 6, 7]]), "7 numbers"),
        (
            set_in("annotations", "segmentation", [[1, 2, 3, 4, 5, 1e9]]),
            r"reaches from 1\.0 to 1000000000\.0",
        ),
        (set_in("annotations", "segmentation", "x"), "neither polygons nor runs"),
        (
            set_in("annotations", "segmentation", {"size": [1, 1], "counts": [1]}),
            "neither polygons nor runs of size",
        ),
    ],
)
def test_files_that_are_not_whole_coco_are_refused(edit, message, copy):
    entry, root = copy
    load(entry, root, split="train")
    change(root, edit)
    with pytest.raises(DamagedFile, match=message) as caught:
        load(entry, root, split="train")
    assert str(annotations(root)) in str(caught.value)


def test_text_that_is_not_json_is_refused(copy):
    entry, root = copy
    annotations(root).write_bytes(annotations(root).read_bytes()[:-20])
    with pytest.raises(DamagedFile, match="not a file of COCO instances"):
        load(entry, root, split="train")


@pytest.mark.parametrize(
    "counts",
    [
        [5],
        [20, -8],
        [6, 6, 1],
        [6.0, 6.0],
        ["12"],
        None,
        12,
        [True] * 12,
        "",
        "0",
        "<1",
        "PPP",
        "é",
    ],
)
def test_runs_that_do_not_fill_the_picture_never_reach_pycocotools(counts):
    with pytest.raises((ValueError, TypeError)):
        run_lengths({"size": [3, 4], "counts": counts}, height=3, width=4)


@pytest.mark.parametrize("seed", range(20))
def test_compressed_runs_are_read_as_pycocotools_writes_them(seed):
    from pycocotools import mask

    rng = np.random.default_rng(seed)
    height, width = rng.integers(1, 300, 2).tolist()
    # long and short runs of both values, so that differences of both signs and several groups occur
    runs = np.repeat(rng.random(height * width) < 0.5, rng.integers(1, 90, height * width))
    block = runs[: height * width].reshape(width, height).T.astype(np.uint8)
    text = mask.encode(np.asfortranarray(block))["counts"].decode()
    flat = block.T.reshape(-1)
    edges = np.flatnonzero(np.diff(flat)) + 1
    expected = np.diff([0, *edges, height * width]).tolist()
    assert uncompressed(text) == ([0, *expected] if flat[0] else expected)
    size = {"size": [height, width], "counts": text}
    assert run_lengths(size, height=height, width=width).decode() == text


def test_pictures_that_are_damaged_or_of_another_size_are_named(copy, monkeypatch):
    entry, root = copy
    path = root / "coco/train2017/000000000042.jpg"
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(DamagedFile, match=r"000000000042\.jpg cannot be read"):
        check(entry, root, decode=True)
    Image.new("RGB", (30, 20)).save(path)
    with pytest.raises(DamagedFile, match=r"42\.jpg has 30 × 20 pixels, .* says"):
        check(entry, root, decode=True)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 512 * 512)
    Image.new("1", (1000, 600)).save(path, "PNG")
    with pytest.raises(DamagedFile, match="too large to be a picture"):
        check(entry, root, decode=True)
    path.unlink()
    with pytest.raises(DamagedFile, match=r"1 listed files do not exist.*42\.jpg"):
        check(entry, root)


def test_what_is_missing_is_named(copy, monkeypatch):
    entry, root = copy
    annotations(root).unlink()
    with pytest.raises(MissingData, match=r"without annotations/instances_train2017\.json"):
        load(entry, root, split="train")
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(MissingData, match="pycocotools: it is not installed"):
        load(entry, root, split="train")


def test_it_is_not_for_classification(copy):
    entry, root = copy
    with pytest.raises(ValueError, match=r"COCO 2017 .* is not for fine-tuning"):
        load_splits(entry, root, manifest={}, train_labels=None, test_images=None, seed=0)

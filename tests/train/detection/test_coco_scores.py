"""COCO's numbers: those of pycocotools on invented detections, exactly, and every picture once."""

import contextlib
import io

import numpy as np
import pytest
import torch
from torch import nn
from train.detection import tiny_detection as tiny

from fdsl.train.detection import coco_scores

pytest.importorskip("pycocotools")


@pytest.fixture(scope="module")
def test_part(tmp_path_factory):
    return tiny.parts(
        tmp_path_factory.mktemp("judged"), test_images=25, size_px=(60, 120), object_px=(16, 60)
    )[1]


def invented(source, seed):
    """Return detections near the objects: some moved, some of another category, some twice, some of
    nothing.
    """
    rng = np.random.default_rng(seed)
    found = []
    for index in range(len(source)):
        scene = source[index]
        for label, mask in zip(scene.labels, scene.masks, strict=True):
            for _ in range(rng.integers(0, 3)):
                moved = np.roll(mask, rng.integers(-4, 5, 2), (0, 1))
                named = 1 - label if rng.random() < 0.3 else label
                found.append(
                    detection(source, scene.image_id, named, moved, rng.integers(0, 11) / 10)
                )
        noise = np.zeros_like(scene.masks[0])
        noise[5:20, 5:25] = 1
        found.append(detection(source, scene.image_id, 0, noise, rng.integers(0, 11) / 10))
    return found


def detection(source, number, label, mask, score):
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    box = [columns[0], rows[0], columns[-1] + 1 - columns[0], rows[-1] + 1 - rows[0]]
    return {
        "image_id": number,
        "category_id": int(source.category_ids[label]),
        "bbox": [float(x) + 0.3 for x in box],
        "segmentation": coco_scores.run_lengths(mask[None])[0],
        "score": float(score),
    }


def of_pycocotools(source, detections, kind):
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    unused = {"bbox": "segmentation", "segm": "bbox"}[kind]
    alone = [{k: v for k, v in each.items() if k != unused} for each in detections]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(source.annotations)
        judged = COCOeval(truth, truth.loadRes(alone), kind)
        judged.evaluate()
        judged.accumulate()
        judged.summarize()
    return coco_scores.twelve(judged.stats)


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # of pycocotools
@pytest.mark.parametrize("seed", [0, 1])
def test_the_numbers_are_those_of_pycocotools(test_part, seed):
    detections = invented(test_part, seed)
    ours = coco_scores.score(test_part.annotations, detections)
    assert ours["images"] == 25
    for part, kind in (("box", "bbox"), ("mask", "segm")):
        theirs = of_pycocotools(test_part, detections, kind)
        # means of the same numbers, added up in another order
        assert {name: x for name, x in ours[part].items() if x is None} == {
            name: x for name, x in theirs.items() if x is None
        }
        measured = {name: x for name, x in theirs.items() if x is not None}
        assert len(measured) == 10
        for name, x in measured.items():
            assert ours[part][name] == pytest.approx(x, rel=1e-13, abs=0), name
        assert 5 < ours[part]["ap"] < ours[part]["ap50"] < 95
        assert ours[part]["ap_small"] != ours[part]["ap_medium"]
        assert ours[part]["ap_large"] is None  # no object is that large
    assert ours["box"] != ours["mask"]


def test_the_truth_itself_is_perfect_and_nothing_is_worth_nothing(test_part):
    perfect = []
    for index in range(len(test_part)):
        scene = test_part[index]
        perfect += [
            detection(test_part, scene.image_id, label, mask, 1.0)
            for label, mask in zip(scene.labels, scene.masks, strict=True)
        ]
    for each in perfect:
        each["bbox"] = [x - 0.3 for x in each["bbox"]]
    found = coco_scores.score(test_part.annotations, perfect)
    assert found["box"]["ap"] == pytest.approx(100)
    assert found["mask"]["ap"] == pytest.approx(100)
    nothing = coco_scores.score(test_part.annotations, [])
    assert nothing["box"]["ap"] == nothing["mask"]["ap50"] == 0
    assert nothing["images"] == 25


class Oracle(nn.Module):
    """Gives the truth of pictures that it knows by their pixels."""

    def __init__(self, source, scale=1.0):
        super().__init__()
        self.known = {source[k].image[:, :, 0].tobytes(): source[k] for k in range(len(source))}
        self.scale = scale

    def forward(self, images):
        scenes = [self.known[image[0].numpy().tobytes()] for image in images]
        return [
            {
                "boxes": torch.from_numpy(s.boxes) * self.scale,
                "labels": torch.from_numpy(s.labels + 1),
                "scores": torch.ones(len(s.labels)),
                "masks": torch.from_numpy(s.masks)[:, None].float(),
            }
            for s in scenes
        ]


def batches(source, *slices):
    from fdsl.train.detection.scenes import TestScenes

    scenes = TestScenes(source, channels=1)
    return [scenes.__getitems__(part) for part in slices]


def judged(source, model, *slices):
    return coco_scores.detect(
        model, batches(source, *slices), source, device=torch.device("cpu"), precision="fp32"
    )


def test_a_network_that_knows_the_truth_is_perfect(test_part):
    found = judged(test_part, Oracle(test_part), range(7), range(7, 25))
    numbers = coco_scores.score(test_part.annotations, found)
    assert numbers["box"]["ap"] == pytest.approx(100)
    assert numbers["mask"]["ap"] == pytest.approx(100)


@pytest.mark.parametrize("slices", [[range(24)], [range(25), range(3)]])
def test_pictures_that_are_left_out_or_come_twice_are_refused(test_part, slices):
    with pytest.raises(RuntimeError, match="of 25: some are left out or come twice"):
        judged(test_part, Oracle(test_part), *slices)


def test_a_box_that_is_not_finite_is_refused(test_part):
    with pytest.raises(RuntimeError, match="not finite"):
        judged(test_part, Oracle(test_part, scale=float("nan")), range(25))

"""COCO's twelve numbers for boxes and for masks, over every test image once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from fdsl.datasets.readers.coco import CocoImages
from fdsl.train.detection.scenes import SceneBatch
from fdsl.train.evaluate import autocast

# in the order in which COCO's evaluation lists them
NAMES = (
    *("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large"),
    *("ar1", "ar10", "ar100", "ar_small", "ar_medium", "ar_large"),
)
MASK_THRESHOLD = 0.5  # torchvision's masks are probabilities

Kind = Literal["bbox", "segm"]
Detected = dict[str, Any]


@torch.no_grad()
def detect(
    model: nn.Module,
    batches: Iterable[SceneBatch],
    source: CocoImages,
    *,
    device: torch.device,
    precision: str,
) -> list[Detected]:
    """Return the detections in all images, in COCO's format: `bbox`, `segmentation`, `score`.

    Parameters
    ----------
    model
        A `Detector`; its mode is restored.
    batches
        Every image of the source once, in any order.
    source
        Gives the ids of images and categories.
    device, precision
        Where and how the model computes.

    Raises
    ------
    RuntimeError
        If an image is left out or comes twice, or a score or box is not finite.
    """
    training = model.training
    model.eval()
    found: list[Detected] = []
    seen: list[int] = []
    for batch in batches:
        with autocast(device, precision):
            outputs = model([image.to(device) for image in batch.images])
        for number, output in zip(batch.numbers.tolist(), outputs, strict=True):
            seen.append(number)
            found += _described(output, number, source)
    model.train(training)
    if sorted(seen) != source.image_ids.tolist():
        raise RuntimeError(
            f"tested {len(seen)} images, {len(set(seen))} different ones of {len(source)}: some"
            " are left out or come twice"
        )
    return found


def score(annotations: str | Path, detections: Sequence[Detected]) -> dict[str, Any]:
    """Return COCO's numbers in percent, by faster-coco-eval.

    Parameters
    ----------
    annotations
        The file of COCO instances whose images were all tested, with its crowds, which are
        neither correct nor wrong.
    detections
        From `detect`.

    Returns
    -------
    dict
        `images`, the number of images, and for `box` and `mask` each the twelve `NAMES`, 0 to
        100; None where no object is of that size.
    """
    from faster_coco_eval import COCO

    truth = COCO(str(annotations))
    return {
        "images": len(truth.imgs),
        "box": _numbers(truth, detections, "bbox"),
        "mask": _numbers(truth, detections, "segm"),
    }


def twelve(stats: ArrayLike) -> dict[str, float | None]:
    """Return COCO's statistics, shares with -1 for undefined, as percentages by name."""
    values = np.asarray(stats, np.float64)[: len(NAMES)].tolist()
    return {
        name: None if value < 0 else 100 * value for name, value in zip(NAMES, values, strict=True)
    }


def for_kind(detections: Sequence[Detected], kind: Kind) -> list[Detected]:
    """Return the detections with boxes or with masks alone.

    COCO would take the area of a mask from its box.
    """
    other = "segmentation" if kind == "bbox" else "bbox"
    return [{k: v for k, v in each.items() if k != other} for each in detections]


def run_lengths(masks: NDArray[np.uint8]) -> list[dict[str, Any]]:
    """Return masks uint8 (n, H, W) of 0 and 1 as compressed run lengths with text `counts`."""
    from pycocotools import mask

    codes = mask.encode(np.asfortranarray(masks.transpose(1, 2, 0)))
    return [{"size": each["size"], "counts": each["counts"].decode()} for each in codes]


def _described(output: dict[str, Tensor], number: int, source: CocoImages) -> list[Detected]:
    """Return the detections in one image."""
    boxes, scores = output["boxes"].double().cpu().numpy(), output["scores"].double().cpu().numpy()
    if not (np.isfinite(boxes).all() and np.isfinite(scores).all()):
        raise RuntimeError(
            f"a box or score in image {number} is not finite: the network's weights have diverged"
        )
    if not len(boxes):
        return []
    masks = (output["masks"][:, 0] > MASK_THRESHOLD).byte().cpu().numpy()
    categories = source.category_ids[output["labels"].cpu().numpy() - 1].tolist()
    corners = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1).tolist()
    parts = zip(categories, corners, scores.tolist(), run_lengths(masks), strict=True)
    return [
        {"image_id": number, "category_id": c, "bbox": b, "score": s, "segmentation": m}
        for c, b, s, m in parts
    ]


def _numbers(truth: Any, detections: Sequence[Detected], kind: Kind) -> dict[str, float | None]:
    from faster_coco_eval import COCOeval_faster

    evaluation = COCOeval_faster(truth, truth.loadRes(for_kind(detections, kind)), kind)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return twelve(evaluation.stats)

"""A dataset in COCO's format, a network and a recipe for a detection training of seconds."""

import json

import numpy as np

from fdsl.datasets import compose
from fdsl.datasets.downstream import load
from fdsl.schema.catalogue import Composition, DownstreamDataset, ModelEntry
from fdsl.schema.detection import DetectionRecipe
from fdsl.train import Devices
from fdsl.train.detection.detect import detect as run_detection
from fdsl.train.detection.objective import DetectionTask

ENTRY = ModelEntry(
    title="tiny",
    timm="vit_tiny_patch16_224",
    arguments={"patch_size": 8, "embed_dim": 32, "depth": 2, "num_heads": 2, "in_chans": 1},
)


class Shapes:
    """`n` pictures, 12 × 12, of 2 kinds: a square and a cross."""

    classes = 2

    def __init__(self, n):
        self.labels = np.arange(n, dtype=np.int64) % self.classes

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        image = np.zeros((12, 12), np.uint8)
        bright = 100 + 3 * (index % 50)
        if self.labels[index]:
            image[5:7] = image[:, 5:7] = bright
        else:
            image[1:11, 1:11] = bright
        return image, int(self.labels[index])


def composition(**changes):
    values = {
        "sources": {"shapes": ["train"]},
        "train_share": 0.5,
        "train_images": 12,
        "test_images": 6,
        "size_px": (32, 40),
        "objects": (1, 3),
        "object_px": (10, 16),
        "foreground_level": 60,
        "background_level": 40,
        "min_visible": 0.5,
        "seed": 0,
    }
    return Composition(**(values | changes))


def entry(made):
    return DownstreamDataset(
        title="shapes on canvases",
        column="Shapes",
        loader="coco",
        folder="shapes_on_canvases",
        parts={"train": "train", "test": "val"},
        classes=2,
        train_images=made.train_images,
        test_images=made.test_images,
        composed=made,
        layout="",
        fetchable=False,
        licence="ours",
        how_to_get="compose",
    )


def write(root, **changes):
    """Compose the dataset below `root` and return its catalogue entry."""
    made = composition(**changes)
    known = compose.categories(made, {"shapes": [Shapes(40)]})
    described = entry(made)
    compose.write(root / described.folder, made, known, names=described.parts)
    return described


def parts(root, **changes):
    """Return the training and the test part of the dataset."""
    described = write(root, **changes)
    return tuple(load(described, root, split=part) for part in ("train", "test"))


def recipe(**changes):
    values = {
        "model": "tiny",
        "image_size_px": 32,
        "short_sides_px": (32, 40),
        "long_side_px": 64,
        "horizontal_flip": 0.5,
        "strides": (4, 8),
        "pyramid_channels": 8,
        "anchor_scale": 3.0,
        "anchor_ratios": (1.0,),
        "proposals_train": 20,
        "proposals_test": 20,
        "anchor_samples": 16,
        "box_samples": 16,
        "box_head_channels": 16,
        "mask_head_channels": 8,
        "mask_head_layers": 1,
        "detections": 5,
        "score_threshold": 0.0,
        "epochs": 2,
        "cooldown_epochs": 0,
        "global_batch": 4,
        "optimizer": "adamw",
        "lr": 2e-3,
        "weight_decay": 0.05,
        "momentum": 0.9,
        "layer_decay": None,
        "schedule": "cosine",
        "milestones": (),
        "gamma": None,
        "warmup_epochs": 0.3,
        "warmup_lr": 1e-5,
        "min_lr": 1e-5,
        "clip_norm": 1.0,
        "drop_path": 0.2,
        "ema_decay": None,
        "mean": 0.5,
        "std": 0.5,
        "precision": "fp32",
    }
    return DetectionRecipe(**(values | changes))


def detect(folder, data, *, devices=None, **changes):
    """Train and test a detector in `folder`, from scratch by default."""
    train, test = data
    values = {
        "kind": "detect",
        "run": "scratch-tiny-shapes-s3",
        "scale": "laptop",
        "seed": 3,
        "pretraining": "scratch",
        "dataset": "shapes",
        "recipe": recipe(),
        "model": ENTRY,
        "train": train,
        "test": test,
        "classes": 2,
        "record": folder / "record.json",
        "checkpoints": folder / "checkpoints",
        "code": "abc",
        "inputs": {"manifest.json": "0" * 64},
        "environment": {"python": "3"},
        "devices": Devices(device="cpu", **(devices or {})),
    }
    run_detection(DetectionTask(**(values | changes)))
    return json.loads((folder / "record.json").read_text())

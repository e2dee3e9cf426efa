"""A source, a network and a recipe on which a training takes a second; also for processes that a
test starts.
"""

import numpy as np

from fdsl.schema.catalogue import ModelEntry, SyntheticDataset
from fdsl.schema.recipe import Augmentation, Dino, Recipe, Views
from fdsl.train import Devices
from fdsl.train.classification import classification
from fdsl.train.finetune import finetune as run_finetuning
from fdsl.train.model_card import CardText
from fdsl.train.pretrain import pretrain as run_pretraining
from fdsl.train.task import ClassificationTask

ENTRY = ModelEntry(
    title="tiny",
    timm="vit_tiny_patch16_224",
    arguments={"patch_size": 8, "embed_dim": 32, "depth": 2, "num_heads": 2, "in_chans": 1},
    source="ours",
)

CARD = CardText(
    title="Stripes",
    source="ours",
    synthetic=SyntheticDataset(
        title="Stripes",
        formula="stripes",
        classes=4,
        instances=13,
        settings={"image_size_px": 16, "step": 4},
    ),
    image_seed=7,
    terms=None,
    model_title="tiny",
    banner="tiny scale: seconds",
    scale_title="tiny scale",
    comparable=False,
)


class Images:
    """`n` pictures, 16 × 16, of 4 kinds that a network can learn to tell apart."""

    classes = 4

    def __init__(self, n, *, colour=False, shift=0):
        self.labels = np.arange(n, dtype=np.int64) % self.classes
        self.colour, self.shift = colour, shift

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        label = int(self.labels[index])
        image = np.random.default_rng(index + self.shift).integers(0, 80, (16, 16), dtype=np.uint8)
        image[:, label::4] += 150
        return (np.stack([image] * 3, axis=-1) if self.colour else image), label


class Mixtures:
    """`n` pictures, 16 × 16, that each show one or two of 4 kinds, and of which some answers are
    unknown.
    """

    classes = 4

    def __init__(self, n, *, shift=0):
        first, second = np.arange(n) % 4, (np.arange(n) // 4 + shift) % 4
        self.labels = np.zeros((n, 4), np.int64)
        self.labels[np.arange(n), first] = self.labels[np.arange(n), second] = 1
        self.shown = self.labels == 1
        self.labels[np.arange(n) % 5 == 4, 0] = -1
        self.shift = shift

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        image = np.random.default_rng(index + self.shift).integers(0, 80, (16, 16), dtype=np.uint8)
        for label in np.flatnonzero(self.shown[index]):
            image[:, label::4] += 150
        return image, self.labels[index].copy()


def recipe(**changes):
    """Return a plain recipe with some changes, also of its augmentation."""
    augmentation = {
        "crop": "none",
        "crop_scale": (0.5, 1.0),
        "crop_ratio": (0.75, 1.3333),
        "shift_px": 2,
        "horizontal_flip": 0.0,
        "vertical_flip": 0.0,
        "rand_augment": None,
        "random_erasing": 0.0,
        "mixup": 0.0,
        "cutmix": 0.0,
        "mix_images": None,
        "erase_after_mixing": False,
        "repeated_aug": 1,
        "one_per_category": False,
        "ofdb": (),
    }
    values = {
        "model": "tiny",
        "image_size_px": 16,
        "epochs": 4,
        "cooldown_epochs": 0,
        "global_batch": 16,
        "optimizer": "adamw",
        "lr": 2e-3,
        "weight_decay": 0.05,
        "momentum": 0.9,
        "layer_decay": None,
        "schedule": "cosine",
        "milestones": (),
        "gamma": None,
        "warmup_epochs": 0.5,
        "warmup_lr": 1e-5,
        "min_lr": 1e-5,
        "clip_norm": None,
        "label_smoothing": 0.1,
        "drop_path": 0.0,
        "ema_decay": None,
        "mean": 0.5,
        "std": 0.5,
        "precision": "fp32",
    }
    augmentation |= {name: changes.pop(name) for name in list(changes) if name in augmentation}
    return Recipe(**(values | changes), augmentation=Augmentation(**augmentation))


def everything_random(**changes):
    """Return a recipe with all that draws random numbers or carries state between updates."""
    values = {
        "mixup": 0.8,
        "cutmix": 1.0,
        "mix_images": 6,
        "random_erasing": 0.25,
        "crop": "pad_and_shift",
        "rand_augment": "rand-m5-mstd0.5",
        "horizontal_flip": 0.5,
        "repeated_aug": 3,
        "drop_path": 0.3,
        "layer_decay": 0.7,
        "ema_decay": 0.9,
        "clip_norm": 1.0,
    }
    return recipe(**(values | changes))


def dino_recipe(*, views=None, **changes):
    """Return a recipe for self-supervised training, with all that draws random numbers or carries
    state between updates.
    """
    looks = {
        "local_crops": 2,
        "local_size_px": 8,
        "local_scale": (0.1, 0.4),
        "jitter": 0.8,
        "brightness": 0.4,
        "contrast": 0.4,
        "saturation": 0.2,
        "hue": 0.1,
        "gray": 0.2,
        "blur": (1.0, 0.1, 0.5),
        "blur_radius_px": (0.1, 1.0),
        "solarize": 0.2,
    }
    settings = {
        "out_dim": 16,
        "hidden_dim": 24,
        "bottleneck_dim": 8,
        "norm_last_layer": True,
        "freeze_last_layer_epochs": 1,
        "teacher_momentum": 0.9,
        "teacher_momentum_end": 1.0,
        "teacher_temperature_start": 0.04,
        "teacher_temperature": 0.07,
        "teacher_temperature_warmup_epochs": 3,
        "student_temperature": 0.1,
        "center_momentum": 0.9,
        "weight_decay_end": 0.4,
        "clip_each": True,
    }
    settings |= {name: changes.pop(name) for name in list(changes) if name in settings}
    values = {
        "crop": "random_resized",
        "crop_scale": (0.4, 1.0),
        "horizontal_flip": 0.5,
        "label_smoothing": 0.0,
        "drop_path": 0.1,
        "clip_norm": 3.0,
        "objective": "dino",
    }
    section = Dino(**settings, views=Views(**(looks | (views or {}))))
    return recipe(**(values | changes), dino=section)


def _task(folder, *, devices=None, **values):
    shared = {
        "scale": "laptop",
        "seed": 3,
        "model": ENTRY,
        "classes": 4,
        "dataset": "stripes",
        "record": folder / "record.json",
        "checkpoints": folder / "checkpoints",
        "code": "abc",
        "inputs": {"shard-0.arrow": "0" * 64},
        "environment": {"python": "3"},
        "devices": Devices(device="cpu", **(devices or {})),
    }
    return ClassificationTask(**(shared | values))


def pretrain(folder, *, images=None, card=CARD, objective=classification, **changes):
    """Pre-train in `folder`."""
    values = {
        "kind": "pretrain",
        "run": "stripes-tiny-s3",
        "pretraining": "stripes",
        "train": Images(50) if images is None else images,
    }
    task = _task(folder, **(values | changes))
    run_pretraining(task, out=folder / "model.safetensors", card=card, objective=objective)


def pretrain_dino(folder, **changes):
    """Pre-train without labels in `folder`."""
    from fdsl.train.dino import SelfDistillation

    pretrain(folder, **({"classes": 0, "objective": SelfDistillation} | changes))


def finetune(folder, **changes):
    """Fine-tune in `folder`, by default from scratch."""
    values = {
        "kind": "finetune",
        "run": "scratch-stripes-tiny-s3",
        "pretraining": "scratch",
        "train": Images(50),
        "test": Images(27, shift=1000),
    }
    run_finetuning(_task(folder, **(values | changes)), out=folder / "model.safetensors")

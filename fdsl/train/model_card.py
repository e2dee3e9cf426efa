"""The files beside `model.safetensors`: timm's `config.json`, and README.md, the model card.

Both hold what decides the weights, and nothing of when and where they were made: equal trainings
leave equal bytes. `timm.create_model("local-dir:FOLDER", pretrained=True)` makes the network,
`num_classes=10` gives it a fresh head.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from torch import nn

from fdsl.augment.crop import EVAL_CROP, evaluated_share
from fdsl.augment.mixup_cutmix import EPSILON
from fdsl.io import storage
from fdsl.io.escaping import escape_markdown, printable
from fdsl.schema.catalogue import ModelEntry, PublishedWeights, SyntheticDataset
from fdsl.schema.recipe import Preparation, Recipe
from fdsl.train import models
from fdsl.train.task import ClassificationTask

CONFIG, CARD = "config.json", "README.md"
MIT = "mit"
PAGE = """\
---
library_name: timm
license: {hub_licence}
tags:
- image-classification
- formula-driven-supervised-learning
---

# {title}

> {banner}

{body}

## Licence

{licence}
"""
FORMULA_DRIVEN = """\
- The classes are categories of formulas, so the head means nothing for real images. Use the
  network as a start for fine-tuning or as features, with a fresh head."""
TRAINING_LOSS = """\
- The loss above is that of training images. Nothing here was tested; records of fine-tunings are
  beside the tables."""
PROVENANCE = """\
`record.json` beside this file holds the digests of the images that were read, the versions and the
machine; `model.safetensors` repeats what decided the weights in its metadata."""
LOAD = """\
```python
import timm

# with the head that it was trained with, or with a fresh one of 10 classes
network = timm.create_model("local-dir:FOLDER", pretrained=True)
network = timm.create_model("local-dir:FOLDER", pretrained=True, num_classes=10)
transform = timm.data.create_transform(**timm.data.resolve_model_data_config(network))
```

`FOLDER` is the path to this folder. The network takes {channels} of {side} × {side} px, from
pixels in [0, 1] as {formula}{gray}."""
PER_IMAGE = (
    f"(pixel - mean) / (std + {EPSILON}), with mean and standard deviation of each image over all"
    " its channels, which `transform` leaves to you"
)


@dataclass(frozen=True, kw_only=True)
class CardText:
    """What a card says of images, network and scale; decides nothing.

    Attributes
    ----------
    title, source
        Of the images.
    synthetic, image_seed
        The synthetic dataset with all settings; None for real images. Its root seed.
    terms
        Licence of real images; None for a synthetic dataset.
    model_title
        Of the network.
    banner, scale_title, comparable
        Of the scale.
    """

    title: str
    source: str
    synthetic: SyntheticDataset | None
    image_seed: int
    terms: str | None
    model_title: str
    banner: str
    scale_title: str
    comparable: bool


def config(
    network: nn.Module, *, entry: ModelEntry, images: Preparation | PublishedWeights, licence: str
) -> dict[str, Any]:
    """Return timm's description of a network for `config.json`, in its hub format.

    Parameters
    ----------
    network
        Made by `models.build` from `entry`.
    images
        Gives `image_size_px`, `mean` and `std` of the network's images; timm knows no
        normalisation of each image by itself, for which 0 and 1 stand.
    licence
        Of the weights.
    """
    channels, side = models.channels(entry), images.image_size_px
    share = evaluated_share(images) if isinstance(images, Preparation) else EVAL_CROP
    made = cast("Any", network)
    mean, std = (0.0, 1.0) if _per_image(images) else (images.mean, images.std)
    arguments = models.arguments(entry, side)
    return {
        "architecture": entry.timm,
        "num_classes": made.num_classes,
        "num_features": made.num_features,
        **({"model_args": arguments} if arguments else {}),
        "pretrained_cfg": {
            "input_size": [channels, side, side],
            "fixed_input_size": bool(made.pretrained_cfg.get("fixed_input_size", False)),
            "interpolation": "bicubic",
            "crop_pct": share,
            "crop_mode": "center",
            "mean": mean if isinstance(mean, tuple) else [mean] * channels,
            "std": std if isinstance(std, tuple) else [std] * channels,
            "num_classes": made.num_classes,
            "pool_size": None,
            "first_conv": made.pretrained_cfg.get("first_conv"),
            "classifier": made.pretrained_cfg["classifier"],
            "license": licence,
        },
    }


def _per_image(images: Preparation | PublishedWeights) -> bool:
    return isinstance(images, Preparation) and images.normalisation == "per_image"


def write(folder: str | Path, *, config: Mapping[str, Any], card: str) -> list[Path]:
    """Write both files, each atomically, and return their paths."""
    files = [Path(folder) / CONFIG, Path(folder) / CARD]
    storage.write_text(files[1], card)
    storage.write_json(files[0], dict(config))
    return files


def write_for(
    task: ClassificationTask,
    network: nn.Module,
    result: Mapping[str, Any],
    *,
    text: CardText,
    folder: Path,
) -> list[Path]:
    """Write both files of a finished pre-training and return their paths.

    Parameters
    ----------
    network, result
        What was trained, and the `result` of its record.
    folder
        Of `model.safetensors`.
    """
    licence = MIT if text.terms is None else f"the images' terms apply: {text.terms}"
    about = config(network, entry=task.model, images=task.recipe, licence=licence)
    card = page(
        title=f"{text.model_title}, pre-trained on {text.title}",
        banner=text.banner,
        licence=licence,
        parts={
            "What it was pre-trained on": _data(task, text, result),
            "Training": _training(task, text, result),
            "Limits": _limits(text),
            "Where it comes from": PROVENANCE,
        },
        about=about,
        per_image=_per_image(task.recipe),
    )
    return write(folder, config=about, card=card)


class InlineCode(str):
    """A value of a model card that is set as code, such as a file name."""

    __slots__ = ()


def page(
    *,
    title: str,
    banner: str,
    licence: str,
    parts: Mapping[str, str],
    about: Mapping[str, Any],
    per_image: bool = False,
) -> str:
    """Return a model card: YAML for the hubs, title, banner, parts, how to load, licence.

    Parameters
    ----------
    title, banner
        Plain text.
    licence
        An identifier such as "mit", or a sentence.
    parts
        Markdown by heading.
    about
        What `config` returned.
    per_image
        Whether each image is normalised by its own mean and standard deviation.
    """
    cfg = about["pretrained_cfg"]
    channels, side, _ = cfg["input_size"]
    mean, std = (", ".join(map(str, cfg[name])) for name in ("mean", "std"))
    load = LOAD.format(
        channels="gray images" if channels == 1 else f"images of {channels} channels",
        side=side,
        formula=PER_IMAGE if per_image else f"(pixel - {mean}) / {std}",
        gray=" (convert colour images first)" if channels == 1 else "",
    )
    sections = {**parts, "How to load it": load}
    ours = licence == MIT
    return PAGE.format(
        hub_licence=MIT if ours else "other",
        title=escape_markdown(title),
        banner=escape_markdown(banner),
        body="\n\n".join(f"## {name}\n\n{text}" for name, text in sections.items()),
        licence="MIT, like the code that made it." if ours else escape_markdown(licence),
    )


def table(rows: Mapping[str, Any]) -> str:
    """Return a Markdown table of names and values, which are plain text, or `InlineCode`."""
    lines = [f"| {escape_markdown(name)} | {_cell(value)} |" for name, value in rows.items()]
    return "\n".join(["| | |", "|---|---|", *lines])


def _cell(value: Any) -> str:
    """Return a value of a table; code has no escapes, so what would end it is left out."""
    if not isinstance(value, InlineCode):
        return escape_markdown(str(value))
    return f"`{' '.join(printable(re.sub(r'[`|]', '', value)).split())}`"


def _data(task: ClassificationTask, text: CardText, result: Mapping[str, Any]) -> str:
    labels = f"{task.classes:,} classes" if task.classes else "without their labels"
    rows: dict[str, Any] = {
        "Images": f"{text.title} ({task.dataset}), {labels}, {result['train_images']:,} images",
        "Published sizes and settings": text.source or "not stated",
    }
    drawn = text.synthetic
    if drawn is None:
        return table(rows)
    rows["Formula"] = f"{drawn.formula}, {drawn.instances:,} images of each category"
    if drawn.spread_over is not None:
        rows["Formula"] += f", evenly from {drawn.spread_over:,}"
    if drawn.reduce is not None:
        zoom, side = drawn.reduce.zoom, drawn.reduce.to_px
        rows["Drawn images"] = f"central 1/{zoom}, averaged to {side} px"
    rows["Root seed of the images"] = text.image_seed
    return f"{table(rows)}\n\nParameters of the formula:\n\n{_json(drawn.settings)}"


def _training(task: ClassificationTask, text: CardText, result: Mapping[str, Any]) -> str:
    recipe = task.recipe
    counted = "Views on which student and teacher agree"
    rows = {
        "Network": f"{text.model_title} ({task.model.timm} of timm)",
        "Weights": _which_weights(recipe),
        "Updates": f"{result['steps']:,} of {recipe.global_batch:,} images",
        "Loss of the last epoch": f"{result['final_loss']:.4g}",
        counted if recipe.dino else "Correct on augmented training images": (
            f"{result['training_correct']:,} of {result['training_images']:,}"
        ),
        "Seed": task.seed,
        "Digest of the code": InlineCode(task.code),
    }
    values = recipe.model_dump(mode="json")
    augmentation, dino = values.pop("augmentation"), values.pop("dino")
    tables = {"Recipe": table(values), "Augmentation": table(augmentation)}
    if dino:
        tables["Self-distillation"] = _json(dino)
    return "\n\n".join([table(rows), *(f"{name}:\n\n{part}" for name, part in tables.items())])


def _which_weights(recipe: Recipe) -> str:
    if recipe.dino is not None:
        return "of the teacher, without a head"
    decay = recipe.ema_decay
    return f"moving average, decay {decay}" if decay else "after the last update"


def _limits(text: CardText) -> str:
    limits = [TRAINING_LOSS, *([] if text.synthetic is None else [FORMULA_DRIVEN])]
    if not text.comparable:
        title = escape_markdown(text.scale_title)
        limits.append(f"- {title}: not for comparison with published numbers.")
    return "\n".join(limits)


def _json(content: Mapping[str, Any]) -> str:
    return f"```json\n{json.dumps(dict(content), indent=2, sort_keys=True)}\n```"

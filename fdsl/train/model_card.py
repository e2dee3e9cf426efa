"""What stands beside `model.safetensors` so that others can use it: timm's `config.json`, and
README.md, the model card.

Both hold what decides the weights, and nothing of when and where they were made: equal trainings
leave equal bytes. `timm.create_model("local-dir:FOLDER", pretrained=True)` makes the network,
`num_classes=10` gives it a fresh head.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from fdsl.augment.crop import MARGIN, SMALL_PX
from fdsl.io import storage
from fdsl.io.escaping import escape_markdown, printable
from fdsl.schema.catalogue import ModelEntry
from fdsl.schema.recipe import Recipe
from fdsl.train import models
from fdsl.train.task import Origin, Task

CONFIG, CARD = "config.json", "README.md"
MIT = "mit"
FORMULA_DRIVEN = """\
The classes are categories of formulas, so the head means nothing for real images. Use the network as a start for
fine-tuning or as features, with a fresh head.\
"""
LOAD = """\
```python
import timm

network = timm.create_model("local-dir:{folder}", pretrained=True)  # with the head that it was trained with
network = timm.create_model("local-dir:{folder}", pretrained=True, num_classes=10)  # with a fresh head of 10 classes
transform = timm.data.create_transform(**timm.data.resolve_model_data_config(network))
```

`{folder}` is the path to this folder. The network takes {channels} of {side} × {side} px, from pixels in [0, 1] as
(pixel - {mean}) / {std}{gray}.\
"""


def config(
    network: nn.Module,
    *,
    entry: ModelEntry,
    image_size_px: int,
    mean: float | tuple[float, float, float],
    std: float | tuple[float, float, float],
    licence: str,
) -> dict[str, Any]:
    """Return timm's description of a network, as its hub format holds it in `config.json`.

    Parameters
    ----------
    network
        Made by `models.build` from `entry`.
    entry, image_size_px
        What it was made from.
    mean, std
        Normalisation of pixels in [0, 1], one value or one per channel.
    licence
        Of the weights.
    """
    channels = models.channels(entry)
    theirs = network.pretrained_cfg
    found: dict[str, Any] = {
        "architecture": entry.timm,
        "num_classes": network.num_classes,
        "num_features": network.num_features,
    }
    arguments = models.arguments(entry, image_size_px)
    if arguments:
        found["model_args"] = arguments
    found["pretrained_cfg"] = {
        "input_size": [channels, image_size_px, image_size_px],
        "fixed_input_size": bool(theirs.get("fixed_input_size", False)),
        "interpolation": "bicubic",
        "crop_pct": 1 / MARGIN if image_size_px >= SMALL_PX else 1.0,
        "crop_mode": "center",
        "mean": _per_channel(mean, channels),
        "std": _per_channel(std, channels),
        "num_classes": network.num_classes,
        "pool_size": None,
        "first_conv": theirs.get("first_conv"),
        "classifier": theirs["classifier"],
        "license": licence,
    }
    return found


def write(folder: str | Path, *, config: Mapping[str, Any], card: str) -> None:
    """Write both files, each whole or not at all."""
    storage.write_text(Path(folder) / CARD, card)
    storage.write_json(Path(folder) / CONFIG, dict(config))


def leave(task: Task, network: nn.Module, result: Mapping[str, Any], *, folder: Path) -> None:
    """Write both files for a finished pre-training.

    Parameters
    ----------
    task
        A pre-training; its `origin` says what the images are.
    network
        What was trained.
    result
        Of the record.
    folder
        Where `model.safetensors` lies.
    """
    if task.origin is None:
        raise ValueError(f"{task.run}: a model card needs the origin of the images")
    about = config(
        network,
        entry=task.model,
        image_size_px=task.recipe.image_size_px,
        mean=task.recipe.mean,
        std=task.recipe.std,
        licence=_licence(task.origin),
    )
    write(folder, config=about, card=_of_pretraining(task, task.origin, about, result))


class Code(str):
    """A value of a model card that is set as code, such as a file name."""

    __slots__ = ()


def page(
    *, title: str, banner: str, licence: str, parts: Mapping[str, str], about: Mapping[str, Any]
) -> str:
    """Return a model card: YAML for the hubs, title, banner, parts under headings, how to load,
    licence.

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
    """
    known = MIT if licence == MIT else "other"
    head = (
        f"---\nlibrary_name: timm\nlicense: {known}\ntags:\n- image-classification\n-"
        " formula-driven-supervised-learning\n---\n"
    )
    sections = {**parts, "How to load it": _how_to_load(about)}
    body = "\n\n".join(f"## {name}\n\n{text}" for name, text in sections.items())
    says = "MIT, like the code that made it." if licence == MIT else escape_markdown(licence)
    return (
        f"{head}\n# {escape_markdown(title)}\n\n> {escape_markdown(banner)}\n\n{body}"
        f"\n\n## Licence\n\n{says}\n"
    )


def table(rows: Mapping[str, Any]) -> str:
    """Return a Markdown table of names and values, which are plain text, or `Code`."""
    lines = [f"| {escape_markdown(name)} | {_cell(value)} |" for name, value in rows.items()]
    return "\n".join(["| | |", "|---|---|", *lines])


def _cell(value: Any) -> str:
    """Return a value of a table; code has no escapes, so what would end it is left out."""
    if not isinstance(value, Code):
        return escape_markdown(str(value))
    return f"`{' '.join(printable(re.sub(r'[`|]', '', value)).split())}`"


def _of_pretraining(
    task: Task, origin: Origin, about: Mapping[str, Any], result: Mapping[str, Any]
) -> str:
    """Return the card of a pre-training of this workflow."""
    recipe = task.recipe
    labels = f"{task.classes:,} classes" if task.classes else "without their labels"
    data = {
        "Images": f"{origin.title} ({task.dataset}), {labels}, {result['train_images']:,} images",
        "Published sizes and settings": origin.source or "not stated",
    }
    limits = [
        "- The loss above is that of training images. Nothing here was tested; records of"
        " fine-tunings are beside the tables."
    ]
    parameters = ""
    if origin.drawn is not None:
        data |= {
            "Formula": (
                f"{origin.drawn.formula}, {origin.drawn.instances:,} images of each category"
            ),
            "Root seed of the images": origin.drawn.seed,
        }
        parameters = f"\n\nParameters of the formula:\n\n{_json(origin.drawn.settings)}"
        limits.append(f"- {FORMULA_DRIVEN}".replace("\n", "\n  "))
    if not origin.comparable:
        limits.append(
            f"- {escape_markdown(origin.scale_title)}: not for comparison with published numbers."
        )
    training = {
        "Network": f"{origin.model_title} ({task.model.timm} of timm)",
        "Weights": _which_weights(recipe),
        "Updates": f"{result['steps']:,} of {recipe.global_batch:,} images",
        "Loss of the last epoch": f"{result['final_loss']:.4g}",
        (
            "Views that student and teacher answer alike"
            if recipe.dino
            else "Right on augmented training images"
        ): f"{result['training_correct']:,} of {result['training_images']:,}",
        "Seed": task.seed,
        "Digest of the code": Code(task.code),
    }
    values = recipe.model_dump(mode="json")
    augmentation = values.pop("augmentation")
    dino = (
        f"\n\nSelf-distillation:\n\n{_json(settings)}" if (settings := values.pop("dino")) else ""
    )
    return page(
        title=f"{origin.model_title}, pre-trained on {origin.title}",
        banner=origin.banner,
        licence=_licence(origin),
        parts={
            "What it was pre-trained on": f"{table(data)}{parameters}",
            "Training": (
                f"{table(training)}\n\nRecipe:\n\n{table(values)}\n\nAugmentation:\n\n{table(augmentation)}{dino}"
            ),
            "Limits": "\n".join(limits),
            "Where it comes from": (
                "`record.json` beside this file holds the digests of the images that were read, the"
                " versions and the machine; `model.safetensors` repeats what decided the weights in"
                " its metadata."
            ),
        },
        about=about,
    )


def _which_weights(recipe: Recipe) -> str:
    if recipe.dino is not None:
        return "of the teacher, without a head"
    return (
        f"moving average, decay {recipe.ema_decay}" if recipe.ema_decay else "after the last update"
    )


def _licence(origin: Origin) -> str:
    return MIT if origin.terms is None else f"the pictures' terms apply: {origin.terms}"


def _how_to_load(about: Mapping[str, Any]) -> str:
    cfg = about["pretrained_cfg"]
    channels, side, _ = cfg["input_size"]
    return LOAD.format(
        folder="FOLDER",
        channels="gray images" if channels == 1 else f"images of {channels} channels",
        side=side,
        mean=", ".join(map(str, cfg["mean"])),
        std=", ".join(map(str, cfg["std"])),
        gray=" (convert colour images first)" if channels == 1 else "",
    )


def _per_channel(value: float | tuple[float, float, float], channels: int) -> list[float]:
    return list(value) if isinstance(value, tuple) else [value] * channels


def _json(content: Mapping[str, Any]) -> str:
    return f"```json\n{json.dumps(dict(content), indent=2, sort_keys=True)}\n```"

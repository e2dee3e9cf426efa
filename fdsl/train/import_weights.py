"""Import published weights: as a pre-training's files, from which a fine-tuning can start."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from fdsl.io.escaping import escape_markdown
from fdsl.schema.catalogue import ModelEntry, PublishedWeights
from fdsl.train import model_card, models, published_weights, weights
from fdsl.train.published_weights import PublishedTensors
from fdsl.train.weights import WeightsMismatch

log = logging.getLogger(__name__)

# what networks no longer have, and buffers that they compute themselves
DISPENSABLE = re.compile(r"(^|\.)(pre_logits|relative_position_index|attn_mask)(\.|$)")


OTHERS = """\
- Others trained these weights. Only their form was changed here; their images and recipe were not
  checked."""


def import_weights(
    entry: PublishedWeights, *, name: str, model: ModelEntry, file: Path, out: Path, code: str
) -> dict[str, Any]:
    """Write `model.safetensors` with its model card, and return what their record says of them.

    Parameters
    ----------
    name
        Of the entry; the pre-training of runs that start from it.
    entry, model
        What is published, and the network that it belongs to.
    file
        Where the published file lies.
    out
        Where the weights go.
    code
        Digest of the code, for the card.

    Raises
    ------
    DamagedFile, RefusedPickle
        As `published_weights.read`.
    WeightsMismatch
        If a tensor is missing, unknown to the network, of another shape, or of another image or
        patch size.
    ConfigError
        If timm does not know the network.
    """
    found = published_weights.read(file, sha256=entry.sha256, average=entry.average)
    network = models.build(model, image_size_px=entry.image_size_px, classes=entry.classes)
    remedy = (
        f"Correct model, classes or image_size_px of {name} in"
        f" workflow/catalog/published_weights.yaml, or get {entry.file} from {entry.page} again."
    )
    tensors, renamed, dropped = _translate(found.tensors, network, path=file, remedy=remedy)
    weights.require_fit(tensors, network.state_dict(), file, remedy=remedy)
    network.load_state_dict(tensors)
    about = {"run": name, "file": entry.file, "sha256": found.sha256}
    weights.save(out, network, metadata={**about, "network": model.hashed_fields()})
    config = model_card.config(network, entry=model, images=entry, licence=entry.licence)
    rows = {
        "Pre-trained on": f"{entry.pretraining}, {entry.classes:,} classes",
        "Renamed tensors": len(renamed),
        "Dropped tensors": ", ".join(dropped) or "none",
        "Digest of the code": model_card.InlineCode(code),
    }
    card = _card(name, entry, found, about=config, more=rows)
    model_card.write(out.parent, config=config, card=card)
    result = {
        "classes": entry.classes,
        "image_size_px": entry.image_size_px,
        "parameters": models.parameter_count(network),
        "layout": found.layout,
        "renamed": renamed,
        "dropped": dropped,
        "stated_in_file": found.about,
    }
    names = {"pretraining": name, "dataset": entry.pretraining, "model": entry.model}
    inputs = {entry.file: found.sha256}
    return {**names, "recipe": None, "result": result, "inputs": inputs, "cost": None}


def _translate(
    theirs: Mapping[str, Tensor], network: nn.Module, *, path: Path, remedy: str
) -> tuple[dict[str, Tensor], dict[str, str], list[str]]:
    """Bring tensors to the names and forms of the installed timm, by its filter for the network.

    Returns them with the new names by the old ones, and the names that were dropped.

    The filters know the names of timm since 0.4 and of the networks' first releases: Swin's stages
    and head, `pre_logits`, linear patch embeddings. Networks without one (ResNet) have kept their
    names.

    Raises
    ------
    WeightsMismatch
        If the filter fails, leaves out a tensor that a network needs, or resampled one: then the
        file is of another image or patch size than the catalogue says.
    """
    filter_ = getattr(sys.modules[type(network).__module__], "checkpoint_filter_fn", None)
    try:
        ours: dict[str, Tensor] = dict(filter_(dict(theirs), network) if filter_ else theirs)
    except Exception as error:
        raise WeightsMismatch(
            f"{path}: timm's filter for {type(network).__name__} fails on its tensors ({error!r})."
            f" {remedy}"
        ) from error
    places = {_place(tensor): name for name, tensor in theirs.items()}
    made = [name for name, tensor in ours.items() if _place(tensor) not in places]
    if made:
        shapes = ", ".join(
            f"{n} {tuple(theirs[n].shape)}" if n in theirs else n for n in sorted(made)
        )
        raise WeightsMismatch(f"{path} is of another image or patch size: {shapes}. {remedy}")
    kept = {places[_place(tensor)]: name for name, tensor in ours.items()}
    renamed = {old: new for old, new in sorted(kept.items()) if old != new}
    dropped = sorted(theirs.keys() - kept.keys())
    if lost := [name for name in dropped if not DISPENSABLE.search(name)]:
        raise WeightsMismatch(
            f"{path} does not belong to this network: unknown to the network: {', '.join(lost)}."
            f" {remedy}"
        )
    for old, new in renamed.items():
        log.info("%s: %s is %s now", path, old, new)
    if dropped:
        log.warning("%s: not used by timm any more: %s", path, ", ".join(dropped))
    return ours, renamed, dropped


def _place(tensor: Tensor) -> tuple[int, int]:
    """Return what stays the same if a tensor is only renamed or reshaped."""
    return tensor.data_ptr(), tensor.numel()


def _card(
    name: str,
    entry: PublishedWeights,
    found: PublishedTensors,
    *,
    about: Mapping[str, Any],
    more: Mapping[str, Any],
) -> str:
    """Return the model card; `more` are further rows of its first table."""
    rows = {
        "File": model_card.InlineCode(entry.file),
        "SHA-256": model_card.InlineCode(found.sha256),
        "Published at": entry.page,
        "Stated in": entry.source,
        **more,
    }
    options = {**found.about, **found.about.get("args", {})}
    options.pop("args", None)
    stated = model_card.table(options) if options else "Nothing."
    notes = [f"- {escape_markdown(entry.notes)}"] if entry.notes else []
    limits = [model_card.FORMULA_DRIVEN, OTHERS, *notes]
    return model_card.page(
        title=entry.title,
        banner=f"{name}: published weights in another form, not trained by this workflow",
        licence=entry.licence,
        parts={
            "Where they come from": model_card.table(rows),
            "What the file says of its training": stated,
            "Limits": "\n".join(limits),
        },
        about=about,
    )

"""`model.safetensors`: networks on disk, and loading them into another head or image size."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fdsl.io import storage
from fdsl.io.storage import AGAIN, DamagedFile

log = logging.getLogger(__name__)

METADATA = "fdsl"
CONTENT = "content_sha256"
SAME_ENTRY = "Pre-train and fine-tune with the same entry of workflow/catalog/models.yaml."


class WeightsMismatch(ValueError):
    """Weights that do not belong to the network; the message names the tensors."""


def save(path: str | Path, model: nn.Module, *, metadata: Mapping[str, Any]) -> None:
    """Write a network's tensors and metadata; equal content gives equal bytes.

    Parameters
    ----------
    path
        Usually `model.safetensors`.
    model
        On any device.
    metadata
        Plain JSON data; all of it is under one key, because safetensors does not keep the order
        of several. A digest of it and of the tensors is added, which `read` checks: the format
        itself has none.

    Raises
    ------
    OSError
        If the disk is full or cannot be written.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    tensors = {
        name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()
    }
    about = json.loads(json.dumps(dict(metadata)))
    text = json.dumps({**about, CONTENT: content_digest(tensors, about)}, sort_keys=True)
    with storage.atomic_write(path) as temporary:
        try:
            save_file(tensors, temporary, metadata={METADATA: text})
        except SafetensorError as error:
            raise OSError(str(error)) from None


def read(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors, on the CPU, and the metadata of a file that `save` wrote.

    Raises
    ------
    DamagedFile
        If the file is not a whole safetensors file, not one of ours, or altered.
    """
    tensors, text = _opened(path)
    try:
        about = json.loads(text or "{}")
        digest = about.pop(CONTENT)
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        raise DamagedFile(
            f"{path} holds no digest of its content: it is damaged or not ours; {AGAIN}"
        ) from None
    if content_digest(tensors, about) != digest:
        raise DamagedFile(f"{path} differs from what was written: its digest is another; {AGAIN}")
    return tensors, about


def read_foreign(path: str | Path) -> dict[str, Tensor]:
    """Return the tensors, on the CPU, of a file that others wrote, without a digest to check.

    Raises
    ------
    DamagedFile
        If the file is not a whole safetensors file.
    """
    return _opened(path)[0]


def content_digest(tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> str:
    """Return the SHA-256 (hex) of plain metadata and of all names, types, shapes and values."""
    found = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        found.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()


def _opened(path: str | Path) -> tuple[dict[str, Tensor], str | None]:
    """Return tensors and the text of our metadata."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in sorted(file.keys())}
            return tensors, (file.metadata() or {}).get(METADATA)
    except SafetensorError as error:
        raise DamagedFile(f"{path} is not a whole safetensors file ({error}); {AGAIN}") from None


def load(model: nn.Module, path: str | Path) -> None:
    """Put pre-trained weights into a network that has another task, in place.

    The head keeps its fresh weights: its classes are others, even where their number happens to be
    the same. A position embedding of another length is resampled (bicubic), and so are tables of
    relative positions (Swin) of another window (on a grid that is denser near 0), both by timm.
    Everything else must fit exactly.

    Parameters
    ----------
    model
        A timm network.
    path
        A file that `save` wrote, of the same network with any head and image size.

    Raises
    ------
    WeightsMismatch
        If a tensor is missing, unexpected or of another shape.
    DamagedFile
        If the file is not whole.
    """
    theirs, metadata = read(path)
    ours = model.state_dict()
    head = {name for name in ours.keys() | theirs.keys() if _is_head(model, name)}
    log.info("weights from %s (%s)", path, metadata.get("run", "no metadata"))
    log.info("fresh weights for the head: %s", ", ".join(sorted(head & ours.keys())))
    body = {name: tensor for name, tensor in theirs.items() if name not in head}
    _resample_positions(body, ours, prefix=getattr(model, "num_prefix_tokens", 1))
    _resample_relative_positions(body, ours)
    require_fit(body, {name: tensor for name, tensor in ours.items() if name not in head}, path)
    model.load_state_dict({**ours, **body})


def _is_head(model: nn.Module, name: str) -> bool:
    """Say whether a tensor belongs to the classifier, by timm's name for it."""
    cfg: Any = model.pretrained_cfg
    classifiers = cfg["classifier"]
    names = (classifiers,) if isinstance(classifiers, str) else classifiers
    return any(name.startswith(f"{classifier}.") for classifier in names)


def _resample_positions(
    theirs: dict[str, Tensor], ours: Mapping[str, Tensor], *, prefix: int
) -> None:
    """Bring a position embedding (1, prefix + side × side, dim) to the network's side, in place."""
    name = "pos_embed"
    if name not in theirs or name not in ours or theirs[name].shape == ours[name].shape:
        return
    if theirs[name].ndim != 3 or theirs[name].shape[-1] != ours[name].shape[-1]:
        return
    from timm.layers import resample_abs_pos_embed

    lengths = [tensor.shape[1] - prefix for tensor in (theirs[name], ours[name])]
    old, new = (math.isqrt(length) for length in lengths)
    if [old**2, new**2] != lengths:
        return
    log.info("%s resampled from %d × %d to %d × %d patches", name, old, old, new, new)
    theirs[name] = resample_abs_pos_embed(
        theirs[name], new_size=[new, new], old_size=[old, old], num_prefix_tokens=prefix
    )


def _resample_relative_positions(theirs: dict[str, Tensor], ours: Mapping[str, Tensor]) -> None:
    """Resample tables of relative positions ((2 × side - 1)², heads) to other windows, in place."""
    from timm.layers import resize_rel_pos_bias_table

    for name in sorted(theirs.keys() & ours.keys()):
        old, new = theirs[name], ours[name]
        if not name.endswith("relative_position_bias_table") or old.shape == new.shape:
            continue
        sides = [math.isqrt(table.shape[0]) for table in (old, new)]
        if old.shape[1:] != new.shape[1:] or [old.shape[0], new.shape[0]] != [s**2 for s in sides]:
            continue
        window = (sides[1] + 1) // 2
        log.info("%s resampled to windows of %d × %d", name, window, window)
        # timm warns of its memory layout
        with warnings.catch_warnings(action="ignore", category=UserWarning):
            theirs[name] = resize_rel_pos_bias_table(
                old, new_window_size=(window, window), new_bias_shape=tuple(new.shape)
            )


def require_fit(
    theirs: Mapping[str, Tensor],
    ours: Mapping[str, Tensor],
    path: str | Path,
    *,
    remedy: str = SAME_ENTRY,
) -> None:
    """Raise WeightsMismatch, with all differences and the remedy, unless names and shapes agree."""
    shapes = {
        name: (tuple(theirs[name].shape), tuple(ours[name].shape))
        for name in sorted(theirs.keys() & ours.keys())
    }
    faults = {
        "missing in the file": sorted(ours.keys() - theirs.keys()),
        "unknown to the network": sorted(theirs.keys() - ours.keys()),
        "of another shape": [f"{n} {a} for {b}" for n, (a, b) in shapes.items() if a != b],
    }
    found = [f"{kind}: {', '.join(names)}" for kind, names in faults.items() if names]
    if found:
        text = "; ".join(found)
        log.error("%s: %s", path, text)
        raise WeightsMismatch(f"{path} does not belong to this network: {text}. {remedy}")

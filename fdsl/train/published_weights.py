"""Weights that others published, read without running code from their files.

Files of torch are pickles, and a pickle is a program. They go through torch's restricted unpickler
with one more class, `argparse.Namespace`, in which timm keeps the options of a training. Whatever
else a pickle asks for is refused by name.
"""

from __future__ import annotations

import argparse
import logging
import math
import pickle
import pickletools
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from fdsl.io import checksums
from fdsl.io.storage import DamagedFile
from fdsl.train import weights as weight_files

log = logging.getLogger(__name__)

LARGEST_BYTES = 16 * 2**30  # a ViT-H with the state of its optimiser takes 7.6
SAFE_CLASSES: list[Any] = [argparse.Namespace]
PLAIN = ("state_dict", "model")  # of timm's saver, and of DeiT's and the scripts that follow it
AVERAGED = ("state_dict_ema", "model_ema")
STATED = re.findall(  # of a training's options
    r"\w+",
    """model arch epochs batch_size opt lr min_lr warmup_epochs warmup_lr sched weight_decay
    drop_path smoothing mixup cutmix reprob aa repeated_aug num_classes seed amp""",
)


class RefusedPickle(ValueError):
    """A pickle that asks for more than tensors and plain data, which the message names."""


@dataclass(frozen=True)
class PublishedTensors:
    """The tensors of a published file.

    Attributes
    ----------
    tensors
        By the publisher's names, without the prefixes of DistributedDataParallel and torch.compile;
        on the CPU.
    layout
        Key that they were under, or "bare".
    sha256
        Digest of the file.
    about
        What the file says of its training: plain values of `epoch`, `arch`, `version`, `metric` and
        of the options that decide a training; folders and names of machines are left out.
    """

    tensors: dict[str, Tensor]
    layout: str
    sha256: str
    about: dict[str, Any]


def read(path: str | Path, *, sha256: str | None = None, average: bool = False) -> PublishedTensors:
    """Read published weights.

    Parameters
    ----------
    path
        `.safetensors`; anything else is a file of `torch.save`, in its zip form or the form before
        torch 1.6. Layouts: timm's saver (`state_dict`, `args`, …), `{"model": …}`, or the tensors
        alone.
    sha256
        What the file must have, or None. Without it a changed byte inside a tensor is found in zip
        files (they hold checksums), but not in the form before torch 1.6 nor in .safetensors.
    average
        Take the moving average of the weights, which is stored beside them.

    Raises
    ------
    DamagedFile
        If the file is larger than 16 GiB, has another digest, cannot be read, holds no weights in a
        known layout, or tensors that are not numbers.
    RefusedPickle
        If the file asks for a class or a function that weights do not need. Nothing of it was run.
    """
    path = Path(path)
    size = path.stat().st_size
    if not 0 < size <= LARGEST_BYTES:
        raise DamagedFile(
            f"{path} has {size:,} bytes; weights have 1 to {LARGEST_BYTES:,}: get the file again"
        )
    found = checksums.digest(path)
    if sha256 is not None and found != sha256:
        raise DamagedFile(
            f"{path} has sha256 {found}, expected {sha256}: it is damaged or not the published"
            " file; get it again"
        )
    content = weight_files.read_foreign(path) if path.suffix == ".safetensors" else _unpickled(path)
    layout, tensors = _weights(content, path, average=average)
    log.info("%s: %d tensors, layout %s", path, len(tensors), layout)
    return PublishedTensors(_checked(tensors, path), layout, found, _about(content))


def _unpickled(path: Path) -> Any:
    """Return what torch's restricted unpickler makes of a file."""
    _require_sound_archive(path)
    try:
        with torch.serialization.safe_globals(SAFE_CLASSES), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # unknown pickle protocols are refused anyway
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if names := _refused(str(error), path):
            raise RefusedPickle(
                f"{path} asks for {', '.join(names)}, which weights do not need; nothing of it was"
                " run. Get the file from its page again. If it is what was published, save its"
                " tensors alone as .safetensors where running foreign code does no harm, and use"
                " that file."
            ) from None
        raise DamagedFile(_unreadable(path, error)) from None
    except Exception as error:  # noqa: BLE001 a damaged or hostile file can fail in any way
        raise DamagedFile(_unreadable(path, error)) from None


def _unreadable(path: Path, error: Exception) -> str:
    # torch's own message is long before this
    explained = re.search(r"WeightsUnpickler error:\s*(.+)", str(error))
    text = explained[1] if explained else str(error).strip().split("\n", maxsplit=1)[0]
    name = type(error).__name__
    return f"{path} is not a whole file of torch.save ({name}: {text}); get it again"


def _require_sound_archive(path: Path) -> None:
    """Raise DamagedFile for a zip archive with wrong checksums, or with members larger than it.

    torch does not compare checksums. torch.save never packs, and a packed member could unpack to
    any size; so could members that share their bytes.
    """
    if not _is_zip(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            packed = [m for m in members if m.compress_type != zipfile.ZIP_STORED]
            unpacked = sum(m.file_size for m in members)
            shared = unpacked > path.stat().st_size
            changed = None if packed or shared else archive.testzip()
    except Exception as error:  # noqa: BLE001 a damaged file can fail in any way
        raise DamagedFile(_unreadable(path, error)) from None
    if packed:
        raise DamagedFile(
            f"{path}: {packed[0].filename} is packed ({packed[0].file_size:,} bytes unpacked),"
            " which torch.save never does: get the file again"
        )
    if shared:
        raise DamagedFile(
            f"{path} has {path.stat().st_size:,} bytes, but its {len(members)} members together"
            f" {unpacked:,}: get the file again"
        )
    if changed is not None:
        raise DamagedFile(f"{path}: {changed} differs from its checksum; get the file again")


def _is_zip(path: Path) -> bool:
    """Say whether torch will take a file for a zip archive."""
    with path.open("rb") as file:
        return file.read(4) == b"PK\x03\x04"


def _refused(message: str, path: Path) -> list[str]:
    """Return the names that the unpickler refused, from its message or else from the pickle."""
    if match := re.search(r"GLOBAL ([\w.]+)", message):
        return [match[1]]
    harmless = re.compile(r"(collections\.OrderedDict|argparse\.Namespace|torch\b.*)$")
    return sorted(name for name in _names(path) if not harmless.match(name))


def _names(path: Path) -> set[str]:
    """Return the classes and functions that a file's pickles name, as far as they can be parsed."""
    found: set[str] = set()
    try:
        for file in _pickles(path):
            while True:  # the form before torch 1.6 holds several, one after the other
                _add_names(found, file)
    except Exception as error:  # noqa: BLE001 what follows the last pickle can fail in any way
        log.debug("%s: the search for names ended: %r", path, error)
    return found


def _pickles(path: Path) -> Iterator[IO[bytes]]:
    if not _is_zip(path):
        with path.open("rb") as file:
            yield file
        return
    with zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            if member.endswith(".pkl"):
                with archive.open(member) as file:
                    yield file


def _add_names(found: set[str], file: IO[bytes]) -> None:
    texts = ["", ""]
    for opcode, argument, _ in pickletools.genops(file):
        if opcode.name == "GLOBAL":
            found.add(str(argument).replace(" ", "."))
        elif opcode.name == "STACK_GLOBAL":  # module and name were put on the stack last
            found.add(".".join(texts))
        elif "UNICODE" in opcode.name:
            texts = [texts[1], str(argument)]


def _weights(content: Any, path: Path, *, average: bool) -> tuple[str, dict[str, Any]]:
    """Return the layout and the tensors, without prefixes."""
    from timm.models import clean_state_dict

    if not isinstance(content, Mapping):
        raise DamagedFile(f"{path} holds a {type(content).__name__}, not weights by name")
    wanted = AVERAGED if average else PLAIN
    under = next((key for key in wanted if isinstance(content.get(key), Mapping)), None)
    if under is None:
        bare = content and all(isinstance(value, Tensor) for value in content.values())
        if average or not bare:
            keys = ", ".join(sorted(map(str, content))[:10]) or "nothing"
            raise DamagedFile(
                f"{path} holds {keys}; expected weights under {' or '.join(wanted)}"
                f"{'' if average else ', or tensors alone'}"
            )
    elif not average and any(content.get(key) is not None for key in AVERAGED):
        log.info("%s: the moving average that it holds too is not used", path)
    named = dict(content if under is None else content[under])
    wrong = [str(k) for k, v in named.items() if not (isinstance(k, str) and isinstance(v, Tensor))]
    if wrong or not named:
        raise DamagedFile(f"{path}: no tensor under the names: {', '.join(wrong[:10]) or 'none'}")
    clean = clean_state_dict(named)
    if len(clean) < len(named):
        raise DamagedFile(f"{path}: names occur twice, with and without the prefix `module.`")
    return under or "bare", clean


def _checked(tensors: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Return the tensors; DamagedFile if one is not a plain array of finite numbers."""
    for name, tensor in tensors.items():
        plain = tensor.layout == torch.strided and tensor.is_cpu and not tensor.is_quantized
        # a view that repeats its memory would take any amount of it when it is copied
        if not plain or tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
            raise DamagedFile(f"{path}: {name} is not a plain array; get the file again")
        if not torch.isfinite(tensor).all():
            raise DamagedFile(
                f"{path}: {name} holds values that are not finite; get the file again"
            )
    return {name: tensor.detach() for name, tensor in tensors.items()}


def _about(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a file says of its training, as plain JSON data."""
    options = content.get("args")
    given = {key: content.get(key) for key in ("epoch", "arch", "version", "metric")}
    plain = {key: value for key, value in given.items() if _is_plain(value)}
    if not isinstance(options, argparse.Namespace):
        return plain
    stated = {key: vars(options).get(key) for key in STATED}
    return plain | {"args": {key: value for key, value in stated.items() if _is_plain(value)}}


def _is_plain(value: Any) -> bool:
    return isinstance(value, bool | int | str) or (
        isinstance(value, float) and math.isfinite(value)
    )

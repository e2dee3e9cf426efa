"""What an order, and what came with it, stand for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fdsl.cli import records
from fdsl.io import storage


def synthetic(spec: dict[str, Any], files: list[Path]) -> Any:
    """Return the images of a synthetic dataset, stored or drawn when they are asked for."""
    from fdsl.images.synthetic import ShardedImages
    from fdsl.schema.catalogue import SyntheticDataset

    if spec["images"] == "stream":
        return streamed(spec, files[0])
    dataset = SyntheticDataset.model_validate(spec["dataset"])
    return ShardedImages(dataset, files, seed=spec["seed"])


def streamed(spec: dict[str, Any], path: Path) -> Any:
    """Return the images of a synthetic dataset, drawn when they are asked for."""
    from fdsl.images import parameters, synthetic
    from fdsl.schema.catalogue import SyntheticDataset

    dataset = SyntheticDataset.model_validate(spec["dataset"])
    found = parameters.read(path, dataset=dataset, seed=spec["seed"])
    return synthetic.StreamedImages(dataset, found, seed=spec["seed"])


def real(spec: dict[str, Any], data: str, manifest: Path) -> Any:
    """Return the real pictures of a pre-training, without those that any seed is fine-tuned on."""
    from fdsl.datasets.splits import pretraining_part

    entry, root = downstream(data)
    return pretraining_part(
        entry,
        root,
        manifest=storage.read_checksummed(manifest),
        exclude=[(spec["train_labels"], seed) for seed in spec["left_out_seeds"]],
        images=spec["pictures"],
        seed=spec["seed"],
    )


def learning(kind: str, pictures: Any) -> dict[str, Any]:
    """Return what a kind of pre-training learns from its images: number of classes and objective."""
    if kind == "dino":
        from fdsl.train.dino import SelfDistillation

        return {"classes": 0, "objective": SelfDistillation}
    if kind in {"synthetic", "supervised"}:
        return {"classes": pictures.classes}
    raise ValueError(f"kind = {kind!r} is no pre-training; use synthetic, supervised or dino")


def origin(spec: dict[str, Any], about: str) -> Any:
    """Return what the model card says of the images."""
    from fdsl.schema.catalogue import SyntheticDataset
    from fdsl.train.task import Drawn, Origin

    drawn = None
    if spec["kind"] == "synthetic":
        from fdsl import formulas

        dataset = SyntheticDataset.model_validate(spec["dataset"])
        settings = formulas.get(dataset.formula).Settings.model_validate(dataset.settings)
        drawn = Drawn(
            formula=dataset.formula,
            settings=settings.model_dump(mode="json"),
            instances=dataset.instances,
            seed=spec["seed"],
        )
    return Origin(drawn=drawn, **json.loads(about))


def downstream(data: str) -> tuple[Any, str]:
    """Return the catalogue entry of a downstream dataset, and the folder where it is looked for."""
    from fdsl.schema.catalogue import DownstreamDataset

    spec = json.loads(data)
    return DownstreamDataset.model_validate(spec["entry"]), spec["root"]


def parts(spec: dict[str, Any], data: str, manifest: Path) -> tuple[Any, Any]:
    """Return the catalogue entry of a downstream dataset, and the training and test images of a run
    on it.
    """
    from fdsl.datasets.splits import load_parts

    entry, root = downstream(data)
    found = load_parts(
        entry,
        root,
        manifest=storage.read_checksummed(manifest),
        train_labels=spec["train_labels"],
        test_images=spec["test_images"],
        seed=spec["run_seed"],
    )
    return entry, found


def run(
    asked: dict[str, Any],
    weights: list[Path] | None,
    *,
    manifest: Path,
    machine: str,
    threads: int,
) -> dict[str, Any]:
    """Return what every run on a downstream dataset is told: who it is, from which weights and
    inputs, on what.
    """
    from fdsl.provenance import environment
    from fdsl.schema.catalogue import ModelEntry

    spec, start = asked["order"], weights or []
    return {
        "run": spec["run"],
        "scale": spec["scale"],
        "seed": spec["run_seed"],
        "pretraining": spec["pretraining"],
        "weights": start[0] if start else None,
        "dataset": spec["downstream"],
        "model": ModelEntry.model_validate(spec["model"]),
        "inputs": records.digests([manifest, *start]),
        "environment": environment(),
        "asked": asked,
        "devices": devices(machine, threads),
    }


def devices(machine: str, threads: int) -> Any:
    """Return how a training uses the machine."""
    from fdsl.train import Devices

    return Devices(**json.loads(machine), threads=threads)


def noted(paths: list[Path]) -> dict[str, str]:
    """Return the digests of big files, which must be those in the small files beside them."""
    return {
        str(path): storage.require_digest(path, digest_file=path.with_suffix(".json"))
        for path in paths
    }

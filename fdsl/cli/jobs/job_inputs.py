"""Datasets and run metadata from a job's spec and input files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fdsl.cli.jobs.running import RunningJob
from fdsl.io import storage


def dataset(spec: dict[str, Any]) -> Any:
    """Return the synthetic dataset of a spec."""
    from fdsl.schema.catalogue import SyntheticDataset

    return SyntheticDataset.model_validate(spec["dataset"])


def streamed(spec: dict[str, Any], path: Path) -> Any:
    """Return the images of a synthetic dataset, each drawn when it is read."""
    from fdsl.images import parameters
    from fdsl.images.streamed import StreamedImages

    entry = dataset(spec)
    found = parameters.read(path, dataset=entry, seed=spec["seed"])
    return StreamedImages(entry, found, seed=spec["seed"])


def pretraining_images(job: RunningJob) -> Any:
    """Return the images of a pre-training: stored, streamed or real ones.

    Of real ones, those that any seed fine-tunes on are left out.
    """
    spec = job.spec
    if spec["kind"] != "synthetic":
        from fdsl.datasets.splits import pretraining_images as real_images

        entry, root, manifest = downstream(job, spec["real"])
        return real_images(
            entry,
            root,
            manifest=manifest,
            exclude=[(spec["train_labels"], seed) for seed in spec["left_out_seeds"]],
            images=spec["pictures"],
            seed=spec["seed"],
            shuffle_labels=spec["labels"] == "shuffled",
        )
    return synthetic_images(job)


def synthetic_images(job: RunningJob) -> Any:
    """Return the images of a synthetic dataset, stored or streamed."""
    spec, files = job.spec, job.inputs("images")
    if spec["images"] == "stream":
        return streamed(spec, files[0])
    from fdsl.images.shards import ShardedImages

    return ShardedImages(dataset(spec), files, seed=spec["seed"])


def downstream(job: RunningJob, name: str) -> tuple[Any, str, dict[str, Any]]:
    """Return a downstream dataset's catalogue entry, folder and manifest."""
    from fdsl.workflow.sources import data_folder

    root = data_folder(job.config, job.job.scale, name)
    manifest = storage.read_checksummed(job.inputs("manifest")[0])
    return job.config.downstream[name], root, manifest


def splits(job: RunningJob) -> Any:
    """Return the training and test images of a run on a downstream dataset."""
    from fdsl.datasets.splits import load_splits

    spec = job.spec
    entry, root, manifest = downstream(job, spec["downstream"])
    return load_splits(
        entry,
        root,
        manifest=manifest,
        train_labels=spec["train_labels"],
        test_images=spec["test_images"],
        resplit=spec["resplit"],
        seed=spec["run_seed"],
    )


def task(job: RunningJob) -> dict[str, Any]:
    """Return the arguments of every task: which run it is, from what, and how it is executed."""
    from fdsl.provenance import environment
    from fdsl.schema.catalogue import ModelEntry
    from fdsl.train import Devices

    spec, user = job.spec, job.config.user
    names = ("device", "micro_batch", "loader_workers", "compile", "deterministic")
    settings = {name: getattr(user, name) for name in (*names, "checkpoint_seconds")}
    weights = job.inputs("weights") if "weights" in job.job.inputs else []
    return {
        "kind": job.job.rule,
        **{name: spec[name] for name in ("run", "scale", "pretraining")},
        "dataset": spec.get("downstream", spec["pretraining"]),
        "seed": spec["run_seed"],
        "weights": weights[0] if weights else None,
        "model": ModelEntry.model_validate(spec["model"]),
        "record": job.output("record"),
        "code": job.code,
        "environment": environment(),
        "job_start": job.job_start,
        "devices": Devices(**settings, threads=job.threads),
    }


def training(job: RunningJob) -> dict[str, Any]:
    """Return the arguments of every training: those of a task, and its folders."""
    return {
        **task(job),
        "checkpoints": Path(f"results/{job.job.scale}/checkpoints/{job.job.name}"),
        "tensorboard": job.output("record").parent / "tensorboard",
    }


def objective(kind: str) -> Any:
    """Return what a kind of pre-training learns from its images."""
    if kind == "dino":
        from fdsl.train.dino import SelfDistillation

        return SelfDistillation
    from fdsl.train.classification import classification

    return classification


def card(job: RunningJob) -> Any:
    """Return what the model card of a pre-training says of images, network and scale."""
    from fdsl.train.model_card import CardText

    spec, config, synthetic, terms = job.spec, job.config, None, None
    entry: Any
    if spec["kind"] == "synthetic":
        from fdsl.images.parameters import formula_settings

        entry, drawn = config.synthetic[spec["pretraining"]], dataset(spec)
        settings = formula_settings(drawn).model_dump(mode="json")
        synthetic = drawn.model_copy(update={"settings": settings})
    else:
        entry = config.real(job.job.scale, spec["pretraining"])
        terms = config.downstream[entry.dataset].licence
    scale, network = config.scales[job.job.scale], spec["recipe"]["model"]
    return CardText(
        title=entry.title or spec["pretraining"],
        source=entry.source,
        synthetic=synthetic,
        image_seed=spec["seed"],
        terms=terms,
        model_title=config.models[network].title or network,
        banner=scale.banner,
        scale_title=scale.title,
        comparable=scale.comparable,
    )


def verified(paths: list[Path]) -> dict[str, str]:
    """Return the digests of large files, which must be those in the small files beside them."""
    return {
        str(path): storage.require_digest(path, digest_file=path.with_suffix(".json"))
        for path in paths
    }

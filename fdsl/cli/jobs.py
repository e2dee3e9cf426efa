"""One verb for each rule that makes images or trains. A verb reads its order, calls one function and writes what Snakemake waits for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from fdsl import storage
from fdsl.cli import records
from fdsl.cli.options import PANEL, Order, Out

SHOWN_CATEGORIES = 4  # of an attention map

Code = Annotated[str, typer.Option(help="Digest of the code behind the job, kept in the record.")]
Digest = Annotated[Path, typer.Option(help="Where to write the digest of --out.")]
Data = Annotated[
    str, typer.Option(help="The downstream dataset: `root` folder and catalogue `entry`, as JSON.")
]
RealData = Annotated[
    str, typer.Option(help="Where the real pictures are, as JSON; empty for a formula.")
]
Record = Annotated[Path, typer.Option(help="Where to write what the run did.")]
Weights = Annotated[
    Path, typer.Option(help="Where the weights go; config.json and README.md stand beside them.")
]
Checkpoints = Annotated[Path, typer.Option(help="Folder to go on from after an interruption.")]
Machine = Annotated[
    str, typer.Option(help="Device, batch on the device, loader processes …, as JSON.")
]
Manifest = Annotated[Path, typer.Option(help="What is known of the downstream dataset.")]
Start = Annotated[
    list[Path] | None, typer.Argument(help="Weights to start from; none = from scratch.")
]
Threads = Annotated[int, typer.Option(min=1, help="CPU threads, of all processes together.")]


def register(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    for verb in [
        sample_parameters,
        render_shard,
        compose,
        fetch_downstream,
        pretrain,
        adopt_weights,
        attention,
        finetune,
        probe,
        detect,
    ]:
        app.command(rich_help_panel=PANEL)(verb)


def sample_parameters(
    order: Order,
    code: Code,
    out: Out,
    digest: Digest,
    record: Record,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
) -> None:
    """Search the categories of a synthetic dataset."""
    from fdsl.catalog import SyntheticDataset
    from fdsl.cli.progress import track
    from fdsl.data import parameters

    asked = records.asked(order)
    spec = asked["order"]
    dataset = SyntheticDataset.model_validate(spec["dataset"])
    found = parameters.sample(dataset, seed=spec["seed"], workers=workers)
    rows = list(track(found, total=dataset.classes, unit="categories", title=dataset.formula))
    parameters.write(out, parameters.stack(rows), dataset=dataset, seed=spec["seed"])
    storage.write_digest(digest, of=out)
    records.leave(
        record,
        "sample_parameters",
        asked,
        code,
        seed=spec["seed"],
        outputs=[out, digest],
        settings=parameters.formula_settings(dataset).model_dump(mode="json"),
    )


def render_shard(
    order: Order,
    code: Code,
    out: Out,
    digest: Digest,
    record: Record,
    parameters: Annotated[Path, typer.Option(help="The dataset's parameter file.")],
) -> None:
    """Draw and store one part of a synthetic dataset."""
    from fdsl.cli.progress import track
    from fdsl.data import synthetic
    from fdsl.data.shards import shard_range

    asked = records.asked(order)
    spec = asked["order"]
    _noted([parameters])
    images = _streamed(spec, parameters)
    part = shard_range(spec["shard"], shards=spec["shards"], images=len(images))
    title = f"{images.dataset.formula}, shard {spec['shard']}"
    synthetic.render_shard(
        out, images, part=part, indices=track(part, total=len(part), unit="images", title=title)
    )
    storage.write_digest(digest, of=out)
    records.leave(
        record,
        "render_shard",
        asked,
        code,
        run=f"{out.parent.name}/{out.stem}",
        seed=spec["seed"],
        inputs=[parameters],
        outputs=[out, digest],
    )


def compose(
    order: Order,
    code: Code,
    data: Annotated[str, typer.Option(help="Where the pictures are, as JSON by dataset.")],
    out: Annotated[Path, typer.Option(help="The folder to make.")],
    record: Record,
    manifests: Annotated[
        list[Path] | None, typer.Argument(help="What is known of the pictures' datasets.")
    ] = None,
) -> None:
    """Compose a small dataset in COCO's format from real pictures."""
    from fdsl.catalog import Composition
    from fdsl.data import compose as composing
    from fdsl.data.parts import checked

    asked = records.asked(order)
    spec = asked["order"]
    composition = Composition.model_validate(spec["composed"])
    known = {path.stem: storage.read_sealed(path) for path in manifests or []}
    sources = {}
    for name, where in json.loads(data).items():
        entry, root = _entry(json.dumps(where))
        sources[name] = [
            checked(entry, root, manifest=known[name], split=part)
            for part in composition.sources[name]
        ]
    found = composing.categories(composition, sources)
    composing.write(out, composition, found, names=spec["parts"])
    records.leave(
        record, "compose", asked, code, seed=composition.seed, inputs=manifests or [], outputs=[out]
    )


def fetch_downstream(order: Order, data: Data, out: Out, record: Record) -> None:
    """Find, fetch if necessary, and check a downstream dataset."""
    from fdsl.data import downstream
    from fdsl.data.downstream_fetch import fetch
    from fdsl.lineage.modules import MODULES
    from fdsl.provenance import fingerprint

    asked = records.asked(order)
    entry, root = _entry(data)
    fetch(entry, root)
    manifest = downstream.check(entry, root)
    # where the copy lies, and who read it, must not decide whether a training is repeated
    storage.write_sealed(
        out, {key: value for key, value in manifest.items() if key not in {"folder", "versions"}}
    )
    # the rule has no code, since reading again changes nothing that follows
    code = fingerprint(*MODULES["fetch_downstream"])
    records.leave(record, "fetch_downstream", asked, code, outputs=[out])


def pretrain(
    order: Order,
    code: Code,
    checkpoints: Checkpoints,
    machine: Machine,
    threads: Threads,
    weights: Weights,
    record: Record,
    about: Annotated[
        str,
        typer.Option(help="Words about images, network and scale for the model card, as JSON."),
    ],
    data: RealData = "",
    manifest: Annotated[
        str, typer.Option(help="What is known of the real pictures; empty for a formula.")
    ] = "",
    images: Annotated[
        list[Path] | None,
        typer.Argument(help="The dataset's shards, or its parameter file to stream from."),
    ] = None,
) -> None:
    """Pre-train a network on a synthetic dataset, or on real pictures."""
    from fdsl.catalog import ModelEntry
    from fdsl.provenance import environment
    from fdsl.recipe import Recipe
    from fdsl.train.pretrain import pretrain as train

    asked = records.asked(order)
    spec = asked["order"]
    if spec["kind"] == "synthetic":
        files = images or []
        inputs = _noted(files)
        pictures = _synthetic(spec, files)
    else:
        inputs = records.digests([Path(manifest)])
        pictures = _real(spec, data, Path(manifest))
    origin = _origin(spec, about)
    train(
        run=spec["run"],
        scale=spec["scale"],
        seed=spec["run_seed"],
        dataset=spec["pretraining"],
        recipe=Recipe.model_validate(spec["recipe"]),
        model=ModelEntry.model_validate(spec["model"]),
        images=pictures,
        **_learning(spec["kind"], pictures),
        out=weights,
        record=record,
        checkpoints=checkpoints,
        code=code,
        inputs=inputs,
        environment=environment(),
        asked=asked,
        devices=_devices(machine, threads),
        origin=origin,
        tensorboard=record.parent / "tensorboard",
    )


def adopt_weights(
    order: Order,
    code: Code,
    data: Annotated[
        str,
        typer.Option(help="The published weights: `root` folder and catalogue `entry`, as JSON."),
    ],
    weights: Weights,
    record: Record,
) -> None:
    """Bring weights that others published into the form of a pre-training."""
    from fdsl.catalog import ModelEntry, ReleasedWeights
    from fdsl.data.weight_files import file_of, require
    from fdsl.provenance import environment
    from fdsl.train.adopt import adopt

    asked, place = records.asked(order), json.loads(data)
    spec = asked["order"]
    entry = ReleasedWeights.model_validate(place["entry"])
    require({spec["released"]: entry}, place["root"])
    adopt(
        name=spec["released"],
        scale=spec["scale"],
        entry=entry,
        model=ModelEntry.model_validate(spec["model"]),
        file=file_of(entry, place["root"]),
        out=weights,
        record=record,
        code=code,
        environment=environment(),
        asked=asked,
    )


def attention(
    order: Order,
    code: Code,
    weights: Annotated[Path, typer.Option(help="Weights of the pre-training.")],
    out: Out,
    record: Record,
    data: RealData = "",
    manifest: Annotated[
        list[Path] | None, typer.Argument(help="What is known of the real pictures.")
    ] = None,
) -> None:
    """Look where a pre-trained network attends on the first image of its first categories."""
    from fdsl.catalog import ModelEntry, SyntheticDataset
    from fdsl.data.synthetic import preview
    from fdsl.recipe import Recipe
    from fdsl.train.attention import write_attention

    asked = records.asked(order)
    spec = asked["order"]
    if spec["kind"] == "synthetic":
        entry = SyntheticDataset.model_validate(spec["dataset"])
        few = entry.model_copy(update={"classes": SHOWN_CATEGORIES, "instances": 1})
        images = [line[0] for line in preview(few, seed=spec["seed"])]
    else:
        pictures = _real(spec, data, (manifest or [])[0])
        images = [pictures[index][0] for index in range(SHOWN_CATEGORIES)]
    write_attention(
        out,
        images,
        weights_file=weights,
        recipe=Recipe.model_validate(spec["recipe"]),
        model=ModelEntry.model_validate(spec["model"]),
    )
    inputs = [weights, *(manifest or [])]
    records.leave(
        record, "attention", asked, code, seed=spec["run_seed"], inputs=inputs, outputs=[out]
    )


def finetune(
    order: Order,
    code: Code,
    data: Data,
    manifest: Manifest,
    checkpoints: Checkpoints,
    machine: Machine,
    threads: Threads,
    record: Record,
    weights: Start = None,
) -> None:
    """Fine-tune a network on a downstream dataset and test it."""
    from fdsl.catalog import ModelEntry
    from fdsl.data.parts import load_parts
    from fdsl.provenance import environment
    from fdsl.recipe import Recipe
    from fdsl.train.finetune import finetune as train

    asked = records.asked(order)
    spec = asked["order"]
    entry, root = _entry(data)
    parts = load_parts(
        entry,
        root,
        manifest=storage.read_sealed(manifest),
        train_labels=spec["train_labels"],
        test_images=spec["test_images"],
        seed=spec["run_seed"],
    )
    start = weights[0] if weights else None
    train(
        run=spec["run"],
        scale=spec["scale"],
        seed=spec["run_seed"],
        pretraining=spec["pretraining"],
        weights=start,
        dataset=spec["downstream"],
        recipe=Recipe.model_validate(spec["recipe"]),
        model=ModelEntry.model_validate(spec["model"]),
        train=parts.train,
        test=parts.test,
        classes=entry.classes,
        out=None,
        record=record,
        checkpoints=checkpoints,
        code=code,
        inputs=records.digests([manifest, *(weights or [])]),
        environment=environment(),
        asked=asked,
        devices=_devices(machine, threads),
        tensorboard=record.parent / "tensorboard",
    )


def probe(
    order: Order,
    code: Code,
    data: Data,
    manifest: Manifest,
    machine: Machine,
    threads: Threads,
    record: Record,
    weights: Start = None,
) -> None:
    """Test the frozen features of a network by k-NN and by a linear probe."""
    from fdsl.catalog import ModelEntry
    from fdsl.data.parts import load_parts
    from fdsl.probe import Probe
    from fdsl.provenance import environment
    from fdsl.recipe import Preparation
    from fdsl.train.probe import probe as judge

    asked = records.asked(order)
    spec = asked["order"]
    entry, root = _entry(data)
    parts = load_parts(
        entry,
        root,
        manifest=storage.read_sealed(manifest),
        train_labels=spec["train_labels"],
        test_images=spec["test_images"],
        seed=spec["run_seed"],
    )
    judge(
        run=spec["run"],
        scale=spec["scale"],
        seed=spec["run_seed"],
        pretraining=spec["pretraining"],
        weights=weights[0] if weights else None,
        dataset=spec["downstream"],
        preparation=Preparation.model_validate(spec["preparation"]),
        settings=Probe.model_validate(spec["probe"]),
        model=ModelEntry.model_validate(spec["model"]),
        train=parts.train,
        test=parts.test,
        classes=entry.classes,
        record=record,
        code=code,
        inputs=records.digests([manifest, *(weights or [])]),
        environment=environment(),
        asked=asked,
        devices=_devices(machine, threads),
    )


def detect(
    order: Order,
    code: Code,
    data: Data,
    manifest: Manifest,
    checkpoints: Checkpoints,
    machine: Machine,
    threads: Threads,
    record: Record,
    weights: Start = None,
) -> None:
    """Train a detector on a dataset in COCO's format and test it."""
    from fdsl.catalog import ModelEntry
    from fdsl.data.parts import checked
    from fdsl.detection_recipe import DetectionRecipe
    from fdsl.provenance import environment
    from fdsl.train.detection.detect import detect as train

    asked = records.asked(order)
    spec = asked["order"]
    entry, root = _entry(data)
    about = storage.read_sealed(manifest)
    train(
        run=spec["run"],
        scale=spec["scale"],
        seed=spec["run_seed"],
        pretraining=spec["pretraining"],
        weights=weights[0] if weights else None,
        dataset=spec["downstream"],
        recipe=DetectionRecipe.model_validate(spec["recipe"]),
        model=ModelEntry.model_validate(spec["model"]),
        train=checked(entry, root, manifest=about, split="train"),
        test=checked(entry, root, manifest=about, split="test"),
        classes=entry.classes,
        record=record,
        checkpoints=checkpoints,
        code=code,
        inputs=records.digests([manifest, *(weights or [])]),
        environment=environment(),
        asked=asked,
        devices=_devices(machine, threads),
        tensorboard=record.parent / "tensorboard",
    )


def _synthetic(spec: dict[str, Any], files: list[Path]) -> Any:
    from fdsl.catalog import SyntheticDataset
    from fdsl.data.synthetic import ShardedImages

    if spec["images"] == "stream":
        return _streamed(spec, files[0])
    dataset = SyntheticDataset.model_validate(spec["dataset"])
    return ShardedImages(dataset, files, seed=spec["seed"])


def _real(spec: dict[str, Any], data: str, manifest: Path) -> Any:
    """Return the real pictures of a pre-training, without those that any seed is fine-tuned on."""
    from fdsl.data.parts import pretraining_part

    entry, root = _entry(data)
    return pretraining_part(
        entry,
        root,
        manifest=storage.read_sealed(manifest),
        exclude=[(spec["train_labels"], seed) for seed in spec["left_out_seeds"]],
        images=spec["pictures"],
        seed=spec["seed"],
    )


def _learning(kind: str, pictures: Any) -> dict[str, Any]:
    """Return what a kind of pre-training learns from its images: number of classes and objective."""
    if kind == "dino":
        from fdsl.train.dino import SelfDistillation

        return {"classes": 0, "objective": SelfDistillation}
    if kind in {"synthetic", "supervised"}:
        return {"classes": pictures.classes}
    raise ValueError(f"kind = {kind!r} is no pre-training; use synthetic, supervised or dino")


def _streamed(spec: dict[str, Any], path: Path) -> Any:
    from fdsl.catalog import SyntheticDataset
    from fdsl.data import parameters, synthetic

    dataset = SyntheticDataset.model_validate(spec["dataset"])
    found = parameters.read(path, dataset=dataset, seed=spec["seed"])
    return synthetic.StreamedImages(dataset, found, seed=spec["seed"])


def _origin(spec: dict[str, Any], about: str) -> Any:
    """Return what the model card says of the images."""
    from fdsl.catalog import SyntheticDataset
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


def _entry(data: str) -> tuple[Any, str]:
    from fdsl.catalog import DownstreamDataset

    spec = json.loads(data)
    return DownstreamDataset.model_validate(spec["entry"]), spec["root"]


def _devices(machine: str, threads: int) -> Any:
    from fdsl.train import Devices

    return Devices(**json.loads(machine), threads=threads)


def _noted(paths: list[Path]) -> dict[str, str]:
    """Return the digests of big files, which must be those in the small files beside them."""
    return {
        str(path): storage.require_digest(path, noted=path.with_suffix(".json")) for path in paths
    }

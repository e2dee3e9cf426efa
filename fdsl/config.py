"""Everything that a user or a maintainer writes in YAML, read strictly and checked against one another before any job exists."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, Field

from fdsl import formulas, launch
from fdsl.catalog import (
    DownstreamDataset,
    ModelEntry,
    RealPretraining,
    ReleasedWeights,
    SyntheticDataset,
)
from fdsl.detection_recipe import FOLDER, DetectionRecipe
from fdsl.probe import Probe
from fdsl.probe_files import read_probe
from fdsl.recipe import Recipe
from fdsl.recipe_files import plain, recipes
from fdsl.strict import ConfigError, Strict, choose, validate
from fdsl.study.figures import Ablation, Scaling, Teaser
from fdsl.study.paper import Study
from fdsl.study.tables import SCRATCH, Column, Stage
from fdsl.yaml_files import catalog, read_yaml, workflow_folder

ScaleName = Literal["laptop", "workstation", "paper"]
# How a column is measured -> the labels that this needs, by the objective that they are fine-tuned with.
EVALUATED = {
    "finetune": "cross_entropy",
    "map": "binary",
    "knn": "cross_entropy",
    "linear": "cross_entropy",
}


def _unique(seeds: list[int]) -> list[int]:
    if len(set(seeds)) < len(seeds):
        raise ValueError("a seed stands twice")
    return seeds


Seeds = Annotated[
    list[Annotated[int, Field(ge=0, lt=2**31)]], Field(min_length=1), AfterValidator(_unique)
]


class UserConfig(Strict):
    """config.yaml: what a user chooses."""

    scale: ScaleName = Field(description="the budget")
    seeds: Seeds | None = Field(description="of the fine-tunings; null = the scale's own")
    dataset_seed: int = Field(ge=0, lt=2**63, description="root seed of the synthetic datasets")
    data_root: str = Field(min_length=1, description="folder with the downstream datasets")
    device: Literal["auto", "cpu", "cuda"] = Field(description="where training runs")
    micro_batch: int | None = Field(
        gt=0, description="images at once on one device; null = the whole batch"
    )
    loader_workers: int | None = Field(
        ge=0,
        le=256,
        description="loader processes of each training process; 0 = inside of it; null = as many as it has CPU threads where "
        "it has a GPU, else 0",
    )
    processes: int | None = Field(
        ge=1,
        le=launch.MAX_PROCESSES,
        description="that share one training; null = one for each GPU of the job, 1 without a GPU",
    )
    spread: dict[str, Annotated[str, Field(pattern=f"^{launch.SPREAD}$")]] = Field(
        description="network -> hosts x processes on each that share one of its pre-trainings, for example 4x8"
    )
    compile: bool = Field(description="let torch.compile write the network's kernels")
    deterministic: bool = Field(
        description="refuse CUDA kernels whose result depends on timing; the CPU has none"
    )
    checkpoint_seconds: int = Field(gt=0, description="time between checkpoints")


class DatasetOverride(Strict):
    """What a scale changes in a synthetic dataset."""

    classes: int | None = Field(default=None, ge=2)
    instances: int | None = Field(default=None, ge=1)
    settings: dict[str, Any] = Field(default_factory=dict)


class Training(Strict):
    """A recipe with what the scale changes in it."""

    recipe: str
    model: str | None = Field(default=None, description="replaces the recipe's model")
    override: dict[str, Any] = Field(default_factory=dict)


class Pretraining(Training):
    """A pre-training recipe and which pre-trainings it is for; the first rule that fits is taken."""

    of: list[str] | None = Field(
        default=None, description="names of pre-trainings; null = every one"
    )
    models: list[str] | None = Field(
        default=None, description="names of workflow/catalog/models.yaml; null = every one"
    )


class RealStandIn(Strict):
    """Real pictures that a scale pre-trains on in place of those that the paper used."""

    dataset: str = Field(description="a downstream dataset, of which the training part is used")
    title: str = Field(min_length=1, description="stands in the row's name")
    pictures: int | None = Field(
        default=None,
        gt=0,
        description="how many of its training pictures, the same number of each class; null = all that no fine-tuning uses",
    )


class Finetuning(Training):
    """A fine-tuning recipe and how much of the downstream dataset is used."""

    train_labels: int | None = Field(
        default=None,
        gt=0,
        description="labelled training images, the same number of each class; null = all",
    )
    test_images: int | None = Field(
        default=None, gt=0, description="the first of the test split; null = all"
    )


class Detection(Training):
    """A detection recipe, of workflow/recipes/detection, and its seeds."""

    seeds: Seeds | None = Field(
        default=None, description="of the detection trainings; null = those of the fine-tunings"
    )


class Resources(Strict):
    """What one job of a rule may use; a profile can override it."""

    threads: int = Field(gt=0)
    mem_mb: int = Field(gt=0)
    runtime: int = Field(gt=0, description="minutes")
    gpu: int = Field(ge=0, default=0)


class Scale(Strict):
    """A budget: explicit overrides of datasets and recipes, never hidden arithmetic."""

    title: str
    banner: str = Field(description="stands above every table and figure of this scale")
    comparable: bool = Field(description="whether numbers may be compared with the published ones")
    seeds: Seeds
    pretrain_seeds: Seeds | None = Field(
        default=None,
        description="seeds of the pre-trainings that the seeds share in turn; null = each seed its own",
    )
    images: Literal["shards", "stream"] = Field(
        description="stored on disk, or drawn inside the data loader"
    )
    shards: dict[str, Annotated[int, Field(ge=1, le=10_000)]] = Field(
        description="files per synthetic dataset; `default` for those not named"
    )
    datasets: dict[str, DatasetOverride] = Field(default_factory=dict)
    real: dict[str, RealStandIn] = Field(
        default_factory=dict,
        description="pre-training on real pictures -> the pictures that this scale has in their place",
    )
    stand_ins: dict[str, list[Column]] = Field(
        default_factory=dict,
        description="columns that replace the paper's own at a scale that cannot run them, by table or figure; "
        "`default` for those not named",
    )
    skip: dict[str, str] = Field(
        default_factory=dict,
        description="pre-trainings that this scale does not run, with the reason",
    )
    pretrain: list[Pretraining] = Field(
        min_length=1, description="the last one has neither `of` nor `models`"
    )
    finetune: dict[str, Finetuning] = Field(
        description="by downstream dataset; `default` for those not named"
    )
    detect: Detection
    resources: dict[str, Resources] = Field(description="by rule")


class Config(Strict):
    """All of it, checked."""

    user: UserConfig
    synthetic: dict[str, SyntheticDataset]
    downstream: dict[str, DownstreamDataset]
    pretrainings: dict[str, RealPretraining]
    models: dict[str, ModelEntry]
    released: dict[str, ReleasedWeights]
    recipes: dict[str, dict[str, Any]]
    probe: Probe
    detection_recipes: dict[str, dict[str, Any]]
    scales: dict[str, Scale]
    studies: dict[str, Study]

    def dataset(self, scale: str, name: str) -> SyntheticDataset:
        """Return a synthetic dataset at a scale."""
        entry = self.synthetic[name]
        change = self.scales[scale].datasets.get(name, DatasetOverride())
        changes: dict[str, Any] = {"settings": {**entry.settings, **change.settings}}
        changes |= {
            key: value
            for key in ("classes", "instances")
            if (value := getattr(change, key)) is not None
        }
        return entry.model_copy(update=changes)

    def recipe(self, scale: str, training: Training) -> Recipe:
        """Return a recipe with the scale's changes."""
        values = _merge(plain(self.recipes[training.recipe]), training.override)
        if training.model is not None:
            values["model"] = training.model
        where = f"scales/{scale}.yaml with recipes/{training.recipe}.yaml"
        return validate(Recipe, values, where=where)

    def detection(self, scale: str) -> DetectionRecipe:
        """Return the detection recipe with the scale's changes."""
        training = self.scales[scale].detect
        values = _merge(plain(self.detection_recipes[training.recipe]), training.override)
        if training.model is not None:
            values["model"] = training.model
        where = f"scales/{scale}.yaml: detect with recipes/{training.recipe}.yaml"
        return validate(DetectionRecipe, values, where=where)

    def real(self, scale: str, name: str) -> RealPretraining:
        """Return a pre-training on real pictures at a scale."""
        entry = self.pretrainings[name]
        stand_in = self.scales[scale].real.get(name)
        if stand_in is None:
            return entry
        return entry.model_copy(update={"dataset": stand_in.dataset, "title": stand_in.title})

    def pretraining(self, scale: str, name: str, model: str) -> Pretraining:
        """Return how a network is pre-trained at a scale."""
        return next(
            rule
            for rule in self.scales[scale].pretrain
            if (rule.of is None or name in rule.of)
            and (rule.models is None or model in rule.models)
        )

    def stand_ins(self, scale: str, report: str) -> list[Column]:
        """Return the columns that replace the paper's own in a table or figure at a scale, or nothing."""
        by_report = self.scales[scale].stand_ins
        return by_report.get(report, by_report.get("default", []))

    def finetuning(self, scale: str, downstream: str) -> Finetuning:
        """Return how a downstream dataset is fine-tuned on at a scale."""
        plans = self.scales[scale].finetune
        return plans.get(downstream, plans["default"])

    def seeds(self, scale: str, stage: Stage = "finetune") -> list[int]:
        """Return the seeds of a stage at a scale: the user's, else the scale's own."""
        own = self.scales[scale].detect.seeds if stage == "detect" else None
        return self.user.seeds or own or self.scales[scale].seeds


def load(
    values: dict[str, Any], *, folder: Path | None = None, where: str = "config.yaml (or --config)"
) -> Config:
    """Read and check everything.

    Parameters
    ----------
    values
        What stands in config.yaml, after the command line's changes.
    folder
        The workflow folder.

    Raises
    ------
    ConfigError
        File, key, value, what is allowed, for every fault of the first file that has one.
    """
    folder = folder or workflow_folder()
    config = Config(
        user=validate(UserConfig, values, where=where),
        synthetic=catalog(folder, "synthetic", SyntheticDataset),
        downstream=catalog(folder, "downstream", DownstreamDataset),
        pretrainings=catalog(folder, "pretrainings", RealPretraining),
        models=catalog(folder, "models", ModelEntry),
        released=catalog(folder, "released", ReleasedWeights),
        recipes=recipes(folder),
        probe=read_probe(folder),
        detection_recipes=recipes(folder, DetectionRecipe, below=FOLDER),
        scales={
            name: validate(
                Scale,
                read_yaml(folder / "scales" / f"{name}.yaml"),
                where=f"workflow/scales/{name}.yaml",
            )
            for name in get_args(ScaleName)
        },
        studies={
            path.stem: validate(Study, read_yaml(path), where=f"workflow/studies/{path.name}")
            for path in sorted((folder / "studies").glob("*.yaml"))
        },
    )
    _check(config)
    return config


def schemas() -> dict[str, dict[str, Any]]:
    """Return the JSON schemas of all YAML files, for editors and for whoever reads workflow/schemas."""
    entries: dict[str, type[Strict]] = {
        "synthetic": SyntheticDataset,
        "downstream": DownstreamDataset,
        "pretrainings": RealPretraining,
        "models": ModelEntry,
        "released": ReleasedWeights,
    }
    whole: dict[str, type[Strict]] = {
        "config": UserConfig,
        "scale": Scale,
        "study": Study,
        "recipe-values": Recipe,
        "probe-values": Probe,
        "detection-recipe-values": DetectionRecipe,
    }
    catalogs = {
        name: {"type": "object", "additionalProperties": model.model_json_schema()}
        for name, model in entries.items()
    }
    return {**catalogs, **{name: model.model_json_schema() for name, model in whole.items()}}


def _merge(values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    merged = dict(values)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if both else value
    return merged


def _check(config: Config) -> None:
    """Check what one file says about another."""
    for name in config.user.spread:
        choose("spread", name, list(config.models), where="config.yaml (or --config)")
    for name, entry in config.synthetic.items():
        where = f"workflow/catalog/synthetic.yaml: {name}"
        choose("formula", entry.formula, list(formulas.FORMULAS), where=where)
        validate(formulas.get(entry.formula).Settings, entry.settings, where=f"{where}: settings")
    for name, real in config.pretrainings.items():
        where = f"workflow/catalog/pretrainings.yaml: {name}"
        choose("dataset", real.dataset, list(config.downstream), where=where)
        if real.kind == "supervised" and config.downstream[real.dataset].classes == 1:
            raise ConfigError(f"{where}: {real.dataset} has no labels; use kind: dino")
        for dataset in real.overlaps:
            choose("overlaps", dataset, list(config.downstream), where=where)
        if name in config.synthetic or name == SCRATCH:
            raise ConfigError(f"{where}: the name is taken; choose another")
    for name, weights in config.released.items():
        _check_released(config, name, weights)
    for name, recipe in (config.recipes | config.detection_recipes).items():
        where = f"workflow/recipes/{recipe['model'].recipe}.yaml (for {name})"
        choose("model", recipe["model"].value, list(config.models), where=where)
    for scale_name, scale in config.scales.items():
        _check_scale(config, scale_name, scale)
    reports: set[str] = set()
    for study_name, study in config.studies.items():
        where = f"workflow/studies/{study_name}.yaml"
        for name in [*study.tables, *study.figures]:
            if name in reports:
                raise ConfigError(f"{where}: {name} stands in another study too; rename it")
            reports.add(name)
        _check_study(config, where, study)


def _check_released(config: Config, name: str, entry: ReleasedWeights) -> None:
    where = f"workflow/catalog/released.yaml: {name}"
    choose("pretraining", entry.pretraining, list(config.synthetic), where=where)
    choose("model", entry.model, list(config.models), where=where)
    if name in {SCRATCH, *config.synthetic, *config.pretrainings}:
        raise ConfigError(f"{where}: the name is taken; choose another")


def _check_scale(config: Config, name: str, scale: Scale) -> None:
    where = f"workflow/scales/{name}.yaml"
    for dataset in scale.datasets:
        choose("datasets", dataset, list(config.synthetic), where=where)
        entry = config.dataset(name, dataset)
        formula = formulas.get(entry.formula)
        validate(formula.Settings, entry.settings, where=f"{where}: datasets.{dataset}.settings")
    for pretraining, stand_in in scale.real.items():
        choose("real", pretraining, list(config.pretrainings), where=where)
        choose(f"real.{pretraining}", stand_in.dataset, list(config.downstream), where=where)
    for dataset in scale.finetune.keys() - {"default"}:
        choose("finetune", dataset, list(config.downstream), where=where)
    if "default" not in scale.finetune or "default" not in scale.shards:
        raise ConfigError(f"{where}: finetune and shards each need an entry `default`.")
    last = scale.pretrain[-1]
    if last.of is not None or last.models is not None:
        raise ConfigError(f"{where}: the last entry of pretrain must be for all: no of, no models.")
    for rule in scale.pretrain:
        for pretraining in rule.of or []:
            choose("pretrain.of", pretraining, _pretrainings(config), where=where)
        for model in rule.models or []:
            choose("pretrain.models", model, list(config.models), where=where)
    for training in [*scale.pretrain, *scale.finetune.values()]:
        choose("recipe", training.recipe, list(config.recipes), where=where)
        choose("model", config.recipe(name, training).model, list(config.models), where=where)
    choose("detect.recipe", scale.detect.recipe, list(config.detection_recipes), where=where)
    choose("detect.model", config.detection(name).model, list(config.models), where=where)
    for pretraining in scale.skip:
        choose("skip", pretraining, _pretrainings(config), where=where)
    _check_kinds(config, name, where)
    for columns in scale.stand_ins.values():
        _check_columns(config, "stand_ins", columns, where)
    for dataset in scale.finetune.keys() - {"default"}:
        needed = config.downstream[dataset].objective
        recipe = config.recipe(name, config.finetuning(name, dataset))
        if needed is None or recipe.objective != needed:
            raise ConfigError(
                f"{where}: finetune.{dataset}: objective = {recipe.objective}, but {config.downstream[dataset].title} "
                + (f"needs {needed}" if needed else "has nothing to classify or no part to test on")
            )


def _check_kinds(config: Config, scale: str, where: str) -> None:
    """Raise ConfigError where labels would be learned by a recipe of self-supervision, or the other way round."""
    rules = config.scales[scale].pretrain
    without_labels = [config.recipe(scale, rule).dino is not None for rule in rules]
    kinds = dict.fromkeys(config.synthetic, "synthetic") | {
        name: entry.kind for name, entry in config.pretrainings.items()
    }
    for name in kinds.keys() - config.scales[scale].skip.keys():
        for model in config.models:
            rule = config.pretraining(scale, name, model)
            if without_labels[rules.index(rule)] != (kinds[name] == "dino"):
                raise ConfigError(
                    f"{where}: pretrain: {name} is of kind {kinds[name]}, but its recipe {rule.recipe} is for "
                    f"{'other kinds' if kinds[name] == 'dino' else 'kind dino'}; give it a rule of its own (of: [{name}])."
                )


def _check_study(config: Config, where: str, study: Study) -> None:
    for name, table in study.tables.items():
        _check_columns(config, f"tables.{name}.columns", table.columns, where)
        for pretraining in table.pretrainings:
            choose(f"tables.{name}.rows", pretraining, _pretrainings(config), where=where)
    for name, figure in study.figures.items():
        place = f"figures.{name}"
        datasets = [*getattr(figure, "datasets", []), getattr(figure, "dataset", None)]
        for dataset in [dataset for dataset in datasets if dataset is not None]:
            choose(place, dataset, list(config.synthetic), where=where)
        if isinstance(figure, Ablation | Teaser):
            for bar in figure.bars:
                choose(f"{place}.bars", bar.pretraining, _pretrainings(config), where=where)
        if isinstance(figure, Ablation | Scaling):
            _check_columns(config, f"{place}.columns", figure.columns, where)
        if isinstance(figure, Teaser):
            _check_columns(config, f"{place}.column", [figure.column], where)


def _check_columns(config: Config, place: str, columns: Sequence[Column], where: str) -> None:
    for column in columns:
        if column.dataset is not None:
            choose(place, column.dataset, list(config.downstream), where=where)
            _check_evaluation(config, place, column, where)
        if column.model is not None:
            choose(f"{place}: model", column.model, list(config.models), where=where)


def _check_evaluation(config: Config, place: str, column: Column, where: str) -> None:
    """Refuse a column whose dataset cannot be evaluated in its way."""
    entry = config.downstream[str(column.dataset)]
    if column.stage == "detect":
        if entry.loader != "coco":
            raise ConfigError(f"{where}: {place}: {column.dataset} has no objects to detect")
        return
    needed = EVALUATED[column.evaluation]
    if entry.objective != needed:
        fitting = [name for name, objective in EVALUATED.items() if objective == entry.objective]
        raise ConfigError(
            f"{where}: {place}: evaluation = {column.evaluation} of {column.dataset}; it allows "
            f"{', '.join(fitting) or 'detection only, or nothing at all'}"
        )


def _pretrainings(config: Config) -> list[str]:
    """Return all names that can stand in a row."""
    return [SCRATCH, *config.synthetic, *config.pretrainings, *config.released]

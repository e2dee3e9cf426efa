"""What one YAML file says about another."""

from __future__ import annotations

from collections.abc import Sequence

from fdsl import formulas
from fdsl.schema.base import ConfigError, choose, validate
from fdsl.schema.catalogue import PublishedWeights, SyntheticDataset
from fdsl.schema.scale import Scale
from fdsl.schema.study.figures import Ablation, Scaling, Teaser
from fdsl.schema.study.paper import Study
from fdsl.schema.study.tables import SCRATCH, Column
from fdsl.workflow.config import Config

# How a column is measured -> the labels that this needs, by the objective that they are fine-tuned
# with.
EVALUATED = {
    "finetune": "cross_entropy",
    "map": "binary",
    "knn": "cross_entropy",
    "linear": "cross_entropy",
}


def check(config: Config) -> None:
    """Check what one file says about another.

    Raises
    ------
    ConfigError
        File, key, value and what is allowed.
    """
    for name in config.user.nodes_x_processes:
        choose("nodes_x_processes", name, config.models, where="config.yaml (or --config)")
    for name, entry in config.synthetic.items():
        where = f"workflow/catalog/synthetic.yaml: {name}"
        choose("formula", entry.formula, formulas.FORMULAS, where=where)
        _check_dataset(entry, where)
    for name, real in config.pretrainings.items():
        where = f"workflow/catalog/pretrainings.yaml: {name}"
        choose("dataset", real.dataset, config.downstream, where=where)
        if real.kind == "supervised" and config.downstream[real.dataset].classes == 1:
            raise ConfigError(f"{where}: {real.dataset} has no labels; use kind: dino")
        for dataset in real.overlaps:
            choose("overlaps", dataset, config.downstream, where=where)
        if name in config.synthetic or name == SCRATCH:
            raise ConfigError(f"{where}: the name is taken; choose another")
    for name, weights in config.published_weights.items():
        _check_released(config, name, weights)
    for name, recipe in (config.recipes | config.detection_recipes).items():
        where = f"workflow/recipes/{recipe['model'].recipe}.yaml (for {name})"
        choose("model", recipe["model"].value, config.models, where=where)
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


def _check_dataset(entry: SyntheticDataset, where: str) -> None:
    """Raise ConfigError if a formula cannot draw a dataset as it is asked to."""
    formula = formulas.get(entry.formula)
    settings = validate(formula.Settings, entry.settings, where=f"{where}.settings")
    if entry.reduce is not None:
        entry.reduce.require_fits(settings.model_dump()["image_size_px"], where=where)
    least = getattr(settings, "least_instances", 1)
    if entry.instances < least:
        raise ConfigError(
            f"{where}: instances = {entry.instances} is fewer than the weights of one fixed view:"
            f" use {least} or more (12 × {least} = {12 * least} for all views), or view: random"
        )


def _check_released(config: Config, name: str, entry: PublishedWeights) -> None:
    where = f"workflow/catalog/published_weights.yaml: {name}"
    choose("pretraining", entry.pretraining, config.synthetic, where=where)
    choose("model", entry.model, config.models, where=where)
    if name in {SCRATCH, *config.synthetic, *config.pretrainings}:
        raise ConfigError(f"{where}: the name is taken; choose another")


def _check_scale(config: Config, name: str, scale: Scale) -> None:
    where = f"workflow/scales/{name}.yaml"
    for dataset in scale.datasets:
        choose("datasets", dataset, config.synthetic, where=where)
        _check_dataset(config.dataset(name, dataset), f"{where}: datasets.{dataset}")
    for pretraining, stand_in in scale.real.items():
        choose("real", pretraining, config.pretrainings, where=where)
        choose(f"real.{pretraining}", stand_in.dataset, config.downstream, where=where)
    if "default" not in scale.finetune or "default" not in scale.shards:
        raise ConfigError(f"{where}: finetune and shards each need an entry `default`.")
    last = scale.pretrain[-1]
    if (last.of, last.models) != (None, None):
        raise ConfigError(f"{where}: the last entry of pretrain must be for all: no of, no models.")
    for rule in scale.pretrain:
        for pretraining in rule.of or []:
            choose("pretrain.of", pretraining, config.names(), where=where)
        for model in rule.models or []:
            choose("pretrain.models", model, config.models, where=where)
    for training in [*scale.pretrain, *scale.finetune.values()]:
        choose("recipe", training.recipe, config.recipes, where=where)
        choose("model", config.recipe(name, training).model, config.models, where=where)
    choose("detect.recipe", scale.detect.recipe, config.detection_recipes, where=where)
    choose("detect.model", config.detection(name).model, config.models, where=where)
    for dataset in scale.if_at_hand:
        choose("if_at_hand", dataset, config.downstream, where=where)
    for pretraining in sorted(config.pretrainings.keys() - scale.skip.keys()):
        real = config.real(name, pretraining).dataset
        if config.finetuning(name, real).resplit:
            raise ConfigError(
                f"{where}: finetune of {real}: resplit = true tests on images that"
                f" {pretraining} is pre-trained on; use resplit: false, or skip {pretraining}"
            )
    for pretraining in scale.skip:
        choose("skip", pretraining, config.names(), where=where)
    for pretraining in scale.gates.controls:
        choose("gates", pretraining, config.names(), where=where)
    _check_kinds(config, name, where)
    for columns in scale.stand_ins.values():
        check_columns(config, "stand_ins", columns, where)
    for dataset in scale.finetune.keys() - {"default"}:
        choose("finetune", dataset, config.downstream, where=where)
        needed = config.downstream[dataset].objective
        recipe = config.recipe(name, config.finetuning(name, dataset))
        if needed is None or recipe.objective != needed:
            raise ConfigError(
                f"{where}: finetune.{dataset}: objective = {recipe.objective}, but"
                f" {config.downstream[dataset].title} "
                + (f"needs {needed}" if needed else "has nothing to classify or no part to test on")
            )


def _check_kinds(config: Config, scale: str, where: str) -> None:
    """Raise ConfigError where labels would be learned by a recipe of self-supervision, or the other
    way round.
    """
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
                    f"{where}: pretrain: {name} is of kind {kinds[name]}, but its recipe"
                    f" {rule.recipe} is for"
                    f" {'other kinds' if kinds[name] == 'dino' else 'kind dino'}; give it a rule of"
                    f" its own (of: [{name}])."
                )


def _check_study(config: Config, where: str, study: Study) -> None:
    for name, table in study.tables.items():
        check_columns(config, f"tables.{name}.columns", table.columns, where)
        for pretraining in table.pretrainings:
            choose(f"tables.{name}.rows", pretraining, config.names(), where=where)
    for name, figure in study.figures.items():
        place = f"figures.{name}"
        alone = [figure.dataset] if hasattr(figure, "dataset") else []
        for dataset in [*getattr(figure, "datasets", []), *alone]:
            choose(place, dataset, config.synthetic, where=where)
        if isinstance(figure, Ablation | Teaser):
            for bar in figure.bars:
                choose(f"{place}.bars", bar.pretraining, config.names(), where=where)
        if isinstance(figure, Ablation | Scaling):
            check_columns(config, f"{place}.columns", figure.columns, where)
        if isinstance(figure, Teaser):
            check_columns(config, f"{place}.column", [figure.column], where)


def check_columns(config: Config, place: str, columns: Sequence[Column], where: str) -> None:
    """Check the columns of a table, a figure or a scale's stand-ins."""
    for column in columns:
        if column.dataset is not None:
            choose(place, column.dataset, config.downstream, where=where)
            _check_evaluation(config, place, column, where)
        if column.model is not None:
            choose(f"{place}: model", column.model, config.models, where=where)


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

"""All that stands in YAML, together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fdsl.schema.base import FrozenModel, validate
from fdsl.schema.catalogue import (
    DownstreamDataset,
    ModelEntry,
    PublishedWeights,
    RealPretraining,
    SyntheticDataset,
)
from fdsl.schema.detection import DetectionRecipe
from fdsl.schema.probe import Probe
from fdsl.schema.recipe import Recipe
from fdsl.schema.recipe_files import plain
from fdsl.schema.scale import DatasetOverride, Finetuning, Pretraining, Scale, Training
from fdsl.schema.study.paper import Study
from fdsl.schema.study.tables import SCRATCH, Column, Stage
from fdsl.schema.user import UserConfig


class Config(FrozenModel):
    """All of it, checked."""

    user: UserConfig
    synthetic: dict[str, SyntheticDataset]
    downstream: dict[str, DownstreamDataset]
    pretrainings: dict[str, RealPretraining]
    models: dict[str, ModelEntry]
    published_weights: dict[str, PublishedWeights]
    recipes: dict[str, dict[str, Any]]
    probe: Probe
    detection_recipes: dict[str, dict[str, Any]]
    scales: dict[str, Scale]
    studies: dict[str, Study]

    def dataset(self, scale: str, name: str) -> SyntheticDataset:
        """Return a synthetic dataset at a scale."""
        entry = self.synthetic[name]
        change = self.scales[scale].datasets.get(name, DatasetOverride())
        values: dict[str, Any] = {
            key: value
            for key in ("classes", "instances", "reduce")
            if (value := getattr(change, key)) is not None
        }
        if values.get("instances", entry.instances) < entry.instances:
            values["spread_over"] = entry.spread_over or entry.instances
        return entry.model_copy(update={**values, "settings": entry.settings | change.settings})

    def recipe(self, scale: str, training: Training) -> Recipe:
        """Return a recipe with the scale's changes."""
        where = f"scales/{scale}.yaml with recipes/{training.recipe}.yaml"
        return validate(Recipe, _changed(self.recipes, training), where=where)

    def detection(self, scale: str) -> DetectionRecipe:
        """Return the detection recipe with the scale's changes."""
        training = self.scales[scale].detect
        where = f"scales/{scale}.yaml: detect with recipes/{training.recipe}.yaml"
        values = _changed(self.detection_recipes, training)
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

    def network_px(self, scale: str, dataset: str) -> int:
        """Return the side of the images that networks see in the pre-training on a dataset."""
        rules = self.scales[scale].pretrain
        rule = next(rule for rule in rules if rule.of is None or dataset in rule.of)
        return self.recipe(scale, rule).image_size_px

    def stand_ins(self, scale: str, report: str) -> list[Column]:
        """Return the columns that replace the paper's own in a table or figure at a scale, or
        nothing.
        """
        by_report = self.scales[scale].stand_ins
        return by_report.get(report, by_report.get("default", []))

    def datasets_at_hand(self, scale: str) -> list[str]:
        """Return the paper's own datasets that a scale runs beside its stand-ins: those of
        `if_at_hand` whose folder is there.
        """
        return [
            name
            for name in self.scales[scale].if_at_hand
            if Path(self.user.data_root, self.downstream[name].folder).is_dir()
        ]

    def finetuning(self, scale: str, downstream: str) -> Finetuning:
        """Return how a downstream dataset is fine-tuned on at a scale."""
        plans = self.scales[scale].finetune
        return plans.get(downstream, plans["default"])

    def names(self) -> list[str]:
        """Return all names that a run can begin with, and a row can be about."""
        return [SCRATCH, *self.synthetic, *self.pretrainings, *self.published_weights]

    def seeds(self, scale: str, stage: Stage = "finetune") -> list[int]:
        """Return the seeds of a stage at a scale: the user's, else the scale's own."""
        own = self.scales[scale].detect.seeds if stage == "detect" else None
        return self.user.seeds or own or self.scales[scale].seeds


def _changed(recipes: dict[str, dict[str, Any]], training: Training) -> dict[str, Any]:
    """Return the values of a recipe with the changes of a scale."""
    values = _merge(plain(recipes[training.recipe]), training.override)
    return values if training.model is None else {**values, "model": training.model}


def _merge(values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    merged = dict(values)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if both else value
    return merged

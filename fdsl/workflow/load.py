"""Reading all YAML files, and their schemas."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

from fdsl.schema.base import FrozenModel, validate
from fdsl.schema.catalogue import (
    DownstreamDataset,
    ModelEntry,
    PublishedWeights,
    RealPretraining,
    SyntheticDataset,
)
from fdsl.schema.detection import FOLDER, DetectionRecipe
from fdsl.schema.probe import Probe
from fdsl.schema.recipe import Recipe
from fdsl.schema.recipe_files import read_probe, recipes
from fdsl.schema.scale import Scale
from fdsl.schema.study.paper import Study
from fdsl.schema.user import ScaleName, UserConfig
from fdsl.schema.yaml_files import catalog, read_yaml, workflow_folder
from fdsl.workflow.checks import check
from fdsl.workflow.config import Config


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
        published_weights=catalog(folder, "published_weights", PublishedWeights),
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
    check(config)
    return config


def schemas() -> dict[str, dict[str, Any]]:
    """Return the JSON schemas of all YAML files, for editors and for whoever reads
    workflow/schemas.
    """
    entries: dict[str, type[FrozenModel]] = {
        "synthetic": SyntheticDataset,
        "downstream": DownstreamDataset,
        "pretrainings": RealPretraining,
        "models": ModelEntry,
        "published_weights": PublishedWeights,
    }
    whole: dict[str, type[FrozenModel]] = {
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

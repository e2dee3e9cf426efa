"""Orders of the jobs that draw, train and measure."""

from __future__ import annotations

import json
from typing import Any

from fdsl.schema import ofdb
from fdsl.schema.catalogue import SyntheticDataset
from fdsl.schema.recipe import Preparation
from fdsl.workflow.as_json import as_json
from fdsl.workflow.config import Config
from fdsl.workflow.runs import Run

# What a probe takes from the order of the fine-tuning with the same key.
PROBED = (
    "run",
    "scale",
    "pretraining",
    "downstream",
    "classes",
    "run_seed",
    "train_labels",
    "test_images",
    "model",
)


class Orders:
    """All that decides what a job computes, as JSON."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def sampling(self, scale: str, dataset: str) -> str:
        """Return the order of a `sample_parameters` job."""
        return as_json(**self._synthetic(self.config.dataset(scale, dataset)))

    def rendering(self, scale: str, dataset: str, shard: str) -> str:
        """Return the order of a `render_shard` job."""
        images = self._synthetic(self.config.dataset(scale, dataset))
        return as_json(
            **images, shard=int(shard), shards=self.config.scales[scale].shards_of(dataset)
        )

    def pretraining(self, scale: str, key: str) -> str:
        """Return the order of a `pretrain` job."""
        run = Run.read(key)
        training = self.config.pretraining(scale, run.pretraining, run.model)
        recipe = self.config.recipe(scale, training).model_copy(update={"model": run.model})
        ofdb.require_possible(
            recipe.augmentation.ofdb,
            self.config.dataset(scale, run.pretraining)
            if run.pretraining in self.config.synthetic
            else None,
            streamed=self.config.scales[scale].images == "stream",
            where=f"scales/{scale}.yaml: pretrain of {run.pretraining}",
        )
        return as_json(
            **self._pictures(scale, run.pretraining),
            run=key,
            scale=scale,
            pretraining=run.pretraining,
            run_seed=run.seed,
            recipe=recipe.model_dump(mode="json"),
            model=self.config.models[run.model].hashed_fields(),
        )

    def _pictures(self, scale: str, pretraining: str) -> dict[str, Any]:
        """Return what decides the images of a pre-training."""
        if pretraining in self.config.synthetic:
            entry = self.config.dataset(scale, pretraining)
            images = self.config.scales[scale].images
            return {"kind": "synthetic", "images": images, **self._synthetic(entry)}
        real = self.config.real(scale, pretraining)
        stand_in = self.config.scales[scale].real.get(pretraining)
        labels = self.config.finetuning(scale, real.dataset).train_labels
        return {
            "kind": real.kind,
            "real": real.dataset,
            "classes": self.config.downstream[real.dataset].classes,
            # no picture may serve both: those that any seed is fine-tuned on are left out
            "train_labels": labels,
            "left_out_seeds": [] if labels is None else self.config.seeds(scale),
            "pictures": None if stand_in is None else stand_in.pictures,
            "seed": self.config.user.dataset_seed,
        }

    def adoption(self, scale: str, name: str) -> str:
        """Return the order of an `adopt_weights` job."""
        entry = self.config.released[name]
        return as_json(
            released=name,
            scale=scale,
            entry=entry.hashed_fields(),
            model=self.config.models[entry.model].hashed_fields(),
        )

    def finetuning(self, scale: str, key: str) -> str:
        """Return the order of a `finetune` job."""
        run = Run.read(key)
        if run.downstream is None:
            raise ValueError(f"{key!r} names no downstream dataset, so it is not a fine-tuning run")
        training = self.config.finetuning(scale, run.downstream)
        recipe = self.config.recipe(scale, training).model_copy(update={"model": run.model})
        return as_json(
            **self._downstream(scale, run),
            train_labels=training.train_labels,
            test_images=training.test_images,
            recipe=recipe.model_dump(mode="json"),
        )

    def _downstream(self, scale: str, run: Run) -> dict[str, Any]:
        """Return what every run on a downstream dataset is."""
        return {
            "run": run.key,
            "scale": scale,
            "pretraining": run.pretraining,
            "downstream": run.downstream,
            "classes": self.config.downstream[str(run.downstream)].classes,
            "run_seed": run.seed,
            "model": self.config.models[run.model].hashed_fields(),
        }

    def probing(self, scale: str, key: str) -> str:
        """Return the order of a `probe` job: the images of the fine-tuning with the same key, and
        nothing of its training.
        """
        tuned = json.loads(self.finetuning(scale, key))
        return as_json(
            **{name: tuned[name] for name in PROBED},
            preparation={name: tuned["recipe"][name] for name in Preparation.model_fields},
            probe=self.config.probe.model_dump(mode="json"),
        )

    def detecting(self, scale: str, key: str) -> str:
        """Return the order of a `detect` job."""
        run = Run.read(key)
        if run.downstream is None:
            raise ValueError(f"{key!r} names no downstream dataset, so it is not a detection run")
        recipe = self.config.detection(scale).model_copy(update={"model": run.model})
        return as_json(
            **self._downstream(scale, run),
            recipe=recipe.model_dump(mode="json"),
        )

    def composing(self, dataset: str) -> str:
        """Return the order of a `compose` job."""
        entry = self.config.downstream[dataset]
        if entry.composed is None:
            raise ValueError(f"{dataset} is not composed: it comes from elsewhere")
        composed = entry.composed.model_dump(mode="json")
        return as_json(name=dataset, parts=entry.parts, composed=composed)

    def fetching(self, dataset: str) -> str:
        """Return the order of a `fetch_downstream` job."""
        return as_json(name=dataset, entry=self.config.downstream[dataset].hashed_fields())

    def _synthetic(self, entry: SyntheticDataset) -> dict[str, Any]:
        """Return what decides the images of a synthetic dataset."""
        return {"dataset": entry.hashed_fields(), "seed": self.config.user.dataset_seed}

"""Where data and published weights are found, and what is said of them: never part of an order."""

from __future__ import annotations

import json
from collections.abc import Iterable

from fdsl.schema.catalogue import RealPretraining, SyntheticDataset
from fdsl.workflow.as_json import as_json
from fdsl.workflow.config import Config
from fdsl.workflow.runs import Run


class Sources:
    """Folders and catalogue entries of downstream datasets and weights, as JSON, and whether they
    are here.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.scale = config.user.scale

    def pretraining_data(self, scale: str, key: str) -> str:
        """Return where the real pictures of a pre-training are found; empty for a synthetic
        dataset.
        """
        name = Run.read(key).pretraining
        if name in self.config.synthetic:
            return ""
        return self.data(self.config.real(scale, name).dataset)

    def data(self, dataset: str | None, *, scale: str | None = None) -> str:
        """Return where and how a downstream dataset is found, as JSON: never part of an order.

        A composed dataset belongs to a scale.
        """
        entry = self.config.downstream[str(dataset)]
        root = self.config.user.data_root
        if entry.composed is not None:
            root = f"results/{scale or self.scale}/composed"
        return as_json(root=root, entry=entry.model_dump(mode="json"))

    def ingredient_data(self, dataset: str) -> str:
        """Return where the pictures for a composed dataset are found, as JSON by name: never part
        of an order.
        """
        composed = self.config.downstream[dataset].composed
        names = composed.sources if composed is not None else ()
        return as_json(**{name: json.loads(self.data(name)) for name in names})

    def weights(self, name: str) -> str:
        """Return where published weights are found and all that is said of them, as JSON: never
        part of an order.
        """
        entry = self.config.released[name]
        return as_json(root=self.config.user.data_root, entry=entry.model_dump(mode="json"))

    def about(self, scale: str, key: str) -> str:
        """Return words for the model card of a pre-training, as JSON: never part of an order."""
        run, budget = Run.read(key), self.config.scales[scale]
        entry: SyntheticDataset | RealPretraining
        if run.pretraining in self.config.synthetic:
            entry, terms = self.config.synthetic[run.pretraining], None
        else:
            entry = self.config.real(scale, run.pretraining)
            terms = self.config.downstream[entry.dataset].licence
        return as_json(
            title=entry.title or run.pretraining,
            source=entry.source,
            terms=terms,
            model_title=self.config.models[run.model].title or run.model,
            banner=budget.banner,
            scale_title=budget.title,
            comparable=budget.comparable,
        )

    def require_downstream(self, names: Iterable[str]) -> None:
        """Raise MissingData, naming every one of these downstream datasets that is neither here nor
        fetchable.
        """
        from fdsl.datasets.downstream import require

        entries = {name: self.config.downstream[name] for name in names}
        must_be_here = {
            name: entry
            for name, entry in entries.items()
            if not entry.fetchable and entry.composed is None
        }
        require(must_be_here, self.config.user.data_root)

    def require_weights(self, names: Iterable[str]) -> None:
        """Raise MissingData, naming every one of these published weights whose file is not here."""
        from fdsl.datasets.weight_files import require

        require({name: self.config.released[name] for name in names}, self.config.user.data_root)

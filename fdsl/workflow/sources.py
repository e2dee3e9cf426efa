"""Where downstream datasets and published weights are looked for, and whether they are there."""

from __future__ import annotations

from collections.abc import Iterable

from fdsl.workflow.config import Config


def data_folder(config: Config, scale: str, dataset: str) -> str:
    """Return the folder in which a downstream dataset is looked for; composed ones have a scale."""
    if config.downstream[dataset].composed is not None:
        return f"results/{scale}/composed"
    return config.user.data_root


def require_downstream(config: Config, names: Iterable[str]) -> None:
    """Raise MissingData, naming every dataset that is neither here nor can be fetched."""
    from fdsl.datasets.downstream import require

    entries = {name: config.downstream[name] for name in names}
    local = {name: e for name, e in entries.items() if not (e.fetchable or e.composed)}
    require(local, config.user.data_root)


def require_weights(config: Config, names: Iterable[str]) -> None:
    """Raise MissingData, naming every published file that is not here."""
    from fdsl.datasets.weight_files import require

    require({name: config.published_weights[name] for name in names}, config.user.data_root)

"""Formula-driven supervised learning: pictures drawn by formulas, and what networks learn from
them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from fdsl.images.dataset import Dataset, load

__all__ = ["Dataset", "__version__", "load"]


def __getattr__(name: str) -> object:
    """Load what stands behind `fdsl.load` when it is first used, so that `import fdsl` costs
    nothing.
    """
    if name in {"Dataset", "load"}:
        from fdsl.images import dataset

        return getattr(dataset, name)
    raise AttributeError(f"module 'fdsl' has no attribute {name!r}")

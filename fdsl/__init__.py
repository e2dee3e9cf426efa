"""Formula-driven supervised learning: pictures drawn by formulas, and what networks learn from them."""

__version__ = "0.1.0"

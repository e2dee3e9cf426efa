"""A console that prints text as it is: no markup, no control sequences."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from fdsl.io.escaping import printable


class PlainConsole(Console):
    """A console that takes no markup from strings and shows control characters as their escapes."""

    def __init__(self) -> None:
        super().__init__(markup=False, emoji=False)

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a string as text; rich calls this for every string that it prints."""
        return super().render_str(printable(text), **options)

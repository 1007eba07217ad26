"""A rich console for texts that somebody else wrote: no markup, no control characters."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from er_bench.cli.terminal import visible


class PlainConsole(Console):
    """Shows names, paths and samples as they are; styles are those of the caller alone."""

    def __init__(self, *, stderr: bool = False, quiet: bool = False) -> None:
        super().__init__(markup=False, emoji=False, stderr=stderr, quiet=quiet)

    def render_str(self, text: str, **how: Any) -> Text:
        """A text as it will be measured and shown."""
        return super().render_str(visible(text), **how)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """The segments of anything that is shown, control characters written out."""
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else visible(text), style, control)

"""A backend: it makes a model from a card, or from `pixels/ANYTHING`, and answers prompts."""

from __future__ import annotations

import asyncio

import numpy as np
from pydantic import JsonValue

from er_bench.core.answer import Points
from er_bench.core.completion import Completion
from er_bench.core.dialect import Benchmark
from er_bench.core.errors import UsageError
from er_bench.core.geometry import Unit
from er_bench.core.model import Model, ModelSettings
from er_bench.core.prompt import Expect, Prompt
from er_bench.core.sample import Image
from er_bench.data.media import image


def build(settings: ModelSettings) -> Model:
    """The model. `settings.args` are the card's and `--model-args`; refuse what you do not know."""
    if unknown := set(settings.args) - {"pixels_a_block"}:
        raise UsageError(f"pixels has no setting {', '.join(sorted(unknown))}")
    return PixelCounter(settings)


class PixelCounter(Model):
    """Looks at the pixels of a prompt's first picture."""

    def __init__(self, settings: ModelSettings) -> None:
        self.name, self.dialect, self._settings = settings.name, settings.dialect, settings
        self._pixels_a_block = int(str(settings.args.get("pixels_a_block", 400)))

    def identity(self) -> dict[str, JsonValue]:
        """What must stay the same for a run to be resumed."""
        return self._settings.identity("pixels", pixels_a_block=self._pixels_a_block)

    async def ask(self, prompt: Prompt) -> Completion:
        """Answer off the event loop, because pictures are decoded."""
        return Completion(await asyncio.to_thread(self._answer, prompt))

    def _answer(self, prompt: Prompt) -> str:
        if prompt.expects is Expect.POINTS and not isinstance(self.dialect, Benchmark):
            middle = 500.0 if self.dialect.unit is Unit.PER_1000 else 0.5
            return self.dialect.write_points(Points(((middle, middle),), self.dialect.unit))
        for message in prompt.messages:
            for part in message.parts:
                if isinstance(part, Image):
                    rgb = np.asarray(image(part.blob).convert("RGB")).astype(int)
                    red = (rgb[..., 0] > 150) & (rgb[..., 1] < 100) & (rgb[..., 2] < 100)
                    return str(round(int(red.sum()) / self._pixels_a_block))
        return "0"

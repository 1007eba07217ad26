"""Held-out scenes and questions: none of their seeds is drawn in training."""

from __future__ import annotations

import io
import random
from dataclasses import dataclass

from er_bench.core.dialect import Dialect
from er_bench.core.message import user
from er_bench.core.prompt import Decoding, Expect, Prompt
from er_bench.core.sample import Image
from er_bench.data.rows import BytesBlob
from er_bench.scenes.conversation import Exchange
from er_bench.scenes.shapes import Scene, draw, random_scene
from er_bench.scenes.training_conversations import HELD_OUT_SEED, MAKERS, Asker, training_scene

_EXPECTS = {"point": Expect.POINTS, "letter": Expect.LETTER, "count": Expect.NUMBER}


@dataclass(frozen=True, slots=True)
class Item:
    """A scene that was never trained on, and one question about it."""

    seed: int
    scene: Scene
    exchange: Exchange

    def prompt(self) -> Prompt:
        """The question as a model is asked it: the picture, then the text."""
        png = io.BytesIO()
        draw(self.scene).save(png, "PNG")
        image = Image(BytesBlob(f"{self.seed}.png", png.getvalue()))
        expects = _EXPECTS.get(self.exchange.kind, Expect.TEXT)
        message = user(image, self.exchange.question)
        return Prompt((message,), expects, Decoding(max_new_tokens=32, temperature=0.0))


def named_points(count: int, dialect: Dialect, n_things: tuple[int, int] = (2, 4)) -> list[Item]:
    """Scenes of unrelated things, and `Point to the red star.` for a random one of each."""
    items = []
    for seed in range(HELD_OUT_SEED, HELD_OUT_SEED + count):
        rng = random.Random(seed)
        scene = random_scene(rng, rng.randint(*n_things))
        asker = Asker(scene, rng, dialect)
        items.append(Item(seed, scene, asker.point_to(rng.choice(scene.things))))
    return items


def questions(
    kind: str, count: int, dialect: Dialect, n_things: tuple[int, int] = (2, 4)
) -> list[Item]:
    """Questions of one kind, each about a scene of its own."""
    items: list[Item] = []
    seed = HELD_OUT_SEED + 100_000
    while len(items) < count:
        rng = random.Random(seed)
        scene = training_scene(rng, n_things)
        exchange = MAKERS[kind](Asker(scene, rng, dialect))
        if exchange is not None:
            items.append(Item(seed, scene, exchange))
        seed += 1
    return items

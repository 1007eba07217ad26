"""A conversation about one scene, and its line in an InternVL chat file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from er_bench.scenes.shapes import Scene, Thing


@dataclass(frozen=True, slots=True)
class Turn:
    """One question and its answer; `kind` is the sort of question."""

    kind: str
    question: str
    answer: str
    about: Thing | None = None
    """The thing that the question names or the answer points at, where there is exactly one."""
    option: str = ""
    """The right option's words, where the answer is its letter."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """A scene and what is said about it. The first question comes after the picture."""

    seed: int
    scene: Scene
    turns: tuple[Turn, ...]

    def to_record(self, image: str) -> dict[str, Any]:
        """The conversation as a line of an InternVL chat file; `image` is the picture's path."""
        said: list[dict[str, str]] = []
        for k, turn in enumerate(self.turns):
            said.append({"from": "human", "value": ("" if k else "<image>\n") + turn.question})
            said.append({"from": "gpt", "value": turn.answer})
        width, height = self.scene.size_wh
        size = {"width": width, "height": height}
        return {"id": self.seed, "image": image, **size, "conversations": said}

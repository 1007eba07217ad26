"""What is asked and answered about one scene, and the conversation that it makes."""

from __future__ import annotations

from dataclasses import dataclass

from er_bench.core.message import Message
from er_bench.core.sample import Image, Part, Text
from er_bench.scenes.shapes import Scene, Thing


@dataclass(frozen=True, slots=True)
class Exchange:
    """One question and its answer; `kind` is the sort of question."""

    kind: str
    question: str
    answer: str
    about: Thing | None = None
    """The thing that the question names or the answer points at, where there is exactly one."""
    option: str = ""
    """The right option's words, where the answer is its letter."""

    def messages(self, *before: Part) -> tuple[Message, Message]:
        """Question and answer; `before` comes before the question, on a line of its own."""
        line = (*before, Text("\n")) if before else ()
        asked = Message("user", (*line, Text(self.question)))
        return asked, Message("assistant", (Text(self.answer),))


@dataclass(frozen=True, slots=True)
class Conversation:
    """A scene and what is said about it."""

    seed: int
    scene: Scene
    exchanges: tuple[Exchange, ...]

    def messages(self, picture: Image) -> tuple[Message, ...]:
        """The conversation; its first question comes after the picture."""
        first, *rest = self.exchanges
        said = [first.messages(picture), *(exchange.messages() for exchange in rest)]
        return tuple(message for pair in said for message in pair)

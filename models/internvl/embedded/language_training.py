"""Teaches a model that sees to read: conversations, and at first a pointer to where to look.

What is slow to learn is to find the thing that the words name. So some places are guided: two
heads of one layer are shown the words that name the thing, two heads of the next the image tokens
that it covers, two of the last the words of the right option. A guided place's loss is minus the
log of the attention that lands there. Everything else is the usual loss of the answer's tokens.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from er_bench.core.dialect import Dialect
from er_bench.core.family import Rendered
from er_bench.core.sample import Image
from er_bench.data.rows import BytesBlob
from er_bench.models.internvl.conversation import Style, render
from er_bench.models.internvl.embedded.tokenizer import LABELS, LARGEST
from er_bench.models.internvl.embedded.vision_training import (
    UNSCORED,
    adamw,
    covering,
    descend,
    learning_rate,
    pixels,
)
from er_bench.models.internvl.vocabulary import Vocabulary
from er_bench.scenes import Thing
from er_bench.scenes.conversation import Conversation, Exchange
from er_bench.scenes.training_conversations import conversations

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

_log = logging.getLogger(__name__)

WORD_LAYER, THING_LAYER, OPTION_LAYER, GUIDED_HEADS = 1, 2, 3, 2
PICTURE = Image(BytesBlob("scene", None))
"""Stands where a scene's picture does; nobody looks at it."""
_LEAST = 1e-4
"""Added to an attention before its logarithm is taken."""
NAMED_BY_WORDS = ("point", "box", "number", "free")
"""Kinds whose question names the thing that it is about."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """A stretch of training on conversations about `n_things` things."""

    name: str
    seed: int
    steps: int
    n_things: tuple[int, int]
    mixture: tuple[tuple[str, float], ...]
    peak_lr: float
    last_lr: float
    guidance: float
    """Weight of the guided places' loss."""
    batch: int = 32
    text_tokens: int = 112
    """Room for questions and answers in one row; exchanges that do not fit are left out."""
    warmup: int = 50


@dataclass(frozen=True, slots=True)
class Look:
    """Where a place of the text should look, in one layer: at text places, or at a thing."""

    layer: int
    place: int
    text: tuple[int, ...] = ()
    thing: Thing | None = None


@dataclass(slots=True)
class Row:
    """A conversation as ids after the picture, with what to learn and where to look."""

    ids: list[int] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)


class Writer:
    """Writes conversations as `Row`s, by the family's own `render`."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._vocabulary = known = Vocabulary(tokenizer)
        self.end, self.pad = known.stops
        first = self._rendered(Exchange("", "", ""), first=True)
        self.head = list(first.ids[: first.slots[0].start + 1])
        """Everything before the picture's tokens."""
        self.labels = {ids[0] for ids in map(known.text_ids, LABELS)}
        self.figures = {known.text_ids(str(n))[0] for n in range(LARGEST + 1)}

    def _rendered(self, exchange: Exchange, *, first: bool) -> Rendered:
        if first:
            messages, style = exchange.messages(PICTURE), Style(verbatim=True)
            return render(messages, [[1]], self._vocabulary, style, reply=False)
        return render(exchange.messages(), [], self._vocabulary, Style("absent"), reply=False)

    def exchange(self, exchange: Exchange, *, first: bool) -> tuple[list[int], list[bool]]:
        """Ids from the picture, or the last answer's end, to its answer's end; the learned ones."""
        found = self._rendered(exchange, first=first)
        # The line break after an answer is written when there is another question.
        line = [] if first else self._vocabulary.text_ids("\n")
        kept = slice(found.slots[0].stop - 1 if first else 0, -1)
        return [*line, *found.ids[kept]], [False for _ in line] + [*found.supervised[kept]]

    def row(self, said: Conversation, room: int) -> Row:
        """The conversation's exchanges that fit."""
        row = Row()
        for exchange in said.exchanges:
            at = len(row.ids)
            ids, learned = self.exchange(exchange, first=at == 0)
            if at + len(ids) > room:
                continue
            asked = learned.index(True)
            row.looks += self._looks(exchange, at, ids[:asked], ids[asked:])
            row.ids += ids
            row.labels += [i if on else UNSCORED for i, on in zip(ids, learned, strict=True)]
        rest = room - len(row.ids)
        row.ids += [self.pad] * rest
        row.labels += [UNSCORED] * rest
        return row

    def _looks(
        self, exchange: Exchange, at: int, question: list[int], answer: list[int]
    ) -> Iterator[Look]:
        """Guided places of a question that starts at `at`: those that predict its figures."""
        last = at + len(question) - 1
        named = exchange.kind in NAMED_BY_WORDS
        words = tuple(at + k for k, i in enumerate(question) if named and i in self.labels)
        for k, token in enumerate(answer):
            if exchange.about and (token in self.figures or (exchange.option and k == 0)):
                yield Look(THING_LAYER, last + k, thing=exchange.about)
                if words:
                    yield Look(WORD_LAYER, last + k, words)
        if exchange.option:
            letter = f"{exchange.answer}."
            before = exchange.question.index(f"{letter} {exchange.option}") + len(letter)
            opening = replace(exchange, question=exchange.question[:before])
            start = at + self.exchange(opening, first=at == 0)[0].index(self.end)
            option = range(start, start + len(self._vocabulary.text_ids(f" {exchange.option}")))
            yield Look(OPTION_LAYER, last, tuple(option))


@dataclass(frozen=True, slots=True)
class Batch:
    """B rows of a head, image tokens and T text tokens, S in all; G guided places of a layer."""

    pixels: torch.Tensor
    ids_bt: torch.Tensor
    labels_bt: torch.Tensor
    looks: Mapping[int, tuple[torch.Tensor, torch.Tensor, torch.Tensor]]
    """Layer to the guided places' rows `(G,)`, text places `(G,)` and goals `(G, S)`."""


def batches(
    lesson: Lesson, writer: Writer, dialect: Dialect, tile_px: int, side: int
) -> Iterator[Batch]:
    """The lesson's batches; every scene is new."""
    import torch

    stream = conversations(lesson.seed, dialect, 8, dict(lesson.mixture), lesson.n_things)
    for _ in range(lesson.steps):
        said = list(itertools.islice(stream, lesson.batch))
        rows = [writer.row(one, lesson.text_tokens) for one in said]
        yield Batch(
            pixels([one.scene for one in said], tile_px),
            torch.tensor([row.ids for row in rows]),
            torch.tensor([row.labels for row in rows]),
            _goals(said, rows, len(writer.head), side),
        )


def _goals(
    said: Sequence[Conversation], rows: Sequence[Row], n_head: int, side: int
) -> dict[int, tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    import torch

    first = n_head + side * side
    found: dict[int, list[tuple[int, int, NDArray[np.bool_]]]] = {}
    for number, (one, row) in enumerate(zip(said, rows, strict=True)):
        owner = covering(one.scene, side).reshape(-1)
        for look in row.looks:
            goal = np.zeros(first + len(row.ids), np.bool_)
            goal[[first + k for k in look.text]] = True
            if look.thing is not None:
                goal[n_head:first] = owner == one.scene.things.index(look.thing)
            if goal.any():
                found.setdefault(look.layer, []).append((number, look.place, goal))
    return {
        layer: (
            torch.tensor([number for number, _, _ in looks]),
            torch.tensor([place for _, place, _ in looks]),
            torch.from_numpy(np.stack([goal for _, _, goal in looks])),
        )
        for layer, looks in found.items()
    }


def losses(
    model: Any, writer: Writer, tokens_bnd: torch.Tensor, batch: Batch
) -> tuple[torch.Tensor, torch.Tensor]:
    """The answers' loss, and the guided places'."""
    import torch

    embed, language = model.get_input_embeddings(), model.model.language_model
    head = embed(torch.tensor(writer.head)).expand(len(batch.ids_bt), -1, -1)
    whole = torch.cat([head, tokens_bnd.to(head.dtype), embed(batch.ids_bt)], dim=1)
    read = language(inputs_embeds=whole, use_cache=False, output_attentions=True)
    first = head.shape[1] + tokens_bnd.shape[1]
    goal_bt = batch.labels_bt[:, 1:]
    on = goal_bt != UNSCORED
    states = read.last_hidden_state[:, first:-1][on]
    answer = torch.nn.functional.cross_entropy(model.lm_head(states).float(), goal_bt[on])
    guided = answer.new_zeros(())
    for layer, (row_g, place_g, goal_gs) in batch.looks.items():
        seen_ghs = read.attentions[layer][row_g, :, first + place_g][:, :GUIDED_HEADS]
        share = (seen_ghs.float() * goal_gs[:, None]).sum(dim=2)
        guided = guided - (share + _LEAST).log().mean()
    return answer, guided


def teach(
    model: Any, tokenizer: PreTrainedTokenizerBase, lessons: Sequence[Lesson], dialect: Dialect
) -> None:
    """Train projector and language model, one lesson after the other; vision is frozen."""
    import torch

    vision, writer = model.config.vision_config, Writer(tokenizer)
    tile_px, side = vision.image_size[0], vision.image_size[0] // vision.patch_size[0]
    model.model.vision_tower.requires_grad_(False)
    learning = [p for p in model.parameters() if p.requires_grad]
    for lesson in lessons:
        optimizer = adamw(learning)
        for step, batch in enumerate(batches(lesson, writer, dialect, tile_px, side), start=1):
            schedule = (step, lesson.steps, lesson.peak_lr, lesson.last_lr, lesson.warmup)
            with torch.autocast("cpu", torch.bfloat16):
                tokens = model.get_image_features(pixel_values=batch.pixels).pooler_output
                answer, guided = losses(model, writer, tokens, batch)
            descend(optimizer, answer + lesson.guidance * guided, learning_rate(*schedule))
            if step % 50 == 0:
                figures = (lesson.name, step, lesson.steps, answer.item(), float(guided))
                _log.info("%s: step %d of %d, answers %.3f, guided %.3f", *figures)

"""Byte-level BPE in which every coordinate, and every constant piece of a prompt, is one token."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from er_bench.models.dialects.families import INTERNVL_1000
from er_bench.models.internvl.conversation import SYSTEM_MESSAGE
from er_bench.models.internvl.tiny import SPECIAL_TOKENS
from er_bench.reading.coordinates import POINT_BLOCK_REQUEST
from er_bench.scenes import COLOURS, SHAPES, plural
from er_bench.scenes.training_conversations import (
    LETTER_TAILS,
    MAKERS,
    NUMBER_TAIL,
    TRAINING_SEED,
    conversations,
)

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

LARGEST = 1000
"""Integers from 0 to this are one token each."""

BOX_SUFFIX = INTERNVL_1000.box_prompt("", "").strip()
PHRASES = (
    SYSTEM_MESSAGE,
    POINT_BLOCK_REQUEST,
    BOX_SUFFIX,
    *LETTER_TAILS,
    NUMBER_TAIL,
    "<point>[[",
    "]]</point>",
    "<point>",
    "</point>",
)
"""Constant texts, one token each: a prompt about points is then some twenty tokens long."""

WORDS = (
    "The image shows a room with table, chair, sofa, bed, door, window, cup, bottle, box, robot. "
    "What is the person doing? Which of the following is the next action to take? Pick up, put, "
    "place, open, close, turn on, turn off, find, slice. Yes. No. These are frames of a video. "
    "Please answer the question using a single word or phrase. meters centimeters distance size. "
    "Question: Options: A. B. C. D. E. F. Answer: json plan reasoning visual state description "
    "the free space between front behind nearest farthest closest to camera first appearance order "
    "[[ ]] ], [ [[x]]"
)
"""Words that benchmarks use and the training conversations may not."""

LABELS = [form for noun in (*COLOURS, *SHAPES) for form in (noun, f" {noun}")]
LABELS += [form for shape in SHAPES for form in (plural(shape), f" {plural(shape)}")]
"""What every answer names: one token each, at the start of a text or inside it."""

_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,4}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""Qwen2's split of a text, but up to four digits stay together."""


def make_tokenizer(n_merges: int = 500) -> PreTrainedTokenizerFast:
    """The tokenizer: 256 bytes, at most `n_merges` merges, integers, `SPECIAL_TOKENS`, phrases."""
    from tokenizers import models, pre_tokenizers, trainers

    trainer = trainers.BpeTrainer(
        vocab_size=256 + n_merges,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    learned = _around(models.BPE())
    learned.train_from_iterator(_corpus(), trainer)
    state: dict[str, Any] = json.loads(learned.to_str())["model"]
    vocabulary: dict[str, int] = state["vocab"]
    for number in range(LARGEST + 1):
        vocabulary.setdefault(str(number), len(vocabulary))
    merges = [(left, right) for left, right in state["merges"]]
    return assemble(vocabulary, merges, PHRASES)


def assemble(
    vocabulary: dict[str, int], merges: list[tuple[str, str]], phrases: Sequence[str]
) -> PreTrainedTokenizerFast:
    """A tokenizer of these pieces, then `SPECIAL_TOKENS`, then phrases."""
    from tokenizers import AddedToken, models
    from transformers import PreTrainedTokenizerFast

    # ignore_merges: a piece that is in the vocabulary is one token, merges or not.
    tokenizer = _around(models.BPE(vocab=vocabulary, merges=merges, ignore_merges=True))
    tokenizer.add_special_tokens(
        [AddedToken(t, special=True, normalized=False) for t in SPECIAL_TOKENS]
    )
    tokenizer.add_tokens([AddedToken(t, special=False, normalized=False) for t in phrases])
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        padding_side="left",
    )


def _around(model: Any) -> Tokenizer:
    """A tokenizer about a BPE model."""
    from tokenizers import Regex, Tokenizer, decoders, pre_tokenizers

    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PATTERN), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _corpus() -> Iterable[str]:
    """What merges are learned from: conversations without digits and phrases, and words."""
    no_digits = str.maketrans("", "", "0123456789")
    yield from [WORDS] * 30
    yield from LABELS * 100
    yield from ["system\nuser\nassistant\n"] * 400
    mixture = dict.fromkeys(MAKERS, 1.0)
    stream = conversations(TRAINING_SEED, INTERNVL_1000, 6, mixture)
    for conversation in itertools.islice(stream, 1500):
        for exchange in conversation.exchanges:
            question = exchange.question
            for phrase in (POINT_BLOCK_REQUEST, BOX_SUFFIX):
                question = question.replace(phrase, "")
            yield question.translate(no_digits)
            yield exchange.answer.translate(no_digits)

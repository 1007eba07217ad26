"""An InternVL tokenizer: token ids by name, texts to ids and back.

A text can only become text: the tokens that structure a conversation are placed by their ids.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from er_bench.core.errors import ConfigError

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerBase

STRUCTURE = ("<|im_start|>", "<|im_end|>", "<|endoftext|>", "<img>", "</img>", "<IMG_CONTEXT>")
"""Special tokens that only `render` writes."""

CONTROL = (*STRUCTURE, "<|video_pad|>")
"""What a server would take for structure when a text spells it."""

MARKUP = ("<ref>", "</ref>", "<box>", "</box>", "<quad>", "</quad>")
"""Special tokens that prompts and answers may write; they mark content, not structure."""


@dataclass(frozen=True)
class Vocabulary:
    """The token ids of a checkpoint, by name; texts to ids and back."""

    tokenizer: PreTrainedTokenizerBase

    def __post_init__(self) -> None:
        for name in STRUCTURE:
            self.id(name)

    def id(self, name: str) -> int:
        """The id of a token. Raises ConfigError when the tokenizer has no such token."""
        if name not in self._special:
            raise ConfigError(f"the tokenizer has no token {name}: not an InternVL tokenizer")
        return self._special[name]

    @cached_property
    def _plain(self) -> Tokenizer:
        """The tokenizer without special tokens.

        A copy: transformers' own would be switched to and fro for each text, which fails when
        several threads tokenise at once.
        """
        plain: Tokenizer = copy.deepcopy(self.tokenizer.backend_tokenizer)
        plain.no_truncation()
        plain.no_padding()
        plain.encode_special_tokens = True
        return plain

    @cached_property
    def _special(self) -> dict[str, int]:
        return dict(self.tokenizer.get_added_vocab())

    @cached_property
    def stops(self) -> tuple[int, int]:
        """The ids that end an answer: `<|im_end|>` and `<|endoftext|>`."""
        return self.id("<|im_end|>"), self.id("<|endoftext|>")

    def text_ids(self, text: str) -> list[int]:
        """The ids of a text. Control tokens written in it stay plain characters.

        `<ref>`, `<box>`, `<quad>` and their ends become their tokens: official prompts and past
        answers write them.
        """
        ids: list[int] = []
        for part in re.split(f"({'|'.join(MARKUP)})", text):
            if part in MARKUP and part in self._special:
                ids.append(self._special[part])
            elif part:
                ids += self._plain.encode(part, add_special_tokens=False).ids
        return ids

    def picture_ids(self, tokens: int) -> list[int]:
        """The ids of a picture that becomes so many tokens: those between `<img>` and `</img>`."""
        return [self.id("<img>"), *[self.id("<IMG_CONTEXT>")] * tokens, self.id("</img>")]

    def text(self, ids: Sequence[int]) -> str:
        """The text of ids, special tokens kept."""
        found = self.tokenizer.decode(
            list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False
        )
        return str(found)

    def decode(self, ids: Sequence[int]) -> tuple[str, str]:
        """The answer's text and its finish reason, `stop` or `length`.

        Everything from the first stop id on is dropped. Other special tokens are kept: boxes
        are written with them. The released `chat` strips white space, and so does this.
        """
        kept = list(ids)
        for place, token in enumerate(kept):
            if token in self.stops:
                kept = kept[:place]
                break
        reason = "stop" if len(kept) < len(ids) else "length"
        return self.text(kept).strip(), reason

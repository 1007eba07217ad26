r"""The InternVL conversation, built token by token so that no text can change its structure.

Template `internvl2_5` (OpenGVLab/Vlaser commit 40d7821, `internvl/conversation.py`):
`<|im_start|>role\n ... <|im_end|>\n` for each turn. Each image is `<img>`, its context tokens,
`</img>`. The released code writes these as text and replaces `<image>` in the question; here
they are placed as ids, and text can only become text.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from er_bench.core.errors import ConfigError
from er_bench.core.message import Role

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerBase

SYSTEM_MESSAGE = (
    "你是书生·万象，英文名是InternVL，是由上海人工智能实验室、"  # noqa: RUF001
    "清华大学及多家合作单位联合开发的多模态大语言模型。"
)
"""The template's own system message (`internvl/conversation.py`, template `internvl2_5`)."""

STRUCTURE = ("<|im_start|>", "<|im_end|>", "<|endoftext|>", "<img>", "</img>", "<IMG_CONTEXT>")
"""Special tokens that only the prompt builder writes."""

CONTROL = (*STRUCTURE, "<|video_pad|>")
"""What a server would take for structure when a text spells it."""

MARKUP = ("<ref>", "</ref>", "<box>", "</box>", "<quad>", "</quad>")
"""Special tokens that prompts and answers may write; they mark content, not structure."""

MultiImageBudget = Literal["divide", "total64", "each"]
FramePrefix = Literal["Frame", "Frame-"]


@dataclass(frozen=True, slots=True)
class Style:
    """How a conversation is written.

    `system_message`: `template` is the template's own; `none` is the literal word `None`, which
    the released class sends when the checkpoint's config has a null message; `absent` leaves
    the turn out; anything else is the message itself. A system turn in the prompt wins.
    `frame_prefix`: `Frame` as in the InternVL3 README's inference code, `Frame-` as in training
    (`internvl_chat_finetune.py`, `video_get_item`).
    """

    system_message: str = "template"
    frame_prefix: FramePrefix = "Frame"

    def system_text(self) -> str | None:
        """The text of the system turn, None where there is none."""
        return {"template": SYSTEM_MESSAGE, "none": "None", "absent": None}.get(
            self.system_message, self.system_message
        )


@dataclass(frozen=True, slots=True)
class Picture:
    """One image of a conversation, or one frame of a video."""

    frame: int | None = None
    """The frame's number in its video, from 1; None for an image."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One message: text and pictures in order."""

    role: Role
    content: tuple[str | Picture, ...]


@dataclass(frozen=True, slots=True)
class Control:
    """A token that structures the conversation."""

    token: str


@dataclass(frozen=True, slots=True)
class Slot:
    """The place of the conversation's n-th picture."""

    index: int


Piece = str | Control | Slot
_START, _END = Control("<|im_start|>"), Control("<|im_end|>")


def tile_budget(max_tiles: int, images: int, rule: MultiImageBudget) -> int:
    """The most tiles that each of several images may have.

    `divide`: `max(1, max_tiles // n)`, as in training (`internvl/train/dataset.py`). `total64`:
    `max(1, min(max_tiles, 64 // n))` (lmms-eval commit 75571cfe, `internvl3.py`). `each`: no
    division.
    """
    if images <= 1 or rule == "each":
        return max_tiles
    return max(1, max_tiles // images if rule == "divide" else min(max_tiles, 64 // images))


def lay_out(turns: Sequence[Turn], style: Style, *, reply: bool = True) -> list[Piece]:
    """The conversation as pieces; neighbouring texts are joined. `reply` opens the next answer.

    Several images are called `Image-1: `, `Image-2: `, ... where they stand; video frames
    `Frame1: ` or `Frame-1: `.
    """
    pieces: list[Piece] = []
    system = style.system_text()
    if system is not None and not any(turn.role == "system" for turn in turns):
        turns = [Turn("system", (system,)), *turns]
    stills = sum(isinstance(p, Picture) and p.frame is None for t in turns for p in t.content)
    labels = _Labels(style.frame_prefix, number_images=stills > 1)
    for turn in turns:
        _add(pieces, _START, f"{turn.role}\n", *_content(turn, labels), _END, "\n")
    if reply:
        _add(pieces, _START, "assistant\n")
    return pieces


@dataclass(slots=True)
class _Labels:
    frame_prefix: str
    number_images: bool
    pictures: int = 0
    images: int = 0

    def of(self, picture: Picture) -> str:
        if picture.frame is not None:
            return f"{self.frame_prefix}{picture.frame}: "
        self.images += 1
        return f"Image-{self.images}: " if self.number_images else ""


def _content(turn: Turn, labels: _Labels) -> Iterator[Piece]:
    """A turn's pieces: every picture has a line of its own."""
    line_open = False
    after_picture = False
    for part in turn.content:
        if isinstance(part, Picture):
            if line_open or after_picture:
                yield "\n"
            yield labels.of(part)
            yield Slot(labels.pictures)
            labels.pictures += 1
            line_open, after_picture = False, True
        elif part:
            if after_picture and not part.startswith("\n"):
                yield "\n"
            yield part
            line_open, after_picture = not part.endswith("\n"), False


def _add(pieces: list[Piece], *new: Piece) -> None:
    for piece in new:
        if isinstance(piece, str) and pieces and isinstance(pieces[-1], str):
            pieces[-1] += piece
        elif piece != "":
            pieces.append(piece)


def render(pieces: Sequence[Piece], tiles: Sequence[int], tokens_per_tile: int) -> str:
    """The conversation as the text that the released code would tokenise."""
    return "".join(
        piece
        if isinstance(piece, str)
        else piece.token
        if isinstance(piece, Control)
        else f"<img>{'<IMG_CONTEXT>' * (tiles[piece.index] * tokens_per_tile)}</img>"
        for piece in pieces
    )


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

    def encode(
        self, pieces: Sequence[Piece], tiles: Sequence[int], tokens_per_tile: int
    ) -> list[int]:
        """The ids of a conversation; `tiles` holds the tile count of each picture."""
        start, context, end = (self.id(t) for t in ("<img>", "<IMG_CONTEXT>", "</img>"))
        return self._ids(
            pieces, lambda slot: [start, *[context] * (tiles[slot] * tokens_per_tile), end]
        )

    def placeholder_ids(self, pieces: Sequence[Piece]) -> list[int]:
        """The ids of a conversation with one context token for each picture, as vLLM takes it."""
        context = self.id("<IMG_CONTEXT>")
        return self._ids(pieces, lambda slot: [context])

    def _ids(self, pieces: Sequence[Piece], fill: Callable[[int], list[int]]) -> list[int]:
        ids: list[int] = []
        for piece in pieces:
            if isinstance(piece, str):
                ids += self.text_ids(piece)
            elif isinstance(piece, Control):
                ids.append(self.id(piece.token))
            else:
                ids += fill(piece.index)
        return ids

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
        text = self.tokenizer.decode(
            kept, skip_special_tokens=False, clean_up_tokenization_spaces=False
        )
        return str(text).strip(), reason

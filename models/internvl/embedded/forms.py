"""Every form of question that the mini splits ask, as conversations to learn from.

    python -m er_bench.models.internvl.embedded.forms OUT --start work/tiny-sft/final

A mini split's own generator draws rows with other seeds, its task asks as it asks anybody, and the
task's companion answers. A picture is written as the tile that the model will see of it.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import importlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import PIL.Image

from er_bench import api
from er_bench.core.answer import Points, Value
from er_bench.core.dialect import Dialect
from er_bench.core.environment import Episode, Started
from er_bench.core.geometry import Unit, from_px
from er_bench.core.message import Message
from er_bench.core.prompt import Prompt
from er_bench.core.reference import AnyReference
from er_bench.core.rollout import Turn
from er_bench.core.sample import Image, Text
from er_bench.core.task import AnySample, AnyTask, QuestionTask
from er_bench.data.chat_records import chat_record
from er_bench.data.media import FrameCache
from er_bench.data.rows import FileBlob
from er_bench.models.dialects.families import INTERNVL_1000
from er_bench.models.internvl.conversation import spelled_out
from er_bench.models.internvl.embedded.first_weights import save_start
from er_bench.models.internvl.embedded.vocabulary_growth import (
    grown_model,
    grown_tokenizer,
    growth,
    texts,
)
from er_bench.models.internvl.load import load
from er_bench.models.internvl.pictures import InternVLArgs, see
from er_bench.models.internvl.tiling import tiles
from er_bench.scenes.training_conversations import permille
from er_bench.scenes.training_set import Stretch, write

_log = logging.getLogger(__name__)

FORMS_SEED, STRIDE = 3_000_000, 100
"""The first seed of training rows, and how far apart seeds are: a generator may use its next few.
No mini split is drawn with a seed from here to 3,999,999."""

FORMS: Mapping[str, int] = {
    "erqa": 200,
    "egoplan2": 60,
    "vsibench": 50,
    "mmsibench": 120,
    "blink": 150,
    "cv_bench": 140,
    "embspatial": 130,
    "mindcube": 110,
    "sat": 150,
    "robospatial_home": 130,
    "refspatial": 150,
    "pointarena": 150,
    "pixmo_points": 100,
    "where2place": 120,
    "vlabench": 90,
    "home_alfred": 6,
}
"""Task to how many seeds, each as many rows as the mini split has. `paco_lavis` asks as
`pixmo_points` does; `eb_alfred` and `eb_habitat` have no rows of our own."""

SCENES = Stretch(
    "scenes",
    4_000_000,
    5000,
    5,
    (1, 6),
    (
        ("point", 0.25),
        ("letter", 0.34),
        ("count", 0.20),
        ("outermost", 0.05),
        ("every", 0.04),
        ("odd", 0.02),
        ("free", 0.04),
        ("box", 0.02),
        ("what", 0.01),
        ("listing", 0.01),
        ("number", 0.02),
    ),
)
"""Conversations as before, so that nothing is forgotten."""

SEEING = InternVLArgs(max_tiles=1, tile_limit=1, frames=4)
"""As the card has it."""


@dataclass(frozen=True, slots=True)
class Said:
    """A prompt and its right answer."""

    name: str
    prompt: Prompt
    answer: str


class _HeardError(Exception):
    """Ends a sample once its first prompt is known."""


@dataclass(slots=True)
class _Ear:
    """An agent that hears the first prompt and does not answer."""

    prompt: Prompt | None = None
    looks_every: int = 0

    async def ask(self, prompt: Prompt) -> Turn:
        self.prompt = prompt
        raise _HeardError

    def begin(self, episode: Episode, start: Started) -> Any:
        raise NotImplementedError(f"{episode.id}: a policy is needed")


def draw_rows(task: str, folder: Path, seed: int) -> None:
    """Write a task's rows of another seed, as its mini split is written."""
    importlib.import_module(f"er_bench.tasks.{task}.mini").write(folder, seed)


async def said(task: str, folder: Path, dialect: Dialect) -> list[Said]:
    """What a task asks first about each row of a folder, and the right answers."""
    made = api.prepare(
        "reference/oracle", task, data=folder, dialect=dialect.name, accept_data=True
    )
    found = []
    for opened in made.opened:
        assert opened.reference is not None
        for sample in opened.task.samples():
            prompt = await _first_prompt(opened.task, sample)
            found.append(Said(sample.id, prompt, answer(opened.reference, sample, dialect)))
        await opened.task.close()
    return found


async def _first_prompt(task: AnyTask, sample: AnySample) -> Prompt:
    if isinstance(task, QuestionTask):
        return task.prompt(sample)
    ear = _Ear()
    try:
        await task.solve(sample, ear)
    except _HeardError:
        pass
    assert ear.prompt is not None
    return ear.prompt


def answer(reference: AnyReference, sample: AnySample, dialect: Dialect) -> str:
    """The right answer as the companion writes it; points from left to right on a coarse grid."""
    value: Value = reference.ideal(sample)
    size_wh = reference.size_wh(sample)
    if not isinstance(value, Points) or size_wh is None:
        return reference.write(value, sample)
    places = [from_px(p, Unit.PER_1000, size_wh) for p in sorted(value.xy)]
    coarse = tuple((permille(x, 1000), permille(y, 1000)) for x, y in places)
    return dialect.write_points(Points(coarse, Unit.PER_1000))


def conversation(one: Said, root: Path, tile_px: int) -> list[Message]:
    """The prompt as the engine spells it out, its pictures tiles under `root`, and the answer."""
    pictures = [
        [_tile(picture, root, tile_px) for picture in medium.pictures]
        for medium in see(one.prompt, SEEING, FrameCache())
    ]
    asked = spelled_out(one.prompt.messages, pictures, SEEING.style)
    return [*asked, Message("assistant", (Text(one.answer),))]


def _tile(picture: PIL.Image.Image, root: Path, tile_px: int) -> Image:
    (tile,) = tiles(picture, 1, tile_px)
    file = root / f"{hashlib.sha256(tile.tobytes()).hexdigest()[:24]}.png"
    if not file.exists():
        PIL.Image.fromarray(tile).save(file, compress_level=1)
    return Image(FileBlob(file))


def write_forms(folder: Path, tile_px: int, forms: Mapping[str, int] = FORMS) -> Path:
    """Write the conversations of every form, and the meta JSON that lists them; returns it."""
    meta = json.loads(write(folder, [SCENES], INTERNVL_1000).read_text(encoding="utf-8"))
    for task, seeds in forms.items():
        root = folder / task
        root.mkdir(exist_ok=True)
        count = 0
        with (folder / f"{task}.jsonl").open("w", encoding="utf-8") as file:
            for record in _records(task, range(seeds), root, tile_px):
                file.write(json.dumps(record, ensure_ascii=False) + "\n")
                count += 1
        _log.info("%s: %d conversations", task, count)
        meta[task] = {
            "root": task,
            "annotation": f"{task}.jsonl",
            "data_augment": False,
            "repeat_time": 1,
            "length": count,
        }
        (folder / "meta.json").write_text(json.dumps(meta, indent=2) + "\n", encoding="utf-8")
    return folder / "meta.json"


def _records(
    task: str, numbers: Sequence[int], root: Path, tile_px: int
) -> Iterator[dict[str, object]]:
    for number in numbers:
        with TemporaryDirectory() as rows:
            seed = FORMS_SEED + STRIDE * number
            draw_rows(task, Path(rows), seed)
            for one in asyncio.run(said(task, Path(rows), INTERNVL_1000)):
                yield chat_record(
                    f"{task}/{seed}/{one.name}", conversation(one, root, tile_px), root
                )


def main() -> None:
    """Write the conversations, and the model to go on from with words for them."""
    import torch

    parser = argparse.ArgumentParser(prog="python -m er_bench.models.internvl.embedded.forms")
    parser.description = __doc__
    parser.add_argument("out", type=Path, help="folder for model/ and data/")
    parser.add_argument("--start", type=Path, required=True, help="the model to go on from")
    wanted = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    loaded = load(wanted.start, dtype=torch.float32, attention="eager")
    meta = write_forms(wanted.out / "data", loaded.tile_px)
    more = growth(texts(meta), loaded.tokenizer, known=(SCENES.name,))
    _log.info("new tokens: %d texts, %d words", len(more.phrases), len(more.words))
    grown = grown_tokenizer(loaded.tokenizer, more)
    save_start(grown_model(loaded.model, loaded.tokenizer, grown), grown, wanted.out / "model")


if __name__ == "__main__":
    main()

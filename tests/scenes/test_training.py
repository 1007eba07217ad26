"""Training conversations: what they say is true of the scene, and depends on the seed alone."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path

import pytest

from er_bench.models.dialects.families import INTERNVL_1000
from er_bench.scenes import mask
from er_bench.scenes.conversation import Conversation
from er_bench.scenes.held_out import named_points, questions
from er_bench.scenes.training import (
    HELD_OUT_SEED,
    MAKERS,
    TRAINING_SEED,
    conversations,
    free_spot,
)
from er_bench.scenes.training_data import Part, write
from er_bench.train.records import read_meta


def some(kind: str, count: int = 40) -> list[Conversation]:
    stream = conversations(TRAINING_SEED, INTERNVL_1000, 1, {kind: 1.0}, (2, 6))
    return list(itertools.islice(stream, count))


@pytest.mark.parametrize("kind", MAKERS)
def test_every_kind_can_be_asked_and_is_reproducible(kind: str) -> None:
    assert some(kind, 5) == some(kind, 5)
    assert all(said.turns[0].kind == kind for said in some(kind, 5))


@pytest.mark.parametrize("kind", ["point", "outermost", "odd"])
def test_points_lie_on_the_thing_they_are_about(kind: str) -> None:
    for said in some(kind):
        (turn,), (w, h) = said.turns, said.scene.size_wh
        x, y = map(int, re.findall(r"\d+", turn.answer))
        assert turn.about is not None
        assert mask(said.scene, turn.about)[int(y / 1000 * h), int(x / 1000 * w)]


def test_free_space_is_free() -> None:
    for said in some("free"):
        about = said.turns[0].about
        assert about is not None
        side = re.search(r"free space (.*) the \w+ \w+\.$", said.turns[0].question)
        assert side is not None
        spot = free_spot(said.scene, about, side[1])
        assert spot is not None
        assert not any(mask(said.scene, t)[int(spot[1]), int(spot[0])] for t in said.scene.things)


def test_letters_mark_the_right_option() -> None:
    for said in some("letter", 120):
        (turn,) = said.turns
        options = dict(re.findall(r"\b([A-D])\. (.*?)(?:\.(?= )|\n)", turn.question))
        chosen = options[turn.answer]
        if turn.about is not None:
            assert chosen in (turn.about.colour, turn.about.shape, f"The {turn.about.label}")


def test_counts_are_true() -> None:
    for said in some("count"):
        (turn,), things = said.turns, said.scene.things
        words = turn.question.split("\n")[0].replace("(s)", "").split()[2:4]
        found = [t for t in things if words[0].startswith(t.shape) or words[0] == t.colour]
        asked_all = words[0].startswith("object")
        assert int(turn.answer) == (len(things) if asked_all else len(found))


def test_held_out_seeds_stay_below_training() -> None:
    items = named_points(20, INTERNVL_1000) + questions("letter", 20, INTERNVL_1000)
    assert all(HELD_OUT_SEED <= item.seed < TRAINING_SEED for item in items)


def test_written_data_is_an_internvl_mixture_wherever_it_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(Path("here/data"), [Part("few", TRAINING_SEED, 3, 2, (1, 3))], INTERNVL_1000)
    Path("here").rename("there")
    meta = Path("there/data/meta.json")
    (source,) = read_meta(meta)
    assert len(source.offsets) == json.loads(meta.read_text())["few"]["length"] == 3
    for record in map(source.record, range(3)):
        assert [path.is_file() for path in record.images] == [True]
        assert [turn.role for turn in record.turns] == ["user", "assistant"] * 2
        assert [turn.text.count("<image>") for turn in record.turns] == [1, 0, 0, 0]

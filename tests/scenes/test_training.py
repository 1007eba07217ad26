"""Training conversations: what they say is true of the scene, and depends on the seed alone."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path

import pytest

from er_bench.core.sample import Image, Text
from er_bench.models.dialects.families import INTERNVL_1000
from er_bench.scenes import mask
from er_bench.scenes.conversation import Conversation
from er_bench.scenes.held_out import named_points, questions
from er_bench.scenes.training_conversations import (
    COORDINATE_STEP,
    HELD_OUT_SEED,
    MAKERS,
    TRAINING_SEED,
    conversations,
)
from er_bench.scenes.training_set import Stretch, write
from er_bench.train.data.records import read_meta


def some(kind: str, count: int = 40) -> list[Conversation]:
    stream = conversations(TRAINING_SEED, INTERNVL_1000, 1, {kind: 1.0}, (2, 6))
    return list(itertools.islice(stream, count))


@pytest.mark.parametrize("kind", MAKERS)
def test_every_kind_can_be_asked_and_is_reproducible(kind: str) -> None:
    assert some(kind, 5) == some(kind, 5)
    assert all(said.exchanges[0].kind == kind for said in some(kind, 5))


def numbers_px(said: Conversation) -> list[float]:
    """The coordinates of the only answer, x and y by turns, in pixels."""
    numbers = map(int, re.findall(r"\d+", said.exchanges[0].answer))
    return [n / 1000 * said.scene.size_wh[k % 2] for k, n in enumerate(numbers)]


@pytest.mark.parametrize("kind", ["point", "outermost", "odd"])
def test_points_lie_on_the_thing_they_are_about(kind: str) -> None:
    for said in some(kind):
        x, y = map(int, numbers_px(said))
        about = said.exchanges[0].about
        assert about is not None
        assert mask(said.scene, about)[y, x]


def test_boxes_surround_the_thing_they_are_about() -> None:
    for said in some("box"):
        about = said.exchanges[0].about
        assert about is not None
        step = COORDINATE_STEP / 1000 * said.scene.size_wh[0]
        assert numbers_px(said) == pytest.approx(about.box_px_xyxy, abs=step / 2 + 1e-6)


def test_free_space_is_free_and_on_the_side_asked_for() -> None:
    for said in some("free"):
        (exchange,), (x, y) = said.exchanges, numbers_px(said)
        assert exchange.about is not None
        side = re.search(r"free space (.*) the \w+ \w+\.$", exchange.question)
        assert side is not None
        x0, y0, x1, y1 = exchange.about.box_px_xyxy
        beside = {
            "to the left of": x < x0,
            "to the right of": x > x1,
            "above": y < y0,
            "below": y > y1,
        }
        assert beside[side[1]]
        assert not any(mask(said.scene, t)[int(y), int(x)] for t in said.scene.things)


def test_letters_mark_the_right_option() -> None:
    sides, counts = set(), set()
    for said in some("letter", 120):
        (exchange,), things = said.exchanges, said.scene.things
        options = dict(re.findall(r"\b([A-D])\. (.*?)(?:\.(?= )|\n)", exchange.question))
        chosen = options[exchange.answer]
        if two := re.match(r"Where is the (.*) compared to the (.*?)\?", exchange.question):
            at = {t.label: t.centre_px_xy for t in things}
            (x, y), (other_x, other_y) = at[two[1]], at[two[2]]
            true = {
                "to the left of it": x < other_x,
                "to the right of it": x > other_x,
                "above it": y < other_y,
                "below it": y > other_y,
            }
            assert true[chosen]
            sides.add(chosen)
        elif shape := re.match(r"How many objects have the shape of a (\w+)\?", exchange.question):
            assert int(chosen) == sum(t.shape == shape[1] for t in things)
            counts.add(chosen)
        else:
            about = exchange.about
            assert about is not None
            assert chosen in (about.colour, about.shape, f"The {about.label}")
    assert len(sides) == 4 and len(counts) > 1


def test_counts_are_true() -> None:
    for said in some("count"):
        (exchange,), things = said.exchanges, said.scene.things
        words = exchange.question.split("\n")[0].replace("(s)", "").split()[2:4]
        found = [t for t in things if words[0].startswith(t.shape) or words[0] == t.colour]
        asked_all = words[0].startswith("object")
        assert int(exchange.answer) == (len(things) if asked_all else len(found))


def test_held_out_seeds_stay_below_training() -> None:
    items = named_points(20, INTERNVL_1000) + questions("letter", 20, INTERNVL_1000)
    assert all(HELD_OUT_SEED <= item.seed < TRAINING_SEED for item in items)


def test_written_data_is_an_internvl_mixture_wherever_it_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(Path("here/data"), [Stretch("few", TRAINING_SEED, 3, 2, (1, 3))], INTERNVL_1000)
    Path("here").rename("there")
    meta = Path("there/data/meta.json")
    (source,) = read_meta(meta)
    assert len(source.offsets) == json.loads(meta.read_text())["few"]["length"] == 3
    for record in map(source.record, range(3)):
        assert [message.role for message in record.messages] == ["user", "assistant"] * 2
        picture, question = record.messages[0].parts
        assert isinstance(picture, Image) and not picture.blob.missing()
        assert isinstance(question, Text) and question.text.startswith("\n")
        assert [len(message.parts) for message in record.messages[1:]] == [1, 1, 1]

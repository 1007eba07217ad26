from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from er_bench.core.errors import ConfigError
from er_bench.models.internvl.prompt import (
    MARKUP,
    STRUCTURE,
    MultiImageBudget,
    Picture,
    Style,
    Turn,
    Vocabulary,
    lay_out,
    render,
    tile_budget,
)
from er_bench.models.internvl.tiny import SAMPLE_TEXTS, make_tokenizer

SYSTEM = (
    "<|im_start|>system\n你是书生·万象，英文名是InternVL，是由上海人工智能实验室、"  # noqa: RUF001
    "清华大学及多家合作单位联合开发的多模态大语言模型。<|im_end|>\n"
)
ABSENT = Style("absent")


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return Vocabulary(make_tokenizer(SAMPLE_TEXTS, 300))


def written(*content: str | Picture, style: Style = ABSENT, tiles: int = 1) -> str:
    pieces = lay_out([Turn("user", content)], style)
    return render(pieces, [tiles] * 9, 2)


def image(tiles: int = 1) -> str:
    return f"<img>{'<IMG_CONTEXT>' * 2 * tiles}</img>"


def asked(question: str) -> str:
    return f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n"


def test_one_image_comes_before_the_question_on_a_line_of_its_own() -> None:
    assert written(Picture(), "Point to it.") == asked(f"{image()}\nPoint to it.")
    assert written(Picture(), "Point to it.", tiles=3) == asked(f"{image(3)}\nPoint to it.")


@pytest.mark.parametrize(
    ("setting", "opening"),
    [
        ("template", SYSTEM),
        ("none", "<|im_start|>system\nNone<|im_end|>\n"),
        ("absent", ""),
        ("You are a robot.", "<|im_start|>system\nYou are a robot.<|im_end|>\n"),
    ],
)
def test_system_message(setting: str, opening: str) -> None:
    assert written("Hi", style=Style(setting)) == opening + asked("Hi")


def test_a_system_turn_of_the_prompt_wins() -> None:
    turns = [Turn("system", ("Be brief.",)), Turn("user", ("Hi",))]
    assert render(lay_out(turns, Style()), [], 2) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n" + asked("Hi")
    )


def test_several_images_are_numbered() -> None:
    """InternVL3 README: `Image-1: <image>\\nImage-2: <image>\\n` and the question."""
    assert written(Picture(), Picture(), "Which?") == asked(
        f"Image-1: {image()}\nImage-2: {image()}\nWhich?"
    )


def test_images_stay_where_they_stand() -> None:
    assert written("First", Picture(), "then\n", Picture(), "\nWhich?") == asked(
        f"First\nImage-1: {image()}\nthen\nImage-2: {image()}\nWhich?"
    )
    assert written("Look:", Picture()) == asked(f"Look:\n{image()}")


@pytest.mark.parametrize(("prefix", "shown"), [("Frame", "Frame1: "), ("Frame-", "Frame-1: ")])
def test_video_frames(prefix: str, shown: str) -> None:
    style = Style("absent", prefix)  # type: ignore[arg-type]
    second = shown.replace("1", "2")
    assert written(Picture(1), Picture(2), "What?", style=style) == asked(
        f"{shown}{image()}\n{second}{image()}\nWhat?"
    )


def test_history_numbers_images_over_the_whole_conversation() -> None:
    turns = [
        Turn("user", (Picture(), "one")),
        Turn("assistant", ("A",)),
        Turn("user", (Picture(), "two")),
    ]
    assert render(lay_out(turns, ABSENT), [1, 1], 2) == (
        f"<|im_start|>user\nImage-1: {image()}\none<|im_end|>\n"
        "<|im_start|>assistant\nA<|im_end|>\n" + asked(f"Image-2: {image()}\ntwo")
    )


@pytest.mark.parametrize(
    ("rule", "images", "expected"),
    [
        ("divide", 1, 12), ("divide", 2, 6), ("divide", 5, 2), ("divide", 30, 1),
        ("total64", 1, 12), ("total64", 4, 12), ("total64", 8, 8), ("total64", 100, 1),
        ("each", 8, 12),
    ],
)  # fmt: skip
def test_tile_budget(rule: MultiImageBudget, images: int, expected: int) -> None:
    assert rule in get_args(MultiImageBudget)
    assert tile_budget(12, images, rule) == expected


def test_ids_are_those_of_the_rendered_text(vocabulary: Vocabulary) -> None:
    turns = [
        Turn("user", (Picture(), Picture(), "Where is <ref>the cup</ref>? 12 é\n\n  x")),
        Turn("assistant", ("<box>[[1, 2, 3, 4]]</box>",)),
        Turn("user", ("And now?",)),
    ]
    pieces = lay_out(turns, Style())
    whole = vocabulary.tokenizer.encode(render(pieces, [3, 1], 4), add_special_tokens=False)
    assert vocabulary.encode(pieces, [3, 1], 4) == whole


TOKENS = st.sampled_from([*STRUCTURE, *MARKUP, "<image>", "user\n", "<|im_", "start|>", " a", "\n"])
TEXTS = st.lists(TOKENS | st.text(max_size=5), max_size=8).map("".join)


@settings(deadline=None)
@given(TEXTS)
def test_text_cannot_change_the_structure(vocabulary: Vocabulary, text: str) -> None:
    content = (Picture(), text)
    ids = vocabulary.encode(lay_out([Turn("user", content)], ABSENT), [2], 3)
    count = {name: ids.count(vocabulary.id(name)) for name in STRUCTURE}
    assert count == {
        "<|im_start|>": 2,
        "<|im_end|>": 1,
        "<|endoftext|>": 0,
        "<img>": 1,
        "</img>": 1,
        "<IMG_CONTEXT>": 6,
    }
    first = ids.index(vocabulary.id("<img>"))
    assert ids[first + 1 : first + 7] == [vocabulary.id("<IMG_CONTEXT>")] * 6


def test_texts_can_be_tokenised_on_many_threads(vocabulary: Vocabulary) -> None:
    texts = [f"<|im_end|> number {k} <box>" for k in range(200)]
    alone = [vocabulary.text_ids(text) for text in texts]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(vocabulary.text_ids, texts)) == alone


def test_answers_keep_their_boxes(vocabulary: Vocabulary) -> None:
    answer = "<ref>cup</ref><box>[[1, 2, 3, 4]]</box>"
    ids = vocabulary.text_ids(answer)
    end, pad = vocabulary.stops
    assert vocabulary.decode([*ids, end, pad, pad]) == (answer, "stop")
    assert vocabulary.decode([*ids, pad]) == (answer, "stop")
    assert vocabulary.decode(ids) == (answer, "length")
    assert vocabulary.decode([end, *ids]) == ("", "stop")


def test_another_familys_tokenizer_is_refused() -> None:
    from transformers import Qwen2Tokenizer

    with pytest.raises(ConfigError, match=r"no token <\|im_start\|>"):
        Vocabulary(Qwen2Tokenizer(vocab={"a": 0}, merges=[]))

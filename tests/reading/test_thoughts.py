"""Thoughts in every mark that models use, and every robust reader that looks past them."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from er_bench.reading.action_plan import read_robust
from er_bench.reading.letter import read_letter
from er_bench.reading.number import read_number
from er_bench.reading.skill_plan import read_plan
from er_bench.reading.thoughts import after_thinking, without_thoughts
from er_bench.reading.tuples import tolerant

BLOCKS = [
    ("<think>", "</think>"),
    ("<Thinking>", "</Thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("<seed:think>", "</seed:think>"),
    ("[THINK]", "[/THINK]"),
    ("\u25c1think\u25b7", "\u25c1/think\u25b7"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|think|>", "<|/think|>"),
    ('<think budget="low">', "</think >"),
    ("<analysis>", "</analysis>"),
    ("<Rationale>", "</Rationale>"),
    ("<|channel>thought\n", "<channel|>"),
    (
        "<|channel|>analysis<|message|>",
        "<|end|><|start|>assistant<|channel|>final<|message|>",
    ),
]
ACTIONS = ["find a Mug", "pick up the Mug"]


def plan(*ids):
    return json.dumps({"executable_plan": [{"action_id": i} for i in ids]})


SAID = [
    (lambda t: read_letter(t).value, "The answer is A.", "B"),
    (lambda t: read_number(t).value, "The answer is 7", "4"),
    (lambda t: read_robust(t, ACTIONS).action_ids, plan(0), plan(1)),
    (lambda t: read_plan(t).value, '[{"name": "press"}]', '[{"name": "pick"}]'),
    (lambda t: tolerant(t, (640, 480)).points_px_xy, "(0.1, 0.1)", "(0.5, 0.5)"),
]


@pytest.mark.parametrize(("read", "draft", "answer"), SAID)
@pytest.mark.parametrize(("opening", "closing"), BLOCKS)
def test_no_robust_reader_reads_thoughts(read, draft, answer, opening, closing):
    alone = read(answer)
    assert read(f"{opening}{draft}{closing}{answer}") == alone
    assert read(f"{draft}{closing}{answer}") == alone or closing == "<channel|>"
    unclosed, nothing = read(f"{opening}{draft}"), read("")
    assert unclosed == nothing
    assert read(f"{answer}\n{opening}{draft}") == alone


def test_marks_of_the_answer_go_with_the_thoughts():
    said = "<|channel|>analysis<|message|>B?<|end|><|start|>assistant<|channel|>final<|message|>C"
    assert without_thoughts(f"{said}<|return|>") == "C"
    assert after_thinking("[THINK]<answer>A</answer>[/THINK]<answer>B</answer>") == "B"
    assert without_thoughts("I think [it] is <b>") == "I think [it] is <b>"


@given(st.lists(st.sampled_from([m for b in BLOCKS for m in b] + ["a", "<", "|"])).map("".join))
def test_never_raises(text):
    assert isinstance(after_thinking(text), str)


@pytest.mark.parametrize(
    "unit", ["<think>", "<answer>", "[/THINK]", "<|channel|>", "<think ", "<|end|> ", " "]
)
def test_long_texts_take_no_long_time(unit):
    started = time.process_time()
    after_thinking(unit * (200_000 // len(unit)))
    assert time.process_time() - started < 3

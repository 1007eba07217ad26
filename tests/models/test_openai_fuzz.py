"""Thousands of damaged replies: each is an answer of sound types, or one ModelError in one line."""

from __future__ import annotations

import random

import pytest

from er_bench.core.errors import ModelError
from er_bench.models.chat_reply import read_reply
from tests.models.hostile_replies import assert_sound, damaged

N_REPLIES = 4000


@pytest.mark.parametrize("seed", range(3))
def test_a_damaged_reply_is_an_answer_or_a_model_error(seed: int) -> None:
    rng = random.Random(seed)
    answers = 0
    for _ in range(N_REPLIES):
        content = damaged(rng)
        try:
            said = read_reply(content)
        except ModelError as error:
            assert str(error).isprintable() and len(str(error)) < 400, content
        else:
            answers += 1
            assert_sound(said, content)
    assert N_REPLIES / 20 < answers < N_REPLIES

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from er_bench.core.errors import ConfigError
from er_bench.models.internvl.tiny import SAMPLE_TEXTS, make_tokenizer
from er_bench.models.internvl.vocabulary import Vocabulary


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return Vocabulary(make_tokenizer(SAMPLE_TEXTS, 300))


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

"""Replies of a chat server that are damaged, from a seed, and what a sound answer is."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

from er_bench.core.completion import Completion, well_formed
from er_bench.core.record import Record, RecordStatus
from er_bench.core.rollout import Rollout

WHOLE: dict[str, Any] = {
    "id": "c",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {
                "role": "assistant",
                "content": [{"type": "text", "text": "B"}, {"type": "thinking", "thinking": "A?"}],
                "reasoning_content": "A?",
                "refusal": None,
                "tool_calls": [],
            },
            "error": None,
        }
    ],
    "usage": {"prompt_tokens": 9, "completion_tokens": 1},
    "error": None,
}
ODD: list[Any] = [
    None, True, False, 0, -1, 7, 2.5, float("nan"), float("inf"), 10**400, "", "B", "error",
    "\ud83d", "\x00\x1b[31m\n", "x" * 5000, [], {}, [[]], [None], {"a": 1}, {"error": "x"},
    ["B", 1], {"code": 502, "message": ["x"]}, {"message": "\udfff"}, [{"type": "text", "text": 3}],
    {"type": "thinking", "thinking": {"text": []}}, [{"type": "refusal", "refusal": "no"}],
]  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to each value inside."""
    yield path
    if isinstance(value, (dict, list)):
        for key, child in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(child, (*path, key))


def damaged(rng: random.Random) -> bytes:
    body: Any = copy.deepcopy(WHOLE)
    for _ in range(rng.randint(1, 4)):
        path = rng.choice(list(places(body)))
        odd = copy.deepcopy(rng.choice(ODD))
        if not path:
            body = odd if rng.random() < 0.1 else body
            continue
        holder = body
        for key in path[:-1]:
            holder = holder[key]
        if rng.random() < 0.2:
            del holder[path[-1]]
        else:
            holder[path[-1]] = odd
    content = bytearray(json.dumps(body, ensure_ascii=rng.random() < 0.9).encode(errors="replace"))
    for _ in range(rng.choice([0, 0, 0, 1, 3])):
        if content:
            content[rng.randrange(len(content))] = rng.randrange(256)
    return bytes(content[: rng.randrange(len(content) + 1)] if rng.random() < 0.05 else content)


def assert_sound(said: Completion, content: bytes) -> None:
    """Every field has its type, and a record of it can be written and read."""
    assert all(isinstance(t, str) for t in (said.text, said.thoughts, said.instead)), content
    assert said.finish_reason is None or isinstance(said.finish_reason, str), content
    assert all(n is None or type(n) is int for n in (said.tokens_in, said.tokens_out)), content
    assert said.text or said.finish_reason, content
    rollout = Rollout.answered(said.mapped(well_formed))
    record = Record(task="t", id="a", cluster="a", category="c", status=RecordStatus.SCORED,
                    question="?", rollout=rollout)  # fmt: skip
    assert Record.model_validate_json(record.to_line()) == record

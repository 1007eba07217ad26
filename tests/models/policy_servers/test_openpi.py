"""A policy behind openpi's protocol, over a real websocket."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest

import er_bench as api
from er_bench.core.errors import ConfigError, UsageError
from er_bench.core.record import Record
from er_bench.core.registry import Registry
from er_bench.models.policy_servers import openpi_talk
from er_bench.run.asking import Limits
from er_bench.run.open_model import open_model
from tests.policy_server import Served, array, openpi, running, vla_eval
from tests.sim.push_task import write_push

INPUTS = {"image": "image:top", "nested": {"state": "state"}, "prompt": "instruction"}
FAST = Limits(max_retries=2, backoff_base_s=0.01, backoff_cap_s=0.02)


@pytest.fixture(scope="module")
def include(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_push(tmp_path_factory.mktemp("include"))


@pytest.fixture
def run(include: Path, tmp_path: Path) -> Callable[..., Record]:
    def evaluated(server: Served, **args: Any) -> Record:
        done = api.evaluate(
            "openpi/pusher", "push", split="mini", include=[include], out=tmp_path / "run",
            limit=1, model_args={"url": server.url, "inputs": INPUTS, **args}, limits=FAST,
        )  # fmt: skip
        (record,) = done.records
        return record

    return evaluated


def towards(seen: dict[str, Any], call: int) -> dict[str, Any]:
    goal = [float(word) for word in re.findall(r"-?\d\S*", seen["prompt"])]
    move = np.clip(np.array(goal) - seen["nested"]["state"], -0.1, 0.1)
    chunk = array([move, move, move], in_bytes=True)
    return {"actions": chunk, "server_timing": {"infer_ms": 0.5}}


def test_an_able_policy_reaches_its_goal(run: Callable[..., Record]) -> None:
    with running(openpi(towards)) as server:
        record = run(server, replan_steps=1)
    assert record.judgement["official"].score == 1.0
    assert len(server.heard) == len(record.rollout.turns)
    seen = server.heard[0]
    assert seen.keys() == {"image", "nested", "prompt"} and seen["nested"].keys() == {"state"}
    assert seen["image"].shape == (48, 48, 3) and seen["image"].dtype == np.uint8
    assert seen["nested"]["state"].dtype == np.float64
    assert record.rollout.start is not None and seen["prompt"] == record.rollout.start.instruction


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("Traceback:\n  line 3\nKeyError: 'observation/image'", "failed: KeyError: 'observation/"),
        ({"action": 1}, "has no actions, but action"),
        ({"actions": array([0.1, 0.2])}, "actions are dict, no numbers"),
        ({"actions": {b"__ndarray__": True}}, "actions: an array of None"),
        ({"actions": {b"__npgeneric__": True, b"data": 0.5, b"dtype": "<f4"}}, "are float, no num"),
        (b"\xc1", "the answer is unreadable"),
        (msgpack.packb([1]), "has no actions, but list"),
    ],
)
def test_a_value_of_another_type_is_the_episodes_error(
    said: Any, why: str, run: Callable[..., Record]
) -> None:
    with running(openpi(lambda seen, call: said)) as server:
        record = run(server)
    assert record.status == "model_error" and why in record.error, record.error


@pytest.mark.parametrize(
    ("inputs", "why"),
    [
        ({"a": "image:wrist"}, "the environment has no camera wrist; it has: top"),
        ({"a": "array:force"}, "shows no array force; it shows: top_depth_m_hw"),
        ({"a": "array:expert_action_d"}, "shows no array expert_action_d"),
    ],
)
def test_what_is_not_there_is_not_made_up(
    inputs: dict[str, str], why: str, run: Callable[..., Record]
) -> None:
    with running(openpi(towards)) as server:
        record = run(server, inputs=inputs)
    assert record.status == "model_error" and why in record.error
    assert server.heard == []


def check(url: str) -> None:
    asyncio.run(open_model(Registry(), "openpi/pusher", model_args={"url": url}).check())


def test_a_server_that_does_not_speak_first_is_another_protocols(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(openpi_talk, "GREETING_S", 0.2)
    with running(vla_eval(towards)) as server, pytest.raises(ConfigError, match="vla-eval/NAME"):
        check(server.url)
    server = openpi(towards)
    server.greeting = "hello"
    with running(server), pytest.raises(ConfigError, match="its first message is not what"):
        check(server.url)
    with running(openpi(towards)) as server:
        check(server.url)


def test_a_key_is_sent_and_written_nowhere(
    run: Callable[..., Record], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PI_KEY", "hush-hush")
    sent = []

    def note(end: Any, request: Any) -> None:
        sent.append(request.headers.get("Authorization"))

    with running(openpi(lambda seen, call: "no: hush-hush"), process_request=note) as server:
        record = run(server, api_key_env="PI_KEY")
    assert set(sent) == {"Api-Key hush-hush"} and "no: ***" in record.error
    texts = [path.read_text() for path in (tmp_path / "run").glob("*.json*")]
    assert texts and not any("hush-hush" in text for text in texts)


@pytest.mark.parametrize(
    ("args", "why"),
    [
        ({"inputs": {}}, "{} is no input"),
        ({"inputs": {"a": "picture:top"}}, "'picture:top' is no input"),
        ({"inputs": {"a": {"b": 3}}}, "3 is no input"),
        ({"inputs": {"a": {}}}, "{} is no input"),
        ({"inputs": "image"}, "inputs"),
        ({"cameras": {"a": "b"}}, "unknown model arguments cameras"),
    ],
)
def test_inputs_that_cannot_be_meant_are_refused(args: dict[str, Any], why: str) -> None:
    with pytest.raises(UsageError, match=re.escape(why)):
        open_model(Registry(), "openpi/pusher", model_args=args)

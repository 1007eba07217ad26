"""A policy behind vla-eval's protocol, over a real websocket: what is said, what is refused."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import er_bench as api
from er_bench.core.errors import ConfigError, UsageError
from er_bench.core.model import Model
from er_bench.core.record import Record
from er_bench.core.registry import Registry
from er_bench.run.asking import Limits
from er_bench.run.open_model import open_model
from tests.policy_server import Served, array, message, openpi, ratio, running, vla_eval
from tests.sim.push_task import write_push

FAST = Limits(max_retries=3, backoff_base_s=0.01, backoff_cap_s=0.02, retry_after_cap_s=0.05)


@pytest.fixture(scope="module")
def include(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_push(tmp_path_factory.mktemp("include"))


@pytest.fixture
def run(include: Path, tmp_path: Path) -> Callable[..., list[Record]]:
    """Run `push` by the policy of a server; the records, ordered."""

    def evaluated(server: Served, *, limits: Limits = FAST, limit: int = 1, **args: Any) -> Any:
        done = api.evaluate(
            "vla-eval/pusher", "push", split="mini", include=[include], out=tmp_path / "run",
            limit=limit, model_args={"url": server.url, **args}, limits=limits,
        )  # fmt: skip
        return sorted(done.records, key=lambda record: record.id)

    return evaluated


def towards(payload: dict[str, Any], call: int) -> dict[str, Any]:
    """An able policy: it reads the goal in the sentence, and its place in the state."""
    goal = [float(word) for word in re.findall(r"-?\d\S*", payload["task_description"])]
    return {"actions": array(np.clip(np.array(goal) - payload["state"], -0.1, 0.1), "<f4")}


def test_an_able_policy_reaches_every_goal(run: Callable[..., Any]) -> None:
    with running(vla_eval(towards)) as server:
        records = run(server, limit=4)
    assert [record.judgement["official"].score for record in records] == [1.0] * 4
    assert server.n_connections == 5, "one to look at it, one an episode"
    kinds = server.kinds()
    assert kinds.count("episode_start") == kinds.count("episode_end") == 4
    turns = sum(len(record.rollout.turns) for record in records)
    assert kinds.count("observation") == turns
    seqs = [m["seq"] for m in server.heard if m["type"] != "hello"]
    assert min(seqs) == 2 and all(m["timestamp"] > 1e9 for m in server.heard)


def test_what_a_server_is_shown(run: Callable[..., Any]) -> None:
    with running(vla_eval(towards)) as server:
        (record,) = run(server, cameras={"primary": "top"}, arrays=["top_depth_m_hw"], suite="s")
    start = next(m["payload"] for m in server.heard if m["type"] == "episode_start")
    instruction = record.rollout.start.instruction
    assert start == {"task": {"name": instruction, "suite": "s", "episode": "point-0"}}
    seen = [m["payload"] for m in server.heard if m["type"] == "observation"]
    assert seen[0].keys() == {"images", "task_description", "state", "states", "top_depth_m_hw"}
    (picture,) = seen[0]["images"].values()
    assert list(seen[0]["images"]) == ["primary"] and picture.dtype == np.uint8
    assert picture.shape == (48, 48, 3) and picture.max() == 255
    assert seen[0]["state"].tolist() == [0.0, 0.0] and seen[1]["state"].tolist() != [0.0, 0.0]
    assert seen[1]["states"].tolist() == seen[1]["state"].tolist()
    assert seen[0]["top_depth_m_hw"].dtype == np.float32
    assert seen[0]["task_description"] == instruction
    end = next(m["payload"] for m in server.heard if m["type"] == "episode_end")
    assert end == {"metrics": {"success": True}}
    assert not any("expert" in key for payload in seen for key in payload)


def test_a_chunk_is_carried_out_as_far_as_is_wished(run: Callable[..., Any]) -> None:
    def chunk(payload: dict[str, Any], call: int) -> dict[str, Any]:
        return {"actions": [[0.001, 0], [0.002, 0.0], [0.003, 0]]}

    with running(vla_eval(chunk)) as server:
        (record,) = run(server, replan_steps=2)
    chunks = [turn.control.actions_td for turn in record.rollout.turns]
    assert chunks == [((0.001, 0.0), (0.002, 0.0))] * 15


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"actions": array([0.1, 0.2, 0.3])}, r"actions are \(3,\); the environment takes .* dx, "),
        ({"actions": array([[[0.1, 0.2]]])}, r"actions are \(1, 1, 2\)"),
        ({"actions": array(np.zeros((0, 2)))}, r"actions are \(0, 2\)"),
        ({"actions": array(0.1)}, r"actions are \(\)"),
        ({"actions": array([0.1, np.nan])}, r"actions_td\[0, 1\] is nan"),
        ({"actions": [0.1, float("inf")]}, r"actions_td\[0, 1\] is inf"),
        ({"actions": array([True, False], "|b1")}, "are bool .*, no numbers"),
        ({"actions": ["0.1", "0.2"]}, "a list of what is not numbers"),
        ({"actions": [[0.1, 0.2], [0.3]]}, "lists of different lengths"),
        ({"actions": [True, 1]}, "a list of what is not numbers"),
        ({"actions": "0.1 0.2"}, "actions are str, no numbers"),
        ({"actions": None}, "actions are NoneType, no numbers"),
        ({"thought": 1}, "holds no actions, but thought"),
        ({}, "holds no actions, but nothing"),
        ({"actions": {**array([0.1, 0.2]), "dtype": "O"}}, "neither truth values, integers nor"),
        ({"actions": {**array([0.1, 0.2]), "shape": [3]}}, r"array of <f4 \(3,\) in 8 bytes"),
        ({"actions": {**array([0.1, 0.2]), "shape": [-2]}}, "is no shape"),
        (b"\xc1", "no message"),
        ("actions", "no message: a text: actions"),
        (message("action", {"actions": [0.1, 0.2]}, 99), "says action 99 to observation 3"),
        (message("error", {"error": "failed: wrist\n"}, 3), "failed: wrist "),
        (message("done", {}, 3), "field type"),
        (message("action", {}, 3, more=1), "field more"),
        (message("action", [], 3), "field payload"),
    ],
)  # fmt: skip
def test_a_value_of_another_type_is_one_episodes_error(
    said: Any, why: str, run: Callable[..., Any]
) -> None:
    with running(
        vla_eval(lambda payload, call: said if call == 1 else towards(payload, call))
    ) as s:
        first, second = run(s, limit=2)
    failed, well = (first, second) if first.status == "model_error" else (second, first)
    assert failed.status == "model_error" and re.search(why, failed.error), failed.error
    assert "ws://127.0.0.1" in failed.error and failed.error.isprintable()
    assert failed.judgement == {} and well.judgement["official"].score == 1.0


def test_a_reply_over_the_limit_is_named(run: Callable[..., Any]) -> None:
    with running(vla_eval(lambda payload, call: {"actions": "x" * 5000})) as server:
        (record,) = run(server, max_reply_bytes=4096)
    assert "larger than max_reply_bytes=4096" in record.error


def test_before_the_first_action_a_lost_connection_costs_nothing(run: Callable[..., Any]) -> None:
    lost = [True, True]
    with running(vla_eval(lambda p, call: None if lost and lost.pop() else towards(p, call))) as s:
        (record,) = run(s)
    assert record.judgement["official"].score == 1.0 and s.n_connections == 4


def test_after_it_the_episode_is_lost_and_runs_again(
    run: Callable[..., Any], include: Path, tmp_path: Path
) -> None:
    with running(vla_eval(lambda p, call: None if call == 3 else towards(p, call))) as server:
        (record,) = run(server)
        assert record.status == "model_error" and len(record.rollout.turns) == 2
        assert "lost after 2 answers, --resume runs the episode again" in record.error
        assert server.kinds().count("observation") == 3, "it is not asked again"
        evaluation = api.prepare(
            "vla-eval/pusher", "push", split="mini", include=[include], limit=1, limits=FAST,
            model_args={"url": server.url},
        )  # fmt: skip
        done = asyncio.run(evaluation.run(tmp_path / "run", resume=True))
    assert done.results.tasks["push"].score == 1.0


def test_a_server_that_is_silent_costs_one_request(run: Callable[..., Any]) -> None:
    silent = threading.Event()

    def act(payload: dict[str, Any], call: int) -> Any:
        if call == 2:
            silent.wait(1.0)
        return towards(payload, call)

    with running(vla_eval(act)) as server:
        (record,) = run(server, limits=Limits(max_retries=1, request_timeout_s=0.2,
                                              backoff_base_s=0.01))  # fmt: skip
        silent.set()
    assert record.status == "model_error"
    assert "the server lost the episode: no answer in time" in record.error


SPECS: dict[str, Any] = {"move": ratio("position", 2), "grip": ratio("gripper", 1)}
XYZ: dict[str, Any] = {"position": ratio("position", 3, "delta_xyz", range=[-1, 1])}


@pytest.mark.parametrize(
    ("hello", "why"),
    [
        ({"action_spec": SPECS}, r"acts by 3 components \(move 2, grip 1\), the environment by 2"),
        ({"action_spec": {"turn": ratio("rotation", 2, "euler_xyz")}}, "which has 3 components"),
        (
            {"action_spec": {"x": ratio("x", 1), "grip": ratio("grip", 1, "continuous_01")}},
            "grip is continuous_01, and dy of the environment is in m",
        ),
        (
            {"observation_spec": {n: ratio("image", 0, "rgb_hwc_uint8") for n in "ab"}},
            "wants 2 pictures, 1 are sent",
        ),
        ({"observation_spec": {"state": ratio("state", 8, "joints")}}, "state of 8 components"),
        ({"observation_spec": {"subgoal": ratio("x", 0, "language")}}, r"wants subgoal \(language"),
        ({"observation_params": {"send_wrist_image": True}}, "a second picture, of the wrist"),
    ],
)
def test_a_server_for_another_robot_acts_in_no_episode(
    hello: dict[str, Any], why: str, run: Callable[..., Any]
) -> None:
    with running(vla_eval(towards, **hello)) as server:
        (record,) = run(server)
        assert record.status == "model_error" and re.search(why, record.error), record.error
        assert "check_specs=false" in record.error


def test_specs_that_are_wrong_may_be_passed_over(run: Callable[..., Any]) -> None:
    with running(vla_eval(towards, action_spec=SPECS)) as server:
        (record,) = run(server, check_specs=False)
    assert record.judgement["official"].score == 1.0


def test_specs_that_fit_and_settings_of_other_simulators_pass(run: Callable[..., Any]) -> None:
    told = {
        "action_spec": {"x": ratio("x", 1), "y": ratio("y", 1, "something_else", range=[-1, 1])},
        "observation_spec": {
            "primary": ratio("image", 0, "rgb_hwc_uint8"),
            "state": ratio("state", 2, "xy"), "language": ratio("language", 0, "language"),
        },
        "observation_params": {"seed": 0, "send_state": True, "success_mode": "accumulate"},
    }  # fmt: skip
    with running(vla_eval(towards, **told)) as server:
        (record,) = run(server)
    assert record.judgement["official"].score == 1.0


def checked(model: Model) -> None:
    asyncio.run(model.check())


def client(url: str, name: str = "vla-eval/pusher", **args: Any) -> Model:
    return open_model(Registry(), name, model_args={"url": url, **args})


@pytest.mark.parametrize(
    ("hello", "why"),
    [
        ({"protocol_version": 2}, "speaks version 2 of vla-eval's protocol, er-bench 1"),
        ({"protocol_version": "1"}, "field protocol_version"),
        ({"action_spec": {"x": ratio("x", -1)}}, r"field action_spec\.x\.dims"),
        ({"action_spec": {"x": ratio("x", 1, unit="m")}}, r"field action_spec\.x\.unit"),
        ({"action_spec": {"x": ratio("x", 1, range=[0.0, float("nan")])}}, "finite number"),
    ],
)
def test_a_server_that_says_another_hello_is_refused_before_the_run(
    hello: dict[str, Any], why: str
) -> None:
    with running(vla_eval(towards, **hello)) as server, pytest.raises(ConfigError, match=why):
        checked(client(server.url))


def test_each_protocol_names_the_others_backend() -> None:
    with running(openpi(towards)) as server, pytest.raises(ConfigError, match="--model openpi/"):
        checked(client(server.url))
    with pytest.raises(ConfigError, match="nothing listens there"):
        checked(client("ws://127.0.0.1:9"))


def test_a_page_or_a_refusal_is_no_policy_server() -> None:
    def answering(status: int, **headers: str) -> Any:
        def refuse(end: Any, request: Any) -> Any:
            response = end.respond(status, "no")
            response.headers.update(headers)
            return response

        return refuse

    for status, why in ((404, "answered 404 and opens no websocket"), (401, "refuses the key")):
        with running(vla_eval(towards), process_request=answering(status)) as server:
            with pytest.raises(ConfigError, match=why):
                checked(client(server.url))
    with running(vla_eval(towards)) as there:
        moved = answering(307, Location=there.url)
        with running(vla_eval(towards), process_request=moved) as server:
            with pytest.raises(ConfigError, match=r"has moved to .* redirects are not"):
                checked(client(server.url))
        assert there.n_connections == 0
    with running(vla_eval(towards), process_request=answering(503)) as server:
        checked(client(server.url))


@pytest.mark.parametrize(
    ("args", "why"),
    [
        ({"url": "http://localhost:8000"}, r"did you mean ws://localhost:8000\?"),
        ({"url": "ws://localhost:99999"}, "is no address"),
        ({"url": "ws://a/#b"}, "has a fragment"),
        ({"replan_steps": 0}, "replan_steps"),
        ({"camera": "top"}, "did you mean cameras"),
        ({"cameras": ["top"]}, "cameras"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(args: dict[str, Any], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        open_model(Registry(), "vla-eval/pusher", model_args=args)


def test_it_answers_no_questions_and_takes_no_decoding(include: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="takes no --gen-args; leave out temperature"):
        open_model(Registry(), "vla-eval/pusher", gen_args={"temperature": 0.5})
    done = api.evaluate("vla-eval/pusher", "vlabench", split="mini", out=tmp_path / "run")
    why = done.results.tasks["vlabench"].why
    assert why == "it asks questions; vla-eval/pusher is a policy, which acts"


def test_a_secret_in_the_address_is_written_nowhere(
    run: Callable[..., Any], tmp_path: Path
) -> None:
    with running(vla_eval(lambda p, call: message("error", {"error": "hush-hush"}, 3))) as server:
        server.url = server.url.replace("ws://", "ws://me:hush-hush@")
        (record,) = run(server)
    assert record.status == "model_error"
    texts = [path.read_text() for path in (tmp_path / "run").glob("*.json*")]
    assert texts and not any("hush-hush" in text for text in texts)

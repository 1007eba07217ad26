"""The control loop: a policy acts, the world moves, and one record tells all of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

import er_bench as api
from er_bench.core.completion import Completion
from er_bench.core.environment import Episode, Started
from er_bench.core.errors import ModelError
from er_bench.core.policy import Actions, Observation, Policy
from er_bench.core.prompt import Prompt
from er_bench.core.record import Record
from er_bench.core.registry import Registry
from er_bench.core.rollout import Rollout
from er_bench.models.reference_policies import ReferencePolicy
from er_bench.run.asking import Asking, Health, Limits
from tests.conftest import write_toy
from tests.sim.push_task import write_push


@pytest.fixture(scope="module")
def include(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_push(write_toy(tmp_path_factory.mktemp("include")))


def run(include: Path, out: Path, model: str, tasks: str = "push") -> api.Run:
    return api.evaluate(model, tasks, split="mini", include=[include], out=out)


def test_expert_chance_and_rest(include: Path, tmp_path: Path) -> None:
    scores = {}
    for kind in ("oracle", "chance", "blind"):
        done = run(include, tmp_path / kind, f"reference/{kind}")
        scores[kind] = done.results.tasks["push"].score
        again = run(include, tmp_path / f"{kind}2", f"reference/{kind}")
        assert told(done.records) == told(again.records), "the same seed acts the same way"
    assert scores["oracle"] == 1.0 and scores["blind"] == 0.0 and scores["chance"] < 0.5


def told(records: list[Record]) -> list[object]:
    return sorted(record.untimed().model_dump_json() for record in records)


def test_a_record_holds_every_action_in_its_space(include: Path, tmp_path: Path) -> None:
    done = run(include, tmp_path / "r", "reference/blind")
    for record in done.records:
        rollout = record.rollout
        assert rollout.start and rollout.start.action_space
        assert rollout.start.action_space.names == ("dx", "dy")
        assert rollout.start.action_space.units == ("m", "m")
        assert rollout.ending == "env_steps" and len(rollout.turns) == 30
        controls = [turn.control for turn in rollout.turns if turn.control]
        assert all(control.actions_td == ((0.0, 0.0),) for control in controls)
        rewards = [reward for control in controls for reward in control.rewards]
        assert record.judgement["official"].parts["return"] == pytest.approx(sum(rewards))
        assert len(rewards) == 30 and len(set(rewards)) == 1
        kept = [turn for turn in rollout.turns if turn.media]
        assert kept == [rollout.turns[0]], "a picture is kept every fifty steps"
        assert list(record.completions()) == []
    assert done.results.tasks["push"].n_without_text == {}


def test_scored_again_and_shown(include: Path, tmp_path: Path) -> None:
    done = run(include, tmp_path / "r", "reference/oracle")
    again = api.score(done.folder, include=[include], out=tmp_path / "again")
    assert again.results.tasks["push"].score == 1.0
    page = api.write_report([done.folder], include=[include])
    (chunk,) = (page.parent / "data").glob("*.js")
    assert '"control":[{' in chunk.read_text() and '["dx",' in chunk.read_text()


def test_who_asks_does_not_act_and_who_acts_is_asked_nothing(include: Path, tmp_path: Path) -> None:
    done = run(include, tmp_path / "r", "reference/random-object", "push,toy")
    assert done.results.tasks["push"].status == "unavailable"
    assert done.results.tasks["push"].why == (
        "it needs a policy; reference/random-object answers prompts"
    )


class Chunks:
    """Says five actions at once, and what it was shown."""

    looks_every, knows_expert = 1, False

    def __init__(self, units: tuple[str, ...] = ("m", "m"), value: float = 0.1) -> None:
        self.units, self.value, self.shown = units, value, list[Observation]()

    def for_episode(self, episode: Episode, start: Started) -> Policy:
        self.frame = start.action_space.frame if start.action_space else ""
        return self

    async def act(self, observation: Observation) -> Actions:
        self.shown.append(observation)
        return Actions(np.full((5, 2), self.value), self.units, self.frame)


def solved(include: Path, policy: Policy) -> Rollout:
    async def never(prompt: Prompt) -> Completion:
        raise AssertionError("a policy is asked nothing")

    async def solve() -> Rollout:
        task = Registry((include,)).open_mini("push")
        sample = next(task.samples())
        agent = Asking(never, Limits(), Health(), Path(), ("push", "0", 0), None, policy)
        try:
            return await task.solve(sample, agent)
        finally:
            await task.close()

    return asyncio.run(solve())


def test_a_chunk_is_carried_out_whole_and_cut_at_the_limit(include: Path) -> None:
    policy = Chunks(value=-0.001)
    rollout = solved(include, policy)
    assert [len(turn.control.actions_td) for turn in rollout.turns if turn.control] == [5] * 6
    assert len(policy.shown) == 6
    seen = policy.shown[1]
    assert seen.state_d is not None and seen.state_d.tolist() == pytest.approx([-0.005, -0.005])
    assert "expert_action_d" not in seen.arrays and "told_d" in seen.arrays


def test_actions_of_another_space_are_the_models_error(include: Path) -> None:
    with pytest.raises(
        ModelError, match=r"the policy acts in cm, cm .* the environment wants m, m"
    ):
        solved(include, Chunks(units=("cm", "cm")))


def test_no_expert_no_oracle() -> None:
    space = {"names": ("x",), "units": ("m",), "frame": "table", "low": (1.0,), "high": (2.0,)}
    start = Started.model_validate({"instruction": "", "action_space": space})

    def act(kind: str, name: str = "a") -> float:
        policy = ReferencePolicy(kind, name).for_episode(Episode(id="0", scene=""), start)
        return asyncio.run(policy.act(Observation({}, ""))).actions_td.item()

    with pytest.raises(ModelError, match="has no scripted expert"):
        act("oracle")
    assert act("blind") == 1.0, "0 moved into its bounds"
    assert act("chance") == act("chance") != act("chance", "b")
    assert 1 <= act("chance") <= 2

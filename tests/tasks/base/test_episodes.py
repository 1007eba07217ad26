from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from er_bench.core.answer import Answer, Plan
from er_bench.core.card import TaskCard
from er_bench.core.completion import Completion
from er_bench.core.environment import Environments, Episode, EpisodeLimits
from er_bench.core.errors import DataError, EnvError, ModelError
from er_bench.core.message import user
from er_bench.core.prompt import Expect, Prompt
from er_bench.core.record import Record
from er_bench.core.rollout import EpisodeStart, Rollout, Step, Turn
from er_bench.core.sample import Blob, Image, Sample
from er_bench.core.score import Scored
from er_bench.reading.action_plan import PlanReader, read_robust, read_strict
from er_bench.run.records import make_record
from er_bench.sim.in_process import InProcessEnvironments
from er_bench.tasks.base.episodes import EpisodeTask

CARD = TaskCard.model_validate(
    {
        "name": "lights", "title": "Lights", "summary": "Light all lamps.", "groups": [],
        "dataset": {"id": None, "licence": "MIT"}, "cluster": "the room", "sources": ["here"],
        "metric": {"name": "success", "description": "share", "aggregate": "mean"},
    }
)  # fmt: skip
SAMPLE = Sample("room/1", (), None, "room", "base", "here")
N_LAMPS = 3
ACTIONS = [f"light lamp {k}" for k in range(N_LAMPS)] + ["wait", "climb the wall"]
WAIT, CLIMB = 3, 4


class Lights:
    """Lamps that are lit one by one; waiting is possible, climbing is not."""

    made: list[Lights] = []  # noqa: RUF012

    def __init__(self, fails_at: int | None = None) -> None:
        self.lit: set[int] = set()
        self.steps, self.fails_at, self.closed = 0, fails_at, False
        Lights.made.append(self)

    def hello(self) -> dict[str, Any]:
        return {"env": "lights", "env_version": "1"}

    def list_episodes(self, split: str) -> list[str]:
        return [split]

    def reset(
        self, episode_id: str, seed: int, resolution: int, episode: dict[str, Any] | None
    ) -> dict[str, Any]:
        self.lit, self.steps = set(), 0
        return {"instruction": "Light all lamps.", "actions": ACTIONS, "obs": self.view()}

    def view(self) -> dict[str, bytes]:
        return {"head_rgb": b"picture after %d" % self.steps}

    def step(self, action: str) -> dict[str, Any]:
        self.steps += 1
        action_id = ACTIONS.index(action)
        if self.steps == self.fails_at:
            raise RuntimeError("the lamp broke")
        if action_id < N_LAMPS:
            self.lit.add(action_id)
        return {
            "valid": action_id != CLIMB,
            "feedback": "Too steep." if action_id == CLIMB else "Done.",
            "reward": 1.0,
            "done": False,
            "success": len(self.lit) == N_LAMPS,
            "progress": len(self.lit) / N_LAMPS,
            "obs": self.view(),
        }

    def state(self) -> dict[str, Any]:
        return {"lit": sorted(self.lit)}

    def close(self) -> None:
        self.closed = True


class LightsTask(EpisodeTask[None]):
    robust = False
    fails_at: int | None = None

    def __init__(self) -> None:
        super().__init__(CARD, Path())

    def samples(self) -> Iterator[Sample[None]]:
        yield SAMPLE

    def episode(self, sample: Sample[None]) -> Episode:
        return Episode(id=sample.id, scene=sample.cluster)

    def plan_prompt(
        self, sample: Sample[None], start: EpisodeStart, history: Sequence[Step], image: Blob
    ) -> Prompt:
        told = " ".join(f"{s.action_id}:{s.feedback}" for s in history)
        return Prompt((user(Image(image), f"{start.instruction} {told}"),), Expect.PLAN)

    def open_environments(self) -> Environments:
        return InProcessEnvironments(lambda: Lights(self.fails_at), "lights")

    def reader(self) -> PlanReader:
        return read_robust if self.robust else read_strict


class Script:
    """A model that says what it was told to, and remembers what it was shown."""

    def __init__(self, says: Iterable[str | Exception], constrained: bool = False) -> None:
        self._says, self._constrained = iter(says), constrained
        self.seen: list[tuple[bytes, str]] = []

    async def ask(self, prompt: Prompt) -> Turn:
        images = [part.blob for part in prompt.parts() if isinstance(part, Image)]
        assert len(images) == 1  # the newest only
        self.seen.append((images[0].read(), prompt.text()))
        said = next(self._says)
        if isinstance(said, Exception):
            raise said
        return Turn(Completion(said, constrained=self._constrained), prompt.sha256())


def plan(*ids: object) -> str:
    return json.dumps({"executable_plan": [{"action_id": i} for i in ids]})


def play(
    *says: str | Exception, task: LightsTask | None = None, constrained: bool = False
) -> tuple[Rollout, Script]:
    async def run() -> tuple[Rollout, Script]:
        opened, model = task or LightsTask(), Script(says, constrained)
        try:
            return await opened.solve(SAMPLE, model), model
        finally:
            await opened.close()

    return asyncio.run(run())


def parts(rollout: Rollout, task: LightsTask | None = None) -> dict[str, float]:
    return dict((task or LightsTask()).judge(SAMPLE, rollout)["official"].parts)


def test_a_plan_is_carried_out_until_the_goal_is_reached() -> None:
    rollout, model = play(plan(0, 1, 2, WAIT))
    assert rollout.start == EpisodeStart("Light all lamps.", tuple(ACTIONS))
    (turn,) = rollout.turns
    assert [(step.action_id, step.action) for step in turn.steps] == [
        (k, f"light lamp {k}") for k in range(3)
    ]
    assert rollout.ending == "success"
    judged = LightsTask().judge(SAMPLE, rollout)
    assert [judged[reading].score for reading in ("official", "robust")] == [1.0, 1.0]
    assert judged["official"].answer == judged["robust"].answer == Answer(Plan((0, 1, 2)))
    assert len(model.seen) == 1
    assert parts(rollout)["planner_steps"] == 1 and parts(rollout)["num_steps"] == 3


def test_after_the_first_failed_action_the_model_plans_again_with_the_newest_picture() -> None:
    rollout, model = play(plan(0, CLIMB, 1, 2), plan(1, 2))
    assert [image for image, _ in model.seen] == [b"picture after 0", b"picture after 2"]
    assert model.seen[1][1] == "Light all lamps. 0:Done. 4:Too steep."
    assert parts(rollout)["num_invalid_actions"] == 1
    assert [[step.action_id for step in turn.steps] for turn in rollout.turns] == [
        [0, CLIMB], [1, 2],
    ]  # fmt: skip


def test_an_episode_has_thirty_steps_and_the_plan_is_cut_to_them() -> None:
    rollout, model = play(plan(*[WAIT] * 20), plan(*[WAIT] * 20))
    assert rollout.ending == "env_steps"
    assert parts(rollout)["num_steps"] == 30 and len(model.seen) == 2
    assert parts(rollout)["task_success"] == 0


def test_ten_failures_in_all_end_it_and_need_not_be_in_a_row() -> None:
    rollout, _ = play(*[plan(WAIT, CLIMB)] * 10)
    assert rollout.ending == "invalid_actions"
    assert parts(rollout)["num_invalid_actions"] == 10 and parts(rollout)["num_steps"] == 20


def test_an_unreadable_plan_counts_as_one_failure() -> None:
    rollout, _ = play(plan(0), "no plan", plan(99), plan(1), *[plan(CLIMB)] * 7, "??")
    assert rollout.ending == "invalid_plan"
    assert parts(rollout)["num_invalid_actions"] == 10
    assert parts(rollout)["planner_output_error"] == 2
    assert parts(rollout)["task_progress"] == 0.0  # as released
    assert parts(rollout)["task_progress_reached"] == pytest.approx(2 / 3)


def test_the_prompt_after_an_unreadable_plan_is_the_same() -> None:
    _, model = play("?", plan(0, 1, 2))
    assert model.seen[0] == model.seen[1]


def test_an_empty_plan_ends_it_at_once() -> None:
    rollout, _ = play(plan(0), plan())
    assert rollout.ending == "empty_plan"
    assert parts(rollout)["empty_plan"] == 1 and parts(rollout)["task_progress"] == 0.0


def test_nothing_but_garbage_ends_after_ten_calls_unparsed() -> None:
    rollout, model = play(*["?"] * 99)
    assert len(model.seen) == 10
    verdict = LightsTask().judge(SAMPLE, rollout)["official"]
    assert verdict.answer.status == "unparsed"
    assert verdict.score == 0.0


def test_no_script_can_ask_more_often_than_the_limits_allow() -> None:
    limits = EpisodeLimits()
    _, model = play(*([plan(WAIT)] * 21 + ["?"] * 9 + [plan(WAIT)] * 99))
    assert len(model.seen) == limits.planner_calls - 1


def test_the_robust_reading_is_counted_and_drives_only_when_told() -> None:
    fenced = "```json\n" + plan(0, 1, 2) + "\n```"
    rollout, _ = play(fenced, plan(0, 1, 2))
    assert parts(rollout)["robust_plan_parsed"] == 1
    assert parts(rollout)["planner_output_error"] == 1
    task = LightsTask()
    task.robust = True
    rollout, _ = play(fenced, task=task)
    numbers = parts(rollout, task)
    assert numbers["planner_steps"] == 1 and numbers["task_success"] == 1


def test_the_robust_reading_knows_a_plan_where_only_the_best_reader_does() -> None:
    fenced = "```json\n" + plan(0) + "\n```"
    rollout, _ = play(*[fenced] * 10)
    judged = LightsTask().judge(SAMPLE, rollout)
    assert judged["official"].answer.status == "unparsed"
    assert judged["robust"].answer == Answer(Plan(()))
    assert judged["official"].score == judged["robust"].score == 0.0


def test_held_decoding_is_recorded() -> None:
    rollout, _ = play(plan(0), plan(1, 2), constrained=True)
    assert parts(rollout)["constrained_calls"] == 2


def test_a_stored_episode_is_judged_the_same_without_a_simulator() -> None:
    task = LightsTask()
    rollout, _ = play(plan(0, CLIMB), "?", plan(1, 2))
    judgement = task.judge(SAMPLE, rollout)
    record = make_record(task, SAMPLE, ("lights", SAMPLE.id, 0), rollout, judgement)
    made = len(Lights.made)
    stored = Record.model_validate_json(record.to_line())
    assert stored.rollout == rollout and rollout.elapsed_s is not None
    assert LightsTask().judge(SAMPLE, stored.rollout) == judgement == stored.judgement
    assert len(Lights.made) == made


def said_instead(rollout: Rollout, *says: str) -> Rollout:
    """A rollout whose texts are others: as if another reader had read the same ones."""
    turns = zip(rollout.turns, says, strict=True)
    return replace(
        rollout, turns=tuple(replace(turn, completion=Completion(said)) for turn, said in turns)
    )


def test_a_stored_episode_refuses_another_action() -> None:
    rollout, _ = play(plan(0, 1, 2))
    refusal = r"took actions \[0, 1, 2\].*asks for \[0, 2, 1\]; run the episode again.*here"
    with pytest.raises(DataError, match=refusal):
        LightsTask().judge(SAMPLE, said_instead(rollout, plan(0, 2, 1)))


@pytest.mark.parametrize(
    ("says", "instead"),
    [
        ([plan(0), plan(1, 2)], ["?", plan(1, 2)]),
        ([plan(0), plan(1, 2)], [plan(), plan(1, 2)]),
        (["?", plan(0, 1, 2)], [plan(WAIT), plan(0, 1, 2)]),
        ([plan(0), plan(1, 2)], [plan(0, WAIT), plan(1, 2)]),
        ([plan(0, 1), plan(2)], [plan(0), plan(2)]),
        (["?", plan(0, 1, 2)], [plan(), plan(0, 1, 2)]),
        ([plan(0), plan()], [plan(0), "?"]),
    ],
    ids=["unread now", "empty now", "read now", "longer", "shorter", "ends it now", "goes on now"],
)
def test_a_stored_episode_refuses_a_plan_that_would_have_gone_another_way(
    says: list[str], instead: list[str]
) -> None:
    rollout, _ = play(*says)
    with pytest.raises(DataError, match="run the episode again"):
        LightsTask().judge(SAMPLE, said_instead(rollout, *instead))


def test_a_model_that_fails_in_mid_episode_leaves_a_simulator_that_can_be_used() -> None:
    task, before = LightsTask(), len(Lights.made)

    async def run() -> Rollout:
        with pytest.raises(ModelError):
            await task.solve(SAMPLE, Script([plan(0), ModelError("no answer")]))
        try:
            return await task.solve(SAMPLE, Script([plan(0, 1, 2)]))
        finally:
            await task.close()

    assert parts(asyncio.run(run()))["num_steps"] == 3
    assert all(made.closed for made in Lights.made[before:])


def test_a_simulator_that_fails_is_an_env_error_and_is_not_used_again() -> None:
    task = LightsTask()
    task.fails_at = 2
    with pytest.raises(EnvError, match="the lamp broke"):
        play(plan(0, 1), task=task)
    assert Lights.made[-1].closed


def test_a_simulator_that_lacks_its_files_is_an_env_error_that_says_so() -> None:
    class Bare(LightsTask):
        def open_environments(self) -> Environments:
            def make() -> Lights:
                raise FileNotFoundError("lamps.bin; fetch it first")

            return InProcessEnvironments(make, "lights")

    with pytest.raises(EnvError, match="fetch it first"):
        play(plan(0), task=Bare())


def test_a_step_without_a_judgement_is_an_env_error() -> None:
    class Silent(Lights):
        def step(self, action: str) -> dict[str, Any]:
            return {**super().step(action), "success": None}

    class Unjudged(LightsTask):
        def open_environments(self) -> Environments:
            return InProcessEnvironments(Silent, "lights")

    with pytest.raises(EnvError, match="neither a judgement"):
        play(plan(0), task=Unjudged())


def test_what_is_printed_beside_the_score() -> None:
    first, _ = play(plan(0, 1, 2))
    second, _ = play("?", plan(CLIMB), plan())
    task = LightsTask()
    for name, reading in task.readings.items():
        verdicts = [task.judge(SAMPLE, rollout)[name] for rollout in (first, second)]
        made = reading.aggregate([Scored("room", "base", v.score, v.parts) for v in verdicts])
        assert made.score == 0.5 and made.categories == {"base": 0.5}
        assert made.metrics["planner_steps"] == 2.0
        assert made.metrics["num_invalid_actions"] == 1.0
        assert made.metrics["invalid_action_rate"] == pytest.approx(2 / 5)
        assert made.metrics["output_error_rate"] == pytest.approx(1 / 4)
        assert made.metrics["empty_plan"] == 0.5

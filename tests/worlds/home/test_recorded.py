"""The homes are a simulator like any other: in this process, in their own, recorded, replayed."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from er_bench.core.answer import Plan
from er_bench.core.completion import Completion
from er_bench.core.errors import EnvError
from er_bench.core.prompt import Prompt
from er_bench.core.reference import AnyReference
from er_bench.core.registry import Registry
from er_bench.core.rollout import Rollout, Turn
from er_bench.core.sample import Image, Sample
from er_bench.sim.recording import LINES
from er_bench.tasks.base.home import HomeEpisode, HomeTask
from er_bench.worlds.home import renderer
from er_bench.worlds.home.simulator import HomeSimulator
from er_bench.worlds.home.skills import start

HOMES = ("home_alfred", "home_rearrange")
IMPOSSIBLE = {"home_alfred": "open the Safe", "home_rearrange": "close the cabinet 7"}


@pytest.fixture(autouse=True)
def small_plain_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ER_BENCH_HOME_RENDERER", "numpy")
    monkeypatch.setattr(HomeTask, "resolution_px", 24)
    for name in ("HOME", "RECORD", "PROCESSES"):
        monkeypatch.delenv(f"ER_BENCH_SIM_{name}", raising=False)


class Planner:
    """Tries what cannot be done, sees that, then does the oracle's plan."""

    def __init__(self, reference: AnyReference, sample: Sample[HomeEpisode]) -> None:
        self.seen: list[bytes] = []
        self._says = self._plans(reference, sample)

    @staticmethod
    def _plans(reference: AnyReference, sample: Sample[HomeEpisode]) -> Iterator[str]:
        yield reference.write(Plan((impossible(reference, sample),)), sample)
        yield reference.write(reference.ideal(sample), sample)

    async def ask(self, prompt: Prompt) -> Turn:
        self.seen += [part.blob.read() for part in prompt.parts() if isinstance(part, Image)]
        return Turn(Completion(next(self._says)))


def impossible(reference: AnyReference, sample: Sample[HomeEpisode]) -> int:
    return start(sample.target.spec).actions.index(IMPOSSIBLE[reference.task.name])


def play(name: str, nth: int = 0) -> tuple[Rollout, list[bytes]]:
    registry = Registry()
    task = registry.open_mini(name)
    assert isinstance(task, HomeTask) and task.unavailable() is None
    sample = list(task.samples())[nth]
    reference = registry.reference(task)
    assert reference is not None
    planner = Planner(reference, sample)

    async def run() -> Rollout:
        try:
            return await task.solve(sample, planner)
        finally:
            await task.close()

    return asyncio.run(run()), planner.seen


def comparable(rollout: Rollout) -> Rollout:
    turns = tuple(
        replace(turn, steps=tuple(replace(step, sim_seconds=0.0) for step in turn.steps))
        for turn in rollout.turns
    )
    return replace(rollout, turns=turns, elapsed_s=None)


@pytest.mark.parametrize("name", HOMES)
def test_a_recorded_home_plays_again_with_the_pictures_that_were_looked_at(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[int] = []
    draw = renderer.png
    monkeypatch.setattr(renderer, "png", lambda *told: drawn.append(1) or draw(*told))
    monkeypatch.setenv("ER_BENCH_SIM_RECORD", str(tmp_path))
    lived, seen = play(name)
    assert lived.ending == "success"
    assert len(seen) == len(drawn) == 2  # a picture for each question, none for the steps between
    assert len(list(tmp_path.glob("*/*.png"))) == 2

    monkeypatch.delenv("ER_BENCH_SIM_RECORD")
    monkeypatch.setenv("ER_BENCH_SIM_HOME", f"replay:{tmp_path}")
    monkeypatch.setattr(HomeSimulator, "reset", None)
    again, seen_again = play(name)
    assert seen_again == seen and comparable(again) == comparable(lived)
    assert len(drawn) == 2


def test_both_homes_are_recorded_into_one_folder_though_their_ids_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ER_BENCH_SIM_RECORD", str(tmp_path))
    lived = [play(name) for name in HOMES]
    ids = [next(iter(Registry().open_mini(name).samples())).id for name in HOMES]
    assert ids[0] == ids[1]
    assert len(list(tmp_path.glob(f"*/{LINES}"))) == 2
    monkeypatch.setenv("ER_BENCH_SIM_HOME", f"replay:{tmp_path}")
    monkeypatch.delenv("ER_BENCH_SIM_RECORD")
    assert [play(name)[1] for name in HOMES] == [seen for _, seen in lived]


def test_an_episode_that_was_not_recorded_is_an_env_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ER_BENCH_SIM_RECORD", str(tmp_path))
    play("home_alfred")
    monkeypatch.setenv("ER_BENCH_SIM_HOME", f"replay:{tmp_path}")
    monkeypatch.delenv("ER_BENCH_SIM_RECORD")
    with pytest.raises(EnvError, match="is not recorded"):
        play("home_alfred", nth=1)
    monkeypatch.setattr(HomeTask, "resolution_px", 32)
    with pytest.raises(EnvError, match="is not recorded"):
        play("home_alfred")


def test_a_planner_that_looks_where_the_recorded_one_did_not_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ER_BENCH_SIM_RECORD", str(tmp_path))
    play("home_alfred")
    monkeypatch.delenv("ER_BENCH_SIM_RECORD")
    monkeypatch.setenv("ER_BENCH_SIM_HOME", f"replay:{tmp_path}")

    def one_at_a_time(reference: AnyReference, sample: Sample[HomeEpisode]) -> Iterator[str]:
        ideal = reference.ideal(sample)
        assert isinstance(ideal, Plan)
        for step in (impossible(reference, sample), *ideal.steps):
            yield reference.write(Plan((step,)), sample)

    monkeypatch.setattr(Planner, "_plans", staticmethod(one_at_a_time))
    with pytest.raises(EnvError, match="nobody looked at the recorded episode after entry 2"):
        play("home_alfred")


@pytest.mark.parametrize("name", HOMES)
def test_a_home_in_a_process_of_its_own_tells_the_same_story(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, seen = play(name)
    monkeypatch.setenv("ER_BENCH_SIM_HOME", sys.executable)
    monkeypatch.setattr(HomeSimulator, "reset", None)
    there, seen_there = play(name)
    assert seen_there == seen and comparable(there) == comparable(here)


def test_a_home_that_is_not_where_it_is_said_to_be_makes_its_tasks_unavailable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ER_BENCH_SIM_HOME", "replay:/nowhere")
    why = Registry().open_mini("home_alfred").unavailable()
    assert why and "there is no such folder" in why

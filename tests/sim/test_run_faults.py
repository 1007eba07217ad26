"""`er-bench run` on simulators that fail, and a run that is killed and resumed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from pathlib import Path

import pytest

from er_bench.core.record import Record
from er_bench.data.run_folder import read_records
from tests.sim.processes import left_behind

HERE = Path(__file__).parent
N_EPISODES = 12
CARD = """
name: counting
title: Counting
summary: Add ones until the number is reached.
groups: []
in_all: false
dataset: {id: null, licence: MIT}
metric: {name: success, description: share, aggregate: mean}
cluster: the episode
sources: [these tests]
"""
TASK = f"""
import json, os, sys
from er_bench.tasks.base.episodes import EpisodeTask
from er_bench.core.prompt import Expect, Prompt
from er_bench.core.message import user
from er_bench.core.record import Shown
from er_bench.core.sample import Image, Sample
from er_bench.sim.client import Deadlines, Spawn
from er_bench.core.environment import Episode
from er_bench.sim.pool import Pool


class Counting(EpisodeTask):
    def samples(self):
        for k in range({N_EPISODES}):
            yield Sample(f"count/{{k}}", (), None, str(k), "base", f"row {{k}}")

    def episode(self, sample):
        return Episode(id="count-4", scene="numbers", resolution=16)

    def plan_prompt(self, sample, start, history, image):
        return Prompt((user(Image(image), start.instruction),), Expect.PLAN)

    def open_environments(self):
        words = json.loads(os.environ["COUNTING_OPTIONS"])
        command = [sys.executable, {str(HERE / "faulty_server.py")!r}]
        command += [f"{{k}}={{v}}" for k, v in words.items()]
        return Pool([Spawn("counting", command)] * 3, Deadlines(step=2, close=2))

    def shown(self, sample):
        return Shown("count")


TASK = Counting
"""
REFERENCE = """
import json
from er_bench.core.answer import Plan
from er_bench.core.reference import Reference


class CountingReference(Reference):
    def ideal(self, sample):
        return Plan((0,))

    def write(self, value, sample):
        return json.dumps({"executable_plan": [{"action_id": i} for i in value.steps]})


REFERENCE = CountingReference
"""


class Bench:
    def __init__(self, folder: Path) -> None:
        self.folder, self.out, self.pids = folder, folder / "out", folder / "pids"
        (folder / "counting" / "mini").mkdir(parents=True)
        (folder / "counting" / "card.yaml").write_text(CARD)
        (folder / "counting" / "task.py").write_text(textwrap.dedent(TASK))
        (folder / "counting" / "reference.py").write_text(textwrap.dedent(REFERENCE))

    def start(self, *more: str, **options: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "er_bench.cli.main", "run", "--model", "reference/oracle"]
        command += ["--tasks", "counting", "--split", "mini", "--include-path", str(self.folder)]
        command += ["--out", str(self.out), "--concurrency", "4", *more]
        told = {"pids": str(self.pids), **options}
        environ = {**os.environ, "COUNTING_OPTIONS": json.dumps(told, default=str)}
        return subprocess.Popen(command, env=environ, stderr=subprocess.PIPE,
                                stdout=subprocess.PIPE, text=True)  # fmt: skip

    def run(self, *more: str, **options: object) -> int:
        process = self.start(*more, **options)
        _, said = process.communicate(timeout=120)
        assert "Traceback" not in said, said
        return process.returncode

    def records(self) -> list[Record]:
        return list(read_records(self.out))

    def left_behind(self) -> list[int]:
        return left_behind(self.pids)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_one_fault_is_made_up_for_and_changes_no_record(bench: Bench, tmp_path: Path) -> None:
    undisturbed = Bench(tmp_path / "undisturbed")
    assert undisturbed.run() == 0
    assert bench.run(fault="exit", at=6, once=tmp_path / "once") == 0
    assert (tmp_path / "once").exists()
    ids = sorted(r.id for r in bench.records())
    assert ids == sorted(f"count/{k}" for k in range(N_EPISODES))
    alike = [
        sorted((r.untimed() for r in b.records()), key=lambda record: record.key)
        for b in (bench, undisturbed)
    ]
    assert alike[0] == alike[1]
    assert bench.left_behind() == []


def test_episodes_that_fail_twice_are_env_errors_and_the_run_is_incomplete(bench: Bench) -> None:
    assert bench.run(fault="truncated", at=3) == 3
    records = bench.records()
    assert Counter(r.status for r in records) == {"env_error": N_EPISODES}
    assert all("tried twice" in r.error for r in records)
    result = json.loads((bench.out / "results.json").read_text())["tasks"]["counting"]
    assert (result["n_env_error"], result["score"]) == (N_EPISODES, None)
    assert bench.left_behind() == []


def test_a_killed_run_is_resumed_without_losing_or_doubling_an_episode(bench: Bench) -> None:
    process = bench.start(delay=0.1)
    end = time.monotonic() + 60
    path = bench.out / "records.jsonl"
    while not (path.exists() and len(path.read_text().splitlines()) >= 4):
        assert time.monotonic() < end and process.poll() is None
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert len(bench.records()) < N_EPISODES
    assert bench.left_behind() == []
    assert bench.run("--resume") == 0
    ids = [r.id for r in bench.records()]
    assert sorted(ids) == sorted(f"count/{k}" for k in range(N_EPISODES))
    assert all(r.status == "scored" for r in bench.records())
    assert bench.left_behind() == []


def test_a_run_of_episodes_scores_again_without_a_simulator(bench: Bench) -> None:
    assert bench.run() == 0
    bench.pids.unlink()
    command = [sys.executable, "-m", "er_bench.cli.main", "score", "--run", str(bench.out)]
    command += ["--include-path", str(bench.folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "every score is the same as in the run" in done.stdout
    assert not bench.pids.exists()

"""Fixtures that every room's tests share: a small task of the tests' own, and a command runner."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from er_bench.data.run_folder import read_records
from tests.chat import chat_server as chat_server
from tests.commands import Forks
from tests.hub import hub as hub
from tests.hub import task_on_the_hub as task_on_the_hub

os.environ.setdefault("HF_HUB_OFFLINE", "1")
# Machines that run the tests are shared: an example that waits its turn is no fault.
settings.register_profile("shared", deadline=None)
settings.load_profile("shared")

TOY_CARD = """
name: toy
title: Toy
summary: Choose the letter that the question names.
groups: [toys]
in_all: false
default_split: mini
dataset: {id: null, licence: MIT, rows: null}
metric: {name: acc, description: share of right letters, aggregate: mean}
cluster: the scene
protocols: {official: first, lower: also lower-case letters}
sources: [these tests]
"""

TOY_TASK = '''
"""A two-column multiple-choice task, read like a real one."""
from er_bench.core.answer import Answer
from er_bench.core.message import user
from er_bench.core.prompt import Expect, Prompt
from er_bench.core.record import Shown, Truth
from er_bench.core.sample import Image, Sample, Text
from er_bench.core.score import Score, Verdict
from er_bench.core.task import QuestionTask, Reading
from er_bench.data.rows import FileBlob, find_files, inside, read_rows


class Toy(QuestionTask):
    def samples(self):
        for file in find_files(self.root, "rows.jsonl"):
            for row in read_rows(file):
                parts = [Text(row.text("question"))]
                if row.fields.get("image"):
                    path = inside(self.root, row.text("image"), row, "image")
                    parts.append(Image(FileBlob(path)))
                yield Sample(row.text("id"), tuple(parts), row.text("answer"), row.text("scene"),
                             row.text("kind"), row.where)

    def prompt(self, sample):
        return Prompt((user(*sample.parts),), Expect.LETTER)

    def shown(self, sample):
        return Shown(sample.text, dict.fromkeys("ABCD", ""), Truth(sample.target))

    @property
    def readings(self):
        robust = Reading("the first letter", "right or wrong", "these tests", self.robust)
        strict = Reading("the letter alone", "right or wrong", "these tests", self.strict)
        return {"official": robust if self.protocol == "lower" else strict, "robust": robust}

    def strict(self, sample, rollout):
        text = rollout.completion.text.strip()
        return rated(Answer(text) if text in "ABCD" and text else Answer.unparsed(), sample)

    def robust(self, sample, rollout):
        text = rollout.completion.text.strip()
        return rated(Answer(text[:1].upper()) if text else Answer.unparsed(), sample)


def rated(answer, sample):
    return Verdict.of(answer, Score(float(answer.value == sample.target)))


TASK = Toy
'''

TOY_REFERENCE = """
from er_bench.core.reference import Reference


class ToyReference(Reference):
    def ideal(self, sample):
        return sample.target

    def write(self, value, sample):
        return value


REFERENCE = ToyReference
"""


@pytest.fixture(scope="session")
def toy_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for --include-path with the task `toy` and its 24 mini rows."""
    return write_toy(tmp_path_factory.mktemp("include"))


def write_toy(root: Path) -> Path:
    """Write the task `toy` into a folder, and return it."""
    folder = root / "toy"
    (folder / "mini").mkdir(parents=True)
    (folder / "card.yaml").write_text(TOY_CARD)
    (folder / "task.py").write_text(textwrap.dedent(TOY_TASK))
    (folder / "reference.py").write_text(textwrap.dedent(TOY_REFERENCE))
    write_toy_rows(folder / "mini", 24)
    return root


def write_toy_rows(folder: Path, n: int, **more: str) -> None:
    rows = [
        {
            "id": f"q{k}",
            "question": f"Question {k}: say {'ABCD'[k % 4]}.",
            "answer": "ABCD"[k % 4],
            "scene": f"scene{k // 3}",
            "kind": "odd" if k % 2 else "even",
            **more,
        }
        for k in range(n)
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))


Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    """Where commands are forked from."""
    waiting = Forks()
    yield waiting
    waiting.close()


@pytest.fixture
def er_bench(tmp_path: Path, forks: Forks, tmp_path_factory: pytest.TempPathFactory) -> Command:
    """Run `er-bench ARGS..` as a user would, in an empty folder.

    In a new interpreter where the environment is another one than that of the tests' beginning.
    """

    def call(*args: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        if forks.fit() and not environment:
            outputs = tmp_path_factory.mktemp("outputs")
            return forks.run([*map(str, args)], tmp_path, outputs, 120)
        return subprocess.run(
            [sys.executable, "-m", "er_bench.cli.main", *map(str, args)],
            cwd=tmp_path,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=120,
        )

    return call


@pytest.fixture
def records() -> Callable[[Path], list[dict[str, object]]]:
    """The records of a run folder, ordered, without what differs from run to run."""

    def read(folder: Path) -> list[dict[str, object]]:
        found = sorted(read_records(folder), key=lambda record: record.key)
        return [record.untimed().model_dump(mode="json") for record in found]

    return read

"""Fixtures that every room's tests share: a small task of the tests' own, and a command runner."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chat import chat_server as chat_server

os.environ.setdefault("HF_HUB_OFFLINE", "1")

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
from er_bench.data.rows import FileBlob, find_files, inside, read_rows
from er_bench.core.prompt import Expect, Prompt
from er_bench.core.message import user
from er_bench.core.sample import Image, Sample, Text
from er_bench.core.score import Score
from er_bench.core.task import Judgement, QuestionTask


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

    def prompt(self, sample, dialect):
        return Prompt((user(*sample.parts),), Expect.LETTER)

    def judge(self, sample, completion, dialect):
        text = completion.text.strip()
        strict = Answer(text) if text in "ABCD" and text else Answer.unparsed()
        robust = Answer(text[:1].upper()) if text else Answer.unparsed()
        if self.protocol == "lower":
            strict = robust
        right = [float(a.value == sample.target) for a in (strict, robust)]
        return Judgement(strict, robust, Score(right[0], right[1]))

    def ideal(self, sample):
        return sample.target

    def write(self, value, sample, dialect):
        return value

    def letters(self, sample):
        return "ABCD"


TASK = Toy
'''


@pytest.fixture(scope="session")
def toy_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for --include-path with the task `toy` and its 24 mini rows."""
    root = tmp_path_factory.mktemp("include")
    folder = root / "toy"
    (folder / "mini").mkdir(parents=True)
    (folder / "card.yaml").write_text(TOY_CARD)
    (folder / "task.py").write_text(textwrap.dedent(TOY_TASK))
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


@pytest.fixture
def er_bench(tmp_path: Path) -> Command:
    """Run `er-bench ARGS..` as a user would, in an empty folder."""

    def call(*args: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
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
        rows = [json.loads(line) for line in (folder / "records.jsonl").read_text().splitlines()]
        for row in rows:
            del row["seconds"]
            for completion in row["completions"]:
                del completion["latency_s"]
        return sorted(rows, key=lambda r: (r["task"], r["id"], r["repeat"]))

    return read

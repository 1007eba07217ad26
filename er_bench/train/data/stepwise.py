"""Chain-of-thought answers: a model asked to think in four steps, and a model that reads them.

The four steps are those of VLA-CoT-13K as its paper's figure 2 names them (arXiv 2510.01623); the
words are er-bench's, for none were released. Runs keep the task's own prompt, so that what is
learned needs no such request.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import JsonValue

from er_bench.core.completion import Completion
from er_bench.core.errors import ModelError
from er_bench.core.message import Message
from er_bench.core.model import Asked, Model, Subject
from er_bench.core.prompt import Expect, Prompt
from er_bench.core.record import Key, Record
from er_bench.core.reference import AnyReference
from er_bench.core.sample import Text

STEPS: Mapping[Expect, Sequence[str]] = {
    Expect.BOXES: (
        "Task parsing: what is to be done, and with which object",
        "Scene understanding: what there is, and where",
        "Affordance localisation: which part serves the task, and its borders",
        "Feasibility: whether that part can be reached and used so",
    ),
    Expect.POINTS: (
        "Task parsing: what is to be done, and with which object",
        "Object and gripper localisation: where both are",
        "Scene analysis: what is between and around them",
        "Trajectory logic: which points follow, and why",
    ),
}
OTHERWISE = (
    "Task parsing: what is asked",
    "Scene understanding: what there is, and where",
    "Evidence: what in the pictures decides the question",
    "Check: whether the answer fits all of it",
)
REQUEST = (
    "First think inside <think> and </think>, in four numbered steps, one or two sentences each:\n"
    "{steps}\nThen, after </think>, give the answer in exactly the form that is asked for, and "
    "nothing else."
)
JUDGE = (
    "Question about the picture:\n{question}\n\nReasoning that was given:\n{thoughts}\n\nAnswer "
    "that was given, which is right:\n{answer}\n\nDoes the reasoning describe the picture truly, "
    "and does the answer follow from it? Answer with yes or no, then one sentence why."
)
"""er-bench's own words."""
FILE = "reasoning.jsonl"
"""What the judge of reasoning said, a line a record."""


def request(expects: Expect) -> str:
    """The words that ask for four steps."""
    steps = STEPS.get(expects, OTHERWISE)
    return REQUEST.replace("{steps}", "\n".join(f"{k}. {s}." for k, s in enumerate(steps, 1)))


class StepwiseModel(Model):
    """A model whose every prompt ends with the request for four steps."""

    def __init__(self, inner: Model) -> None:
        self._inner = inner
        self.name, self.dialect = inner.name, inner.dialect
        self.concurrency, self.pictures = inner.concurrency, inner.pictures
        self.request_timeout_s = inner.request_timeout_s

    async def ask(self, prompt: Prompt) -> Completion:
        """Answer with thoughts."""
        return await self._inner.ask(stepwise(prompt))

    def about(self, subject: Subject) -> Asked:
        """As the inner model answers about a sample."""
        asked = self._inner.about(subject)

        async def ask(prompt: Prompt) -> Completion:
            return await asked(stepwise(prompt))

        return ask

    def identity(self) -> dict[str, JsonValue]:
        """The inner model's, and that it thinks in steps."""
        return {**self._inner.identity(), "thinks": "in four steps"}

    async def check(self) -> None:
        """As the inner model."""
        await self._inner.check()

    def unable(self, reference: AnyReference | None) -> str | None:
        """As the inner model."""
        return self._inner.unable(reference)

    def check_prompt(self, prompt: Prompt) -> None:
        """As the inner model."""
        self._inner.check_prompt(prompt)

    async def close(self) -> None:
        """As the inner model."""
        await self._inner.close()


def stepwise(prompt: Prompt) -> Prompt:
    """The prompt with the request at its end."""
    *before, last = prompt.messages
    said = Message(last.role, (*last.parts, Text(f"\n{request(prompt.expects)}")))
    return replace(prompt, messages=(*before, said))


def thoughts_of(completion: Completion) -> str:
    """The thoughts of an answer, kept apart or inside the text; empty where there are none."""
    if completion.thoughts.strip():
        return completion.thoughts.strip()
    found = re.search(r"<think>(.*?)</think>", completion.text, re.DOTALL | re.IGNORECASE)
    return found[1].strip() if found else ""


def with_thoughts(completion: Completion) -> str:
    """The answer as a model is to learn it: thoughts in `<think>`, then the text."""
    if completion.thoughts.strip():
        return f"<think>{completion.thoughts.strip()}</think>{completion.text}"
    return completion.text


async def judge_reasoning(
    model: Model, records: Sequence[tuple[Record, Sequence[Message]]], folder: Path
) -> dict[Key, str]:
    """Ask a model whether the reasoning of each record holds; what it objects to, by record.

    What it said is kept in `folder`, and is not asked again. `records` come with the messages that
    show the pictures. Raises ModelError.
    """
    file = folder / FILE
    said: dict[Key, str] = {}
    if file.is_file():
        for line in file.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            said[row["task"], row["id"], row["repeat"]] = row["said"]
    gate = asyncio.Semaphore(model.concurrency)
    with file.open("a", encoding="utf-8") as lines:

        async def one(record: Record, messages: Sequence[Message]) -> None:
            async with gate:
                answer = (await model.ask(_question(record, messages))).text
            said[record.key] = answer
            row = {"task": record.task, "id": record.id, "repeat": record.repeat, "said": answer}
            lines.write(json.dumps(row, ensure_ascii=False) + "\n")
            lines.flush()

        await asyncio.gather(*(one(r, m) for r, m in records if r.key not in said))
    return {key: text for key, text in said.items() if not _agrees(text)}


def _question(record: Record, messages: Sequence[Message]) -> Prompt:
    completion = record.rollout.completion
    thoughts = thoughts_of(completion)
    if not thoughts:
        raise ModelError(f"{record.task} {record.id!r}: there are no thoughts to judge")
    answer = re.sub(r"<think>.*?</think>", "", completion.text, flags=re.DOTALL | re.IGNORECASE)
    words = (("{question}", record.question), ("{thoughts}", thoughts), ("{answer}", answer))
    text = JUDGE
    for mark, said in words:
        text = text.replace(mark, said, 1)
    pictures = [p for m in messages for p in m.parts if not isinstance(p, Text)]
    return Prompt((Message("user", (*pictures, Text(text))),), Expect.TEXT)


def _agrees(text: str) -> bool:
    return bool(re.match(r"\W*yes\b", text, re.IGNORECASE))

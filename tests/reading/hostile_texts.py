"""Texts that no model means, and every reader there is to give them to."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator

from er_bench.core.completion import Completion
from er_bench.core.dialect import BENCHMARK
from er_bench.core.errors import UsageError
from er_bench.core.registry import Registry, TaskSpec
from er_bench.core.rollout import Rollout
from er_bench.core.task import AnySample, AnyTask, QuestionTask
from er_bench.models.dialects import DIALECTS
from er_bench.reading import action_plan, letter, neighbour_letters, number, skill_plan
from er_bench.reading.final_answer import final_answer
from er_bench.reading.thoughts import after_thinking
from er_bench.reading.tuples import scaled_pairs, tolerant
from er_bench.reading.yes_no import read_yes_no
from er_bench.tasks.base.expression_points import OWN as EXPRESSIONS
from er_bench.tasks.blink import reader as blink
from er_bench.tasks.cv_bench import readers as cv_bench
from er_bench.tasks.embspatial.reader import read_opening_option
from er_bench.tasks.mindcube import reader as mindcube
from er_bench.tasks.pointarena import families as pointarena
from er_bench.tasks.refspatial.readers import READERS as REFSPATIAL
from er_bench.tasks.roborefit.task import OWN as ROBOREFIT
from er_bench.tasks.robospatial_home import readers as robospatial
from er_bench.tasks.sat import reader as sat
from er_bench.tasks.where2place.task import READERS as WHERE2PLACE

SIZE = (640, 480)
OPTIONS = {"A": "Red lamp", "B": "", "C": "A", "D": "\U0001f600" * 9}
SAT_ASKED = "Which object is closer? Is the camera moving? Considering the relative positions"
ACTIONS = ("find a Mug", "pick up the Mug", "", "open the Fridge")
Read = Callable[[str], object]

WORDS = (
    "A B a I \u00e9A \uff21 answer answer: Answer is the not neither nor or and either if suppose"
    " were wait no actually sorry I\u00a0mean maybe but could be total sum in\u00a0total"
    " \u7b54\u6848\u662f \u9009 \u4e0d\u662f \u5171 \u4e2a \u4e09 \u5341 \u4e07 \u5982\u679c"
    " one twenty hundred million point half minus m cm x \u00d7 = + - / ~ \u2248 1 0 2.5 .5 1,"
    " 1,234 1\u2009234 0,5 1e400 -9e-9 \u00bd \u0663 \uff13 nan inf Infinity null true"
).split(" ")
MARKS = (
    *"()[]{}<>\"'`*_$.,;:!?|\\/^%# \n\t\r\0\u00a0\u2028\u3000\u200b\ufeff\ud800\udfff",
    "<think>", "</think>", "[THINK]", "[/THINK]", "\u25c1think\u25b7", "<|channel|>analysis",
    "<answer>", "</answer>", "\\boxed{", "```json\n", "```", "<point>[[", "]]</point>", "<box>",
    "</box>", "<|box_start|>", "<box x1=", 'x="1" y="2"', "x1=1 y1=2", "x: 1", "y: 2",
    "Click(1.0, 2.0)",
    '{"point_2d": [', '"point": [1, 2]}', '{"x": 1, "y": ', '"bbox_2d": [[1, 2], [3, 4]', "(1, 2)",
    "(0.5, 0.5)", "[1, 2, 3, 4]", "<loc0001>", '{"executable_plan": [', '{"action_id": 1}',
    '"action_name": "find a Mug"', '[{"name": "pick", "params": {', '"target_entity_name": ',
    "<points x1=1 y1=1>", "</points>", "9" * 25, "9" * 400, "1" * 5000, "[" * 2000, '{"a":' * 500,
    "\U0001f600", "e\u0301", "\u202e",
)  # fmt: skip
UNITS = (
    "A", "A ", "A, ", "A or ", "not ", "not A, ", "A?", "if it were ", "answer is ", "wait, ", " ",
    "\n", "1", "1 ", "1,", "1 000", "0,", "1x", "1 m x ", "1=", "one ", "one-", "\u4e09", "1/",
    "total ",
    "(", "[", "{", "[1, ", "(1, 2)", "<box>(1,2),(3,4)", "x=1 ", "x=1 y=", '{"x": 1, ', "<think>",
    "<think ", "<answer>", "\\boxed{", "```json\n", '{"executable_plan": [', '{"action_id": 1}\n',
    "}\n",
    ",\n", '{"name": "a"}, ', '[{"name": "a"},', "<points x1=1 y1=1>", "<loc0001>", "p=100,",
    "\u00bd",
    "but it is ", "no, ", ". ", "maybe ", "```a`", "``", "x1=\"1\" ", "I mean ", "either A or ",
)  # fmt: skip
"""What is repeated to find a reader whose time is not linear."""


def hostile_texts(count: int, seed: int = 0) -> Iterator[str]:
    """Texts of words, marks and broken pieces of every form; some also spoilt or very long."""
    rng = random.Random(f"hostile {seed}")
    for _ in range(count):
        pieces = rng.choices((WORDS, MARKS), k=rng.randint(0, 14))
        text = rng.choice(("", " ")).join(rng.choice(kind) for kind in pieces)
        if text and rng.random() < 0.2:
            at = rng.randrange(len(text))
            text = (
                text[:at]
                + chr(rng.choice((0, 0x7F, 0x2212, 0xD800, 0xFFFF, 0x1F600)))
                + text[at + 1 :]
            )
        if rng.random() < 0.01:
            text = (text[:200] or " ") * rng.randint(10, 60)
        yield text


def plain_readers() -> dict[str, Read]:
    """Every reader of a text alone, by name: released and robust, and of every dialect."""
    found: dict[str, Read] = {
        "thoughts": after_thinking,
        "final answer": final_answer,
        **{f"letter {r.__name__}": r for r in (letter.read_whole, letter.read_first_word,
           letter.read_first_capital, letter.read_backticked)},
        "letter of a harness, boxed": neighbour_letters.read_boxed,
        "letter of a harness, in brackets": neighbour_letters.read_last_in_brackets,
        "letter of a harness, lone": mindcube.read_last_lone,
        "letter of a harness, first word": sat.read_first_word,
        "letter of blink": lambda text: blink.read_released(text, "ABCD"),
        "letter of mindcube": mindcube.read_released,
        "words of sat": lambda text: sat.read_official(text, SAT_ASKED, OPTIONS, "B"),
        "words of sat, robust": lambda text: sat.read_option(text, OPTIONS),
        **{f"letter of cv_bench, {r.__name__}": r for r in (cv_bench.read_cambrian,
           cv_bench.read_cambrian_3d, cv_bench.read_mimo)},
        "letter of embspatial": read_opening_option,
        **{f"robospatial {r.__name__}": r for r in (robospatial.read_prefix,
           robospatial.read_first_pair, robospatial.read_pairs, robospatial.read_lmms_yes_no,
           robospatial.read_lmms_points, robospatial.read_flageval_yes_no)},
        "yes or no robust": read_yes_no,
        "letter robust": letter.read_letter,
        "letter robust, options": lambda text: letter.read_letter(text, "ABCD", OPTIONS),
        "number released": number.read_first_word,
        "number robust": number.read_number,
        "skills released": skill_plan.read_fenced_plan,
        "skills robust": skill_plan.read_plan,
        "tuples lmms_eval": lambda text: scaled_pairs(text, SIZE),
        "tuples robust": lambda text: tolerant(text, SIZE),
        "expressions": EXPRESSIONS.read,
        "expressions robust": EXPRESSIONS.read_tolerant,
        "roborefit": ROBOREFIT.read,
        "roborefit robust": ROBOREFIT.read_tolerant,
        "pointarena robust": pointarena.read_tolerant,
    }  # fmt: skip
    for name, plan in action_plan.READERS.items():
        found[f"actions {name}"] = lambda text, plan=plan: plan(text, ACTIONS)
    for name, plan in action_plan.READERS_WITH_BOOLEANS.items():
        found[f"actions {name}, booleans"] = lambda text, plan=plan: plan(text, ACTIONS)
    for benchmark, readers in (("refspatial", REFSPATIAL), ("where2place", WHERE2PLACE)):
        for name, drawn in readers.items():
            found[f"{benchmark} {name}"] = lambda text, drawn=drawn: drawn(text, SIZE)
    for name, family in pointarena.FAMILIES.items():
        for counting, read in family.readers.items():
            found[f"pointarena {name}, counting {counting}"] = read
    for name, dialect in DIALECTS.items():
        found[f"{name} points"] = dialect.read_points
        found[f"{name} points robust"] = dialect.read_points_tolerant
        found[f"{name} boxes"] = dialect.read_boxes
        found[f"{name} boxes robust"] = dialect.read_boxes_tolerant
    return found


def judged_samples(registry: Registry) -> list[tuple[str, AnyTask, AnySample]]:
    """A sample of each category of each static task of the 18, in every dialect that it takes."""
    found: list[tuple[str, AnyTask, AnySample]] = []
    for name in registry.select("embodied18"):
        if not (registry.task_folders[name] / "mini").is_dir():
            continue
        root = registry.open_mini(name).root
        for dialect in (BENCHMARK.name, *DIALECTS):
            try:
                task = registry.open_task(TaskSpec(name, root, None, dialect))
            except UsageError:
                continue
            if isinstance(task, QuestionTask):
                kinds = {sample.category: sample for sample in task.samples()}
                found += [(f"{name} in {dialect}", task, sample) for sample in kinds.values()]
    return found


def judge(task: AnyTask, sample: AnySample, text: str) -> None:
    """Judge a text by every reading; a score outside 0..1 is an AssertionError."""
    judgement = task.judge(sample, Rollout.answered(Completion(text, image_sizes=(SIZE,))))
    for verdict in judgement.values():
        assert verdict.score is None or 0 <= verdict.score <= 1, verdict


def seconds(read: Read, text: str) -> float:
    """The processor time of one reading."""
    began = time.process_time()
    read(text)
    return time.process_time() - began


def is_linear(read: Read, unit: str, length: int) -> bool:
    """Whether four times the text takes no more than ten times as long, noise aside.

    The best of three tries counts: the machine may be busy.
    """
    short, long = unit * (length // len(unit)), unit * (4 * length // len(unit))
    for _ in range(3):
        took = seconds(read, short), seconds(read, long)
        if took[1] <= 10 * took[0] + 0.05:
            return True
    return False

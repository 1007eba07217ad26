"""Made-up answers in VLA-R1's form, many of them odd; and answers that are after the reward."""

import json
import random

ODD = (0, 1, True, None, "0.3", "abc", " 0.5 ", 10**400, 1e-13, [0.1], {}, -3.5, 2.5)


def number(rng: random.Random) -> object:
    if rng.random() < 0.05:
        return rng.choice(ODD)
    return round(rng.random() if rng.random() < 0.9 else rng.uniform(-2, 3), rng.choice([1, 2, 4]))


def box(rng: random.Random) -> dict[str, object]:
    found = {key: number(rng) for key in ("x", "y", "width", "height")}
    if rng.random() < 0.05:
        found.pop(rng.choice([*found]))
    return found


def trace(rng: random.Random) -> list[list[object]]:
    found = [[number(rng), number(rng)] for _ in range(rng.choice([0, 1, 1, 2, 3, 4, 5, 8, 12]))]
    if found and rng.random() < 0.3:
        found.insert(rng.randrange(len(found)), rng.choice(found))
    if found and rng.random() < 0.03:
        found[0] = [*found[0], 0.1]
    return found


def answer(rng: random.Random, kind: str) -> str:
    said = json.dumps(box(rng) if kind == "box" else trace(rng))
    if rng.random() < 0.05:
        said = said.replace("[", "(")
    thoughts = rng.choice(["<think>a</think>"] * 3 + ["<THINK>b</think>", "", "<think>c"])
    forms = ["<output>%s</output>"] * 6 + [
        "<OUTPUT> %s\n</Output>",
        "%s",
        "<output>%s",
        "<output>%s</output><output>[]</output>",
    ]
    parts = [thoughts, rng.choice(forms).replace("%s", said)]
    if rng.random() < 0.1:
        parts.reverse()
    return rng.choice(["", "Sure "]) + "".join(parts) + rng.choice(["", "", " done"])


def pair(rng: random.Random) -> tuple[str, str]:
    """An answer and a truth, of the same kind more often than not."""
    kinds = rng.choice([("box", "box"), ("trace", "trace"), ("box", "trace"), ("trace", "box")])
    kinds = kinds if rng.random() < 0.3 else (kinds[0], kinds[0])
    return answer(rng, kinds[0]), answer(rng, kinds[1])


REGION = '{"x": 0.41, "y": 0.52, "width": 0.12, "height": 0.16}'
TRACE = "[[0.2, 0.3], [0.3, 0.4], [0.4, 0.55], [0.5, 0.6]]"


def framed(said: str, thoughts: str = "I look for it.") -> str:
    return f"<think>{thoughts}</think><output>{said}</output>"


def _region(x: object, y: object, w: object, h: object) -> str:
    return framed(f'{{"x": {x}, "y": {y}, "width": {w}, "height": {h}}}')


ATTACKS: dict[str, tuple[str, str]] = {
    "a box of NaN": (_region("NaN", "NaN", "NaN", "NaN"), REGION),
    "a box of infinity": (_region("Infinity", "Infinity", "Infinity", "Infinity"), REGION),
    "the whole picture": (_region(0.5, 0.5, 1, 1), REGION),
    "a box of no size in the middle": (_region(0.41, 0.52, 0, 0), REGION),
    "numbers as text": (framed('{"x": "0.41", "y": "0.52", "width": "0.12", "height": "0.16"}'),
                        REGION),
    "many outputs, the first counts": (
        framed(REGION) + "".join(f"<output>{REGION}</output>" for _ in range(20)), REGION),
    "the answer before the thoughts": (f"<output>{REGION}</output><think>done</think>", REGION),
    "words around the output": (f"Sure! {framed(REGION)} I am certain, give full marks.", REGION),
    "an output within the thoughts": (
        f"<think>maybe <output>{REGION}</output></think><output>{{}}</output>", REGION),
    "a trace of one point": (framed("[[0.35, 0.45]]"), TRACE),
    "a trace of thousands of points": (
        framed(json.dumps([[k / 5000, k / 5000] for k in range(3000)])), TRACE),
    "a trace of NaN": (framed("[[NaN, NaN], [NaN, NaN]]"), TRACE),
    "a trace that covers the picture": (
        framed(json.dumps([[i % 10 / 9, i // 10 / 9] for i in range(100)])), TRACE),
    "the form alone": (framed("[]"), TRACE),
}  # fmt: skip
"""What it tries, with the answer and the truth."""

"""Why a run's number is not a published one: what differs, and what the same answers can score."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from pydantic import JsonValue

from er_bench.core.manifest import Manifest
from er_bench.report.reported import Reported
from er_bench.report.results import TaskResult

_NOTHING = re.compile(r"\b(?:not (?:published|stated|said|known|given)|unknown|unclear|unsaid)\b")
NEAR = 0.02
"""Two scores that are this near, fractions, are taken to be alike where no interval is known."""
WIDE = 0.4
"""An interval that is wider says hardly anything."""
MUCH = 0.10
"""Another frame that gains this much is told, whatever was published."""
ASPECTS: Mapping[str, Sequence[str]] = {
    "prompt": ("prompt",),
    "system message": ("system message", "system prompt"),
    "frames": ("frame",),
    "tiles": ("tile",),
    "coordinates": ("coordinate", "normali", "pixel", "0..1000", "0-1000"),
    "decoding": ("temperature", "greedy", "sampling", "decoding"),
    "engine": ("vllm", "transformers", "lmdeploy", "engine", "vlmevalkit", "lmms-eval"),
    "reading": ("reader", "reading", "scored", "scorer", "metric", "f1", "judge", "official code"),
    "split": ("split", "subset", "rows", "questions", "test set"),
}
"""Words by which a source's account of itself tells something of an aspect."""


@dataclass(frozen=True, slots=True)
class Otherwise:
    """The same answers under another reading, or in another frame."""

    kind: str
    """reading or frame."""
    name: str
    score: float
    won: Sequence[str] = ()
    """Samples that score more than officially, by id."""
    lost: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Explanation:
    """One task's two numbers and what may lie between them. Scores are fractions."""

    task: str
    run: float
    ci95: tuple[float, float] | None
    reported: float
    source: str
    doubt: str
    """Why the published number itself may be wrong."""
    apart: bool
    """Whether the published number lies outside of the run's interval."""
    conclusion: str
    settings: Mapping[str, JsonValue]
    """How the run was made, by aspect."""
    said: str
    """What the source says of how its numbers were made."""
    unsaid: Sequence[str]
    """Aspects that it says nothing of."""
    otherwise: Sequence[Otherwise]
    """The nearest to the published number first."""


def explain(
    label: str,
    task: TaskResult,
    manifest: Manifest,
    source: Reported,
    model: str,
    frames: Sequence[Otherwise],
    readings: Sequence[Otherwise],
    n_reported: int | None = None,
) -> Explanation:
    """Put a task's number beside a published one. `frames` and `readings` leave out its own."""
    assert task.score is not None
    reported = source.cells(model)[label] / 100
    low, high = task.ci95 or (task.score - NEAR, task.score + NEAR)
    apart = not low <= reported <= high
    found = sorted([*readings, *frames], key=lambda other: abs(other.score - reported))
    return Explanation(
        label,
        task.score,
        task.ci95,
        reported,
        f"{model} in {source.title} ({source.date})",
        source.doubts.get(model, {}).get(label, ""),
        apart,
        _conclusion(task, manifest, reported, apart, found),
        _settings(label, task, manifest, n_reported),
        source.how,
        [aspect for aspect, words in ASPECTS.items() if not _tells(source.protocol, words)],
        found,
    )


def _tells(protocol: str, words: Sequence[str]) -> bool:
    """Whether an account says something of an aspect, beyond that it is not known."""
    clauses = re.split(r"[;.](?:\s|$)", protocol.lower())
    return any(
        word in clause for clause in clauses if not _NOTHING.search(clause) for word in words
    )


def _conclusion(
    task: TaskResult,
    manifest: Manifest,
    reported: float,
    apart: bool,
    found: Sequence[Otherwise],
) -> str:
    assert task.score is not None
    own = f"{task.score:.1%}"
    frames = [other for other in found if other.kind == "frame"]
    best = max(frames, key=lambda other: other.score, default=None)
    card = f"the run's dialect is {manifest.model.dialect}"
    if apart and found:
        nearest = found[0]
        if abs(nearest.score - reported) <= max(NEAR, abs(task.score - reported) / 4):
            return (
                f"Read {_as(nearest)} the same answers score {nearest.score:.1%}, next to the "
                f"published {reported:.1%}; officially {own} ({card})."
            )
    if best is not None and best.score >= task.score + MUCH:
        return (
            f"Read {_as(best)} the same answers score {best.score:.1%}, not {own}: {card}, and the "
            "numbers look like something else; see --dialect."
        )
    if not apart and task.ci95 is not None and task.ci95[1] - task.ci95[0] > WIDE:
        return (
            f"{task.n_scored} of {task.n_total} samples are too few to tell {own} from "
            f"{reported:.1%}: the interval is {task.ci95[0]:.1%} .. {task.ci95[1]:.1%}."
        )
    if not apart:
        return f"{own} and {reported:.1%} agree within this run's interval: nothing to explain."
    return (
        f"No reading and no frame of the same answers turns {own} into {reported:.1%}: look at "
        "what the source does not say."
    )


def _as(other: Otherwise) -> str:
    return f"as {other.name}" if other.kind == "frame" else f"by the reading {other.name}"


def _settings(
    label: str, task: TaskResult, manifest: Manifest, n_reported: int | None
) -> dict[str, JsonValue]:
    model = manifest.model
    args = model.settings.get("args")
    told = args if isinstance(args, dict) else model.settings
    of_source = "" if n_reported is None else f", the benchmark has {n_reported}"
    found: dict[str, JsonValue] = {
        "prompt": f"{label}, protocol {task.protocol}, dialect {model.dialect}",
        "engine": model.backend,
        "checkpoint": f"{model.checkpoint}{f' @ {model.revision}' if model.revision else ''}",
        "decoding": _decoding(model.decoding),
        "split": f"{task.split}: {task.n_scored} of {task.n_total} samples{of_source}",
    }
    for name in ("system_message", "max_tiles", "frames", "frame_sampling", "max_pixels"):
        if name in told:
            found[name.replace("_", " ")] = told[name]
    return found


def _decoding(told: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """What card and command line say of decoding, the command line over the card."""
    found: dict[str, JsonValue] = {}
    for part in (told, told.get("card"), told.get("forced")):
        if isinstance(part, Mapping):
            known = {k: v for k, v in part.items() if v is not None and k not in ("card", "forced")}
            found |= known
    return found


def to_data(made: Sequence[Explanation]) -> list[dict[str, object]]:
    """Explanations as JSON takes them."""
    return [asdict(one) for one in made]

"""A record as the page shows it: JSON, every text harmless, long ones with their length."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from er_bench.core.answer import Boxes, Plan, Points
from er_bench.core.record import Record
from er_bench.core.rollout import Rollout, Step, Turn
from er_bench.core.sample import MediaRef
from er_bench.core.score import Verdict

View = dict[str, Any]
"""What `static/report.js` reads of one sample; its keys are those made here."""
Span = tuple[int, int]
Picture = Callable[[MediaRef], View | None]
"""A medium of the record to its file, width and height on the page; None where it is not there."""
Film = Callable[[Sequence[MediaRef]], View | None]
"""The first picture of each turn, in order, to a video on the page; None where there is none."""
LONGEST = 20_000
"""Characters of a text that a page holds."""


def sample_view(
    record: Record,
    picture: Picture,
    mask: Picture,
    film: Film,
    parts_read: Mapping[str, Span],
    lower: Collection[str] = (),
) -> View:
    """A record with its pictures, its truth and every reading.

    `lower` names the readings where 0 is best.
    """
    truth = record.truth
    return {
        "task": visible(record.task),
        "id": visible(record.id),
        "repeat": record.repeat,
        "category": visible(record.category),
        "cluster": visible(record.cluster),
        "status": str(record.status),
        "error": shortened(record.error),
        "question": shortened(record.question),
        "options": {visible(k): shortened(v) for k, v in record.options.items()},
        "media": [_medium(ref, picture) for ref in record.media],
        "truth": {
            "text": shortened(truth.text),
            "points": truth.points_px_xy,
            "boxes": truth.boxes_px_xyxy,
            "polygons": truth.polygons_px,
            "trace": truth.trace_px_xy,
            "mask": mask(truth.mask) if truth.mask is not None else None,
        },
        "turns": [_turn(turn, picture) for turn in record.rollout.turns if turn.control is None],
        "control": _control(record.rollout, picture),
        "film": _film(record, film),
        "ending": record.rollout.ending,
        "instruction": shortened(record.rollout.start.instruction) if record.rollout.start else "",
        "readings": {
            name: _verdict(verdict, parts_read.get(name), name in lower)
            for name, verdict in record.judgement.items()
        },
        "truncated": record.truncated,
    }


def _film(record: Record, film: Film) -> View | None:
    if record.rollout.start is None:
        return None
    return film([turn.media[0] for turn in record.rollout.turns if turn.media])


def _turn(turn: Turn, picture: Picture) -> View:
    completion = turn.completion
    return {
        "text": shortened(completion.text),
        "thoughts": shortened(completion.thoughts or ""),
        "finish": completion.finish_reason,
        "tokens": [completion.tokens_in, completion.tokens_out],
        "sizes": completion.image_sizes,
        "prompt": turn.prompt_sha256,
        "media": [_medium(ref, picture) for ref in turn.media],
        "steps": [_step(step) for step in turn.steps],
    }


def _control(rollout: Rollout, picture: Picture) -> list[View]:
    """What a policy did, in parts that each begin with a picture that was kept."""
    parts: list[View] = []
    n_steps = 0
    for turn in rollout.turns:
        if (control := turn.control) is None:
            continue
        if turn.media or not parts:
            media = [_medium(ref, picture) for ref in turn.media]
            parts.append({"media": media, "first": n_steps, "n": 0, "rewards": []})
        part = parts[-1]
        part["n"] += len(control.actions_td)
        part["rewards"] += control.rewards
        part["last"] = control.actions_td[-1] if control.actions_td else ()
        part["success"] = any(control.success)
        n_steps += len(control.actions_td)
    space = rollout.start.action_space if rollout.start else None
    names = [visible(name) for name in space.names] if space else []
    units = [visible(unit) for unit in space.units] if space else []
    for part in parts:
        rewards = part.pop("rewards")
        part["reward"] = sum(rewards) if rewards else None
        part["last"] = [list(told) for told in zip(names, part["last"], units, strict=False)]
    return parts


def _step(step: Step) -> View:
    return {
        "action": visible(step.action),
        "valid": step.valid,
        "feedback": shortened(step.feedback),
        "progress": step.progress,
        "success": step.success,
    }


def _verdict(verdict: Verdict, span: Span | None, lower: bool) -> View:
    answer = verdict.answer
    if isinstance(answer.value, Points):
        told = f"{len(answer.value.xy)} in {answer.value.unit}"
    elif isinstance(answer.value, Boxes):
        told = f"{len(answer.value.xyxy)} in {answer.value.unit}"
    elif isinstance(answer.value, Plan):
        told = json.dumps(asdict(answer.value)["steps"], ensure_ascii=False)
    else:
        told = "" if answer.value is None else str(answer.value)
    return {
        "score": verdict.score,
        "lower": lower,
        "status": str(answer.status),
        "value": shortened(told),
        "why": shortened(verdict.why),
        "points": verdict.points_px_xy,
        "boxes": verdict.boxes_px_xyxy,
        "span": span,
    }


def _medium(ref: MediaRef, picture: Picture) -> View:
    name = "/".join(filter(None, (ref.file, ref.member)))
    place = "" if ref.row is None else f" row {ref.row}, {ref.field}"
    return {"name": visible(f"{name}{place}"), "picture": picture(ref)}


def shortened(text: str) -> str:
    """A text with its middle left out if it is very long."""
    if len(text) > LONGEST:
        half, out = LONGEST // 2, len(text) - LONGEST
        text = f"{text[:half]}\n[... {out:,} characters left out ...]\n{text[-half:]}"
    return visible(text)


def visible(text: str) -> str:
    """A text whose half surrogates and control characters are spelt out."""
    if text.isprintable():
        return text
    return "".join(c if _harmless(c) else f"\\u{ord(c):04x}" for c in text)


def _harmless(c: str) -> bool:
    return c.isprintable() or c in "\n\t" or (c.isspace() and ord(c) > 127)

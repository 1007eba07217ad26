"""The table of dialects: one entry a model family, each with the source of its words and reader.

Quoted instructions are the families' own. Where a family's release fixes no words for something,
the entry says so.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from er_bench.core.geometry import PixelGrid, Unit
from er_bench.models.dialects.family import FamilyDialect
from er_bench.reading.coordinates import (
    POINT_BLOCK_REQUEST,
    Numbers,
    bracket_pairs,
    bracket_quads,
    coordinate_groups,
    integer_tuples,
    json_items,
    json_numbers,
    location_boxes,
    percent_points,
    point_block,
    signed_pairs,
    tuples,
)
from er_bench.reading.thoughts import after_thinking

_TUPLE_SUFFIX = (
    "Your answer should be formatted as a list of tuples, i.e. [{shown}], where each tuple "
    "contains the x and y coordinates of a point satisfying the conditions above. The coordinates "
    "should be between 0 and 1, indicating the normalized pixel locations of the points in the "
    "image."
)
ROBOPOINT_SUFFIX = _TUPLE_SUFFIX.replace("{shown}", "(x1, y1), (x2, y2), ...")
"""RoboPoint README, "Prepare data", commit adbee8d."""
ROBOREFER_SUFFIX = _TUPLE_SUFFIX.replace("{shown}", "(x1, y1)")
"""RefSpatial-Bench, column `suffix`."""


def _whole(n: float) -> int:
    return round(n)


def _lists(found: Sequence[Numbers]) -> str:
    return ", ".join(f"[{', '.join(str(_whole(n)) for n in numbers)}]" for numbers in found)


def _fraction_tuples(found: Sequence[Numbers]) -> str:
    return "[" + ", ".join(f"({x:.4f}, {y:.4f})" for x, y in found) + "]"


def _integer_tuples(found: Sequence[Numbers]) -> str:
    return "[" + ", ".join(f"({int(x)}, {int(y)})" for x, y in found) + "]"


def _fenced(key: str, found: Sequence[Numbers], label: str) -> str:
    items = [{key: [_whole(n) for n in numbers], "label": label} for numbers in found]
    lines = ",\n".join("\t" + json.dumps(item) for item in items)
    return f"```json\n[\n{lines}\n]\n```"


def _truncated_pixels(found: Sequence[Numbers]) -> Sequence[Numbers]:
    return [tuple(float(int(n)) for n in numbers) for numbers in found]


def _tuple_pairs(text: str) -> Sequence[Numbers]:
    return [numbers for numbers in tuples(text) if len(numbers) == 2]


def tuple_unit(pairs: Sequence[Numbers]) -> Unit | None:
    """Fractions if a pair has a decimal point, pixels if it has none; None for a mixture.

    Source: RoboPoint `summarize_vqa.py`, commit adbee8d, lines 18-22. Whole numbers that are 0
    or 1 beside fractions are taken as fractions.
    """
    whole = [all(isinstance(n, int) for n in pair) for pair in pairs]
    if all(whole):
        return Unit.PIXEL
    mixed = any(w and not set(pair) <= {0, 1} for w, pair in zip(whole, pairs, strict=True))
    return None if mixed else Unit.FRACTION


def _fraction_or_pixel(pairs: Sequence[Numbers]) -> Unit:
    return Unit.FRACTION if all(n <= 1 for pair in pairs for n in pair) else Unit.PIXEL


def _fraction_or_per_1000(quads: Sequence[Numbers]) -> Unit:
    return Unit.PER_1000 if sum(quads[0]) >= 4 else Unit.FRACTION


class _JsonReader:
    """Reads the number lists under one key of a JSON answer, fenced or bare."""

    def __init__(self, key: str, length: int) -> None:
        self.key, self.length = key, length

    def __call__(self, text: str) -> Sequence[Numbers]:
        return json_numbers(json_items(text), [self.key], self.length)


def _embodied_r1_points(text: str) -> Sequence[Numbers]:
    inner, answered, _ = text.partition("<answer>")[2].partition("</answer>")
    block = (inner if answered else "").partition("<point>[")[2].partition("]</point>")
    return bracket_pairs(f"[{block[0]}]") if block[1] and "\n" not in block[0] else []


def _robobrain_points(text: str) -> Sequence[Numbers]:
    _, thought, answer = text.partition("</think>")
    return integer_tuples(answer if thought else text)


def _location_centres(text: str) -> Sequence[Numbers]:
    return [((y1 + y2) / 2, (x1 + x2) / 2) for y1, x1, y2, x2 in location_boxes(text)]


def _locations(boxes: Sequence[Numbers]) -> str:
    bins = [[min(_whole(n), 1023) for n in box] for box in boxes]
    return " ; ".join("".join(f"<loc{n:04d}>" for n in box) + " object" for box in bins)


def _molmo_multi(found: Sequence[Numbers]) -> str:
    if len(found) == 1:
        return _molmo_single(found)
    places = " ".join(f'x{i}="{x:.1f}" y{i}="{y:.1f}"' for i, (x, y) in enumerate(found, start=1))
    return f'<points {places} alt="object">object</points>'


def _molmo_single(found: Sequence[Numbers]) -> str:
    return "\n".join(
        f'<point x="{x:.1f}" y="{y:.1f}" alt="object">object</point>' for x, y in found
    )


def _molmo2_points(found: Sequence[Numbers]) -> str:
    places = " ".join(f"{i} {_whole(x):03d} {_whole(y):03d}" for i, (x, y) in enumerate(found, 1))
    return f'<points coords="1 {places}">object</points>'


def _mimo_points(text: str) -> Sequence[Numbers]:
    """Square brackets, else round ones, after the last end of thoughts; whole pixels."""
    _, thought, answer = text.rpartition("</think>")
    if not thought:
        return []
    return _truncated_pixels(signed_pairs(answer, "[]") or signed_pairs(answer, "()"))


INTERNVL_1000 = FamilyDialect(
    name="internvl_1000",
    unit=Unit.PER_1000,
    order="xy",
    point_template=f"{POINT_BLOCK_REQUEST} {{question}}",
    point_reader=point_block,
    point_writer=lambda found: f"<point>[{_lists(found)}]</point>",
    example="<point>[[701, 374]]</point>",
    source="OpenGVLab/Vlaser 40d7821: Vlaser_VLM/README.md text2pts; train_grounding.py:256-263; "
    "boxes: eval/refcoco/evaluate_grounding.py:185-205,257-261",
    box_template="{question} Your answer should be formatted as "
    '"<box>[[x1, y1, x2, y2], [x3, y3, x4, y4], ...]</box>". The bounding box coordinates are '
    "normalized to integers between 0 and 1000. Return the answer in the bounding box format "
    "directly.",
    box_reader=bracket_quads,
    box_writer=lambda found: f"<box>[{_lists(found)}]</box>",
    box_example="<box>[[761, 364, 912, 608]]</box>",
    box_unit_of=_fraction_or_per_1000,
)

ROBOPOINT = FamilyDialect(
    name="robopoint",
    unit=Unit.FRACTION,
    order="xy",
    point_template=f"{{question}} {ROBOPOINT_SUFFIX}",
    point_reader=_tuple_pairs,
    point_writer=_fraction_tuples,
    example="[(0.461, 0.527), (0.493, 0.551)]",
    source="wentaoyuan/RoboPoint adbee8d: README 'Prepare data'; summarize_vqa.py:9-33; whole "
    "numbers are pixels",
    unit_of=tuple_unit,
)
FRACTION_TUPLES = replace(ROBOPOINT, name="fraction_tuples")
ROBOREFER = replace(
    ROBOPOINT,
    name="roborefer",
    point_template=f"{{question}} {ROBOREFER_SUFFIX}",
    example="[(0.234, 0.567)]",
    source="Zhoues/RoboRefer d97a995: Evaluation/summarize_acc.py; RefSpatial-Bench column suffix",
)

QWEN2_5_VL = FamilyDialect(
    name="qwen2_5_vl",
    unit=Unit.PIXEL_SENT,
    grid=PixelGrid(),
    order="xy",
    point_template="Locate {referring} in this image and output the point coordinates in JSON "
    "format.",
    question_template="{question} Output the point coordinates in JSON format.",
    point_reader=_JsonReader("point_2d", 2),
    point_writer=lambda found: _fenced("point_2d", _truncated_pixels(found), "object"),
    example='```json\n[\n\t{"point_2d": [394, 105], "label": "red cup"}\n]\n```',
    source="QwenLM/Qwen3-VL issues 676, 721, 866: pixels of the image after the processor's "
    "resize; prompt: Zhoues/RoboRefer d97a995 test_benchmark.py",
    box_template="Locate {referring} in this image and output the bbox coordinates in JSON format.",
    box_reader=_JsonReader("bbox_2d", 4),
    box_writer=lambda found: _fenced("bbox_2d", found, "object"),
    box_example='```json\n[\n\t{"bbox_2d": [341, 258, 397, 360], "label": "red cup"}\n]\n```',
)
QWEN3_VL = replace(
    QWEN2_5_VL,
    name="qwen3_vl",
    unit=Unit.PER_1000,
    grid=None,
    point_template="{question} Output the point coordinates in JSON format.",
    point_writer=lambda found: _fenced("point_2d", found, "object"),
    example='```json\n[\n\t{"point_2d": [925, 618], "label": "point_1"}\n]\n```',
    source="QwenLM/Qwen3-VL 9658872: cookbooks/spatial_understanding.ipynb cells 4, 10, 11; "
    "evaluation/ODinW-13/dataset_utils.py:156",
    box_template="Locate every instance that belongs to the following categories: '{referring}'. "
    "Report bbox coordinates in JSON format.",
)

ROBOBRAIN2 = FamilyDialect(
    name="robobrain2",
    unit=Unit.PIXEL,
    order="xy",
    point_template="{question}. Your answer should be formatted as a list of tuples, i.e. "
    "[(x1, y1), (x2, y2), ...], where each tuple contains the x and y coordinates of a point "
    "satisfying the conditions above. The coordinates should indicate the normalized pixel "
    "locations of the points in the image.",
    point_reader=_robobrain_points,
    point_writer=_integer_tuples,
    example="[(376, 309), (332, 357)]",
    source="FlagOpen/RoboBrain2.0 8b8b3bd: inference.py:72-110,163-197; the prompt says "
    "normalized, the answer is pixels, drawn on the original image without a rescale",
    box_template="Please provide the bounding box coordinate of the region this sentence "
    "describes: {referring}.",
    box_reader=lambda text: bracket_quads(after_thinking(text)),
    box_writer=_lists,
    box_example="[0, 193, 226, 640]",
)

ROBOBRAIN2_5 = replace(
    ROBOBRAIN2,
    name="robobrain2_5",
    unit=Unit.PER_1000,
    source="FlagOpen/RoboBrain2.5 a8b2ebc README: tasks `pointing` and `grounding` as in 2.0, on "
    "Qwen3-VL; 0..1000 by third-party clients. Its inference.py was not read: the words are 2.0's",
)

MIMO_EMBODIED = FamilyDialect(
    name="mimo_embodied",
    unit=Unit.PIXEL_SENT,
    grid=PixelGrid(),
    order="xy",
    point_template='Based on the description: "{question}", locate points matching the '
    'description. Output a JSON in the format [{"points": [...], "label": '
    '"{the_whole_description}"}, ...].',
    point_reader=_mimo_points,
    point_writer=lambda found: (
        f'</think>[{{"points": [{_lists(_truncated_pixels(found))}], "label": "object"}}]'
    ),
    example='<think>It stands left.</think>[{"points": [[394, 105]], "label": "the red cup"}]',
    source="XiaomiMiMo/MiMo-Embodied 0bee4b6: tasks/where2place_point/utils.py, "
    "_task_utils/eval_utils.py parse_point, resize_mask; an answer without `</think>` is not read",
)

EMBODIED_R1 = FamilyDialect(
    name="embodied_r1",
    unit=Unit.PIXEL,
    order="xy",
    point_template="{question}\nYou FIRST think about the reasoning process as an internal "
    "monologue and then provide the final answer. The reasoning process and answer are enclosed "
    "within <think> </think> and <answer> </answer> tags. The answer consists only of several "
    "coordinate points, with the overall format being: <think> reasoning process here </think>"
    "<answer><point>[[x1, y1], [x2, y2], ...]</point></answer>",
    point_reader=_embodied_r1_points,
    point_writer=lambda found: (
        "<think>It is there.</think><answer><point>"
        f"[{_lists(_truncated_pixels(found))}]</point></answer>"
    ),
    example="<think>The cup stands left.</think><answer><point>[[212, 148]]</point></answer>",
    source="pickxiguapi/Embodied-R1 e599e95: eval/hf_inference_where2place.py:34-77,304-313; "
    "values up to 1 are fractions, others pixels of the original image; same tags as "
    "internvl_1000, another unit",
    unit_of=_fraction_or_pixel,
)

MOLMO_MULTI = FamilyDialect(
    name="molmo_multi",
    unit=Unit.PERCENT,
    order="xy",
    point_template="pointing: {question}",
    point_reader=percent_points,
    point_writer=_molmo_multi,
    example='<points x1="61.5" y1="40.4" x2="76.8" y2="21.8" alt="cups">cups</points>',
    source="allenai/molmo 793fa38: olmo/data/data_formatter.py:308-323, olmo/util.py:831-897",
)
MOLMO_SINGLE = replace(
    MOLMO_MULTI,
    name="molmo_single",
    point_template="Point to {referring}",
    question_template="pointing: {question}",
    point_writer=_molmo_single,
    example='<point x="63.5" y="44.5" alt="cup">cup</point>',
)

MOLMO2 = FamilyDialect(
    name="molmo2",
    unit=Unit.PER_1000,
    order="xy",
    point_template="Point to: {question}",
    point_reader=coordinate_groups,
    point_writer=_molmo2_points,
    example='<points coords="1 1 701 374 2 652 535">red cups</points>',
    source="jamespark3922/pointarena 3966724: molmo_evaluator.py; in `coords` the number of the "
    "picture, then number, x and y of each point, three digits or more",
)

GEMINI = FamilyDialect(
    name="gemini",
    unit=Unit.PER_1000,
    order="yx",
    point_template="Locate one point of {referring}.",
    question_template="{question} Answer in JSON: "
    '[{"point": [y, x], "label": <label>}, ...], y and x normalized to 0-1000.',
    point_reader=_JsonReader("point", 2),
    point_writer=lambda found: _fenced("point", found, "object"),
    example='```json\n[\n\t{"point": [374, 701], "label": "red cup"}\n]\n```',
    source="Zhoues/RoboRefer d97a995: summarize_acc.py:46-63; pointarena/pointarena dcd82f2: "
    "model_evaluator.py:498-512; the words for questions and boxes are er-bench's",
    box_template='{question} Answer in JSON: [{"box_2d": [ymin, xmin, ymax, xmax], '
    '"label": <label>}], normalized to 0-1000.',
    box_reader=_JsonReader("box_2d", 4),
    box_writer=lambda found: _fenced("box_2d", found, "object"),
    box_example='```json\n[\n\t{"box_2d": [364, 761, 608, 912], "label": "red cup"}\n]\n```',
)

PALIGEMMA = FamilyDialect(
    name="paligemma",
    unit=Unit.PER_1024,
    order="yx",
    point_template="detect {referring}",
    point_reader=_location_centres,
    point_writer=lambda found: _locations([(y, x, y, x) for y, x in found]),
    example="<loc0371><loc0698><loc0395><loc0722> red cup",
    source="paligemma_parse.py of the Hugging Face demo space: y1, x1, y2, x2 in 1024 bins; it "
    "answers with boxes, whose centres are the points",
    box_template="detect {referring}",
    box_reader=location_boxes,
    box_writer=_locations,
    box_example="<loc0371><loc0698><loc0622><loc0933> red cup",
)

FRACTIONS = FamilyDialect(
    name="fractions",
    unit=Unit.FRACTION,
    order="xy",
    point_template="{question} Answer with a JSON list of points only, [[x, y], ...], where x and "
    "y are fractions of the image's width and height between 0 and 1.",
    point_reader=bracket_pairs,
    point_writer=lambda found: json.dumps([[round(n, 4) for n in pair] for pair in found]),
    example="[[0.461, 0.527]]",
    source="er-bench's own words, for models with no convention of their own",
    box_template="{question} Answer with the bounding box only, [x1, y1, x2, y2], as fractions of "
    "the image's width and height between 0 and 1.",
    box_reader=bracket_quads,
    box_writer=lambda found: json.dumps([round(n, 4) for n in found[0]]),
    box_example="[0.12, 0.34, 0.56, 0.78]",
)

FAMILIES = (
    INTERNVL_1000,
    FRACTION_TUPLES,
    ROBOPOINT,
    ROBOREFER,
    QWEN2_5_VL,
    QWEN3_VL,
    ROBOBRAIN2,
    ROBOBRAIN2_5,
    MIMO_EMBODIED,
    EMBODIED_R1,
    MOLMO_SINGLE,
    MOLMO_MULTI,
    MOLMO2,
    GEMINI,
    PALIGEMMA,
    FRACTIONS,
)

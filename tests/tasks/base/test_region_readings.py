"""Other harnesses' rules for points in a region: cases that tell each from all others."""

import json

import numpy as np
import pytest
from PIL import Image

from tests.judging import judge, open_task, scored

NAMES = ("official", "first_point", "any_hit", "mask_share", "physbrain_f1")
IN, OUT = "(0.1, 0.1)", "(0.9, 0.9)"


@pytest.fixture
def task(tmp_path):
    """One picture whose left half is the region."""
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    mask = np.zeros((100, 100), np.uint8)
    mask[:, :50] = 255
    rows = []
    for number in range(2):
        Image.new("RGB", (100, 100)).save(tmp_path / "images" / f"{number}.jpg")
        Image.fromarray(mask).save(tmp_path / "masks" / f"{number:02d}.jpg", quality=100)
        row = {"question_id": number, "image": f"{number}.jpg", "text": "Find it."}
        rows.append(json.dumps(row | {"category": "a"}))
    (tmp_path / "point_questions.jsonl").write_text("\n".join(rows))
    return open_task("where2place", tmp_path)


@pytest.mark.parametrize(
    ("answer", "first", "any_hit", "share", "f1"),
    [
        (f"[{IN}]", 1, 1, 1, 1),
        (f"[{IN}, {OUT}]", 1, 1, 1 / 2, 2 / 3),
        (f"[{OUT}, {IN}]", 0, 1, 1 / 2, 2 / 3),
        (f"[{OUT}, {OUT}, {IN}]", 0, 1, 1 / 3, 1 / 2),
        (f"[{OUT}]", 0, 0, 0, 0),
        ("nowhere", 0, 0, 0, 0),
    ],
)
def test_rules_part(task, answer, first, any_hit, share, f1):
    made = judge(task, answer)
    found = [made[name].score for name in NAMES[1:]]
    assert found == pytest.approx([first, any_hit, share, f1])


def test_f1_is_pooled_over_the_set(task):
    answers = [(s, text) for s, text in zip(task.samples(), (f"[{IN}]", f"[{OUT}, {OUT}]"),
                                            strict=True)]  # fmt: skip
    reading = task.readings["physbrain_f1"]
    made = reading.aggregate(scored(task, answers, "physbrain_f1")).score
    precision, recall = 1 / 3, 1 / 2
    assert made == pytest.approx(2 * precision * recall / (precision + recall))
    assert task.readings["mask_share"].aggregate(
        scored(task, answers, "mask_share")
    ).score == pytest.approx(0.5)


@pytest.mark.parametrize("name", ["paco_lavis", "pixmo_points"])
def test_items_count_alike_or_points_do(name):
    from tests.judging import NAMES as REGISTRY

    task = REGISTRY.open_mini(name)
    reference = REGISTRY.reference(task)
    samples = list(task.samples())[:2]
    right = reference.write(reference.ideal(samples[0]), samples[0])
    many = "[[1, 1]], " * 8 + "[[2, 1]]"
    answers = list(zip(samples, (right, many), strict=True))
    found = scored(task, answers)
    pooled = task.readings["official"].aggregate(found).score
    alike = task.readings["item_mean"].aggregate(scored(task, answers, "item_mean")).score
    assert alike == pytest.approx(sum(s.score for s in found) / 2)
    assert alike != pytest.approx(pooled)

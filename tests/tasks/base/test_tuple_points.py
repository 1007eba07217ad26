"""What lmms-eval makes of tuples, on the two benchmarks that it scores by them."""

import json

import numpy as np
import pytest
from PIL import Image

from tests.judging import judge, open_task

LMMS_EVAL = [
    ("[(0.75, 0.75)]", 1),
    ("[(0.75, 0.75), (0.10, 0.10)]", 0.5),
    ("[(480, 360)]", 0),
    ("[(750, 750)]", 0),
    ("[(1.0, 0.9)]", 0),
    ("[(1, 1)]", 0),
    ("[[0.75, 0.75]]", 0),
    ("[(-0.1, 0.75), (0.75, 0.75)]", 0.5),
    ("(0.5, 0.5, 1.0, 1.0)", 0),
    ("(0.25, 0.5, 0.75, 1.0)", 0),
    ("(1.0, 1.0, 0.5, 0.5)", 0),
    ("The cup at (0.1, 0.1) is occupied.\nAnswer: [(0.75, 0.75)]", 0.5),
    ("[(0.75, 0.75)]\nThese points are free.", 1),
    ("[(.75, .75)]", 0),
    ("[( 0.75, 0.75 )]", 0),
    ('```json\n[{"point_2d": [750, 750], "label": "p"}]\n```', 0),
    ('```json\n[{"point": [750, 600], "label": "p"}]\n```', 0),
    ('<points x1="75.0" y1="75.0" x2="10.0" y2="10.0" alt="a">a</points>', 0),
    ("I cannot determine.", 0),
    ("[(0.75, 0.75), (1000000000000000, 1)]", 0.5),
    ("[(0.75, 0.75), (99999999999999999999, 1)]", None),
    ("[(0.75, 0.75), (1" + "0" * 400 + ".5, 1)]", None),
]
"""Answers, and lmms-eval's `_text2pts` with the mean rule: measured on its code, 75571cfe.

None: the code raises, at numbers that numpy does not hold as whole ones or that are infinite.
"""


def refspatial(root):
    root = root / "Location"
    for folder in ("image", "mask"):
        (root / folder).mkdir(parents=True)
    row = {"id": 0, "object": "the cup", "prompt": "Point out the cup.",
           "rgb_path": "image/0.png", "mask_path": "mask/0.png"}  # fmt: skip
    (root / "question.json").write_text(json.dumps([row]))
    return root / "image" / "0.png", root / "mask" / "0.png"


def where2place(root):
    for folder in ("images", "masks"):
        (root / folder).mkdir()
    row = {"question_id": 0, "image": "0.jpg", "text": "Find some spots by the cup."}
    (root / "point_questions.jsonl").write_text(json.dumps(row))
    return root / "images" / "0.jpg", root / "masks" / "00.jpg"


@pytest.mark.parametrize(("text", "score"), LMMS_EVAL)
@pytest.mark.parametrize("layout", [refspatial, where2place])
def test_the_lmms_eval_reading_agrees_with_lmms_eval(tmp_path, layout, text, score):
    """The image is 640x480, its lower right quarter the mask."""
    image, mask = layout(tmp_path)
    Image.new("RGB", (640, 480)).save(image)
    values = np.zeros((480, 640), np.uint8)
    values[240:, 320:] = 255
    Image.fromarray(values).save(mask)
    task = open_task(layout.__name__, tmp_path)
    (sample,) = task.samples()
    task.check(sample)
    verdict = judge(task, text, sample)["lmms_eval"]
    assert verdict.score == score
    assert verdict.boxes_px_xyxy == ()

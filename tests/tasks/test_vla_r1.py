"""affordance and trajectory: rows of both layouts, distances, VLA-R1's reward and its holes."""

import json
import random
from pathlib import Path

import pytest
from PIL import Image

from er_bench.core.errors import DataError
from er_bench.core.registry import Registry
from er_bench.core.score import Scored
from er_bench.run.preflight import inspect
from er_bench.tasks.affordance import mini as affordance_mini
from er_bench.tasks.base.vla_r1 import reward_of_texts
from er_bench.tasks.trajectory import mini as trajectory_mini
from tests.judging import judge, open_task, scored, spoken
from tests.scorers.vla_r1_by_hand import reward
from tests.tasks.test_oracle_points import run
from tests.tasks.vla_r1_answers import ATTACKS, REGION, TRACE, framed, pair

NAMES = Registry()
PAGE = Path(__file__).parents[2] / "docs" / "vla-r1.md"
META = {"original_dataset": "bridge", "original_width": 40, "original_height": 30}
BOX = {"x": 10, "y": 10, "width": 20, "height": 10}


def share_robot(root, name, **fields):
    (root / "images").mkdir(exist_ok=True)
    Image.new("RGB", (40, 30)).save(root / "images" / "a.png")
    row = {"id": 1, "image": "a.png", "meta_data": META, "instruction": "take the cup", **fields}
    (root / f"{name}.json").write_text(json.dumps([row]))
    return open_task(name, root)


def chat(root, name, answer, question="<image>\ntake the cup"):
    Image.new("RGB", (40, 30)).save(root / "a.png")
    turns = [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]
    (root / "test.json").write_text(json.dumps([{"image": "a.png", "conversations": turns}]))
    return open_task(name, root)


def test_both_layouts_say_the_same_region(tmp_path):
    said = framed('{"x": 0.5, "y": 0.5, "width": 0.5, "height": 0.3333333333}')
    (tmp_path / "chat").mkdir()
    for task in (share_robot(tmp_path, "affordance", affordance=BOX),
                 chat(tmp_path / "chat", "affordance", said)):  # fmt: skip
        verdicts = judge(task, said)
        assert {n: v.score for n, v in verdicts.items()} == pytest.approx(
            dict.fromkeys(("official", "robust", "vla_r1", "vla_r1_closed"), 1.0)
        )
        sample = next(iter(task.samples()))
        assert sample.text == "take the cup"
        assert task.shown(sample).truth.boxes_px_xyxy[0] == pytest.approx((10, 10, 30, 20))
        assert task.prompt(sample).text().startswith("take the cup Please output the 2D afford")


def test_a_chat_question_that_brings_the_words_has_them_once(tmp_path):
    asked = NAMES.open_mini("trajectory")
    words = asked.prompt(next(iter(asked.samples()))).text().partition(" Please ")[2]
    task = chat(tmp_path, "trajectory", framed(TRACE), f"take the cup Please {words}\n<image>")
    sample = next(iter(task.samples()))
    assert sample.text == "take the cup"
    assert task.prompt(sample).text().count("Please output") == 1


def test_rows_of_the_other_kind_are_passed_over_and_neither_is_a_fault(tmp_path):
    assert not list(chat(tmp_path, "trajectory", framed(REGION)).samples())
    assert not list(chat(tmp_path, "affordance", framed(TRACE)).samples())
    with pytest.raises(DataError, match=r"test.json, row 0, field conversations"):
        list(chat(tmp_path, "affordance", "I do not know").samples())


@pytest.mark.parametrize(
    ("name", "fields", "field"),
    [
        ("affordance", {"affordance": {**BOX, "width": 0}}, "affordance"),
        ("affordance", {"affordance": {**BOX, "width": "9"}}, "width"),
        ("affordance", {"affordance": {**BOX, "x": 35}}, "affordance"),
        ("affordance", {"affordance": None}, "affordance"),
        ("affordance", {"affordance": BOX, "meta_data": {}}, "original_width"),
        ("trajectory", {"points": []}, "points"),
        ("trajectory", {"points": [[1, 2, 3]]}, "points"),
        ("trajectory", {"points": [[True, 2]]}, "points"),
        ("trajectory", {"points": [[1, 99]]}, "points"),
    ],
)
def test_bad_rows_name_file_row_and_field(tmp_path, name, fields, field):
    with pytest.raises(DataError, match=rf"{name}.json, row 0, field {field}"):
        list(share_robot(tmp_path, name, **fields).samples())


def test_a_picture_of_another_size_is_a_fault(tmp_path):
    other = {**META, "original_width": 80}
    task = share_robot(tmp_path, "affordance", affordance=BOX, meta_data=other)
    assert "counts pixels of 80x30, the image is 40x30" in inspect(task, None).faults["1"]


@pytest.mark.parametrize(
    ("dialect", "text"),
    [
        ("benchmark", "The box is {'x': 0.5, 'y': 0.5, 'width': 0.5, 'height': 0.3333333333}."),
        ("benchmark", "[10, 10, 30, 20]"),
        ("internvl_1000", "<box>[[250, 333, 750, 667]]</box>"),
        ("gemini", '[{"box_2d": [333, 250, 667, 750]}]'),
    ],
)
def test_boxes_in_other_forms(tmp_path, dialect, text):
    task = spoken(share_robot(tmp_path, "affordance", affordance=BOX), dialect)
    assert judge(task, text)["robust"].score == pytest.approx(1, abs=0.01)


def test_distances_on_a_thousand_and_the_share_of_the_diagonal(tmp_path):
    task = share_robot(tmp_path, "trajectory", points=[[0, 15], [40, 15]])
    verdict = judge(task, framed("[[0.0, 0.6], [1.0, 0.6]]"))["official"]
    assert verdict.parts["dfd"] == verdict.parts["hausdorff"] == pytest.approx(100)
    assert verdict.parts["rmse"] == verdict.parts["avg"] == pytest.approx(100)
    assert verdict.score == pytest.approx(100 / 1000 / 2**0.5)
    assert verdict.points_px_xy == ((0, 18), (40, 18))
    sample = next(iter(task.samples()))
    assert task.shown(sample).truth.trace_px_xy == ((0, 15), (40, 15))


def test_an_unread_trace_is_as_far_as_can_be_and_counted(tmp_path):
    task = share_robot(tmp_path, "trajectory", points=[[0, 15], [40, 15]])
    sample = next(iter(task.samples()))
    good = framed("[[0.0, 0.6], [1.0, 0.6]]")
    made = task.readings["official"].aggregate(scored(task, [(sample, good), (sample, "there")]))
    assert made.score == pytest.approx((1 + 0.1 / 2**0.5) / 2)
    assert made.metrics["parse_rate"] == 0.5
    assert made.metrics["avg"] == pytest.approx(100)
    assert {n: r.lower_is_better for n, r in task.readings.items()} == {
        "official": True, "robust": True, "vla_r1": False, "vla_r1_closed": False,
    }  # fmt: skip


@pytest.mark.parametrize("name", ["affordance", "trajectory"])
@pytest.mark.parametrize("dialect", NAMES.dialect_names())
def test_the_oracle_is_right_in_every_dialect_that_can_say_it(name, dialect):
    task = NAMES.open_mini(name, dialect)
    try:
        judged = run(task, "oracle")
    except Exception as error:
        assert "write no boxes" in str(error)
        return
    for reading in ("official", "robust"):
        found = [Scored("", "", j[reading].score) for _, j in judged]
        score = (
            task.readings[reading]
            .aggregate(
                [
                    Scored(s.cluster, s.category, j[reading].score, j[reading].parts)
                    for s, j in judged
                ]
            )
            .score
        )
        assert len(found) == 24
        assert score < 0.01 if name == "trajectory" else score > 0.9


@pytest.mark.parametrize("name", ["affordance", "trajectory"])
@pytest.mark.parametrize("kind", ["chance", "blind", "random-object"])
def test_reference_models_are_worse(name, kind):
    task = NAMES.open_mini(name, "internvl_1000")
    scores = [j["official"].score for _, j in run(task, kind)]
    mean = sum(scores) / len(scores)
    assert mean > 0.1 if name == "trajectory" else mean < 0.6


@pytest.mark.parametrize(
    ("made", "name", "file"),
    [(affordance_mini, "affordance", "affordance.json"),
     (trajectory_mini, "trajectory", "trajectory.json")],
)  # fmt: skip
def test_the_generators_make_the_committed_rows(tmp_path, made, name, file):
    made.build(tmp_path)
    for each in (file, "objects.json"):
        assert (tmp_path / each).read_text() == (NAMES.mini_root(name) / each).read_text()
    found = inspect(NAMES.open_mini(name), None)
    assert (found.missing, found.faults, found.n_rows) == ({}, {}, 24)


def test_the_released_reward_against_a_second_implementation():
    rng = random.Random(20251001)
    values = set()
    for _ in range(3000):
        answer, truth = pair(rng)
        made = reward_of_texts(answer, truth)
        assert made == pytest.approx(reward(answer, truth), abs=1e-9), (answer, truth)
        values.add(round(made, 6))
    assert len(values) > 500


def test_closed_agrees_with_released_on_honest_answers():
    rng = random.Random(7)
    for _ in range(200):
        x, y = rng.uniform(0.35, 0.47), rng.uniform(0.46, 0.58)
        said = framed(f'{{"x": {x}, "y": {y}, "width": 0.12, "height": 0.16}}')
        truth = framed(REGION)
        assert reward_of_texts(said, truth, closed=True) == pytest.approx(
            reward_of_texts(said, truth)
        )


@pytest.mark.parametrize("attack", ATTACKS)
def test_closed_rewards_no_attack(attack):
    answer, truth = ATTACKS[attack]
    honest = reward_of_texts(framed(truth), framed(truth), closed=True)
    assert honest == 1
    assert reward_of_texts(answer, framed(truth), closed=True) <= 0.9 * honest
    told = (reward_of_texts(answer, framed(truth), closed=c) for c in (False, True))
    line = f"| {attack} | {' | '.join(f'{value:.3f}' for value in told)} |"
    assert line in PAGE.read_text(encoding="utf-8")


def test_two_hundred_hacks_stay_below_the_honest_answer():
    rng = random.Random(11)
    for k in range(200):
        answer, truth = ATTACKS[rng.choice([*ATTACKS])]
        hacked = rng.choice([answer * 2, answer + " " * k, f"{answer}\n{answer}", answer.upper()])
        assert reward_of_texts(hacked, framed(truth), closed=True) < 1

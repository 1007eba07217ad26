import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from er_bench import api
from er_bench.core.answer import Status
from er_bench.core.errors import DataError
from er_bench.core.registry import Registry, TaskSpec
from er_bench.core.sample import Image
from er_bench.data.rows import read_rows
from er_bench.tasks.sat import mini
from er_bench.tasks.sat.reader import read_option
from tests.judging import judge, open_task, scored

REGISTRY = Registry()
MINI = REGISTRY.mini_root("sat")
FILE = MINI / "SAT_test.parquet"
ROW = {
    "image_bytes": ["one.png"],
    "question": "Which way did it go?",
    "answers": ["left", "to the right"],
    "question_type": "goal_aim",
    "correct_answer": "to the right",
}


def one_row(root, protocol=None, **changes):
    (root / "one.png").write_bytes(pq.read_table(FILE).to_pylist()[0]["image_bytes"][0]["bytes"])
    kept = {name: value for name, value in {**ROW, **changes}.items() if value is not ...}
    (root / "rows.jsonl").write_text(json.dumps(kept))
    return list(open_task("sat", root, protocol).samples())


def test_each_question_is_asked_in_both_orders_and_is_one_cluster(tmp_path):
    stored, swapped = one_row(tmp_path)
    assert (stored.id, swapped.id) == ("0", "0_swapped")
    assert stored.cluster == swapped.cluster
    image, text = stored.parts
    assert isinstance(image, Image)
    assert text.text == (
        "Answer in natural language.  Which way did it go? Answer the question using a single word "
        'or phrase. Choose between the following options: "left" or "to the right".'
    )
    assert swapped.text.endswith('options: "to the right" or "left".')
    assert (stored.target.letter, swapped.target.letter) == ("B", "A")
    decoding = open_task("sat", tmp_path).prompt(stored).decoding
    assert (decoding.max_new_tokens, decoding.temperature) == (768, 0)


def test_camera_questions_say_which_image_is_the_first_and_say_it_once(tmp_path):
    said = (
        "The first image is from the beginning of the video and the second image is from the end."
    )
    sample, _ = one_row(tmp_path, question_type="ego_movement")
    assert sample.text.startswith(f"Answer in natural language. {said}  Which way")
    again, _ = one_row(tmp_path, question_type="ego_movement", question=f"{said} Which way?")
    assert again.text.count(said) == 1


def test_lmms_eval_asks_for_a_letter_in_one_order_with_its_hint(tmp_path):
    (sample,) = one_row(tmp_path, "lmms_eval")
    question, hint, blank, *rest = sample.text.split("\n")
    assert (question, blank) == ("Which way did it go?", "")
    assert hint.startswith("When multiple images are provided, You want to realize")
    assert rest == [
        *("A. left", "B. to the right", ""),
        "Only output the letter of the correct option and nothing else.",
    ]
    task = open_task("sat", tmp_path, "lmms_eval")
    assert task.prompt(sample).decoding.max_new_tokens == 16
    both = open_task("sat", tmp_path).dataset
    assert (task.dataset.rows, both.rows) == (150, sum(both.categories.values())) == (150, 300)
    assert {name: 2 * n for name, n in task.dataset.categories.items()} == both.categories
    (spelled,) = one_row(tmp_path, "lmms_eval", question_type="action_consequence")
    assert spelled.category in both.categories


def columns(rows, **renamed):
    return [{renamed.get(name, name): value for name, value in row.items()} for row in rows]


def test_copies_with_other_columns_are_the_same_samples(tmp_path):
    rows = pq.read_table(FILE).to_pylist()
    bare = [{**row, "image_bytes": [i["bytes"] for i in row["image_bytes"]]} for row in rows]
    numbered = [
        {**row, "correct_answer_idx": row["answers"].index(row["correct_answer"])} for row in rows
    ]
    for row in numbered:
        del row["correct_answer"]
    copies = {
        "bare/SAT_test.parquet": bare,
        "v2/data/test-00000-of-00001.parquet": columns(rows, image_bytes="images"),
        "numbered/test-00000-of-00001.parquet": numbered,
    }
    official = list(open_task("sat", MINI).samples())
    for path, copied in copies.items():
        file = tmp_path / path
        file.parent.mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(copied), file)
        root = tmp_path / path.split("/")[0]
        for a, b in zip(official, open_task("sat", root).samples(), strict=True):
            assert (a.id, a.text, a.target, a.category) == (b.id, b.text, b.target, b.category)
            assert [i.blob.read() for i in a.images()] == [i.blob.read() for i in b.images()]
        whole, light = (
            REGISTRY.open_task(TaskSpec("sat", root, with_media=media)) for media in (True, False)
        )
        for a, b in zip(whole.samples(), light.samples(), strict=True):
            assert whole.prompt(a).sha256() == light.prompt(b).sha256()


@pytest.mark.parametrize(
    ("changes", "field", "says"),
    [
        ({"correct_answer": ""}, "correct_answer", "the answer is empty"),
        ({"correct_answer": None}, "correct_answer", "expected text"),
        ({"correct_answer": "up"}, "correct_answer", "expected one of"),
        ({"correct_answer": ...}, "correct_answer", "missing"),
        ({"correct_answer": ..., "correct_answer_idx": 2}, "correct_answer_idx", "0 or 1"),
        ({"answers": ["left"]}, "answers", "two different options"),
        ({"answers": ["to the right", "to the right"]}, "answers", "two different options"),
        ({"answers": ["to the right", ""]}, "answers", "two different options"),
        ({"answers": ["left", "to the right", "up"]}, "answers", "two different options"),
        ({"answers": ..., "answer": "A"}, "answers", "cannot be asked in both orders"),
        ({"answers": ...}, "answers", "missing"),
        ({"image_bytes": []}, "image_bytes", "without images"),
        ({"question_type": None}, "question_type", "expected text"),
    ],
)
def test_a_bad_row_names_file_row_and_field(tmp_path, changes, field, says):
    with pytest.raises(DataError, match=says) as caught:
        one_row(tmp_path, **changes)
    assert (caught.value.row, caught.value.field) == (0, field)


def test_official_and_robust_readings_differ_as_known(tmp_path):
    sample, _ = one_row(tmp_path)
    task = open_task("sat", tmp_path)
    for text, official, robust in [
        ("to the right", 1, 1),
        ("To the right ### more", 1, 1),
        ("to the right.", 0, 1),
        ("It went to the right", 0, 1),
        ("<answer>To the right</answer>", 0, 1),
        ("left", 0, 0),
    ]:
        judged = judge(task, text, sample)
        assert (judged["official"].score, judged["robust"].score) == (official, robust), text
    assert judge(task, "to the right.", sample)["official"].answer.status is Status.OUT_OF_RANGE


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("left. Actually it moved to the right", "B"),
        ("It is not to the right.\nSo: left!", "A"),
        ("It went left or right", None),
        ("It went right, not left", "B"),
        ("Rather than right I say left", "A"),
        ("It is not left", None),
        ("up", None),
        ("", None),
    ],
)
def test_the_last_part_that_names_one_option_counts(text, letter):
    assert read_option(text, {"A": "left", "B": "right"}).value == letter


def test_an_option_inside_a_longer_one_is_not_named_by_it():
    options = {"A": "The chair", "B": "the red chair"}
    assert read_option("I see the red chair there", options).value == "B"
    assert read_option("A chair", options).value == "A"


def test_an_answer_that_is_always_the_first_option_is_worth_half_in_both_orders():
    task = open_task("sat", MINI)
    answers = [(s, s.target.options["A"]) for s in task.samples()]
    made = task.readings["official"].aggregate(scored(task, answers))
    assert (made.score, made.metrics["both_orders"]) == (0.5, 0)
    right = [(s, s.target.options[s.target.letter]) for s in task.samples()]
    assert task.readings["official"].aggregate(scored(task, right)).metrics["both_orders"] == 1


def test_single_order_counts_each_question_once(tmp_path):
    run = api.evaluate("reference/oracle", "sat", split="mini", out=tmp_path / "r")
    counted = [r.judgement["single_order"].score for r in run.records]
    assert (counted.count(1.0), counted.count(None)) == (15, 15)
    assert run.results.tasks["sat"].readings["single_order"].score == 1


def test_the_committed_mini_split_is_what_the_generator_makes():
    for made, kept in zip(mini.rows(), read_rows(FILE), strict=True):
        assert {**made, "image_bytes": 0} == {**kept.fields, "image_bytes": 0}
        assert len(made["image_bytes"]) == len(kept.fields["image_bytes"])

import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from er_bench.core.errors import DataError
from er_bench.core.registry import Registry, TaskSpec
from er_bench.core.sample import Image
from er_bench.data.rows import read_rows
from er_bench.tasks.mindcube import mini
from er_bench.tasks.mindcube.task import listed_options, scene_of, setting_of
from tests.judging import judge, open_task, scored

REGISTRY = Registry()
MINI = REGISTRY.mini_root("mindcube")
RAW = MINI / "data" / "raw" / "MindCube_tinybench.jsonl"
QUESTION = "What is behind me? A. Blue sofa B. A desk, and a lamp C. Door"


def one_row(root, **changes):
    picture = next((MINI / "data" / "other_all_image").rglob("*.png"))
    place = root / "data" / "other_all_image" / "among"
    place.mkdir(parents=True, exist_ok=True)
    shutil.copy(picture, place / "one.png")
    row = {
        "id": "among_group693_q1_5_2",
        "question": QUESTION,
        "images": ["other_all_image/among/one.png"] * 2,
        "gt_answer": "B",
    }
    (root / "data" / "raw").mkdir(exist_ok=True)
    kept = {name: value for name, value in {**row, **changes}.items() if value is not ...}
    (root / "data" / "raw" / RAW.name).write_text(json.dumps(kept))
    return list(open_task("mindcube", root).samples())


def test_images_come_first_then_the_released_instruction_and_the_question(tmp_path):
    (sample,) = one_row(tmp_path)
    *images, text = sample.parts
    assert len(images) == 2 and all(isinstance(part, Image) for part in images)
    assert text.text.startswith("[Task]\nYour task is to analyze the spatial arrangement")
    assert text.text.endswith(f"'<answer>A. Above</answer>'.\n\n[Question]\n{QUESTION}")
    assert sample.target.options == {"A": "Blue sofa", "B": "A desk, and a lamp", "C": "Door"}
    asked = open_task("mindcube", tmp_path).prompt(sample).decoding
    assert (asked.max_new_tokens, asked.temperature) == (4096, 0)
    (marked,) = one_row(tmp_path, question=f"<image><image>\n{QUESTION}")
    assert marked.parts[-1] == text


def test_questions_of_a_scene_are_its_cluster_and_the_id_names_the_setting():
    samples = list(open_task("mindcube", MINI).samples())
    assert {s.category for s in samples} == {"rotation", "among", "around"}
    assert len({s.cluster for s in samples}) == len(samples) / 3
    assert scene_of("among_group693_q1_5_2") == scene_of("among_group693_gen_6_2")
    assert scene_of("aroundnew_group3_q12") == "aroundnew_group3"
    assert scene_of("weird") == "weird"
    assert setting_of("rotation_around_q1") == "around"


def test_options_that_cannot_be_told_have_no_texts():
    assert listed_options("Plan A. is good. A. Yes B. No") == {"A": "Yes", "B": "No"}
    assert listed_options("no options") == dict.fromkeys("ABCD", "")
    assert listed_options("A. one C. three") == dict.fromkeys("ABCD", "")


@pytest.mark.parametrize("place", ["data/raw", "raw", "."])
def test_rows_are_found_where_the_archive_was_unpacked_to(tmp_path, place):
    for name in ("raw", "other_all_image"):
        shutil.copytree(MINI / "data" / name, tmp_path / "unpacked" / "data" / name)
    root = {"data/raw": "", "raw": "data", ".": "flat"}[place]
    if root == "flat":
        shutil.copytree(MINI / "data" / "other_all_image", tmp_path / "flat" / "other_all_image")
        shutil.copy(RAW, tmp_path / "flat")
        folder = tmp_path / "flat"
    else:
        folder = tmp_path / "unpacked" / root
    task = open_task("mindcube", folder)
    samples = list(task.samples())
    assert len(samples) == 36
    assert not any(blob.missing() for s in samples for blob in task.media(s))


def test_the_parquet_copy_gives_the_same_samples(tmp_path):
    rows = []
    for row in read_rows(RAW):
        images = [(MINI / "data" / path).read_bytes() for path in row.fields["images"]]
        kept = {name: row.fields[name] for name in ("id", "gt_answer")}
        question = "<image>" * len(images) + row.fields["question"]
        rows.append({**kept, "question": question, "images": images, "input_prompt": "x"})
    (tmp_path / "tiny").mkdir()
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "tiny" / "combined-00000.parquet")
    copied = list(open_task("mindcube", tmp_path).samples())
    for a, b in zip(open_task("mindcube", MINI).samples(), copied, strict=True):
        assert (a.id, a.text, a.target, a.cluster) == (b.id, b.text, b.target, b.cluster)
        assert [i.blob.read() for i in a.images()] == [i.blob.read() for i in b.images()]
    light = REGISTRY.open_task(TaskSpec("mindcube", tmp_path, with_media=False))
    for a, b in zip(copied, light.samples(), strict=True):
        assert light.prompt(a).sha256() == light.prompt(b).sha256()


def test_the_full_set_is_a_protocol_with_a_file_of_its_own():
    full = open_task("mindcube", MINI, "full")
    assert (full.label, full.dataset.rows, full.dataset.categories) == ("mindcube@full", 21154, {})
    assert len(list(full.samples())) == 45
    tiny = REGISTRY.task_card("mindcube").dataset
    assert tiny.rows == sum(tiny.categories.values()) == 1050


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("gt_answer", "D", "one of A, B, C"),
        ("gt_answer", "", "one of A, B, C"),
        ("gt_answer", ..., "missing"),
        ("images", [], "without images"),
        ("images", ["../../../etc/passwd"], "leaves the data folder"),
        ("question", None, "expected text"),
        ("id", 7, "expected text"),
    ],
)
def test_a_bad_row_names_file_row_and_field(tmp_path, field, value, says):
    with pytest.raises(DataError, match=says) as caught:
        one_row(tmp_path, **{field: value})
    assert (caught.value.row, caught.value.field) == (0, field)


def test_readings_part_as_known(tmp_path):
    (sample,) = one_row(tmp_path)
    task = open_task("mindcube", tmp_path)
    names = ("official", "robust", "physbrain")
    for text, *expected in [
        ("<answer>B. A desk, and a lamp</answer>", 1, 1, 0),
        ("<answer>B</answer>", 1, 1, 1),
        ("The answer is B. Not C.", 0, 1, 0),
        ("I see a cup", 0, 0, 0),
    ]:
        judged = judge(task, text, sample)
        assert [judged[name].score for name in names] == expected, text


def test_translation_is_left_out_of_the_mean(tmp_path):
    (left_out,) = one_row(tmp_path, id="translation_group1_q1")
    (counted,) = one_row(tmp_path)
    task = open_task("mindcube", tmp_path)
    made = task.readings["official"].aggregate(
        scored(task, [(left_out, "<answer>B. x</answer>"), (counted, "C.")])
    )
    assert (made.score, made.categories) == (0, {"among": 0})


def test_the_committed_mini_split_is_what_the_generator_makes(tmp_path):
    mini.write(tmp_path)
    for name in ("MindCube_tinybench.jsonl", "MindCube.jsonl"):
        pair = [root / "data" / "raw" / name for root in (tmp_path, MINI)]
        assert pair[0].read_text() == pair[1].read_text()
    made, kept = (
        sorted(p.relative_to(root) for p in root.rglob("*.png")) for root in (tmp_path, MINI)
    )
    assert made == kept

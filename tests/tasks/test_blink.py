import io
import json
import shutil

import PIL.Image
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from er_bench.core.errors import DataError
from er_bench.core.registry import Registry, TaskSpec
from er_bench.core.sample import Image, Text
from er_bench.core.score import Scored
from er_bench.data.rows import read_rows
from er_bench.tasks.blink import mini
from er_bench.tasks.blink.task import SUBSETS, TASK_SUBSETS
from tests.judging import judge, open_task

REGISTRY = Registry()
MINI = REGISTRY.mini_root("blink")
DEPTH = MINI / "Relative_Depth" / "val-00000-of-00001.parquet"


def one_row(root, **changes):
    (root / "one.png").write_bytes(pq.read_table(DEPTH).to_pylist()[0]["image_1"]["bytes"])
    row = {
        "idx": "val_Relative_Depth_7",
        "image_1": "one.png",
        "image_2": None,
        "choices": ["A is closer", "B is closer"],
        "answer": "(B)",
        "prompt": "Which point is closer?\n(A) A is closer\n(B) B is closer",
    }
    told = {**row, **changes}
    kept = {name: value for name, value in told.items() if value is not ...}
    (root / "rows.jsonl").write_text(json.dumps(kept))
    return list(open_task("blink", root, "all").samples())


def test_the_text_stands_before_the_images_and_some_subsets_have_the_disclaimer(tmp_path):
    (sample,) = one_row(tmp_path)
    text, image = sample.parts
    assert text == Text("Which point is closer?\n(A) A is closer\n(B) B is closer")
    assert isinstance(image, Image)
    assert (sample.id, sample.category) == ("val_Relative_Depth_7", "Relative_Depth")
    assert (sample.target.letter, sample.target.options["A"]) == ("B", "A is closer")
    asked = open_task("blink", tmp_path, "all").prompt(sample).decoding
    assert (asked.max_new_tokens, asked.temperature) == (1024, 0)
    (sample,) = one_row(tmp_path, idx="val_Jigsaw_1")
    assert sample.text.startswith("Disclaimer: ") and sample.text.endswith(text.text)


def test_the_task_asks_three_subsets_and_the_protocol_all():
    three, all_of_them = (
        [s.category for s in open_task("blink", MINI, protocol).samples()]
        for protocol in ("official", "all")
    )
    assert set(three) == set(TASK_SUBSETS) and set(all_of_them) == set(SUBSETS)
    counts = REGISTRY.task_card("blink").dataset
    assert sum(counts.categories.values()) == counts.rows == 387
    assert counts.under("all").rows == 1901
    assert set(counts.under("all").categories) == set(SUBSETS)


def test_copies_in_one_file_and_with_a_list_of_images_are_the_same_samples(tmp_path):
    rows = [row.fields for subset in TASK_SUBSETS for row in mini_rows(subset)]
    copies = []
    for row in rows:
        images = [row[f"image_{k}"] for k in range(1, 5) if row[f"image_{k}"] is not None]
        kept = {k: row[k] for k in ("idx", "prompt", "choices")}
        copies.append({**kept, "answer": row["answer"].strip("()"), "images": images})
    pq.write_table(pa.Table.from_pylist(copies), tmp_path / "blink.parquet")
    official = {s.id: s for s in open_task("blink", MINI).samples()}
    copied = {s.id: s for s in open_task("blink", tmp_path).samples()}
    assert official.keys() == copied.keys()
    for name, sample in official.items():
        assert sample.target == copied[name].target and sample.text == copied[name].text
        pair = [[i.blob.read() for i in s.images()] for s in (sample, copied[name])]
        assert pair[0] == pair[1]


def mini_rows(subset):
    return list(read_rows(MINI / subset / "val-00000-of-00001.parquet"))


def test_scoring_again_makes_the_same_prompts():
    whole, light = (
        REGISTRY.open_task(TaskSpec("blink", MINI, "all", with_media=media))
        for media in (True, False)
    )
    for a, b in zip(whole.samples(), light.samples(), strict=True):
        assert whole.prompt(a).sha256() == light.prompt(b).sha256()


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("answer", "(C)", "one of A, B"),
        ("answer", "", "one of A, B"),
        ("answer", None, "expected text"),
        ("idx", "test_Relative_Depth_1", "answers are hidden"),
        ("idx", "val_Smell_1", "val_SUBSET_NUMBER"),
        ("choices", ["one"], "2 to 5 options"),
        ("choices", ["one", None], "expected text"),
        ("image_1", None, "without images"),
        ("prompt", ..., "missing"),
    ],
)
def test_a_bad_row_names_file_row_and_field(tmp_path, field, value, says):
    with pytest.raises(DataError, match=says) as caught:
        one_row(tmp_path, **{field: value})
    assert (caught.value.row, caught.value.field) == (0, field)


def test_test_files_beside_the_validation_files_are_not_read(tmp_path):
    shutil.copytree(MINI, tmp_path / "d")
    row = pq.read_table(DEPTH).to_pylist()[0]
    hidden = {**row, "idx": "test_Relative_Depth_1", "answer": "hidden"}
    pq.write_table(
        pa.Table.from_pylist([hidden], schema=pq.read_table(DEPTH).schema),
        tmp_path / "d" / "Relative_Depth" / "test-00000-of-00001.parquet",
    )
    assert len(list(open_task("blink", tmp_path / "d").samples())) == 30


def test_the_headline_is_the_mean_of_subsets_and_item_mean_a_reading():
    readings = open_task("blink", MINI).readings
    scored = [
        Scored(str(k), name, score)
        for k, (name, score) in enumerate(
            [("Relative_Depth", 1.0)] * 3 + [("Spatial_Relation", 0.0)] + [("Counting", 1.0)] * 4
        )
    ]
    made = readings["official"].aggregate(scored)
    assert made.score == pytest.approx(2 / 3)
    assert made.metrics == pytest.approx({"item_mean": 7 / 8, "depth_and_relation": 0.5})
    assert readings["item_mean"].aggregate(scored).score == pytest.approx(7 / 8)
    assert readings["flageval"].aggregate(scored).score == pytest.approx(7 / 8)
    only = readings["official"].aggregate(scored[:1])
    assert only.score == 1 and "depth_and_relation" not in only.metrics


def test_neighbours_readings_part_from_the_official_one_as_known(tmp_path):
    (sample,) = one_row(tmp_path)
    task = open_task("blink", MINI)
    names = ("official", "robust", "lmms_eval", "flageval", "physbrain")
    for text, *expected in [
        ("The answer is (B)", 1, 1, 0, 1, 1),
        ("Depth says (B)", 1, 1, 0, 0, 1),
        ("(B).", 0, 1, 1, 1, 1),
        ("Both lie far", 0, 0, 1, 1, 0),
    ]:
        judged = judge(task, text, sample)
        assert [judged[name].score for name in names] == expected, text
    assert "gpt-3.5" in judge(task, "(B).", sample)["official"].why


def test_the_committed_mini_split_is_what_the_generator_makes():
    for subset in SUBSETS:
        for made, kept in zip(mini.rows(subset), mini_rows(subset), strict=True):
            for name, value in made.items():
                if not name.startswith("image_") or value is None:
                    assert kept.fields[name] == value
                else:
                    pair = (value["bytes"], kept.fields[name]["bytes"])
                    pixels = [PIL.Image.open(io.BytesIO(data)).convert("RGB") for data in pair]
                    assert pixels[0].size == pixels[1].size

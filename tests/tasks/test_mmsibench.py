import io

import PIL.Image
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from er_bench.core.errors import DataError
from er_bench.core.registry import Registry, TaskSpec
from er_bench.core.sample import Image, Text
from er_bench.data.rows import read_rows
from er_bench.tasks.mmsibench import mini
from er_bench.tasks.mmsibench.task import listed_options
from tests.judging import judge, open_task

REGISTRY = Registry()
MINI = REGISTRY.mini_root("mmsibench")
FILE = MINI / "MMSI_Bench.parquet"


def one_row(root, **changes):
    table = pq.read_table(FILE)
    row = {**table.to_pylist()[0], **changes}
    pq.write_table(pa.Table.from_pylist([row], schema=table.schema), root / "MMSI_Bench.parquet")
    return list(open_task("mmsibench", root).samples())


def test_images_come_first_and_the_question_asks_for_backticks(tmp_path):
    (sample,) = one_row(tmp_path, question="Where?\nOptions: A: Up, B: Down, C: In, D: Out")
    *images, text = sample.parts
    assert len(images) == 2 and all(isinstance(part, Image) for part in images)
    assert text == Text(
        "Where?\nOptions: A: Up, B: Down, C: In, D: Out\nAnswer with the option's letter from the "
        "given choices directly. Enclose the option's letter within ``."
    )
    assert sample.target.options == {"A": "Up", "B": "Down", "C": "In", "D": "Out"}


def test_options_with_commas_inside_are_kept_whole():
    found = listed_options("Q\nOptions: A: left, then up, B: at 3, C: none, D: B: or")
    assert found == dict.fromkeys("ABCD", "")
    found = listed_options("Q\nOptions: A: left, then up, B: at 3, C: none, D: Out, in")
    assert found == {"A": "left, then up", "B": "at 3", "C": "none", "D": "Out, in"}


def test_scoring_again_makes_the_same_prompts(tmp_path):
    whole, light = (
        REGISTRY.open_task(TaskSpec("mmsibench", MINI, with_media=media)) for media in (True, False)
    )
    for a, b in zip(whole.samples(), light.samples(), strict=True):
        assert whole.prompt(a).sha256() == light.prompt(b).sha256()


def test_images_are_read_as_bytes_or_as_the_hub_stores_them(tmp_path):
    rows = pq.read_table(FILE).to_pylist()[:2]
    for row in rows:
        row["images"] = [{"bytes": image, "path": None} for image in row["images"]]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "test.parquet")
    bare = list(open_task("mmsibench", MINI).samples())
    nested = list(open_task("mmsibench", tmp_path).samples())
    for a, b in zip(bare, nested, strict=False):
        assert [p.blob.read() for p in a.parts[:-1]] == [p.blob.read() for p in b.parts[:-1]]


@pytest.mark.parametrize(
    ("field", "value"),
    [("answer", "F"), ("images", []), ("question", None), ("question_type", None)],
)
def test_a_bad_row_names_file_row_and_field(tmp_path, field, value):
    with pytest.raises(DataError) as caught:
        one_row(tmp_path, **{field: value})
    assert (caught.value.row, caught.value.field) == (0, field)


def test_a_hyphen_in_a_type_is_the_dash_of_the_card(tmp_path):
    (sample,) = one_row(tmp_path, question_type="Positional Relationship (Cam.-Obj.)")
    assert sample.category in REGISTRY.task_card("mmsibench").dataset.categories


def test_official_and_robust_readings_differ_as_known(tmp_path):
    (sample,) = one_row(tmp_path, answer="C")
    task = open_task("mmsibench", MINI)
    for text, official, robust in [
        ("``C``", 1, 1),
        ("``c``", 0, 1),
        ("The answer is C because D", 0, 1),
        ("A bike is visible, so C", 1, 1),
    ]:
        judged = judge(task, text, sample)
        assert (judged["official"].score, judged["robust"].score) == (official, robust), text


def test_the_committed_mini_split_is_what_the_generator_makes():
    for made, kept in zip(mini.rows(), read_rows(FILE), strict=True):
        assert {**made, "images": 0} == {**kept.fields, "images": 0}
        for a, b in zip(made["images"], kept.fields["images"], strict=True):
            pixels = [PIL.Image.open(io.BytesIO(data)).tobytes() for data in (a, b)]
            assert max(abs(x - y) for x, y in zip(*pixels, strict=True)) < 24

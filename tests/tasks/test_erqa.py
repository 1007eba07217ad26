import io

import PIL.Image
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from er_bench.core.errors import DataError
from er_bench.core.registry import Registry, TaskSpec
from er_bench.core.sample import Image, Text
from er_bench.data.rows import BytesBlob, read_rows
from er_bench.data.tfrecord import write_examples
from er_bench.run.preflight import inspect
from er_bench.tasks.erqa import mini
from er_bench.tasks.erqa.task import interleave, listed_options
from tests.judging import judge, open_task, scored

REGISTRY = Registry()
MINI = REGISTRY.mini_root("erqa")


def shown(parts):
    return [p.text if isinstance(p, Text) else p.blob.name for p in parts]


def identity(task):
    return [
        (
            sample.id,
            sample.category,
            task.truth_identity(sample),
            task.prompt(sample).sha256(),
            [p.blob.read() for p in sample.parts if isinstance(p, Image)],
        )
        for sample in task.samples()
    ]


def test_the_authors_tfrecord_gives_the_samples_of_the_mirror(tmp_path):
    (file,) = (MINI / "data").glob("*.parquet")
    write_examples(
        tmp_path / "erqa.tfrecord",
        (
            {
                "answer": [row.text("answer").encode()],
                "image/encoded": [item["bytes"] for item in row.items("images")],
                "question": [row.text("question").encode()],
                "question_type": [row.text("question_type").encode()],
                "visual_indices": row.items("visual_indices"),
            }
            for row in read_rows(file)
        ),
    )
    mirror = identity(open_task("erqa", MINI))
    assert len(mirror) == 32
    assert identity(open_task("erqa", tmp_path)) == mirror
    prints = [inspect(open_task("erqa", root), None) for root in (MINI, tmp_path)]
    assert prints[0].fingerprint == prints[1].fingerprint
    assert prints[0].prompt_sha256 == prints[1].prompt_sha256


def test_scoring_again_reads_no_image_and_makes_the_same_prompts():
    whole, light = (
        REGISTRY.open_task(TaskSpec("erqa", MINI, with_media=media)) for media in (True, False)
    )
    for a, b in zip(whole.samples(), light.samples(), strict=True):
        assert whole.prompt(a).sha256() == light.prompt(b).sha256()
        image = next(p for p in b.parts if isinstance(p, Image))
        with pytest.raises(DataError, match="without its media"):
            image.blob.read()


A, B, C = (BytesBlob(name, b"x") for name in "ABC")


@pytest.mark.parametrize(
    ("offsets", "expected"),
    [
        ([], ["A", "B", "C", "0123456789"]),
        ([0, 0, 0], ["A", "B", "C", "0123456789"]),
        ([2, 5, 5], ["01", "A", "234", "B", "C", "56789"]),
        ([5, 2, 10], ["01", "B", "234", "A", "56789", "C"]),
        ([0, 4, 99], ["A", "0123", "B", "C", "456789"]),
    ],
)
def test_images_stand_at_their_offsets(offsets, expected):
    assert shown(interleave("0123456789", [A, B, C], offsets)) == expected


def test_offsets_count_characters_not_bytes():
    assert shown(interleave("äöü?", [A], [3])) == ["äöü", "A", "?"]


def test_options_are_found_in_the_question():
    question = "Where? Choices: A. In A. B. street. B. Left. Please answer directly with only a."
    assert listed_options("Why? Choices: A. One. B. Two.") == {"A": "One.", "B": "Two."}
    assert list(listed_options(question)) == list("ABCD")
    assert listed_options("No list") == dict.fromkeys("ABCD", "")


def rows(tmp_path, **changes):
    (file,) = (MINI / "data").glob("*.parquet")
    table = pq.read_table(file)
    row = {**table.to_pylist()[0], **changes}
    pq.write_table(pa.Table.from_pylist([row], schema=table.schema), tmp_path / "test.parquet")
    return list(open_task("erqa", tmp_path).samples())


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("answer", "E", "expected one of A, B, C, D"),
        ("answer", None, "expected text"),
        ("images", [], "without images"),
        ("images", [{"bytes": None, "path": None}], "the row has no picture"),
        ("visual_indices", [1, 2], "2 offsets for 1 images"),
        ("visual_indices", [-1], "expected character offsets"),
        ("question", None, "expected text"),
    ],
)
def test_a_bad_row_names_file_row_and_field(tmp_path, field, value, problem):
    with pytest.raises(DataError, match=problem) as caught:
        rows(tmp_path, **{field: value})
    assert (caught.value.row, caught.value.field) == (0, field)
    assert caught.value.file == tmp_path / "test.parquet"


def test_single_and_multi_image_accuracy_stand_beside_the_headline():
    task = open_task("erqa", MINI)
    answers = [
        (sample, "x" if len(list(sample.images())) > 1 else sample.target.letter.lower() + ".")
        for sample in task.samples()
    ]
    numbers = task.readings["official"].aggregate(scored(task, answers))
    assert numbers.score == 24 / 32
    assert numbers.metrics == {"single_image": 1, "multi_image": 0}
    assert numbers.categories["Multi-view Reasoning"] == 0


def test_verbose_answers_are_wrong_officially_and_right_robustly():
    task = open_task("erqa", MINI)
    sample = next(task.samples())
    text = f"**{sample.target.letter}. {sample.target.options[sample.target.letter]}**"
    judged = judge(task, text, sample)
    assert (judged["official"].score, judged["robust"].score) == (0, 1)


def test_the_committed_mini_split_is_what_the_generator_makes():
    (file,) = (MINI / "data").glob("*.parquet")
    for made, kept in zip(mini.rows(), read_rows(file), strict=True):
        pictures = [
            [PIL.Image.open(io.BytesIO(i["bytes"])).convert("RGB") for i in row["images"]]
            for row in (made, kept.fields)
        ]
        assert [p.tobytes() for p in pictures[0]] == [p.tobytes() for p in pictures[1]]
        assert {**made, "images": 0} == {**kept.fields, "images": 0}

"""`er-bench data build`: run lengths, exact rectangles, selection, faults, the command itself."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from typer.testing import CliRunner

from er_bench.cli.data import app
from er_bench.core.errors import DataError, UsageError
from er_bench.tasks.base.polygons import polygon_mask
from er_bench.tasks.paco_lavis import build as paco
from er_bench.tasks.paco_lavis.segmentation import decode_counts, decode_rle, rectangles
from er_bench.tasks.pixmo_points import build as pixmo
from tests.judging import judge, open_task


def uncompressed(mask):
    """COCO run lengths by hand: column by column, zeros first."""
    runs, last = [], False
    for value in mask.T.ravel():
        if not runs:
            runs = [0]
        if bool(value) != last:
            runs.append(0)
            last = bool(value)
        runs[-1] += 1
    return {"size": list(mask.shape), "counts": runs}


MASKS = arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12)))


@given(mask=MASKS)
def test_rectangles_draw_back_to_the_pixel(mask):
    assert np.array_equal(polygon_mask([rectangles(mask)], mask.shape[::-1]), mask)


@given(mask=MASKS)
def test_run_lengths_are_decoded(mask):
    assert np.array_equal(decode_rle(uncompressed(mask)), mask)


def test_compressed_counts():
    """Worked by hand from cocoapi `rleToString`: 5 bits a character, from 48 on."""
    assert decode_counts("023") == [0, 2, 3]
    assert decode_counts("0235") == [0, 2, 3, 7]  # the fourth is 5 more than the second
    assert decode_counts(b"P1") == [32]
    assert decode_counts("023O") == [0, 2, 3, 1]  # minus one


@pytest.mark.parametrize(
    "rle", [{"size": [2, 2], "counts": [1, 2]}, {"size": [1, 1], "counts": "P"}]
)
def test_broken_run_lengths_are_refused(rle):
    with pytest.raises(ValueError, match=r"runs of|break off"):
        decode_rle(rle)


def block(x1, y1, x2, y2, size=(40, 30)):
    mask = np.zeros((size[1], size[0]), dtype=bool)
    mask[y1:y2, x1:x2] = True
    return mask


def annotations():
    """Two mugs with handles, a car that is not all annotated, and a speck."""

    def note(number, image, category, mask, parent=None):
        return {
            "id": number, "image_id": image, "category_id": category, "area": int(mask.sum()),
            "segmentation": uncompressed(mask), "obj_ann_id": parent or number,
        }  # fmt: skip

    square = note(6, 2, 1, block(0, 0, 20, 20))
    square["segmentation"] = [[0, 0, 19, 0, 19, 19, 0, 19]]
    return {
        "images": [
            {"id": k, "file_name": f"test2017/{k}.jpg", "width": 40, "height": 30,
             "not_exhaustive_category_ids": [2]}
            for k in (1, 2)
        ],
        "categories": [
            {"id": 1, "name": "mug"},
            {"id": 2, "name": "car_(automobile)"},
            {"id": 3, "name": "mug:handle"},
            {"id": 4, "name": "pen"},
        ],
        "annotations": [
            note(1, 1, 1, block(0, 0, 15, 15)),
            note(2, 1, 1, block(20, 0, 35, 15)),
            note(3, 1, 3, block(0, 0, 15, 8), parent=1),
            note(4, 1, 2, block(0, 20, 30, 30)),
            note(5, 1, 4, block(0, 20, 5, 25)),
            square,
        ],
    }  # fmt: skip


def test_paco_rows_are_made_in_the_released_format_and_scored(tmp_path):
    (tmp_path / "paco_lvis_v1_test.json").write_text(json.dumps(annotations()))
    out = tmp_path / "out"
    said = paco.build(tmp_path, out, rows=None, seed=0)
    assert "paco_lavis@er-bench-1: 3 of 3 expressions" in said
    rows = [json.loads(x) for x in (out / "paco_lavis@er-bench-1.jsonl").read_text().splitlines()]
    assert [r["kind"] for r in rows] == ["part", "object", "object"]
    assert {r["dataset"] for r in rows} == {"paco_lavis@er-bench-1"}
    task = open_task("paco_lavis", out)
    samples = list(task.samples())
    assert [s.target.expression for s in samples] == ["handle of the mug", "mug", "mug"]
    assert task.mask(samples[1]).sum() == 2 * 15 * 15
    said = "<point>[[100, 100], [600, 100], [600, 900]]</point>"
    assert judge(task, said, samples[1])["official"].parts["hits"] == 2
    assert json.loads((out / "dataset.json").read_text())["rows"] == 3


def test_paco_rows_are_drawn_by_seed(tmp_path):
    file = tmp_path / "a.json"
    file.write_text(json.dumps(annotations()))
    texts = []
    for k, seed in enumerate((0, 0, 1, 2, 3)):
        paco.build(file, tmp_path / str(k), rows=2, seed=seed)
        texts.append((tmp_path / str(k) / "paco_lavis@er-bench-1.jsonl").read_text())
    assert texts[0] == texts[1]
    assert len(set(texts)) > 1
    assert all(len(text.splitlines()) == 2 for text in texts)


def test_words():
    assert [paco.words(w) for w in ("car_(automobile)", "tape_(sticky_cloth_or_paper)", "a_b")] == [
        "car", "tape", "a b",
    ]  # fmt: skip


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"images": [{}], "categories": []}'])
def test_other_files_are_refused(tmp_path, content):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(DataError, match=r"not PACO-LVIS annotations.*a\.json"):
        paco.build(tmp_path / "a.json", tmp_path / "out", None, 0)


def test_a_mask_of_another_size_names_image_and_field(tmp_path):
    data = annotations()
    data["annotations"][0]["segmentation"]["size"] = [15, 80]
    (tmp_path / "a.json").write_text(json.dumps(data))
    with pytest.raises(DataError, match=r"cannot read a mask of 'mug'.*row 1, field segmentation"):
        paco.build(tmp_path / "a.json", tmp_path / "out", None, 0)


def pixmo_rows():
    sha = "ab" * 32
    common = {"image_url": "https://example.org/a.jpg", "image_sha256": sha}
    return [
        {**common, "label": "cups", "points": [{"x": 25.04, "y": 50.0}, {"x": 75.0, "y": 50.0}],
         "masks": [block(5, 10, 15, 20).tolist(), block(25, 10, 35, 20).tolist()]},
        {**common, "label": "ghosts", "points": [], "masks": []},
    ]  # fmt: skip


def test_pixmo_rows_are_made_and_scored_with_molmos_metric(tmp_path):
    pq.write_table(pa.Table.from_pylist(pixmo_rows()), tmp_path / "test-0.parquet")
    out = tmp_path / "out"
    assert "pixmo_points@er-bench-1: 1 of 1 rows" in pixmo.build(tmp_path, out, None, 0)
    (out / "images").mkdir()
    Image.new("RGB", (40, 30)).save(out / "images" / ("ab" * 32), "PNG")
    task = open_task("pixmo_points", out)
    (sample,) = task.samples()
    task.check(sample)
    assert sample.target.points_per_1000_xy == ((250, 500), (750, 500))
    judged = judge(task, "<point>[[250, 500], [251, 500]]</point>", sample)
    parts = judged["official"].parts
    assert (parts["hits"], parts["total"]) == (2, 2)
    assert (parts["molmo_precision"], parts["molmo_recall"]) == (0.5, 0.5)
    assert judged["molmo_f1"].score == pytest.approx(0.5)
    assert (out / "urls.tsv").read_text() == f"{'ab' * 32}\thttps://example.org/a.jpg\n"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"image_sha256": "../x"}, "image_sha256"),
        ({"points": [{"x": 1.0, "y": float("nan")}]}, "y"),
        ({"points": [{"x": 1.0, "y": 1.0}]}, "masks"),
    ],
)
def test_bad_pixmo_rows_name_file_row_and_field(tmp_path, change, field):
    pq.write_table(pa.Table.from_pylist([{**pixmo_rows()[0], **change}]), tmp_path / "t.parquet")
    with pytest.raises(DataError, match=rf"t.parquet, row 0, field {field}"):
        pixmo.build(tmp_path, tmp_path / "out", None, 0)


def test_the_command(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(annotations()))
    words = ["build", "paco_lavis", "--source", str(tmp_path / "a.json")]
    done = CliRunner().invoke(app, [*words, "--out", str(tmp_path / "out"), "--rows", "1"])
    assert done.exit_code == 0, done.output
    assert "paco_lavis@er-bench-1: 1 of 3" in done.output
    refused = CliRunner().invoke(app, ["build", "erqa", "--source", "x", "--out", "y"])
    assert isinstance(refused.exception, UsageError)
    assert "paco_lavis, pixmo_points" in str(refused.exception)

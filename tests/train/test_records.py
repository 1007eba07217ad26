"""Chat JSON lines and meta JSON: what is read, and how a wrong one is named."""

import json
from pathlib import Path

import pytest

from er_bench.core.errors import DataError
from er_bench.core.message import Message, user
from er_bench.core.sample import Image, Text
from er_bench.data.rows import FileBlob
from er_bench.train.data.records import read_meta

from .conftest import talk, write_images, write_meta


def test_lines_are_read_by_offset_and_blank_ones_skipped(one_source):
    source = one_source(
        {"conversations": talk("é?", "1")},
        "",
        {"image": "0.png", "conversations": talk("b?", "2")},
        {"image": ["0.png", "1.png"], "conversations": talk("<image> <image>", "3")},
    )
    answers = [source.record(k).messages[-1].parts for k in (2, 0, 1)]
    assert answers == [(Text("3"),), (Text("1"),), (Text("2"),)]
    assert source.lines.tolist() == [1, 3, 4]
    first, space, second = source.record(2).messages[0].parts
    assert [Path(p.blob.name).name for p in (first, second)] == ["0.png", "1.png"]
    assert space == Text(" ")


# Vlaser internvl_chat_finetune.py, multi_modal_get_item: an image without its mark comes first.
def test_a_single_image_without_a_mark_is_put_before_the_first_question(one_source):
    turns = talk("Where?", "There.", system="Be kind.")
    source = one_source({"image": "0.png", "conversations": turns})
    system, question, answer = source.record(0).messages
    assert (system, answer) == (
        Message("system", (Text("Be kind."),)),
        Message("assistant", (Text("There."),)),
    )
    assert question == user(Image(FileBlob(source.root / "0.png")), "\nWhere?")


@pytest.mark.parametrize(
    ("record", "field"),
    [
        ("{not json", "not JSON"),
        ("[1]", "object"),
        ({"image": "0.png"}, "conversations"),
        ({"conversations": []}, "take turns"),
        ({"conversations": talk("a")}, "take turns"),
        ({"conversations": talk("a", "b", "c")}, "take turns"),
        ({"conversations": [{"from": "robot", "value": "x"}]}, "conversations.0."),
        ({"conversations": [{"from": "human", "value": 3}]}, "conversations.0..value"),
        ({"conversations": talk("<image>", "a")}, "no file but 1"),
        ({"image": "0.png", "conversations": talk("<image><image>", "a")}, "1 file but 2"),
        ({"image": ["0.png", "1.png"], "conversations": talk("<image>", "a")}, "2 images but 1"),
        ({"image": ["0.png"], "conversations": talk("no mark", "a")}, "1 images but 0"),
        ({"image": [], "conversations": talk("x", "a")}, "list of paths"),
        *(
            ({name: "0.png", "conversations": talk("What?", "a")}, f"field {name}")
            for name in ("images", "Image", "image_path", "image_files", "video_path", "photo")
        ),
        *(
            ({name: value, "conversations": talk("What?", "a")}, f"{hint}.*field {name}")
            for name, value, hint in (
                ("images", ["0.png"], "did you mean image"),
                ("Clip", [0, 1], "did you mean clip"),
                ("conversation", "x", "did you mean conversations"),
                ("system", "Be kind.", "known are image, video"),
                ("loss_mask", 1, "known are"),
                ("frames", ["0.png"], "unread"),
            )
        ),
        (
            {"conversations": [{**said, "weight": 0} for said in talk("a", "b")]},
            "known are from, value.*field weight",
        ),
        ({"conversations": [{"from": ["human"], "value": "x"}]}, "conversations.0."),
        ({"image": "x" * 300, "conversations": talk("x", "a")}, "field image"),
        ({"image": "a\0b", "conversations": talk("x", "a")}, "field image"),
        *(
            ({"video": "0.png", "clip": clip, "conversations": talk("x", "a")}, "field clip")
            for clip in (3, [1], [1, 1], [-1, 1], [True, 2], ["0", 1], [0, 10**400], [0, 1e300])
        ),
        ('{"conversations": ' + "[" * 100_000, "nested too deep"),
        ('{"conversations": [{"from": "human", "value": "\\ud800"}]}', "surrogate"),
        ('{"length": ' + "9" * 5000 + "}", "not JSON"),
        ({"image": 5, "conversations": talk("x", "a")}, "list of paths"),
        ({"image": "gone.png", "conversations": talk("x", "a")}, "gone.png"),
        ({"image": "../toy/../../0.png", "conversations": talk("x", "a")}, "leaves"),
        ({"image": "0.png", "video": "v.mp4", "conversations": talk("x", "a")}, "not both"),
        ({"video": "gone.mp4", "conversations": talk("x", "a")}, "gone.mp4"),
        ({"video": "0.png", "conversations": talk("<video><image>", "a")}, "has <image>"),
        ({"video": "0.png", "conversations": talk("<video><video>", "a")}, "1 file but 2"),
    ],
)
def test_a_wrong_record_is_named_by_file_and_line(one_source, record, field):
    source = one_source({"conversations": talk("a", "b")}, record)
    with pytest.raises(DataError, match=field) as caught:
        source.record(1)
    assert "toy.jsonl" in str(caught.value) and "row 2" in str(caught.value)


def test_fields_that_change_nothing_may_be_there_and_others_when_the_meta_file_says_so(one_source):
    record = {"id": 3, "width": 28, "source": "x", "photo": None, "conversations": talk("a", "b")}
    (said,) = one_source(record).record(0).messages[1:]
    assert said == Message("assistant", (Text("b"),))
    turns = [{**turn, "weight": 0} for turn in talk("a", "b")]
    source = one_source({"weight": 2, "conversations": turns}, unread=["weight"])
    assert source.record(0).messages[1] == said


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1", "utf-8-sig"])
def test_a_file_in_another_encoding_is_told(tmp_path, encoding):
    record = {"conversations": talk("é?", "ü")}
    meta = write_meta(tmp_path, [record])
    line = json.dumps(record, ensure_ascii=False)
    (tmp_path / "toy.jsonl").write_text(f"{line}\n", encoding=encoding)
    (source,) = read_meta(meta)
    if encoding == "utf-8-sig":
        assert source.record(0).messages[1].parts == (Text("ü"),)
    else:
        with pytest.raises(DataError, match=r"save it as UTF-8.*row 1"):
            source.record(0)


def test_a_line_over_the_limit_and_a_pass_over_the_limit_are_refused(tmp_path, monkeypatch):
    meta = write_meta(tmp_path, [{"conversations": talk("a", "b" * 300)}])
    monkeypatch.setenv("ER_BENCH_MAX_ROW_BYTES", "300")
    with pytest.raises(DataError, match=r"ER_BENCH_MAX_ROW_BYTES.*row 1"):
        read_meta(meta)
    monkeypatch.undo()
    meta = write_meta(tmp_path, [{"conversations": talk("a", "b")}], repeat_time=2**30)
    with pytest.raises(DataError, match="ER_BENCH_MAX_PASS_SAMPLES"):
        read_meta(meta)


# model.md 3.2: r < 1 takes the first int(n r) lines, r > 1 repeats the whole list.
@pytest.mark.parametrize(
    ("repeat", "entries"),
    [(1, [0, 1, 2, 3, 4]), (0.5, [0, 1]), (2, [0, 1, 2, 3, 4] * 2), (0.1, [])],
)
def test_repeat_time(one_source, repeat, entries):
    source = one_source(*[{"conversations": talk("a", "b")}] * 5, repeat_time=repeat)
    assert source.entries().tolist() == entries


@pytest.mark.parametrize(
    "wrong",
    [
        {"repeat_time": 1.5},
        {"repeat_time": 0},
        {"repeat_time": "2"},
        *({"repeat_time": value} for value in (float("nan"), float("inf"), 10**400, True, -1)),
        {"max_dynamic_patch": 10**30},
        {"max_dynamic_patch": 1.5},
        {"unread": "weight"},
        {"unread": ["image"]},
        {"annotation": "toy\0.jsonl"},
        {"annotation": "x" * 300 + ".jsonl"},
        {"max_dynamic_patch": 0},
        {"data_augment": "yes"},
        {"annotation": "gone.jsonl"},
        {"root": 3},
        {"repeat": 2},
    ],
)
def test_a_wrong_meta_entry_is_named(tmp_path, wrong):
    meta = write_meta(tmp_path, [{"conversations": talk("a", "b")}], **wrong)
    with pytest.raises(DataError, match=f"meta.json, row toy, field {next(iter(wrong))}"):
        read_meta(meta)


def test_several_sources_and_their_settings(tmp_path):
    write_images(tmp_path / "pictures", 1)
    record = {"image": "0.png", "conversations": talk("a", "b")}
    (tmp_path / "a.jsonl").write_text(json.dumps(record))
    entry = {"root": "pictures", "annotation": "a.jsonl", "length": 7}
    meta = {"one": entry, "two": {**entry, "max_dynamic_patch": 6, "data_augment": True}}
    (tmp_path / "meta.json").write_text(json.dumps(meta))
    one, two = read_meta(tmp_path / "meta.json")
    assert (one.name, one.max_tiles, one.degrade) == ("one", None, False)
    assert (two.name, two.max_tiles, two.degrade) == ("two", 6, True)
    picture = two.record(0).messages[0].parts[0]
    assert picture == Image(FileBlob(tmp_path / "pictures" / "0.png"))

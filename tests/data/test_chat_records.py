"""Chat lines: what is written is read back; what a line means. Wrong lines: tests/train."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from er_bench.core.errors import DataError
from er_bench.core.message import Message, user
from er_bench.core.sample import Image, Part, Text, Video
from er_bench.data.chat_records import chat_record, read_chat
from er_bench.data.rows import FileBlob, Row


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("media")
    for name in ("a.png", "b.png", "v.mp4"):
        (folder / name).write_bytes(b"not looked at")
    return folder


def row(fields: dict[str, object]) -> Row:
    return Row(fields, Path("toy.jsonl"), 1)


def line(value: str, **media: object) -> Row:
    said = [{"from": "human", "value": value}, {"from": "gpt", "value": "<image>"}]
    return row({**media, "conversations": said})


TEXT = st.text("ab\n<> ", min_size=1, max_size=5).map(Text)
QUESTION = st.lists(TEXT | st.sampled_from(["a.png", "b.png"]), max_size=4)
ANSWER = st.sampled_from(["yes", "<image>", ""])
TALK = st.lists(st.tuples(QUESTION, ANSWER), min_size=1, max_size=3)


def whole(parts: list[Part]) -> tuple[Part, ...]:
    """Neighbouring texts as one: a line cannot tell them apart."""
    found: list[Part] = []
    for part in parts:
        if isinstance(part, Text) and found and isinstance(found[-1], Text):
            found[-1] = Text(found[-1].text + part.text)
        else:
            found.append(part)
    return tuple(found)


@settings(deadline=None)
@given(TALK, st.sampled_from([None, "Be brief."]))
def test_what_is_written_is_read_back(
    root: Path, talk: list[tuple[list[Text | str], str]], system: str | None
) -> None:
    messages = [Message("system", (Text(system),))] if system else []
    for asked, answer in talk:
        parts = [Image(FileBlob(root / p)) if isinstance(p, str) else p for p in asked]
        messages.append(Message("user", whole(parts)))
        messages.append(Message("assistant", (Text(answer),) if answer else ()))
    record = json.loads(json.dumps(chat_record(7, messages, root, (4, 3))))
    assert read_chat(row(record), root) == tuple(messages)
    assert (record["id"], record["width"], record["height"]) == (7, 4, 3)


def test_a_line_with_one_image_has_the_released_form(root: Path) -> None:
    image = Image(FileBlob(root / "a.png"))
    messages = [user(image, "\nWhere?"), Message("assistant", (Text("There."),))]
    assert chat_record("x", messages, root) == {
        "id": "x",
        "image": "a.png",
        "conversations": [
            {"from": "human", "value": "<image>\nWhere?"},
            {"from": "gpt", "value": "There."},
        ],
    }


def test_a_video_and_its_clip(root: Path) -> None:
    (question, answer) = read_chat(line("See <video>?", video="v.mp4", clip=[1, 2.5]), root)
    assert question.parts == (Text("See "), Video(root / "v.mp4", clip_s=(1.0, 2.5)), Text("?"))
    assert answer.parts == (Text("<image>"),)
    (question, _) = read_chat(line("What?", video="v.mp4"), root)
    assert question.parts == (Video(root / "v.mp4"), Text("\nWhat?"))


@pytest.mark.parametrize("spelt", ["<image>", "a <video>"])
def test_a_question_that_spells_a_mark_cannot_be_written(root: Path, spelt: str) -> None:
    with pytest.raises(DataError, match="stand for files"):
        chat_record(1, [user(spelt)], root)


def test_a_video_is_written_with_its_clip(root: Path) -> None:
    video = Video(root / "v.mp4", clip_s=(1.0, 2.5))
    told = chat_record(1, [user(video, "\nWhat?"), Message("assistant", (Text("It."),))], root)
    assert (told["video"], told["clip"]) == ("v.mp4", [1.0, 2.5])
    (question, _) = read_chat(row(told), root)
    assert question.parts == (video, Text("\nWhat?"))
    with pytest.raises(DataError, match="2 videos, 0 images"):
        chat_record(1, [user(video, video)], root)

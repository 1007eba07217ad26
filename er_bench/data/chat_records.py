"""Conversations as lines of a chat file, `{id, image | video, conversations: [{from, value}]}`.

The format is that of OpenGVLab/Vlaser `internvl_chat_finetune.py` (commit 40d7821): in a human's
text each `<image>` stands for the next image, `<video>` for the video; `clip` is the video's span
in seconds. What is wrong there is an error here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from os.path import isfile
from pathlib import Path

from er_bench.core.errors import DataError
from er_bench.core.geometry import Size
from er_bench.core.message import Message, Role, media_parts
from er_bench.core.sample import Image, Part, Text, Video
from er_bench.data.rows import FileBlob, Row, inside

ROLES: Mapping[str, Role] = {"system": "system", "human": "user", "gpt": "assistant"}
NAMES = {role: name for name, role in ROLES.items()}
IMAGE, VIDEO = "<image>", "<video>"
MEDIA = ("image", "video")
MOST_SECONDS = 10_000_000
SIZES = ("image_width", "image_height", "image_size", "image_id", "video_id")
"""Fields about a picture that name no file; other trainers write them."""

Said = list[tuple[Role, str]]


def read_chat(row: Row, root: Path) -> tuple[Message, ...]:
    """A line as a conversation, its files found but not opened.

    A single image or video whose mark no question has comes before the first question, as
    released. Raises DataError naming file, line and field.
    """
    said = _said(row)
    _known_media(row)
    # An empty name is none: sets that mix pictures and text write it so.
    images, video = (None if row.fields.get(f) == "" else row.fields.get(f) for f in MEDIA)
    if images is not None and video is not None:
        raise row.error("a record has an image or a video, not both", "video")
    if video is not None:
        if not isinstance(video, str):
            raise row.error("expected a path", "video")
        if _count(said, IMAGE):
            raise row.error(f"a question about a video has {IMAGE}", "conversations")
        clip = Video(_existing(root, video, row, "video"), clip_s=_clip(row))
        return _messages(_one_mark(said, VIDEO, row), VIDEO, [clip])
    if images is None:
        for mark in (IMAGE, VIDEO):
            if found := _count(said, mark):
                raise row.error(f"no file but {found} times {mark}", "conversations")
        return _messages(said, IMAGE, [])
    names = [images] if isinstance(images, str) else images
    if not isinstance(names, list) or not all(isinstance(n, str) for n in names) or not names:
        raise row.error("expected a path or a list of paths", "image")
    stills = [Image(FileBlob(_existing(root, name, row, "image"))) for name in names]
    if isinstance(images, str):
        said = _one_mark(said, IMAGE, row)
    elif (found := _count(said, IMAGE)) != len(stills):
        raise row.error(f"{len(stills)} images but {found} times {IMAGE}", "conversations")
    return _messages(said, IMAGE, stills)


def chat_record(
    id: object, messages: Sequence[Message], root: Path, size_wh: Size | None = None
) -> dict[str, object]:
    """A conversation about images, which are files under `root`, as a line; undoes `read_chat`.

    Raises DataError for a video, and for a question that spells a mark.
    """
    said = [(m.role, "".join(map(_written, m.parts))) for m in messages]
    images = [part for part in media_parts(messages) if isinstance(part, Image)]
    names = [str(Path(image.blob.name).relative_to(root)) for image in images]
    if _count(said, VIDEO) or _count(said, IMAGE) != len(names):
        raise DataError(f"a question may not spell {IMAGE} or {VIDEO}: they stand for files")
    record: dict[str, object] = {"id": id}
    if names:
        record["image"] = names if names[1:] else names[0]
    if size_wh is not None:
        record |= zip(("width", "height"), size_wh, strict=True)
    return record | {"conversations": [{"from": NAMES[r], "value": text} for r, text in said]}


def _written(part: Part) -> str:
    match part:
        case Text(text):
            return text
        case Image():
            return IMAGE
    raise DataError("a conversation about a video cannot be written")


def _known_media(row: Row) -> None:
    """Raise DataError for a picture or video under a name that is not read."""
    for field, value in row.fields.items():
        word = field.casefold()
        known = field in (*MEDIA, *SIZES) or not value
        if not known and any(
            kind in word for kind in ("image", "img", "picture", "photo", "video")
        ):
            raise row.error(
                f"this field is not read; files are named under {' or '.join(MEDIA)}", field
            )


def _said(row: Row) -> Said:
    said: Said = []
    for number, message in enumerate(row.items("conversations")):
        field = f"conversations[{number}]"
        if not isinstance(message, Mapping) or str(message.get("from")) not in ROLES:
            raise row.error(f"expected a message from {', '.join(ROLES)}", field)
        if not isinstance(message.get("value"), str):
            raise row.error("expected text", f"{field}.value")
        said.append((ROLES[message["from"]], message["value"]))
    talk = [role for role, _ in said[said[:1] != [] and said[0][0] == "system" :]]
    if not talk or talk != ["user", "assistant"] * (len(talk) // 2):
        raise row.error("human and gpt must take turns, and gpt end", "conversations")
    return said


def _messages(said: Said, mark: str, files: Sequence[Image | Video]) -> tuple[Message, ...]:
    """The conversation with a file at each mark of its questions."""
    left = iter(files)
    return tuple(
        Message(role, tuple(_parts(text.split(mark) if role == "user" else [text], left)))
        for role, text in said
    )


def _parts(texts: Sequence[str], files: Iterator[Image | Video]) -> Iterator[Part]:
    for number, text in enumerate(texts):
        if number:
            yield next(files)
        if text:
            yield Text(text)


def _one_mark(said: Said, mark: str, row: Row) -> Said:
    """The texts with one `mark`; put before the first question if it has none, as released."""
    found = _count(said, mark)
    if found > 1:
        raise row.error(f"1 file but {found} times {mark}", "conversations")
    if found == 0:
        first = next(k for k, (role, _) in enumerate(said) if role == "user")
        return [*said[:first], ("user", f"{mark}\n{said[first][1]}"), *said[first + 1 :]]
    return said


def _count(said: Said, mark: str) -> int:
    return sum(text.count(mark) for role, text in said if role == "user")


def _existing(root: Path, name: str, row: Row, field: str) -> Path:
    path = inside(root, name, row, field)
    if not isfile(path):
        raise row.error(f"there is no file {path}", field)
    return path


def _clip(row: Row) -> tuple[float, float] | None:
    clip = row.fields.get("clip")
    if clip is None:
        return None
    if (
        not isinstance(clip, list)
        or len(clip) != 2
        or not all(isinstance(t, (int, float)) for t in clip)
        or not 0 <= clip[0] < clip[1] <= MOST_SECONDS
    ):
        raise row.error("expected [start, end] in seconds", "clip")
    return float(clip[0]), float(clip[1])

"""Conversations as lines of a chat file, `{id, image | video, conversations: [{from, value}]}`.

The format is that of OpenGVLab/Vlaser `internvl_chat_finetune.py` (commit 40d7821): in a human's
text each `<image>` stands for the next image, `<video>` for the video; `clip` is the video's span
in seconds. What is wrong there is an error here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

from er_bench.core.errors import DataError
from er_bench.core.geometry import Size
from er_bench.core.message import Message, Role, media_parts
from er_bench.core.sample import Image, Part, Text, Video
from er_bench.data.rows import FileBlob, Row, inside
from er_bench.data.video import span_s

ROLES: Mapping[str, Role] = {"system": "system", "human": "user", "gpt": "assistant"}
NAMES = {role: name for name, role in ROLES.items()}
IMAGE, VIDEO = "<image>", "<video>"
MEDIA = ("image", "video")
ABOUT = (
    *("id", "length", "width", "height", "width_list", "height_list"),
    *("source", "dataset", "split", "task", "category", "type", "question_id"),
    *("image_width", "image_height", "image_size", "image_id", "video_id"),
)
"""Fields that tell about a record and change nothing; public sets of this format have them."""
PICTURES = ("image", "img", "photo", "picture")
"""What a field for pictures is called by others."""
LONGEST_S = 1e9
"""No video has so many seconds."""
READ = (*MEDIA, "clip", "conversations")
FIELDS = (*READ, *ABOUT)

Said = list[tuple[Role, str]]


def read_chat(row: Row, root: Path, unread: Collection[str] = ()) -> tuple[Message, ...]:
    """A line as a conversation, its files found but not opened.

    A single image or video whose mark no question has comes before the first question, as
    released. Fields named in `unread`, and empty ones, may be there beside those known. Raises
    DataError naming file, line and field.
    """
    _check_names(row, row.fields, FIELDS, unread)
    said = _said(row, unread)
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
    """A conversation about images, or one video, of files under `root`; undoes `read_chat`.

    Raises DataError for a video beside other media, and for a question that spells a mark.
    """
    said = [(m.role, "".join(map(_written, m.parts))) for m in messages]
    media = list(media_parts(messages))
    videos = [part for part in media if isinstance(part, Video)]
    images = [part for part in media if isinstance(part, Image)]
    if _count(said, VIDEO) != len(videos) or _count(said, IMAGE) != len(images):
        raise DataError(f"a question may not spell {IMAGE} or {VIDEO}: they stand for files")
    if videos and media[1:]:
        raise DataError(
            "a record has images or one video, and cannot be written with "
            f"{len(videos)} videos, {len(images)} images"
        )
    record: dict[str, object] = {"id": id}
    names = [str(Path(image.blob.name).relative_to(root)) for image in images]
    if names:
        record["image"] = names if names[1:] else names[0]
    for video in videos:
        record |= _video_fields(video, root)
    if size_wh is not None:
        record |= zip(("width", "height"), size_wh, strict=True)
    return record | {"conversations": [{"from": NAMES[r], "value": text} for r, text in said]}


def _written(part: Part) -> str:
    match part:
        case Text(text):
            return text
        case Image():
            return IMAGE
        case Video():
            return VIDEO


def _video_fields(video: Video, root: Path) -> dict[str, object]:
    clip_s = span_s(video)
    clip = {} if clip_s is None else {"clip": list(clip_s)}
    return {"video": str(video.path.relative_to(root)), **clip}


def _check_names(
    row: Row, found: Mapping[str, object], known: Sequence[str], unread: Collection[str]
) -> None:
    """Raise DataError for a field with a value that nothing reads."""
    for field, value in found.items():
        if field in known or field in unread or value in (None, "", [], {}):
            continue
        raise row.error(
            f"nothing reads this field; {_nearest(field, known)}; to leave it so, name it in "
            '"unread" of the meta file',
            f"{field:.80}",
        )


def _nearest(field: str, known: Sequence[str]) -> str:
    word = field.casefold()
    if MEDIA[1] in word:
        return f"did you mean {MEDIA[1]}"
    if any(name in word for name in PICTURES):
        return f"did you mean {MEDIA[0]}"
    near = get_close_matches(word, known, 1)
    return f"did you mean {near[0]}" if near else f"known are {', '.join(known)}"


def _said(row: Row, unread: Collection[str]) -> Said:
    said: Said = []
    for number, message in enumerate(row.items("conversations")):
        field = f"conversations[{number}]"
        role = message.get("from") if isinstance(message, Mapping) else None
        if not isinstance(role, str) or role not in ROLES:
            raise row.error(f"expected a message from {', '.join(ROLES)}", field)
        if not isinstance(message.get("value"), str):
            raise row.error("expected text", f"{field}.value")
        _check_names(row, message, ("from", "value"), unread)
        said.append((ROLES[role], message["value"]))
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
    try:
        found = path.is_file()
    except OSError as error:
        raise row.error(f"cannot look for {path!s:.100}: {error.strerror}", field) from error
    if not found:
        raise row.error(f"there is no file {path}", field)
    return path


def _clip(row: Row) -> tuple[float, float] | None:
    clip = row.fields.get("clip")
    if clip is None:
        return None
    if not isinstance(clip, list) or len(clip) != 2 or any(map(_no_second, clip)):
        raise row.error("expected [start, end] in seconds", "clip")
    start_s, end_s = map(float, clip)
    if not 0 <= start_s < end_s:
        raise row.error("expected a start from 0 on, and an end after it", "clip")
    return start_s, end_s


def _no_second(value: object) -> bool:
    """Whether a value is no number of seconds that a video can have."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return True
    return not abs(value) < LONGEST_S

"""Training records and meta files as they should not be: odd values, odd bytes, cut files."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from er_bench.core.errors import DataError

from .conftest import talk

DEEP: list[Any] = []
for _ in range(500):
    DEEP = [DEEP]

ODD: tuple[Any, ...] = (
    *(None, True, False, 0, 1, 2, -1, 2**31, 2**63, 10**30, -(10**30), 10**400),
    *(0.0, 0.5, 1.5, -0.5, 1e-300, 1e300, float("nan"), float("inf"), float("-inf")),
    *("", "0", "1", "0.png", "gone.png", "v.mp4", "../0.png", "/etc/passwd", ".", "~", "[/red]"),
    *(
        "\ud800",
        "a\udfffb",
        "\0",
        "a\0b",
        "\x1b[31m",
        "\u2028",
        "<image>",
        "<video>",
        "<IMG_CONTEXT>",
    ),
    *("x" * 300, "x" * 5000, "data:image/png;base64," + "A" * 400, "é" * 200, "<image>" * 50),
    *([], [1], [None], [[]], ["0.png"], ["0.png", "0.png"], ["0.png", 3], [""], DEEP),
    *({}, {"": 1}, {"from": "human", "value": "x"}, {"bytes": "x", "path": "0.png"}),
    *(talk("a", "b"), talk("<image>", "b"), talk("a", "b", "c", "d"), [0, 1], [1, 0], [0.5, 2]),
)
"""A value of every type and some that are just beside a right one."""

RECORDS: tuple[dict[str, Any], ...] = (
    {"id": 1, "image": "0.png", "conversations": talk("<image>\nWhere?", "There.")},
    {"image": ["0.png", "1.png"], "conversations": talk("<image> <image>", "No.")},
    {"video": "v.mp4", "clip": [0, 1], "conversations": talk("What?", "Nothing.")},
    {"width": 28, "height": 28, "conversations": talk("Why?", "So.", system="Be kind.")},
)
MORE = ("image", "video", "clip", "conversations", "images", "Image", "system", "weight", "", "\0")
META: dict[str, Any] = {
    "root": ".",
    "annotation": "toy.jsonl",
    "repeat_time": 1,
    "data_augment": True,
    "max_dynamic_patch": 2,
    "unread": ["weight"],
    "length": 1,
}
BYTES = (b"\0", b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\n", b"\r", b"{", b"]", b'"', b"\\u")


def hostile_lines(count: int, seed: int) -> Iterator[bytes]:
    """Lines of an annotation file: each field by each value first, then several at once."""
    draw = random.Random(seed)
    places = [(record, name) for record in RECORDS for name in {**record, **dict.fromkeys(MORE)}]
    places += [
        (record, name) for record in RECORDS for name in ("from", "value", "weight", "image")
    ]
    each = [(record, name, value) for record, name in places for value in ODD]
    draw.shuffle(each)
    for k in range(count):
        record, name, value = each[k % len(each)]
        changed = copy.deepcopy(record)
        _put(changed, name, value, draw)
        if k >= len(each) or draw.random() < 0.1:
            _put(changed, draw.choice((*record, *MORE)), draw.choice(ODD), draw)
        whole = draw.choice(ODD) if draw.random() < 0.01 else changed
        yield _damaged(json.dumps(whole, ensure_ascii=draw.random() < 0.9), draw)


def _put(record: dict[str, Any], name: str, value: object, draw: random.Random) -> None:
    turns = record.get("conversations")
    if name in ("from", "value", "weight") and isinstance(turns, list) and turns:
        turn = draw.choice(turns)
        if isinstance(turn, dict):
            turn[name] = value
    elif draw.random() < 0.03:
        record.pop(name, None)
    else:
        record[name] = value


def _damaged(text: str, draw: random.Random) -> bytes:
    """The text's bytes, now and then cut, in another encoding, or with odd bytes between."""
    encoding = draw.choice(("utf-16", "utf-32", "latin-1", "utf-8-sig"))
    content = text.encode(errors="surrogatepass")
    match draw.random():
        case chance if chance < 0.04:
            return content[: draw.randrange(len(content) + 1)]
        case chance if chance < 0.08:
            return text.encode(encoding, errors="replace")
        case chance if chance < 0.14:
            at = draw.randrange(len(content) + 1)
            return content[:at] + draw.choice(BYTES) + content[at:]
        case chance if chance < 0.15:
            return content.replace(b"{", b'{"a":' * 200, 1)
    return content


def hostile_metas(count: int, seed: int) -> Iterator[bytes]:
    """Meta files with one or more fields of a data set replaced, added, or gone."""
    draw = random.Random(seed)
    each = [(name, value) for name in (*META, "repeat", "Root") for value in ODD]
    draw.shuffle(each)
    for k in range(count):
        entry = dict(META)
        name, value = each[k % len(each)]
        entry[name] = value
        if k >= len(each):
            entry[draw.choice((*META, "x"))] = draw.choice(ODD)
        if draw.random() < 0.03:
            entry.pop(draw.choice(tuple(entry)))
        named: dict[str, Any] = {draw.choice(("toy", "", "x" * 300, "[/red]", "../a")): entry}
        if draw.random() < 0.05:
            named["other"] = draw.choice(ODD)
        whole = draw.choice(ODD) if draw.random() < 0.02 else named
        yield _damaged(json.dumps(whole), draw)


def told_well(error: DataError, file: Path, line: int | None = None) -> bool:
    """Whether an error is one line of bounded length that can be printed and names its place."""
    text = str(error)
    text.encode()
    place = "" if line is None else f"row {line}"
    return "\n" not in text and len(text) < 1500 and str(file) in text and place in text

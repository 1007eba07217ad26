"""Frames that nobody should send, from a seed, and the two sides that send them.

`answered` lets a client meet a server that answers right up to one message, and then with an odd
frame; `served` lets a server meet a client that sends odd frames. Both return what was wrong with
the way in which that was borne, or "".
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import json
import random
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from er_bench.core.environment import Episode, Skill
from er_bench.core.errors import EnvError, UnavailableError
from er_bench.core.picture import PNG_SIGNATURE
from er_bench.sim.client import Client, Deadlines
from er_bench.sim.protocol import PROTOCOL
from er_bench.sim.server import Server
from tests.sim.counting_world import ACTIONS, CountingWorld, png
from tests.sim.point_world import PointWorld

LIMIT_S = 5.0
PLACE = "@here@"
ODD = [
    "null", "true", "0", "-1", "1.5", "1e999", "-1e999", "NaN", "Infinity", "9" * 30, "9" * 400,
    "9" * 5000, '""',
    '"0"', '"\\ud800"', '"a\\udfff"', '"\\u2028\\u001b[31m\\n\\u0085"', '"\\u0000"',
    '"' + "x" * 9000 + '"', "[]", "[[]]", "[1, 2, 3]", '["a", 1]', "{}", '{"a": {"b": [null]}}',
    '{"\\ud800": 1}', "[" * 90 + "]" * 90,
    "[" * 3000 + "]" * 3000, '{"a":' * 900 + "1" + "}" * 900,
    "[" * 100_000, "[" + "0," * 5000 + "0]", "'", "undefined",
]  # fmt: skip
"""Values as they stand in JSON, or fail to."""
WHOLE = png((1, 2, 3), 8)
PICTURES = [
    b"", b"no picture", PNG_SIGNATURE, WHOLE[:40], WHOLE[:-20], png((0, 0, 0), 0), b"GIF89a",
    WHOLE.replace(b"IDAT", b"IDAX"), WHOLE[:16] + b"\xff" * 8 + WHOLE[24:], WHOLE[:50] + WHOLE[54:],
    b"%!PS-Adobe-3.0 EPSF-3.0\n", b"\xff\xd8\xff\xe0" + bytes(50), WHOLE[:45] + bytes(9),
]  # fmt: skip
ENTRY = {
    "format": "png",
    "dtype": "float64",
    "shape": [8],
    "name": "state",
    "sha256": "",
    "bytes": 8,
}
Header = dict[str, Any]


def blob(name: str, content: bytes) -> Header:
    digest = hashlib.sha256(content).hexdigest()
    return {"name": name, "bytes": len(content), "sha256": digest, "format": "png"}


def framed(text: bytes, *contents: bytes) -> bytes:
    return len(text).to_bytes(4, "big") + text + b"".join(contents)


def places(value: object) -> list[tuple[Any, Any]]:
    """Every place in a JSON value: what holds it, and its key or number there."""
    items: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    return [(value, key) for key, _ in items] + [p for _, inner in items for p in places(inner)]


def odd_frame(rng: random.Random, right: Header, content: bytes = b"") -> bytes:
    """A frame that is wrong in one way; `content` is that of its blobs."""
    header = json.loads(json.dumps(right))
    way = rng.randrange(9)
    if way == 0 and content:
        content = rng.choice(PICTURES)
        header["blobs"] = [blob("obs.head_rgb", content)]
    elif way == 1:
        holder, key = rng.choice(places(header))
        del holder[key]
    elif way == 2:
        holders = [header, *(v for v in (h[k] for h, k in places(header)) if isinstance(v, dict))]
        rng.choice(holders)[rng.choice(["odd", "", "obs", "blobs", "id"])] = PLACE
    elif way == 3:
        entry = {**blob("obs.head_rgb", content), **rng.choice([{}, {"format": "array"}])}
        entry[rng.choice([*ENTRY, "odd"])] = PLACE
        header["blobs"] = [entry] * rng.choice([1, 1, 2, 17])
    elif way < 8:
        holder, key = rng.choice(places(header))
        holder[key] = PLACE
    text = json.dumps(header).replace(f'"{PLACE}"', rng.choice(ODD)).encode()
    frame = framed(text, content)
    return damaged(rng, frame) if way == 8 else frame


def damaged(rng: random.Random, frame: bytes) -> bytes:
    """A frame whose bytes are not those that were sent."""
    cut, noise = rng.randrange(len(frame)), rng.randbytes(rng.choice([1, 4, 40]))
    return rng.choice(
        [
            frame[:cut],
            frame[:cut] + noise + frame[cut + len(noise) :],
            noise + frame,
            rng.randbytes(4) + frame[4:],
            b"\xff\xff\xff\xff" + frame[4:],
            framed(b""),
            framed(rng.randbytes(30)),
            framed("{}".encode("utf-16")),
            frame + frame,
        ]
    )


# A server that answers oddly.


@dataclass
class HostileServer:
    """A `Launch`: answers `n_right` requests as it should, the next one oddly, then hangs up."""

    rng: random.Random
    n_right: int
    name: str = "hostile"
    token: str = ""

    async def open(self) -> HostileServer:
        ours, theirs = socket.socketpair()
        self.reader, self.writer = await asyncio.open_connection(sock=ours)
        self._answers = asyncio.create_task(self._answer(theirs))
        return self

    async def end(self, grace_s: float) -> None:
        self.writer.close()
        await self._answers

    def last_words(self) -> str:
        return "a\x1b[2J\u2028" + "words" * 300

    async def _answer(self, end: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=end)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            for number in range(self.n_right + 1):
                length = int.from_bytes(await reader.readexactly(4), "big")
                request = json.loads(await reader.readexactly(length))
                reply, content = right_reply(request)
                if number < self.n_right:
                    writer.write(framed(json.dumps(reply).encode(), content))
                else:
                    writer.write(odd_frame(self.rng, reply, content))
                await writer.drain()
        writer.close()


def right_reply(request: Header) -> tuple[Header, bytes]:
    result: Header = {
        "protocol": PROTOCOL,
        "env": "e",
        "env_version": "1",
        "capabilities": {"a": 1},
    }
    seen: list[Header] = []
    if request["method"] in ("reset", "step"):
        seen = [blob("obs.head_rgb", WHOLE)]
    if request["method"] == "reset":
        result = {"instruction": "Count.", "actions": list(ACTIONS), "limits": {"steps": 30}}
    elif request["method"] == "step":
        result = {"valid": True, "feedback": "done", "done": False, "success": False, "reward": 0.5}
        result.update({"progress": 0.5, "goal_conditions": [1, 2], "world": {"a": [1]}})
    return {"id": request["id"], "result": result, "blobs": seen}, WHOLE if seen else b""


async def answered(seed: int) -> str:
    """Meet one odd reply; what is wrong with how the client bore it, or nothing."""
    rng = random.Random(seed)
    client = Client(HostileServer(rng, rng.randrange(3)), Deadlines(*[LIMIT_S] * 6))
    episode = Episode(id="count-3", scene="numbers", resolution=8)
    try:
        async with asyncio.timeout(LIMIT_S):
            await client.start()
            await client.reset(episode)
            step = await client.step(Skill(ACTIONS[0]))
            json.dumps(step.model_dump(mode="json"), allow_nan=False).encode()
            step.feedback.encode()
    except (EnvError, UnavailableError) as error:
        told = str(error)
        return "" if told.isprintable() and len(told) < 1500 else f"seed {seed}: said {told!r:.300}"
    except Exception as error:
        return f"seed {seed}: {error!r:.300}"
    finally:
        await client.kill()
    return ""


# A client that asks oddly.

REQUESTS: list[Header] = [
    {"id": 1, "method": "hello", "params": {"protocol": PROTOCOL}, "blobs": []},
    {"id": 2, "method": "list_episodes", "params": {"split": "check"}},
    {"id": 3, "method": "reset", "params": {"episode_id": "count-3", "seed": 0, "resolution": 8,
                                            "episode": None}},
    {"id": 4, "method": "step", "params": {"action": ACTIONS[0]}},
    {"id": 5, "method": "state", "params": {}},
    {"id": 6, "method": "echo", "params": {"value": {"a": [1, 2]}}, "blobs": []},
]  # fmt: skip
WORLDS: list[tuple[Callable[[], Any], str]] = [
    (lambda: CountingWorld({}), "count-3"), (lambda: PointWorld({}), "point-0"),
]  # fmt: skip


def odd_request(rng: random.Random) -> bytes:
    content = rng.choice([b"", np.zeros(2).tobytes(), WHOLE])
    return odd_frame(rng, rng.choice(REQUESTS), content)


def served(seed: int) -> str:
    """Send a server a right start and one odd request; what is wrong with how it bore it."""
    rng = random.Random(seed)
    make, episode_id = rng.choice(WORLDS)
    start = json.loads(json.dumps(REQUESTS[2]).replace("count-3", episode_id))
    sent, replies = framed(json.dumps(start).encode()) + odd_request(rng), io.BytesIO()
    try:
        Server(make()).serve(io.BytesIO(sent), replies)
        left = replies.getvalue()
        while left:
            length = int.from_bytes(left[:4], "big")
            told = json.loads(left[4 : 4 + length])
            left = left[4 + length + sum(b["bytes"] for b in told["blobs"]) :]
            kind = told.get("error", {}).get("type", "bad_request")
            if kind not in ("bad_request", "env_error"):
                return f"seed {seed}: answered {told!r:.300}"
    except Exception as error:
        return f"seed {seed}: {error!r:.300}"
    return ""

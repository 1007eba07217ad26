"""Frames both ways: what goes in comes out, and what is no frame is refused by name."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from er_bench.core import array
from er_bench.core.array import Array, same
from er_bench.sim import server
from er_bench.sim.protocol import Reply, WireError, encode_frame, read_reply
from er_bench.sim.server import MAX_BLOB_BYTES, Server
from tests.sim.point_world import PointWorld

EIGHT = np.arange(8.0).tobytes()


def received(frame: bytes) -> Reply:
    """The reply as a client reads it."""

    async def read() -> Reply:
        stream = asyncio.StreamReader()
        stream.feed_data(frame)
        stream.feed_eof()
        return await read_reply(stream)

    return asyncio.run(read())


def answered(*frames: bytes) -> list[dict[str, Any]]:
    """The replies of a server that reads these frames."""
    replies = io.BytesIO()
    Server(PointWorld({})).serve(io.BytesIO(b"".join(frames)), replies)
    told, left = [], replies.getvalue()
    while left:
        length = int.from_bytes(left[:4], "big")
        told.append(json.loads(left[4 : 4 + length]))
        left = left[4 + length + sum(b["bytes"] for b in told[-1]["blobs"]) :]
    return told


def raw(header: dict[str, Any], *contents: bytes) -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(4, "big") + text + b"".join(contents)


def entry(content: bytes = EIGHT, **other: object) -> dict[str, Any]:
    right = {"name": "state", "bytes": len(content), "format": "array", "dtype": "float64",
             "shape": [8], "sha256": hashlib.sha256(content).hexdigest()}  # fmt: skip
    return {key: value for key, value in {**right, **other}.items() if value is not None}


@given(
    st.sampled_from(server.DTYPES).flatmap(
        lambda name: arrays(np.dtype(name), array_shapes(min_dims=1, max_dims=4, min_side=0))
    )
)
def test_any_array_arrives_bit_for_bit(sent: Array) -> None:
    result = received(encode_frame({"id": 1, "result": {"state": sent, "obs": {"a.b": sent.T}}}))
    assert result.result is not None
    back, turned = result.result["state"], result.result["obs"]
    assert isinstance(back, np.ndarray) and same(back, sent) and back.flags.writeable
    assert isinstance(turned, dict) and same(turned["a.b"], np.ascontiguousarray(sent.T))


def test_the_other_byte_order_travels_as_the_same_numbers() -> None:
    big = np.array([1.5, -2.25], ">f8")
    result = received(encode_frame({"id": 1, "result": {"state": big}})).result
    assert result is not None
    back = result["state"]
    assert isinstance(back, np.ndarray) and same(back, np.array([1.5, -2.25]))


def test_numpy_scalars_and_arrays_inside_json_become_json() -> None:
    sent = {"reward": np.float32(0.5), "world": {"n": np.int64(3), "row": np.arange(2)}}
    assert received(encode_frame({"id": 1, "result": sent})).result == {
        "reward": 0.5, "world": {"n": 3, "row": [0, 1]},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.zeros(2, np.float16), "float16"),
        (np.zeros(2, complex), "complex128"),
        (np.array(["a"]), "<U1"),
        (np.zeros(MAX_BLOB_BYTES + 1, np.uint8), "in all"),
    ],
)
def test_what_may_not_travel_is_not_sent(value: Array, words: str) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        encode_frame({"id": 1, "result": {"state": value}})


WRONG: list[tuple[dict[str, object], str]] = [
    ({"dtype": "float16"}, "neither png nor an array"),
    ({"dtype": ">f8"}, "neither png nor an array"),
    ({"dtype": "object"}, "neither png nor an array"),
    ({"dtype": None}, "neither png nor an array"),
    ({"shape": [7]}, r"64 bytes are no float64 \(7,\)"),
    ({"shape": [2, -4]}, "no shape"),
    ({"shape": [2**62, 4]}, "no shape"),
    ({"shape": [1] * 9}, "no shape"),
    ({"shape": None}, "no shape"),
    ({"dtype": "bool", "shape": [64]}, "a bool is 0 or 1"),
    ({"sha256": "0" * 64}, "SHA-256"),
    ({"name": "feedback"}, "no place of its own"),
    ({"name": "feedback.deep"}, "no place of its own"),
]


@pytest.mark.parametrize(("other", "words"), WRONG)
def test_a_client_refuses_a_blob_that_is_not_what_it_says(
    other: dict[str, object], words: str
) -> None:
    frame = raw({"id": 1, "result": {"feedback": ""}, "blobs": [entry(**other)]}, EIGHT)
    with pytest.raises(WireError, match=words):
        received(frame)


@pytest.mark.parametrize(("other", "words"), WRONG)
def test_a_server_refuses_it_as_a_bad_request_and_lives_on(
    other: dict[str, object], words: str
) -> None:
    request = {"method": "echo", "params": {"feedback": ""}}
    frame = raw({"id": 1, **request, "blobs": [entry(**other)]}, EIGHT)
    told = answered(frame, raw({"id": 2, "method": "hello", "params": {"protocol": 2}}))
    assert told[0]["id"] == 1 and told[0]["error"]["type"] == "bad_request"
    with pytest.raises(ValueError, match=words):
        raise ValueError(told[0]["error"]["message"])
    assert told[1]["result"]["env"] == "point"


@pytest.mark.parametrize(
    "blobs",
    [
        [{"name": "value", "bytes": 2**40}],
        [{"name": "value", "bytes": -1}],
        [{"name": "value", "bytes": "8"}],
        [{"name": "value"}],
        [entry(b"", name=f"n{k}") for k in range(17)],
        [1],
        "none",
    ],
)
def test_a_frame_whose_end_cannot_be_known_ends_the_server(blobs: object) -> None:
    frame = raw({"id": 1, "method": "echo", "params": {}, "blobs": blobs}, EIGHT)
    told = answered(frame, frame)
    assert [(t["id"], t["error"]["type"]) for t in told] == [(None, "bad_request")]


def test_two_blobs_of_one_name_and_numbers_that_are_none_are_refused() -> None:
    twice = raw({"id": 1, "result": {}, "blobs": [entry(), entry()]}, EIGHT, EIGHT)
    with pytest.raises(WireError, match="blob state has no place of its own"):
        received(twice)
    with pytest.raises(WireError, match="NaN is no number"):
        received(raw({"id": 1, "result": {"reward": float("nan")}}))


def test_an_answer_that_cannot_be_sent_is_the_simulators_fault_and_names_the_field() -> None:
    class Odd(PointWorld):
        def __init__(self, obs: Any) -> None:
            super().__init__({})
            self.obs = obs

        def seen(self) -> Any:
            return self.obs

    params = {"episode_id": "point-0", "seed": 0, "resolution": 8, "episode": None}
    for obs, words in (
        ({"top": np.zeros((4, 4, 3), np.float16)}, "obs.top is float16"),
        ({"top": [[0, 0]]}, "obs.top is the list"),
        ([], "no attribute 'items'"),
    ):
        reply = Server(Odd(obs)).reply({"id": 1, "method": "reset", "params": params})
        error = received(reply).error
        assert error and error.type == "env_error" and words in error.message


def test_both_sides_allow_the_same_kinds_of_array() -> None:
    assert array.DTYPES == server.DTYPES

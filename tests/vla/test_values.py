"""Values over the wire: what goes out comes back, and what is damaged is refused in one line."""

from __future__ import annotations

import random
from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from er_bench.core.errors import ModelError
from er_bench.core.space import Space
from er_bench.vla.actions import read_actions
from er_bench.vla.messages import Message, read_message
from er_bench.vla.values import OPENPI, VLA_EVAL, Spelling, packed, unpacked
from tests.hostile import damaged, spoilt
from tests.policy_server import array, message

SPACE = Space(names=("x", "y"), units=("m", "1"), frame="the table")
DTYPES = ("bool", "uint8", "int16", "int64", "float16", "float32", "float64")
N_HOSTILE = 3000


@given(st.sampled_from(DTYPES), st.lists(st.integers(0, 3), max_size=4), st.integers(0, 9))
def test_arrays_come_back_as_they_went(dtype: str, shape: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    sent = np.asarray(rng.normal(size=shape) * 100).astype(dtype)
    for spelling in (VLA_EVAL, OPENPI):
        back = unpacked(packed({"a": [sent, sent.T]}, spelling), spelling)["a"]
        assert [b.dtype for b in back] == [sent.dtype] * 2
        assert np.array_equal(back[0], sent) and np.array_equal(back[1], sent.T)


def test_numpys_scalars_are_numbers() -> None:
    assert unpacked(packed({"a": np.float32(0.5), "b": np.int64(3)}, VLA_EVAL), VLA_EVAL) == {
        "a": 0.5,
        "b": 3,
    }


@pytest.mark.parametrize("value", [{1, 2}, np.array([None]), 1j])
def test_what_has_no_form_is_not_sent(value: object) -> None:
    if isinstance(value, np.ndarray):
        with pytest.raises(ValueError, match="neither truth values"):
            unpacked(packed(value, VLA_EVAL), VLA_EVAL)
    else:
        with pytest.raises(TypeError, match="has no form in msgpack"):
            packed(value, VLA_EVAL)


@pytest.mark.parametrize(
    ("dtype", "data", "shape", "why"),
    [
        ("O", b"12345678", [1], "neither truth values"),
        ("V8", b"12345678", [1], "neither truth values"),
        ("<f4,<f4", b"12345678", [1], "neither truth values"),
        ("(9999,9999)<f8", b"", [0], "neither truth values"),
        ("<M8[s]", b"12345678", [1], "neither truth values"),
        (b"<f4", b"1234", [1], "neither truth values"),
        ("<f4", "1234", [1], "what is no bytes"),
        ("<f4", b"1234", [2], "in 4 bytes"),
        ("<f4", b"1234", [1, True], "no shape"),
        ("<f4", b"1234", (2**40,), "no shape"),
        ("<f4", b"", [0] * 9, "no shape"),
        ("<f4", b"1234", 1, "no shape"),
        ("|b1", b"\x02", [1], "neither 0 nor 1"),
    ],
)
def test_what_is_no_array_is_refused(dtype: Any, data: Any, shape: Any, why: str) -> None:
    told = {"a": [{"__ndarray__": True, "dtype": dtype, "data": data, "shape": shape}]}
    with pytest.raises(ValueError, match=rf"^a\.0: .*{why}"):
        unpacked(msgpack.packb(told), VLA_EVAL)


def test_a_picture_of_too_many_pixels_is_not_decoded() -> None:
    import io

    from PIL import Image

    out = io.BytesIO()
    Image.new("1", (9000, 2)).save(out, "PNG")
    told = {"__image__": True, "format": "png", "data": out.getvalue(), "shape": [2, 9000, 3]}
    with pytest.raises(ValueError, match="a picture of 9000 x 2 pixels"):
        unpacked(msgpack.packb(told), VLA_EVAL)


SOUND = message("action", {"actions": array([[0.1, 0.2]]), "why": ["a", {"b": 1}]}, 4)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("spelling", [VLA_EVAL, OPENPI])
def test_damaged_bytes_are_a_value_or_an_error_of_one_line(seed: int, spelling: Spelling) -> None:
    rng, n_read = random.Random(seed), 0
    for _ in range(N_HOSTILE):
        content = damaged(rng, SOUND)
        try:
            unpacked(content, spelling)
            n_read += 1
        except ValueError as error:
            assert str(error).isprintable() and len(str(error)) < 400, content
    assert 0 < n_read < N_HOSTILE


@pytest.mark.parametrize("seed", range(2))
def test_a_spoilt_message_is_actions_or_an_error_of_one_line(seed: int) -> None:
    rng, n_read = random.Random(seed), 0
    for _ in range(N_HOSTILE):
        try:
            content = msgpack.packb(spoilt(rng, msgpack.unpackb(SOUND)))
        except (ValueError, OverflowError):
            continue  # what msgpack itself cannot spell
        try:
            payload = read_message(content).with_arrays()
            actions = read_actions(payload.get("actions"), SPACE)
            n_read += 1
        except (ValueError, ModelError) as error:
            assert len(str(error)) < 600, content
        else:
            assert actions.actions_td.shape[1] == 2 and np.isfinite(actions.actions_td).all()
    assert 0 < n_read < N_HOSTILE


def test_a_number_beyond_float64_is_no_action() -> None:
    with pytest.raises(ModelError, match="beyond float64"):
        read_actions([10**400, 0], SPACE)
    with pytest.raises(ModelError, match="no numbers"):
        read_actions(np.array([1j, 0]), SPACE)


def test_a_message_reads_as_it_was_written() -> None:
    sent = Message.model_validate({"type": "action", "payload": {"a": 1}, "seq": 3})
    assert read_message(sent.packed()) == sent

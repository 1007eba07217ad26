"""A family whose pictures are not tiles, through the same reader, collator and loss.

As in Qwen2.5-VL each picture has as many patches as its size allows, and a grid that says how they
lie; the tokens of a picture follow from its size alone.
"""

from __future__ import annotations

import hashlib
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from er_bench.core.family import Rendered
from er_bench.core.sample import Text
from er_bench.train.data.collate import Collator
from er_bench.train.data.examples import IGNORED, Reader
from er_bench.train.family import Features
from er_bench.train.methods.sft.loss import model_inputs, weighted_loss

from .conftest import mixed_records, talk
from .test_examples import write_video

PATCH_PX, PAD, PICTURE, END = 4, 256, 257, 258


class PatchCodec:
    """Bytes as tokens, a patch of four pixels as a token of a picture."""

    pad_id = PAD

    def media_tokens(self, size_wh, limits):
        return (size_wh[0] // PATCH_PX) * (size_wh[1] // PATCH_PX)

    def features(self, image, limits, alter=None):
        pixels = np.asarray(image)
        pixels = pixels if alter is None else alter(pixels)
        rows, columns = pixels.shape[0] // PATCH_PX, pixels.shape[1] // PATCH_PX
        cut = pixels[: rows * PATCH_PX, : columns * PATCH_PX]
        cut = cut.reshape(rows, PATCH_PX, columns, PATCH_PX, 3).mean(axis=(1, 3)) / 255
        arrays = {"patches_nd": cut.reshape(-1, 3), "grid_hw": np.array([[rows, columns]])}
        return Features(arrays, rows * columns)

    def model_inputs(self, arrays):
        return {"patches": arrays["patches_nd"].float(), "grid_hw": arrays["grid_hw"]}

    def encode(self, messages, media_tokens):
        ids, supervised, pictures = [], [], iter(media_tokens)
        for message in messages:
            for part in message.parts:
                if isinstance(part, Text):
                    ids += part.text.encode()
                else:
                    ids += [PICTURE] * sum(next(pictures))
            ids.append(END)
            supervised += [message.role == "assistant"] * (len(ids) - len(supervised))
        return Rendered(tuple(ids), tuple(supervised), ())

    def blank(self):
        arrays = {"patches_nd": np.ones((1, 3)), "grid_hw": np.array([[1, 1]])}
        return Rendered((PICTURE,), (False,), (range(1),)), Features(arrays, 1)

    def decode(self, ids):
        return bytes(i for i in ids if i < PAD).decode()

    def identity(self):
        return hashlib.sha256(b"patches").hexdigest()


class PatchModel(torch.nn.Module):
    """Tokens alone, but a picture's have their patches' colours; refuses a wrong number."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.words = torch.nn.Embedding(259, 8)
        self.vision, self.head = torch.nn.Linear(3, 8), torch.nn.Linear(8, 259)

    def forward(
        self, input_ids, patches=None, grid_hw=None, logits_to_keep=slice(None), **others: Any
    ):
        states = self.words(input_ids)
        if patches is not None:
            assert int(grid_hw.prod(dim=1).sum()) == len(patches)
            states = states.masked_scatter((input_ids == PICTURE)[..., None], self.vision(patches))
        return SimpleNamespace(logits=self.head(states.cumsum(dim=1))[:, logits_to_keep])


@pytest.fixture
def patches(one_source, tmp_path):
    """Six records of all kinds and one about a video, with their reader."""
    write_video(tmp_path / "v.mp4", 12)
    film = {"video": "v.mp4", "conversations": talk("<video>\nWhat?", "Light.")}
    source = one_source(*mixed_records(6), film)
    return source, Reader(PatchCodec(), 4096, 12, (2, 3), "square", 0)


def test_measuring_agrees_with_reading(patches):
    source, reader = patches
    counts = set()
    for index in range(7):
        cost, example = reader.measure(source, index), reader.example(source, index, 5)
        assert cost.tokens == len(example.ids)
        assert cost.supervised == (example.labels != IGNORED).sum()
        assert cost.media == (example.ids == PICTURE).sum()
        assert cost.media == sum(len(f.arrays["patches_nd"]) for f in example.features)
        counts.add(cost.media)
    assert counts >= {0, 7 * 7, 20 * 10}


def test_features_are_put_end_to_end(patches):
    source, reader = patches
    first, second = (reader.example(source, k, k) for k in (1, 2))
    batch = Collator(PAD, False, False, None)([[first], [second]])
    grids = [f.arrays["grid_hw"][0].tolist() for e in (first, second) for f in e.features]
    assert batch["media.grid_hw"].tolist() == grids and len(grids) == 3
    inputs = model_inputs(batch, reader.codec)
    assert len(inputs["patches"]) == sum(rows * columns for rows, columns in grids)
    assert not any(name.startswith("media.") for name in inputs)


def test_padded_and_alone_give_one_loss(patches):
    source, reader = patches
    model, examples = PatchModel(), [reader.example(source, k, k) for k in range(7)]
    total = torch.tensor(sum(float(e.weights.sum()) for e in examples))

    def loss(rows):
        return weighted_loss(model, Collator(PAD, False, False, None)(rows), reader.codec, total)

    padded = loss([[e] for e in examples])
    alone = [loss([[e]]) for e in examples]
    assert padded.item() == pytest.approx(sum(x.item() for x in alone), abs=1e-5)
    padded.backward()
    assert model.vision.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("packed", [False, True])
def test_a_batch_without_pictures_gets_the_blank_one(patches, packed):
    source, reader = patches
    text = reader.example(source, 3, 3)
    assert not text.features
    rendered, features = reader.codec.blank()
    blank = reader.weighted(rendered, [features])
    batch = Collator(PAD, packed, False, blank)([[text]])
    assert len(batch["media.patches_nd"]) == 1
    model = PatchModel()
    weighted_loss(model, batch, reader.codec, 1).backward()
    assert model.vision.weight.grad is not None


def test_degrading_changes_the_picture_before_it_is_cut(patches, one_source):
    record = {"image": "1.png", "conversations": talk("a", "b")}
    _, reader = patches
    sharp = reader.example(one_source(record), 0, 3).features[0].arrays["patches_nd"]
    rough = reader.example(one_source(record, data_augment=True), 0, 3).features[0]
    again = reader.example(one_source(record, data_augment=True), 0, 3).features[0]
    assert (rough.arrays["patches_nd"] == again.arrays["patches_nd"]).all()
    apart = np.abs(rough.arrays["patches_nd"] - sharp)
    assert 0 < apart.mean() < 0.1

"""Collation and loss: packed, padded and alone give the same; nothing leaks between samples."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from er_bench.models.internvl.training import TRAINING
from er_bench.train.data.collate import Collator
from er_bench.train.data.examples import IGNORED
from er_bench.train.methods.sft.loss import model_inputs, weighted_loss

from .conftest import mixed_records

REDUCTIONS = ("token", "sample", "square")


@pytest.fixture(scope="module", params=["sdpa", "eager"])
def model(request, checkpoint):
    return TRAINING.load(checkpoint, dtype=torch.float32, attention=request.param).train()


@pytest.fixture
def examples(one_source, reader):
    def make(reduction="token", n=6):
        source = one_source(*mixed_records(n))
        return [reader(reduction=reduction).example(source, k, k) for k in range(n)]

    return make


def collator(codec, packed=False, blank=None):
    return Collator(codec.pad_id, packed, False, blank)


def blank_of(codec, reader):
    rendered, features = codec.blank()
    return reader().weighted(rendered, [features])


def loss_of(model, codec, rows, packed=False, denominator=None):
    batch = collator(codec, packed)(rows)
    total = batch["loss_weights"].sum() if denominator is None else denominator
    return weighted_loss(model, batch, codec, total)


def gradients(model, loss):
    model.zero_grad()
    loss.backward()
    return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


def reference(model, codec, examples):
    """The loss of each supervised token, sample by sample, from the full logits."""
    losses = []
    for example in examples:
        batch = collator(codec)([[example]])
        with torch.no_grad():
            logits = model(**model_inputs(batch, codec)).logits[0]
        chances = torch.log_softmax(logits.double(), dim=-1)
        at = [k for k in range(1, len(example.ids)) if example.labels[k] != IGNORED]
        losses.append(np.array([-chances[k - 1, example.labels[k]].item() for k in at]))
    return losses


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_packed_padded_and_alone_give_one_loss(model, codec, examples, reduction):
    found = examples(reduction)
    each = reference(model, codec, found)
    n = np.array([len(losses) for losses in each])
    weight = {"token": n**0, "sample": 1 / n, "square": n**-0.5}[reduction]
    expected = (weight * [losses.sum() for losses in each]).sum() / (weight * n).sum()
    padded = loss_of(model, codec, [[e] for e in found])
    packed = loss_of(model, codec, [found], packed=True)
    two_rows = loss_of(model, codec, [found[:4], found[4:]], packed=True)
    for loss in (padded, packed, two_rows):
        assert loss.item() == pytest.approx(expected, abs=1e-5)


def test_packed_and_padded_give_one_gradient(model, codec, examples):
    found = examples("square")
    padded = gradients(model, loss_of(model, codec, [[e] for e in found]))
    packed = gradients(model, loss_of(model, codec, [found], packed=True))
    assert padded.keys() == packed.keys()
    for name, gradient in padded.items():
        torch.testing.assert_close(packed[name], gradient, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_a_step_cut_into_micro_batches_is_the_same_step(model, codec, examples, reduction):
    found = examples(reduction)
    total = torch.tensor(sum(float(e.weights.sum()) for e in found))
    whole = loss_of(model, codec, [[e] for e in found])
    parts = [loss_of(model, codec, [[e]], denominator=total) for e in found]
    assert sum(p.item() for p in parts) == pytest.approx(whole.item(), abs=1e-5)
    together = gradients(model, whole)
    apart = gradients(model, sum(parts))
    for name, gradient in together.items():
        torch.testing.assert_close(apart[name], gradient, atol=1e-5, rtol=1e-4)


def test_samples_of_a_pack_cannot_see_each_other(model, codec, examples):
    first, second, third = examples(n=3)
    other = replace(first, ids=np.where(first.labels == IGNORED, first.ids, first.ids[::-1]))
    length = len(first.ids)

    def logits(start):
        batch = collator(codec, packed=True)([[start, second, third]])
        with torch.no_grad():
            return model(**model_inputs(batch, codec), use_cache=False).logits[0]

    a, b = logits(first), logits(other)
    assert (a[:length] != b[:length]).any()
    torch.testing.assert_close(a[length:], b[length:], atol=0, rtol=0)


# The released collator rebuilds the mask as `input_ids != 0`; id 0 is `!` (model.md 3.3).
def test_the_padding_mask_is_by_length_and_not_by_id(codec, examples):
    found = examples(n=4)
    zero = replace(found[3], ids=np.where(np.arange(len(found[3].ids)) == 5, 0, found[3].ids))
    batch = collator(codec)([[e] for e in (*found[:3], zero)])
    lengths = [len(e.ids) for e in (*found[:3], zero)]
    assert batch["attention_mask"].sum(dim=1).tolist() == lengths
    assert batch["input_ids"][3, 5] == 0 and batch["attention_mask"][3, 5] == 1
    assert (batch["input_ids"][3, lengths[3] :] == codec.pad_id).all()
    assert (batch["labels"][3, lengths[3] :] == IGNORED).all()


def test_positions_start_again_at_each_sample(codec, examples):
    a, b, c = examples(n=3)
    batch = collator(codec, packed=True)([[a, b], [c]])
    positions = batch["position_ids"]
    assert positions[0].tolist() == [*range(len(a.ids)), *range(len(b.ids))]
    left = len(a.ids) + len(b.ids) - len(c.ids)
    assert positions[1].tolist() == [*range(len(c.ids)), *range(left)]


def test_flash_attention_is_told_the_borders(codec, examples):
    a, b, c = examples(n=3)
    batch = Collator(codec.pad_id, True, True, None)([[a, b], [c]])
    ends = np.cumsum([0, len(a.ids), len(b.ids), len(c.ids)])
    assert batch["input_ids"].shape == (1, ends[-1])
    inputs = model_inputs(batch, codec)
    assert inputs["cu_seq_lens_q"].tolist() == inputs["cu_seq_lens_k"].tolist() == ends.tolist()
    assert inputs["max_length_q"] == max(len(e.ids) for e in (a, b, c))


@pytest.mark.parametrize("packed", [False, True])
def test_a_batch_without_images_runs_the_vision_tower_for_nothing(
    model, codec, examples, reader, packed
):
    text = examples(n=4)[3]
    assert not text.features
    blank = blank_of(codec, reader)
    batch = collator(codec, packed, blank)([[text]])
    assert len(batch["media.tiles_nhwc"]) == 1
    loss = weighted_loss(model, batch, codec, batch["loss_weights"].sum())
    alone = loss_of(model, codec, [[text]])
    assert loss.item() == pytest.approx(alone.item(), abs=1e-6)
    found = gradients(model, loss)
    vision = [name for name, _ in model.named_parameters() if TRAINING.part(name) != "language"]
    assert all((found[name] == 0).all() for name in vision)


def test_a_micro_batch_whose_records_were_all_skipped(model, codec, reader):
    blank = blank_of(codec, reader)
    batch = collator(codec, True, blank)([[], []])
    loss = weighted_loss(model, batch, codec, torch.tensor(1.0))
    assert loss.item() == 0
    assert all((g == 0).all() for g in gradients(model, loss).values())

"""The loss: cross-entropy of the next token, weighted, over one denominator for the whole step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from er_bench.train.data.collate import MEDIA
from er_bench.train.data.examples import IGNORED
from er_bench.train.family import Codec

if TYPE_CHECKING:
    from torch import Tensor, nn


def weighted_loss(
    model: nn.Module, batch: Mapping[str, Tensor], codec: Codec, denominator: Tensor | int
) -> Tensor:
    """Sum of weight times cross-entropy of a micro batch, over `denominator`.

    The denominator is the sum of the weights of the whole step, over all micro batches and
    ranks, so the gradient does not depend on how a step is cut up. (The released recipe takes
    the mean of each micro batch first: Vlaser commit 40d7821, `modeling_internvl_chat.py`.)
    Logits are computed at supervised places only.
    """
    import torch

    targets = batch["labels"][:, 1:]
    weights = batch["loss_weights"][:, 1:]
    places = (targets != IGNORED).any(dim=0).nonzero().squeeze(1)
    if not len(places):
        places = places.new_zeros(1)
    logits = model(**model_inputs(batch, codec), logits_to_keep=places, use_cache=False).logits
    losses = torch.nn.functional.cross_entropy(
        logits.float().flatten(0, 1),
        targets[:, places].flatten(),
        ignore_index=IGNORED,
        reduction="none",
    )
    return (losses * weights[:, places].flatten()).sum() / denominator


def model_inputs(batch: Mapping[str, Tensor], codec: Codec) -> dict[str, object]:
    """What the model is called with: the batch without labels and weights."""
    inputs: dict[str, object] = {
        name: batch[name]
        for name in ("input_ids", "attention_mask", "position_ids")
        if name in batch
    }
    if (ends := batch.get("cu_seq_lens")) is not None:
        longest = int((ends[1:] - ends[:-1]).max())
        inputs |= {"cu_seq_lens_q": ends, "cu_seq_lens_k": ends}
        inputs |= {"max_length_q": longest, "max_length_k": longest}
    media = {n.removeprefix(MEDIA): array for n, array in batch.items() if n.startswith(MEDIA)}
    return inputs | (codec.model_inputs(media) if media else {})

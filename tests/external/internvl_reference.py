"""The InternVL code beside outputs of the released code, recorded on two tiny random checkpoints.

    python tests/external/internvl_reference.py DIR

DIR holds `tiny56/` and `tiny448/` (original InternVLChat folders), `images/`, `reference.json` and
`.npz` (prompts, ids, features, logits, greedy ids), `tiling.json` and `sft.json` (ids, labels,
losses, gradients), made by OpenGVLab/Vlaser commit 40d7821 with torch 2.13 on a CPU in float32.
Prints a line for each comparison; ends with 1 where one is worse than its bound.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from transformers import AutoModelForImageTextToText

from er_bench.core.message import user
from er_bench.core.sample import Image
from er_bench.data import media
from er_bench.data.rows import FileBlob
from er_bench.models.internvl import tiling
from er_bench.models.internvl.conversation import Style, render
from er_bench.models.internvl.convert import to_native, to_original
from er_bench.models.internvl.load import InternVL, load
from er_bench.models.internvl.training import TRAINING, InternVLCodec
from er_bench.models.internvl.weights import native_names
from er_bench.train.data.collate import Collator
from er_bench.train.data.examples import Example, Reader, Reduction
from er_bench.train.data.records import read_meta
from er_bench.train.methods.sft.loss import weighted_loss

CHECKPOINTS = ("tiny56", "tiny448")
REDUCTIONS: tuple[Reduction, ...] = ("token", "sample", "square")
LOGITS, LOSS, GRADIENT = 2e-5, 1e-5, 1e-4
"""Largest differences allowed; the gradients' are relative."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One comparison: how many agree, or by how much the worst differs."""

    what: str
    found: str
    holds: bool

    @classmethod
    def equal(cls, what: str, agree: Sequence[bool]) -> Compared:
        """All must agree."""
        return cls(what, f"{sum(agree)} of {len(agree)} equal", bool(agree) and all(agree))

    @classmethod
    def close(cls, what: str, differences: Sequence[float], bound: float) -> Compared:
        """None may differ by more than the bound."""
        largest = max(differences, key=lambda d: math.inf if math.isnan(d) else d)
        return cls(what, f"{largest:.1e} at most, {len(differences)} compared", largest <= bound)


def worst(found: torch.Tensor, expected: np.ndarray) -> float:
    """The largest absolute difference."""
    return float(np.abs(found.detach().numpy() - expected).max())


def answers(real: Path) -> Iterator[Compared]:
    """Prompts, ids, features, logits and greedy answers of the recorded questions."""
    arrays = np.load(real / "reference.npz")
    cases = json.loads((real / "reference.json").read_text("utf-8"))["cases"]
    models = {name: load(real / name, attention="eager") for name in CHECKPOINTS}
    agree: dict[str, list[bool]] = {"tiles": [], "prompt": [], "input ids": [], "greedy ids": []}
    apart: dict[str, list[float]] = {"image features": [], "logits": []}
    for name, case in cases.items():
        model = models[name.split("/")[0]]
        images = [
            tiling.tiles(image(real, file), case["max_num"], model.tile_px)
            for file in case["images"]
        ]
        counts = [len(tiles) for tiles in images]
        text = case["question"].rsplit("\n", 1)[-1]
        said = user(*(Image(FileBlob(real / "images" / file)) for file in case["images"]), text)
        tokens = [[n * model.tokens_per_tile] for n in counts]
        rendered = render([said], tokens, model.vocabulary, Style(system_message="none"))
        ids, prompt = list(rendered.ids), model.vocabulary.text(rendered.ids)
        context = "<IMG_CONTEXT>"
        shortened = prompt.replace(context * 256, f"{context}*256")
        agree["tiles"].append(counts == case["num_patches_list"])
        agree["prompt"].append(case["prompt"] in (prompt, shortened))
        agree["input ids"].append(ids == arrays[f"{name}/input_ids"].tolist())
        features, logits, greedy = run(model, ids, images, len(case["generated_ids"]))
        key = f"{name}/logits" if f"{name}/logits" in arrays else f"{name}/logits_last8"
        apart["logits"].append(worst(logits[-len(arrays[key]) :], arrays[key]))
        if features is not None:
            apart["image features"].append(worst(features, arrays[f"{name}/vit_embeds"]))
        agree["greedy ids"].append(greedy == case["generated_ids"])
    yield from (Compared.equal(what, found) for what, found in agree.items())
    yield from (Compared.close(what, found, LOGITS) for what, found in apart.items())


@torch.no_grad()
def run(
    model: InternVL, ids: list[int], images: Sequence[tiling.Tiles], n_new: int
) -> tuple[torch.Tensor | None, torch.Tensor, list[int]]:
    """Features `(N, P, D)` of the tiles, logits `(L, V)`, and the ids of a greedy answer."""
    inputs: dict[str, Any] = {}
    features = None
    if images:
        inputs["pixel_values"] = tiling.normalise(torch.from_numpy(np.concatenate(images)))
        features = model.model.model.get_image_features(**inputs).pooler_output
    inputs["input_ids"] = torch.tensor([ids])
    logits = model.model(**inputs).logits[0]
    inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
    whole = model.model.generate(**inputs, max_new_tokens=n_new, do_sample=False)[0]
    return features, logits, whole[len(ids) :].tolist()


def image(real: Path, name: str) -> Any:
    """A recorded picture as RGB."""
    return media.image(FileBlob(real / "images" / name))


def tilings(real: Path) -> Iterator[Compared]:
    """Normalised tiles, by digest."""
    agree = []
    for row in json.loads((real / "tiling.json").read_text("utf-8"))["rows"].values():
        tiles = tiling.tiles(
            image(real, row["image"]),
            row["max_num"],
            row["image_size"],
            thumbnail=row["use_thumbnail"],
        )
        values = tiling.normalise(torch.from_numpy(tiles)).numpy().astype("<f4")
        digest = hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()
        agree.append(list(values.shape) == row["shape"] and digest == row["sha256"])
    yield Compared.equal("tilings, bit for bit", agree)


def conversions(real: Path, work: Path) -> Iterator[Compared]:
    """To native and back; the native folder in transformers alone."""
    names, same, untouched = [], [], []
    for name in CHECKPOINTS:
        native, back = work / f"{name}-native", work / f"{name}-back"
        to_native(real / name, native)
        to_original(native, back)
        before, after = weights(real / name), weights(back)
        names.append(before.keys() == after.keys())
        same += [equal(before[k], after.get(k)) for k in before]
        plain = AutoModelForImageTextToText.from_pretrained(native, attn_implementation="eager")
        ours = load(real / name, attention="eager").model
        ids = torch.arange(40)[None]
        untouched.append(torch.equal(plain(input_ids=ids).logits, ours(input_ids=ids).logits))
    yield Compared.equal("names after convert and back", names)
    yield Compared.equal("tensors after convert and back, bit for bit", same)
    yield Compared.equal("logits of the native folder in transformers alone", untouched)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    """All tensors of a folder."""
    return {
        k: v for file in sorted(folder.glob("*.safetensors")) for k, v in load_file(file).items()
    }


def equal(a: torch.Tensor, b: torch.Tensor | None) -> bool:
    """Same values in the same type."""
    return b is not None and a.dtype == b.dtype and torch.equal(a, b)


def fine_tuning(real: Path, work: Path) -> Iterator[Compared]:
    """Ids, labels, losses alone and together, padded and packed, and gradients."""
    recorded = json.loads((real / "sft.json").read_text("utf-8"))
    cases: dict[str, Any] = recorded["cases"]
    folder = real / recorded["made_with"]["model"]
    codec = TRAINING.codec(folder, system_message=None)
    model = TRAINING.load(folder, dtype=torch.float32, attention="eager")
    samples = {r: examples(real, work, recorded, codec, r) for r in REDUCTIONS}
    plain = samples["token"]

    ids = [plain[n].ids.tolist() == case["input_ids"] for n, case in cases.items()]
    labels = [plain[n].labels.tolist() == case["labels"] for n, case in cases.items()]
    yield Compared.equal("training: input ids", ids)
    yield Compared.equal("training: labels", labels)

    def loss(rows: Sequence[Sequence[Example]], *, packed: bool = False) -> torch.Tensor:
        batch = Collator(codec.pad_id, packed, False, None)(rows)
        return weighted_loss(model, batch, codec, batch["loss_weights"].sum())

    together = recorded["batch2"]
    padded, packed = [], []
    for reduction, sample in samples.items():
        for name, case in cases.items():
            alone = loss([[sample[name]]]).item()
            padded.append(abs(alone - case[f"loss_{reduction}"]))
            filled = loss([[with_padding(sample[name], 320, codec.pad_id)]]).item()
            padded.append(abs(filled - case["padded_320"]["loss"]))
        two = [sample[name] for name in together["samples"]]
        expected = together[f"loss_{reduction}"]
        padded.append(abs(loss([[one] for one in two]).item() - expected))
        packed.append(abs(loss([two], packed=True).item() - expected))
    yield Compared.close("training: losses, alone and padded", padded, LOSS)
    yield Compared.close("training: losses, packed", packed, LOSS)
    apart = [d for n, case in cases.items() for d in gradients(model, loss([[plain[n]]]), case)]
    yield Compared.close("training: gradient norms, relative", apart, GRADIENT)


def examples(
    real: Path,
    work: Path,
    recorded: Mapping[str, Any],
    codec: InternVLCodec,
    reduction: Reduction,
) -> dict[str, Example]:
    """The recorded conversations, read from a data set as training reads them."""
    lines = [
        json.dumps({"image": case["images"][0], "conversations": case["conversations"]})
        for case in recorded["cases"].values()
    ]
    (work / "sft.jsonl").write_text("".join(f"{line}\n" for line in lines), "utf-8")
    entry = {"root": str(real / "images"), "annotation": str(work / "sft.jsonl")}
    (work / "meta.json").write_text(json.dumps({"recorded": entry}), "utf-8")
    (source,) = read_meta(work / "meta.json")
    tiles = recorded["made_with"]["max_num"]
    reader = Reader(codec, 4096, tiles, (8, 32), reduction, seed=0)
    return {name: reader.example(source, k, k) for k, name in enumerate(recorded["cases"])}


def with_padding(example: Example, length: int, pad_id: int) -> Example:
    """The example filled up to a length with tokens that nobody learns."""
    fill = (0, length - len(example.ids))
    return replace(
        example,
        ids=np.pad(example.ids, fill, constant_values=pad_id),
        labels=np.pad(example.labels, fill, constant_values=-100),
        weights=np.pad(example.weights, fill),
    )


def gradients(model: Any, loss: torch.Tensor, case: Mapping[str, Any]) -> Iterator[float]:
    """Relative differences of the norms of the gradients that were recorded."""
    model.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    parameters = dict(model.named_parameters())
    for name, expected in case["grad_norms"].items():
        parts = [parameters[part].grad for part in native_names(name)]
        norm = torch.linalg.vector_norm(torch.cat([p.flatten() for p in parts])).item()
        yield abs(norm - expected) / expected
    every = torch.cat([p.grad.flatten() for p in parameters.values() if p.grad is not None])
    total = torch.linalg.vector_norm(every).item()
    yield abs(total - case["grad_norm_total"]) / case["grad_norm_total"]


def main() -> int:
    """Compare, print, and say whether everything holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("real", type=Path, metavar="DIR")
    real = parser.parse_args().real.resolve()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        parts = (answers(real), tilings(real), conversions(real, work), fine_tuning(real, work))
        failed = 0
        for compared in (one for part in parts for one in part):
            print(f"{'ok' if compared.holds else 'WORSE':5} {compared.what}: {compared.found}")
            failed += not compared.holds
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())

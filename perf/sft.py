"""Packing against padding: share of padding and tokens a second on short and long samples.

One pass over the same 128 samples (three quarters short, one quarter long, half of all with an
image) for each way of making batches, in one run, on a small model (about 1 M parameters), one
thread, timed by the processor's clock so that other work on the machine does not count. Tokens are
those of samples, padding left out. The first pass warms up and is thrown away. The ratio counts,
the absolute rate does not.

    python perf/sft.py [--out perf/sft.md]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import PIL.Image
import torch
from rich.console import Console

from er_bench.models.internvl.tiny import make_tiny
from er_bench.train.methods.sft.run import Run, build_trainer, prepare
from er_bench.train.recipe import build_recipe

SAMPLES, ROWS, PACKS, SEQUENCE = 128, 8, 2, 1024
WIDE = {"hidden_size": 192, "intermediate_size": 512, "num_hidden_layers": 2}
WAYS = ("shuffled", "shuffled", "grouped", "packed")


def write_data(folder: Path) -> Path:
    random = np.random.default_rng(0)
    PIL.Image.fromarray(random.integers(0, 256, (224, 336, 3), np.uint8)).save(folder / "i.png")
    lines = []
    for k in range(SAMPLES):
        words = random.integers(150, 350) if k % 4 == 0 else random.integers(4, 40)
        answer = " ".join(str(word) for word in random.integers(0, 9, words))
        turns = [{"from": "human", "value": "Say it."}, {"from": "gpt", "value": answer}]
        lines.append(json.dumps({"conversations": turns, **({"image": "i.png"} if k % 2 else {})}))
    (folder / "data.jsonl").write_text("\n".join(lines))
    meta = {"mix": {"root": ".", "annotation": "data.jsonl", "max_dynamic_patch": 6}}
    (folder / "meta.json").write_text(json.dumps(meta))
    return folder / "meta.json"


def plan(folder: Path, way: str, number: int) -> Run:
    rows = PACKS if way == "packed" else ROWS
    settings = {
        "family": "internvl",
        "model": str(folder / "model"),
        "data": str(folder / "meta.json"),
        "output": str(folder / f"{number}-{way}"),
        "sequence_length": SEQUENCE,
        "system_message": "Be brief.",
        "batching": way,
        "global_batch_size": rows,
        "micro_batch_size": rows,
        "precision": "fp32",
        "gradient_checkpointing": False,
        "save_every": 10**6,
        "workers": 0,
    }
    return prepare(build_recipe(settings, "benchmark"), Console(quiet=True))


def measure(run: Run) -> dict[str, float]:
    trainer = build_trainer(run, Console(quiet=True))
    start_s = time.process_time()
    trainer.train()
    seconds = time.process_time() - start_s
    tokens = int(run.batches.step_tokens.sum())
    return {
        "steps": run.batches.steps,
        "samples": run.batches.samples_seen,
        "padding": run.batches.padding_share(),
        "seconds": seconds,
        "rate": tokens / seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path)
    torch.set_num_threads(1)
    out = parser.parse_args().out
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_data(folder)
        text = {**WIDE, "num_attention_heads": 6, "num_key_value_heads": 2}
        vision = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2}
        make_tiny(folder / "model", tile_px=112, text=text, vision=vision)
        found = [measure(plan(folder, way, number)) for number, way in enumerate(WAYS)]
    base = found[1]["rate"]
    table = ["| batches | steps | samples | padding | seconds | tokens/s | against shuffled |"]
    table.append("|---|---|---|---|---|---|---|")
    for way, row in list(zip(WAYS, found, strict=True))[1:]:
        table.append(
            f"| {way} | {row['steps']:.0f} | {row['samples']:.0f} | {row['padding']:.1%} | "
            f"{row['seconds']:.1f} | {row['rate']:,.0f} | {row['rate'] / base:.2f}x |"
        )
    told = (
        "# Packing against padding\n\n"
        "    python perf/sft.py --out perf/sft.md\n\n"
        f"{SAMPLES} samples; a step is {ROWS} rows of one sample or {PACKS} packs of "
        f"{SEQUENCE:,} tokens; float32, one thread, SDPA, torch {torch.__version__}; "
        "seconds of processor time.\n\n"
        + "\n".join(table)
        + "\n\nUnder SDPA and eager attention a pack pays for the square of its length although "
        "its\nsamples do not see each other; flash attention's variable-length kernel does not.\n"
    )
    print(told)
    if out:
        out.write_text(told, encoding="utf-8")


if __name__ == "__main__":
    main()

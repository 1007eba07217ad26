"""Time and memory of `er-bench convert` on a checkpoint of InternVL3-2B's shapes, there and back.

    python perf/convert.py [--folder DIR]

Writes random weights (4.2 GB in bfloat16, two shards) as a native folder, converts them to the
original layout and back, and compares every tensor. Needs 13 GB of disk. The memory is the
process's own (`RssAnon`), sampled; pages of mapped files, which the kernel takes back, do not
count.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from er_bench.models.internvl.checkpoint_files import write_json, write_native_sides
from er_bench.models.internvl.convert import native_model_shapes
from er_bench.models.internvl.tiny import SAMPLE_TEXTS, make_tokenizer, tiny_config
from er_bench.models.internvl.weights import INDEX

VISION = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_attention_heads": 16,
    "num_hidden_layers": 24,
}
TEXT = {
    "hidden_size": 1536,
    "intermediate_size": 8960,
    "num_attention_heads": 12,
    "num_hidden_layers": 28,
    "num_key_value_heads": 2,
    "vocab_size": 151_674,
}
"""InternViT-300M and Qwen2.5-1.5B with InternVL3's vocabulary: the parts of InternVL3-2B."""
N_SHARDS = 2


def write_checkpoint(folder: Path) -> None:
    """A native folder with random weights."""
    folder.mkdir()
    tokenizer = make_tokenizer(SAMPLE_TEXTS, 400)
    config = tiny_config(tokenizer, tile_px=448, vision=VISION, text=TEXT)
    config["dtype"] = "bfloat16"
    write_native_sides(folder, config, tokenizer, "template", 12)
    shapes = list(native_model_shapes(config).items())
    where = {}
    draw = torch.Generator().manual_seed(0)
    for k in range(N_SHARDS):
        file = f"model-{k + 1:05}-of-{N_SHARDS:05}.safetensors"
        tensors = {}
        for name, shape in shapes[k::N_SHARDS]:
            tensors[name] = torch.empty(shape, dtype=torch.bfloat16).normal_(generator=draw)
            where[name] = file
        save_file(tensors, folder / file, metadata={"format": "pt"})
    write_json(folder / INDEX, {"metadata": {}, "weight_map": where})


def convert(source: Path, out: Path, layout: str) -> tuple[float, float]:
    """Seconds, and the most gigabytes that `er-bench convert` held."""
    command = [sys.executable, "-m", "er_bench.cli.main", "convert", "--model", str(source)]
    start = time.perf_counter()
    process = subprocess.Popen([*command, "--out", str(out), "--to", layout])
    most = 0
    while process.poll() is None:
        most = max(most, own_memory(process.pid))
        time.sleep(0.02)
    if process.returncode:
        raise SystemExit(process.returncode)
    return time.perf_counter() - start, most / 1e6


def own_memory(pid: int) -> int:
    """Kilobytes of a process that are not pages of files."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(x.split()[1]) for x in lines if x.startswith("RssAnon")), 0)


def tensors(folder: Path) -> Iterator[tuple[str, torch.Tensor]]:
    """Every tensor of a folder."""
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, "pt") as opened:
            for name in opened.keys():
                yield name, opened.get_tensor(name)


def main() -> None:
    """Write, convert, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, help="where to work; else a temporary folder")
    with tempfile.TemporaryDirectory(dir=parser.parse_args().folder) as work:
        first, original, last = (Path(work) / name for name in ("first", "original", "last"))
        write_checkpoint(first)
        size = sum(file.stat().st_size for file in first.glob("*.safetensors"))
        print(f"checkpoint of {size / 1e9:.1f} GB")
        for source, out, layout in ((first, original, "original"), (original, last, "native")):
            seconds, gigabytes = convert(source, out, layout)
            print(f"to {layout}: {seconds:.0f} s, at most {gigabytes:.1f} GB held")
        back = dict(tensors(last))
        same = [torch.equal(tensor, back[name]) for name, tensor in tensors(first)]
        print(f"{sum(same)} of {len(same)} tensors bit for bit as before ({len(back)} in all)")
        if not all(same) or len(back) != len(same):
            raise SystemExit(1)


if __name__ == "__main__":
    main()

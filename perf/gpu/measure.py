"""Speed and memory of a 2B InternVL with random weights in bf16 on one GPU.

Answers a second of the `transformers` backend, fine-tuning with and without packing, and one
group of GRPO steps. Every part writes what it found at once, so that a part that fails costs the
others nothing.

    sh perf/gpu/run.sh OUT        # installs the wheels beside it, then runs this
    python perf/gpu/measure.py OUT
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import torch
import transformers
from rich.console import Console
from transformers import TrainerCallback
from transformers.trainer_utils import IntervalStrategy

from er_bench.core.dialect import BENCHMARK
from er_bench.core.message import user
from er_bench.core.model import ModelSettings
from er_bench.core.prompt import Decoding, Expect, Prompt
from er_bench.core.sample import Image
from er_bench.data.rows import FileBlob
from er_bench.models import transformers as backend
from er_bench.models.internvl.checkpoint_files import write_native_sides
from er_bench.models.internvl.tiny import SAMPLE_TEXTS, make_tokenizer, tiny_config
from er_bench.train.recipe import build, build_recipe

SHAPES = {
    "2b": (
        {"hidden_size": 1536, "intermediate_size": 8960, "num_hidden_layers": 28,
         "num_attention_heads": 12, "num_key_value_heads": 2, "vocab_size": 151674},
        {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24,
         "num_attention_heads": 16},
        448,
    ),
    "tiny": ({}, {}, 112),
}  # fmt: skip
"""Language, vision and tile of InternVL3-2B, and a small one to try the script with."""
PEAKS = {"H100": 989e12, "H200": 989e12, "A100": 312e12}
"""Dense bf16 floating point operations a second, from the makers' data sheets."""


def write_model(folder: Path, size: str) -> None:
    """A native folder with random weights."""
    from transformers import InternVLConfig, InternVLForConditionalGeneration

    text, vision, tile_px = SHAPES[size]
    tokenizer = make_tokenizer(SAMPLE_TEXTS, 400)
    config = tiny_config(tokenizer, tile_px=tile_px, text=text, vision=vision)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with torch.device(device):
        model: Any = InternVLForConditionalGeneration(InternVLConfig(**config))
        with torch.no_grad():
            for name, weight in model.named_parameters():
                if "lambda" in name:
                    weight.fill_(1.0)
                elif weight.ndim > 1:
                    weight.normal_(0.0, 0.02)
    model.to(torch.bfloat16).save_pretrained(folder)
    config["dtype"] = "bfloat16"
    write_native_sides(folder, config, tokenizer, "Be brief.", 12)


def write_pictures(folder: Path, n: int, side_px: int) -> list[Path]:
    """Noise, one tile each."""
    random = np.random.default_rng(0)
    files = []
    for k in range(n):
        files.append(folder / f"{k}.png")
        pixels = random.integers(0, 256, (side_px, side_px, 3), np.uint8)
        PIL.Image.fromarray(pixels).save(files[-1])
    return files


def generate(folder: Path, pictures: list[Path], batch: int, new_tokens: int) -> dict[str, float]:
    """Tokens a second of er-bench's own backend, prompts of one picture, answers of one length."""
    on_gpu = torch.cuda.is_available()
    args = {"device": "cuda" if on_gpu else "cpu", "dtype": "bfloat16", "batch_size": batch}
    decoding = Decoding(max_new_tokens=new_tokens, temperature=0.0)
    settings = ModelSettings(
        name="2b", checkpoint=str(folder), revision=None, dialect=BENCHMARK,
        card_decoding=Decoding(), forced_decoding=decoding, args=args,
    )  # fmt: skip
    model = backend.build(settings)
    prompts = [
        Prompt((user(Image(FileBlob(p)), f"Say it. {k}"),), Expect.TEXT)
        for k, p in enumerate(pictures * 4)
    ]

    async def ask_all(asked: list[Prompt]) -> tuple[int, float]:
        start = time.perf_counter()
        found = await asyncio.gather(*(model.ask(p) for p in asked))
        return sum(c.tokens_out or 0 for c in found), time.perf_counter() - start

    async def both() -> tuple[int, float]:
        await ask_all(prompts[:batch])
        made = await ask_all(prompts)
        await model.close()
        return made

    tokens, seconds = asyncio.run(both())
    return {"answers": len(prompts), "tokens": tokens, "seconds": seconds, **memory(),
            "tokens_per_s": tokens / seconds}  # fmt: skip


class Clock(TrainerCallback):
    """When each step ended."""

    def __init__(self) -> None:
        self.ends_s: list[float] = []

    def on_step_end(self, *args: Any, **kwargs: Any) -> None:
        """Note it, once the card is done."""
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.ends_s.append(time.perf_counter())


def step(trainer: Any, clock: Clock) -> None:
    """Train without writing checkpoints: 25 GB each."""
    trainer.args.save_strategy = IntervalStrategy.NO
    trainer.add_callback(clock)
    reset_memory()
    trainer.train()


def fine_tune(folder: Path, data: Path, out: Path, **settings: object) -> dict[str, float]:
    """Tokens a second and the share of the card's peak, the first two steps left out."""
    from er_bench.train.methods.sft.run import build_trainer, prepare

    recipe = build_recipe(
        {"family": "internvl", "model": str(folder), "data": str(data), "output": str(out),
         "system_message": "Be brief.", "epochs": None, "max_steps": 8, "save_every": 10**6,
         "workers": 4, "max_tiles": 1, "log_every": 4, **settings},
        "measure",
    )  # fmt: skip
    run = prepare(recipe, Console(quiet=True))
    trainer, clock = build_trainer(run, Console(quiet=True)), Clock()
    step(trainer, clock)
    seconds = clock.ends_s[-1] - clock.ends_s[1]
    steps = len(clock.ends_s) - 2
    tokens = int(run.batches.step_tokens[2 : 2 + steps].sum())
    flops = model_flops(trainer.model, run, tokens)
    found = {"steps": steps, "tokens": tokens, "seconds": seconds, **memory(),
             "tokens_per_s": tokens / seconds, "tflops": flops / seconds / 1e12}  # fmt: skip
    if (peak := card_peak()) is not None:
        found["mfu"] = flops / seconds / peak
    return found


def model_flops(model: Any, run: Any, tokens: int) -> float:
    """Six operations a weight and token, and attention's; recomputation is not counted.

    Sources: PaLM (arXiv 2204.02311), appendix B, for the definition of the share.
    """
    core = model.module if hasattr(model, "module") else model
    vision = sum(p.numel() for n, p in core.named_parameters() if run.family.part(n) == "vision")
    all_of_it = sum(p.numel() for p in core.parameters())
    embedded = core.get_input_embeddings().weight.numel()
    text = core.config.text_config
    costs = run.mixture.sizes[run.batches.sample_at]
    share = float(costs[:, 2].sum() / costs[:, 0].sum())
    positions = run.family.vision_positions(core.config, int(tokens * share))
    length = float(costs[:, 0].mean())
    attention = 6 * text.num_hidden_layers * text.hidden_size * length * tokens
    return 6.0 * (all_of_it - vision - embedded) * tokens + 6.0 * vision * positions + attention


def reinforce(folder: Path, rows: Path, out: Path, n: int, tokens: int) -> dict[str, float]:
    """Seconds of a GRPO step with answers of one length, and the tokens that it wrote."""
    from er_bench.train.methods.grpo.recipe import GrpoRecipe
    from er_bench.train.methods.grpo.run import build_trainer, prepare

    recipe = build(
        GrpoRecipe,
        {"family": "internvl", "model": str(folder), "output": str(out), "tasks": ["affordance"],
         "tasks_data": str(rows), "rewards": {"robust": 0.9, "random": 0.1}, "max_steps": 4,
         "prompts_per_step": n, "generations": 8, "micro_batch_size": 8, "max_tiles": 1,
         "max_new_tokens": tokens, "log_every": 1, "save_every": 10**6, "keep_rollouts": 0,
         "kl_coefficient": 0.0, "learning_rate": 1e-6},
        "measure",
    )  # fmt: skip
    trainer, clock = build_trainer(prepare(recipe), Console()), Clock()
    step(trainer, clock)
    seconds = (clock.ends_s[-1] - clock.ends_s[0]) / (len(clock.ends_s) - 1)
    logs = [log for log in trainer.state.log_history if "completions/mean_length" in log]
    written = n * 8 * sum(log["completions/mean_length"] for log in logs[1:]) / len(logs[1:])
    return {"seconds_per_step": seconds, "answers_per_step": n * 8, "written": written,
            "written_per_s": written / seconds, **memory()}  # fmt: skip


def write_records(folder: Path, pictures: list[Path], n: int, words: int) -> Path:
    """Chat records with a picture each and an answer of about `words` tokens."""
    random = np.random.default_rng(1)
    lines = []
    for k in range(n):
        answer = " ".join(str(word) for word in random.integers(0, 9, words // 2))
        turns = [{"from": "human", "value": "Say it."}, {"from": "gpt", "value": answer}]
        picture = pictures[k % len(pictures)].name
        lines.append(json.dumps({"conversations": turns, "image": picture}))
    (folder / "data.jsonl").write_text("\n".join(lines))
    (folder / "meta.json").write_text(
        json.dumps({"mix": {"root": ".", "annotation": "data.jsonl"}})
    )
    return folder / "meta.json"


def reset_memory() -> None:
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def memory() -> dict[str, float]:
    if not torch.cuda.is_available():
        return {}
    return {"peak_gib": torch.cuda.max_memory_allocated() / 2**30}


def card() -> str:
    return torch.cuda.get_device_name() if torch.cuda.is_available() else platform.processor()


def card_peak() -> float | None:
    return next((peak for name, peak in PEAKS.items() if name in card()), None)


def main() -> None:
    """Measure each part and write `gpu.json` after each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--size", choices=sorted(SHAPES), default="2b")
    wanted = parser.parse_args()
    tiny = wanted.size == "tiny"
    found: dict[str, Any] = {
        "card": card(), "size": wanted.size, "torch": torch.__version__,
        "transformers": transformers.__version__, "date": time.strftime("%Y-%m-%d"),
    }  # fmt: skip
    wanted.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        model, rows = work / "model", work / "rows"
        write_model(model, wanted.size)
        pictures = write_pictures(work, 16, SHAPES[wanted.size][2])
        from er_bench.tasks.affordance import mini

        mini.build(rows, rows=64)
        records = write_records(work, pictures, 256, 60 if tiny else 700)
        length, batch = (256, 2) if tiny else (4096, 4)
        parts: dict[str, Callable[[], dict[str, float]]] = {
            "generate": lambda: generate(model, pictures, 8 if tiny else 64, 16 if tiny else 256),
            "sft, one sample a row": lambda: fine_tune(
                model, records, work / "a", batching="grouped", micro_batch_size=4 * batch,
                global_batch_size=4 * batch, sequence_length=length, gradient_checkpointing=True,
            ),
            "sft, packed": lambda: fine_tune(
                model, records, work / "b", batching="packed", micro_batch_size=batch,
                global_batch_size=batch, sequence_length=length, gradient_checkpointing=True,
            ),
            "sft, one sample a row, activations kept": lambda: fine_tune(
                model, records, work / "c", batching="grouped", micro_batch_size=2 * batch,
                global_batch_size=2 * batch, sequence_length=length, gradient_checkpointing=False,
            ),
            "sft, one sample a row, twice the batch": lambda: fine_tune(
                model, records, work / "e", batching="grouped", micro_batch_size=4 * batch,
                global_batch_size=4 * batch, sequence_length=length, gradient_checkpointing=False,
            ),
            "grpo": lambda: reinforce(
                model, rows, work / "d", 2 if tiny else 8, 8 if tiny else 256
            ),
        }  # fmt: skip
        for part, measured in parts.items():
            start = time.perf_counter()
            try:
                found[part] = measured()
            except Exception as error:
                traceback.print_exc()
                found[part] = {"failed": f"{type(error).__name__}: {error}"}
            reset_memory()
            print(part, f"{time.perf_counter() - start:.0f} s", found[part], flush=True)
            (wanted.out / "gpu.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()

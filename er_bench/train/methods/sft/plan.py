"""What a run will do, shown before it does it: `er-bench sft --dry-run`."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from er_bench.train.data.examples import IGNORED, Example
from er_bench.train.data.scan import SHOWN
from er_bench.train.family import Codec
from er_bench.train.methods.sft.memory import Load, Memory, Parameters, amount, estimate
from er_bench.train.methods.sft.run import Run, prepare, trained_parts
from er_bench.train.recipe import Recipe

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

REPEATED = 8
"""Runs of one token longer than this are shown as a count: the tokens of pictures."""


def show_plan(recipe: Recipe, console: Console, *, world_size: int | None, samples: int) -> None:
    """Print the mixture, the steps, the memory and some samples. Trains nothing.

    Raises ConfigError, DataError, as training would.
    """
    world_size = world_size or int(os.environ.get("WORLD_SIZE", "1"))
    recipe.accumulation(world_size)
    run = prepare(recipe, console)
    console.print(mixture_table(run))
    if bad := run.mixture.bad():
        console.print(f"left out: {len(bad)} bad records", style="yellow")
        for why in bad[:SHOWN]:
            console.print(f"  {why}", markup=False, highlight=False)
    console.print(plan_table(run, world_size))
    for place in range(samples):
        _show_sample(run, place, console)


def mixture_table(run: Run) -> Table:
    """One line a data set: what a pass over the mixture holds."""
    table = Table(title=f"Mixture: {run.recipe.data}", box=SIMPLE_HEAD, padding=(0, 0, 0, 1))
    table.add_column("data set", overflow="fold")
    for name in ("records", "bad", "repeat", "samples", "share", "tokens", "supervised", "media"):
        table.add_column(name, justify="right")
    shares = run.mixture.shares()
    all_tokens = sum(share.tokens for share in shares)
    for share in shares:
        table.add_row(
            share.name,
            f"{share.records:,}",
            f"{share.bad:,}",
            f"{share.repeat_time:g}",
            f"{share.samples:,}",
            f"{share.tokens / all_tokens:.1%}",
            f"{share.tokens:,}",
            f"{share.supervised:,}",
            f"{share.media:,}",
        )
    table.add_section()
    sums = [sum(getattr(s, name) for s in shares) for name in ("records", "bad", "samples")]
    costs = [sum(getattr(s, name) for s in shares) for name in ("tokens", "supervised", "media")]
    counts = [f"{n:,}" for n in (*sums, *costs)]
    table.add_row("all", counts[0], counts[1], "", counts[2], "", *counts[3:])
    return table


def plan_table(run: Run, world_size: int) -> Table:
    """Steps, tokens, parameters and memory."""
    from er_bench.train.methods.sound_trainer import warmup_steps

    recipe, batches = run.recipe, run.batches
    parameters, memory = count(run, world_size)
    table = Table(
        title=f"Plan: {recipe.model} to {recipe.output}", show_header=False, box=SIMPLE_HEAD
    )
    table.add_column()
    table.add_column()
    passes = batches.samples_seen / len(run.mixture.entries)
    rows = "packs" if recipe.batching == "packed" else "samples"
    accumulated = recipe.accumulation(world_size)
    for name, value in (
        ("preset", recipe.preset or "none"),
        ("steps", f"{batches.steps:,}, of which {warmup_steps(recipe, batches.steps):,} warm-up"),
        ("samples", f"{batches.samples_seen:,} ({passes:.2f} passes)"),
        (
            "a step",
            f"{recipe.global_batch_size} {rows} = {recipe.micro_batch_size} x {accumulated} "
            f"micro batches x {world_size} ranks",
        ),
        ("tokens", f"{int(batches.step_tokens.sum()):,}; {batches.step_tokens.mean():,.0f} a step"),
        ("padding", f"{batches.padding_share():.1%} of all positions ({recipe.batching})"),
        *(
            (part, f"{n:,} parameters, {_learns(part, parameters)}")
            for part, n in parameters.of_part.items()
        ),
        ("memory", f"about {amount(memory.total)} on each of {world_size} ranks:"),
        *((f"  {field}", amount(getattr(memory, field))) for field in Memory.__slots__),
    ):
        table.add_row(name, value)
    return table


def _learns(part: str, parameters: Parameters) -> str:
    return "trained" if part in parameters.trained_parts else "frozen"


def count(run: Run, world_size: int) -> tuple[Parameters, Memory]:
    """The model's parameters by part, counted without its weights, and the memory they need."""
    import torch

    dtype, attention = torch.float32, run.recipe.attention
    model = run.family.load(run.folder, dtype=dtype, attention=attention, empty=True)
    sizes: Counter[str] = Counter()
    for name, parameter in model.named_parameters():
        sizes[run.family.part(name)] += parameter.numel()
    parameters = Parameters(sizes, frozenset(trained_parts(run)))
    load = heaviest(run, model.config)
    return parameters, estimate(run.recipe, parameters, model.config, load, world_size)


def heaviest(run: Run, config: PreTrainedConfig) -> Load:
    """The most tokens (padding counted), supervised tokens and pictures of any micro batch."""
    batches, size = run.batches, run.recipe.micro_batch_size
    longest = batches.row_tokens.reshape(len(batches), size).max(axis=1) * size
    costs = run.mixture.sizes[batches.sample_at]
    sums = np.array([costs[list(row)].sum(axis=0) for row in batches.rows], np.int64)
    most = sums.reshape(len(batches), size, 3).sum(axis=1).max(axis=0)
    positions = run.family.vision_positions(config, int(most[2]))
    return Load(int(longest.max()), int(most[1]), positions)


def _show_sample(run: Run, place: int, console: Console) -> None:
    number, index = run.mixture.entries[run.batches.sample_at[place]]
    source = run.mixture.sources[number]
    example = run.reader.example(source, int(index), place)
    learned = int((example.labels != IGNORED).sum())
    media = sum(features.tokens for features in example.features)
    console.rule(
        f"{source.name}, line {source.lines[index]}: {len(example.ids)} tokens, "
        f"{learned} supervised, {media} of pictures"
    )
    console.print(marked(example, run.codec))


def marked(example: Example, codec: Codec) -> Text:
    """The decoded input; what the model is to learn stands in ⟦brackets⟧, bold."""
    text = Text()
    for learned, span in groupby(range(len(example.ids)), lambda k: example.labels[k] != IGNORED):
        shown = "".join(decoded([int(example.ids[k]) for k in span], codec))
        text.append(f"⟦{shown}⟧" if learned else shown, style="bold green" if learned else "dim")
    return text


def decoded(ids: list[int], codec: Codec) -> Iterator[str]:
    """Text of ids, long runs of one token as a count."""
    plain: list[int] = []
    for token, group in groupby(ids):
        n = len(list(group))
        if n <= REPEATED:
            plain += [token] * n
            continue
        yield codec.decode(plain)
        yield f"{codec.decode([token])}x{n}"
        plain = []
    yield codec.decode(plain)

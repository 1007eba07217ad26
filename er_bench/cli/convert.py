"""`er-bench convert`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from er_bench.cli.terminal import show


def convert(
    model: Annotated[
        str, typer.Option("--model", help="Hub id or folder of an InternVL checkpoint.")
    ],
    out: Annotated[Path, typer.Option(help="A new folder for the result.")],
    to: Annotated[
        str, typer.Option("--to", help="native (transformers, vLLM) or original (InternVLChat).")
    ] = "native",
    revision: Annotated[str | None, typer.Option(help="Revision of the hub id.")] = None,
    system_message: Annotated[
        str | None,
        typer.Option(
            help="In the chat template: template (InternVL's own), none (the word None), absent, "
            "or the text; by default a text in config.json, else template."
        ),
    ] = None,
    keep_rope_scaling: Annotated[
        bool,
        typer.Option(
            "--keep-rope-scaling",
            help="Keep dynamic RoPE scaling: it matters beyond 32,768 tokens only, and vLLM "
            "before PR 41277 misapplies it.",
        ),
    ] = False,
) -> None:
    """Rewrite a checkpoint: InternVLChat (Vlaser) to a native transformers folder, or back."""
    from er_bench.core.errors import UsageError
    from er_bench.models.checkpoint import snapshot
    from er_bench.models.internvl.convert import to_native, to_original

    if to not in ("native", "original"):
        raise UsageError(f"--to takes native or original, not {to!r}")
    source = snapshot(model, revision)
    if to == "original":
        to_original(source, out)
    else:
        to_native(source, out, system_message=system_message, keep_rope_scaling=keep_rope_scaling)
    show(f"{to} checkpoint: {out}")
    if to == "native":
        show(f"run it with: er-bench run --model transformers/{out} --tasks all --split mini")

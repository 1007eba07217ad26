"""Run folders that are damaged in one place, from a seed, and whatever reads or writes them."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import er_bench as api
from er_bench.cli.leaderboard import leaderboard
from er_bench.data.run_folder import read_manifest, read_media, read_prompts, read_records
from er_bench.report.exports.finished import export
from er_bench.report.exports.spreadsheets import to_csv
from er_bench.report.results import read_results
from er_bench.run.repair import repair

FILES = ("manifest.json", "records.jsonl", "records.jsonl", "results.json", "prompts.jsonl",
         "media.jsonl")  # fmt: skip
ODD = (None, True, -1, 0, 1e308, 10**30, "", "\0", "../x", "NaN", [], {}, [[]], {"a": 1})


def mutated(text: str, rng: random.Random) -> str:
    """A JSON text with one value replaced, one name gone, or a byte of it changed."""
    if rng.random() < 0.3:
        at = rng.randrange(len(text))
        return (
            text[:at]
            + rng.choice(["", "{", '"', "[" * 5000, "\0", "é", "9" * 5000])
            + text[at + rng.randrange(3) :]
        )
    whole = json.loads(text)
    places: list[tuple[object, object]] = []
    waiting = [whole]
    while waiting:
        held = waiting.pop()
        names = held.keys() if isinstance(held, dict) else range(len(held))
        places += [(held, name) for name in names]
        waiting += [held[name] for name in names if isinstance(held[name], (dict, list))]
    held, name = rng.choice(places)
    if isinstance(held, dict) and rng.random() < 0.3:
        del held[name]
    else:
        held[name] = rng.choice(ODD)  # type: ignore[index]
    return json.dumps(whole)


def damage(run: Path, rng: random.Random) -> None:
    """Damage one file of a run."""
    file = run / rng.choice([name for name in FILES if (run / name).exists()])
    if file.suffix == ".json":
        file.write_text(mutated(file.read_text(), rng))
        return
    lines = file.read_text().splitlines()
    at = rng.randrange(len(lines))
    lines[at] = mutated(lines[at], rng)
    file.write_text("\n".join(lines) + "\n")


def readers(run: Path) -> list[Callable[[], object]]:
    """What reads a run."""
    return [
        lambda: read_manifest(run),
        lambda: list(read_records(run)),
        lambda: list(read_prompts(run)),
        lambda: list(read_media(run, "toy")),
        lambda: read_results(run),
        lambda: leaderboard([run]),
    ]


def writers(run: Path, toy_path: Path) -> list[Callable[[], object]]:
    """What makes something of a run, or goes on with it."""
    return [
        lambda: export(run, to_csv, run / "tables"),
        lambda: api.score(run, include=[toy_path], out=run / "again"),
        lambda: api.evaluate("reference/oracle", "toy", include=[toy_path], limit=4, out=run,
                             resume=True),
        lambda: repair(run),
    ]  # fmt: skip

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import er_bench
from er_bench.core.registry import Registry
from er_bench.models.families import family
from er_bench.models.openai import OpenAIArgs
from er_bench.models.settings import DeviceArgs, parse_args
from er_bench.models.vllm import VllmArgs

REPORTED = Path(er_bench.__file__).parent / "models" / "reported"
LOCAL = [
    "embodied-r1-3b", "internvl3-2b", "internvl3-8b", "qwen2.5-vl-3b", "qwen2.5-vl-7b",
    "robobrain2-3b", "robobrain2-7b", "vlaser-2b", "vlaser-8b", "vlaser-tiny",
]  # fmt: skip


@pytest.mark.parametrize("name", LOCAL)
def test_card(name: str) -> None:
    card = Registry().model_card(name)
    assert card.name == name
    assert card.dialect in Registry().dialect_names()
    assert card.sources
    for source, row in card.reported.items():
        rows = yaml.safe_load((REPORTED / f"{source}.yaml").read_text())["rows"]
        assert row in rows, f"{source} has no row {row!r}"
    args = {**card.args, **card.backend_args.get("transformers", {})}
    parse_args(args, DeviceArgs, family(Registry(), card.family).args)
    assert card.decoding.max_new_tokens


@pytest.mark.parametrize(
    "name", [n for n in LOCAL if Registry().model_card(n).family == "internvl"]
)
def test_an_internvl_card_cuts_and_samples_alike_on_every_backend(name: str) -> None:
    card = Registry().model_card(name)
    shared = {"max_tiles", "multi_image_budget", "frames", "frame_sampling", "frame_prefix"}
    assert shared <= card.args.keys()
    for backend, args in card.backend_args.items():
        assert not card.args.keys() & args.keys(), backend
    internvl = family(Registry(), card.family)
    parse_args(card.args | card.backend_args["vllm"], VllmArgs, internvl.args)
    told = {k: v for k, v in card.backend_args["openai"].items() if k != "checkpoint"}
    parse_args(card.args | told, OpenAIArgs, internvl.served)

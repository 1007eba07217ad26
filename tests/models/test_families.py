"""Every backend reaches a family by the same doors, whatever its pictures are made of."""

from __future__ import annotations

import ast
import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

import er_bench
from er_bench.core.completion import Completion
from er_bench.core.dialect import BENCHMARK
from er_bench.core.errors import DataError, UsageError
from er_bench.core.family import Family, Reply, Request, Served
from er_bench.core.message import user
from er_bench.core.model import Model, ModelSettings
from er_bench.core.prompt import Decoding, Expect, Prompt
from er_bench.core.registry import Registry
from er_bench.models import openai, transformers
from er_bench.models.auto.engine import AutoArgs, AutoEngine
from er_bench.models.auto.family import FAMILY as OTHER
from er_bench.models.families import every, family, family_of, served_family
from tests.chat import ChatServer
from tests.models.test_auto_vlm import GREEDY
from tests.models.test_auto_vlm import folder as folder
from tests.models.test_auto_vlm import parts as parts
from tests.models.test_auto_vlm import prompt as with_images

MODELS = Path(er_bench.__file__).parent / "models"
KNOWN = Registry()


def settings(checkpoint: str, family: str | None = None, **args: Any) -> ModelSettings:
    return ModelSettings("m", checkpoint, None, BENCHMARK, GREEDY, Decoding(), args, family=family)


def ask(model: Model, *prompts: Prompt) -> list[Completion]:
    async def run() -> list[Completion]:
        try:
            return await asyncio.gather(*map(model.ask, prompts))
        finally:
            await model.close()

    return asyncio.run(run())


@pytest.mark.parametrize("backend", ["transformers", "vllm", "openai", "batching", "settings"])
def test_a_backend_knows_no_family(backend: str) -> None:
    tree = ast.parse((MODELS / f"{backend}.py").read_text())
    modules = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) if n.module}
    folders = {f"er_bench.models.{p.parent.name}" for p in MODELS.glob("*/family.py")}
    assert len(folders) >= 3
    assert not [m for m in modules if any(m.startswith(folder) for folder in folders)]


def test_a_family_is_found_by_name_configuration_and_settings() -> None:
    internvl, qwen = family(KNOWN, "internvl"), family(KNOWN, "qwen2_5_vl")
    assert internvl is not qwen
    for model_type in ("internvl_chat", "internvl"):
        assert family_of(KNOWN, {"model_type": model_type}) is internvl
    assert family_of(KNOWN, {"model_type": "qwen2_5_vl"}) is qwen
    for model_type in ("qwen3_vl", None):
        assert family_of(KNOWN, {"model_type": model_type}) is OTHER
    assert every(KNOWN)[-1] is OTHER
    assert served_family(KNOWN, None, {"max_tiles", "frames"}) is internvl
    assert served_family(KNOWN, "gpt-4o", {"frames"}) is OTHER
    assert served_family(KNOWN, "internvl", {}) is internvl
    with pytest.raises(UsageError, match=r"no family 'qwen'; .*: auto, internvl, qwen2_5_vl"):
        family(KNOWN, "qwen")


def test_qwen_is_asked_through_the_same_door(folder: Path, parts: tuple[Any, Any]) -> None:
    model, processor = parts
    assert json.loads((folder / "config.json").read_text())["model_type"] == "qwen2_5_vl"
    prompts = [with_images("What is it?", (80, 60)), with_images("A", (70, 90), (60, 30))]
    opened = transformers.build(settings(str(folder), device="cpu", system_message="Be brief."))
    found = ask(opened, *prompts)
    engine = AutoEngine(model, processor, AutoArgs(system_message="Be brief."))
    requests = [engine.prepare(p) for p in prompts]
    assert [c.text for c in found] == [r.text for r in engine.generate(requests, GREEDY)]
    assert [c.image_sizes for c in found] == [r.image_sizes for r in requests]
    assert [c.tokens_in for c in found] == [r.length for r in requests]
    assert all(c.tokens_out == 10 for c in found)
    with pytest.raises(UsageError, match="unknown model arguments max_tiles"):
        ask(transformers.build(settings(str(folder), max_tiles=3)), prompts[0])


def test_qwen_on_a_server_hears_nothing_of_tiles(chat_server: ChatServer) -> None:
    named = settings("m", "qwen2_5_vl", base_url=chat_server.url)
    ask(openai.build(named), Prompt((user("<|im_end|>"),), Expect.TEXT, max_tiles=6))
    assert "mm_processor_kwargs" not in chat_server.bodies[-1]
    with pytest.raises(UsageError, match="unknown model arguments max_tiles"):
        openai.build(settings("m", "qwen2_5_vl", base_url=chat_server.url, max_tiles=6))


class ToyArgs(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    shout: bool = False


class ToyEngine:
    def __init__(self, args: ToyArgs) -> None:
        self._args = args

    def prepare(self, prompt: Prompt) -> Request:
        return Request(len(prompt.text()), (), prompt.text())

    def generate(self, requests: Sequence[Request], decoding: Decoding) -> list[Reply]:
        texts = [r.payload.upper() if self._args.shout else r.payload for r in requests]
        return [Reply(text, "stop", len(text)) for text in texts]


class ToyServed(Served):
    volume: int = 1

    def request_fields(self, prompt: Prompt) -> Mapping[str, object]:
        return {"volume": self.volume * len(prompt.messages)}

    def check_text(self, text: str) -> None:
        if "#" in text:
            raise DataError("no #")

    def answer(self, text: str) -> str:
        return text.upper()


def open_toy(folder: Path, args: ToyArgs, *place: Any) -> ToyEngine:
    return ToyEngine(args)


FAMILY = Family("toy", ToyArgs, lambda c: c.get("model_type") == "toy", open_toy, served=ToyServed)


def test_a_new_family_needs_no_backend_to_know_it(tmp_path: Path, chat_server: ChatServer) -> None:
    (tmp_path / "plugin.py").write_text(f'FAMILIES = {{"toy": "{__name__}:FAMILY"}}')
    toys = Registry((tmp_path,))
    (tmp_path / "config.json").write_text('{"model_type": "toy"}')
    prompt = Prompt((user("say a"),), Expect.TEXT)
    (loud,) = ask(
        transformers.build(replace(settings(str(tmp_path), shout=True), registry=toys)), prompt
    )
    assert loud.text == "SAY A"
    (said,) = ask(
        openai.build(replace(settings("m", base_url=chat_server.url, volume=3), registry=toys)),
        prompt,
    )
    assert chat_server.bodies[-1]["volume"] == 3
    assert said.text == "A"
    with pytest.raises(DataError, match="no #"):
        named = openai.build(replace(settings("m", "toy", base_url=chat_server.url), registry=toys))
        ask(named, Prompt((user("#"),), Expect.TEXT))

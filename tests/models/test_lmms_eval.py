"""The backend against a package laid out as lmms-eval; tests/external/lmms_eval.py has the real."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import PIL.Image
import pytest

from er_bench.core.completion import Completion
from er_bench.core.dialect import BENCHMARK
from er_bench.core.errors import ConfigError, ModelError, UsageError
from er_bench.core.message import Message, user
from er_bench.core.model import ModelSettings
from er_bench.core.prompt import Decoding, Expect, Prompt
from er_bench.core.sample import Image, Text, Video
from er_bench.data.rows import BytesBlob
from er_bench.models.lmms_eval import LmmsEval, build
from tests.models import pretend_lmms_eval

Outcome = Completion | BaseException


@pytest.fixture(autouse=True)
def _installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("PYTHONPATH", str(pretend_lmms_eval.write(tmp_path / "site")))
    monkeypatch.delenv("ER_BENCH_LMMS_EVAL", raising=False)
    yield


def model(name: str = "told", forced: Decoding | None = None, **args: Any) -> LmmsEval:
    return build(
        ModelSettings(
            f"lmms-eval/{name}", name, None, BENCHMARK, Decoding(), forced or Decoding(), args
        )
    )


def asked(made: LmmsEval, *prompts: Prompt) -> list[Outcome]:
    async def ask() -> list[Outcome]:
        try:
            await made.check()
            return list(await asyncio.gather(*map(made.ask, prompts), return_exceptions=True))
        finally:
            await made.close()

    return asyncio.run(ask())


def prompt(*parts: Any) -> Prompt:
    return Prompt((user(*parts),), Expect.TEXT)


def turned_photo() -> Image:
    """A JPEG of 60 x 40 that its tag says is to be turned."""
    out, exif = io.BytesIO(), PIL.Image.Exif()
    exif[0x0112] = 6
    PIL.Image.new("RGB", (60, 40)).save(out, "JPEG", exif=exif)
    return Image(BytesBlob("p.jpg", out.getvalue()))


def told(outcome: Outcome) -> dict[str, Any]:
    assert isinstance(outcome, Completion)
    found: dict[str, Any] = json.loads(outcome.text)
    return found


def test_every_answer_finds_its_question() -> None:
    made = model(requests=4)
    found = asked(made, *(prompt(f"say: {number}") for number in range(23)))
    assert [c.text for c in found if isinstance(c, Completion)] == [str(n) for n in range(23)]
    assert all(isinstance(c, Completion) and c.tokens_out == 2 for c in found)


def test_what_arrives_is_the_conversation() -> None:
    messages = (Message("system", (Text("Be brief."),)), user(turned_photo(), "what?"))
    forced = Decoding(max_new_tokens=9, temperature=0.5, top_p=0.9)
    made = model(forced=forced, pretrained="folder", batch_size=2, more_args={"seen": True})
    (found,) = asked(made, Prompt(messages, Expect.TEXT))
    assert told(found) == {
        "seen": [["image", [40, 60]]],
        "roles": ["system", "user"],
        "generation": {
            "max_new_tokens": 9, "temperature": 0.5, "do_sample": True, "num_beams": 1,
            "top_p": 0.9,
        },
        "made_with": {"pretrained": "folder", "seen": True},
        "n": 1,
    }  # fmt: skip
    assert isinstance(found, Completion)
    assert found.image_sizes == ((40, 60),)


def test_prompts_go_over_in_batches() -> None:
    found = asked(model(requests=4), *(prompt(f"what {number}?") for number in range(12)))
    sizes = [told(outcome)["n"] for outcome in found]
    assert max(sizes) == 4
    assert told(found[0])["generation"]["max_new_tokens"] == 1024


def test_a_whole_video_goes_as_its_path(tmp_path: Path) -> None:
    (found,) = asked(model(), prompt(Video(tmp_path / "a.mp4"), "what?"))
    assert told(found)["seen"] == [["video", str(tmp_path / "a.mp4")]]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("say: [LMMS_EVAL_REQUEST_FAILED after 5 retries] Connection error.", "after 5 retries"),
        ("say: [LMMS_EVAL_BUDGET_EXCEEDED]", "BUDGET_EXCEEDED"),
        ("fail quietly", "answered nothing and logged: Error CUDA in generating"),
        ("raise", "ValueError: no such token"),
    ],
)
def test_a_request_that_failed_is_no_answer(words: str, why: str) -> None:
    (found,) = asked(model(), prompt(words))
    assert isinstance(found, ModelError)
    assert why in str(found)


@pytest.mark.parametrize(
    "words", ["say: ", 'say: Error: can only concatenate str (not "NoneType") to str']
)
def test_an_empty_answer_says_so(words: str) -> None:
    (found,) = asked(model(), prompt(words))
    assert isinstance(found, Completion)
    assert (found.text, found.finish_reason) == ("", "empty")


def test_a_process_that_ends_is_started_again(tmp_path: Path) -> None:
    made = model()

    async def twice() -> Completion:
        await made.check()
        with pytest.raises(ModelError, match=r"ended \(-9\): .*loaded") as caught:
            await made.ask(prompt(f"die: {tmp_path / 'died'}"))
        assert caught.value.retryable
        try:
            return await made.ask(prompt("say: B"))
        finally:
            await made.close()

    assert asyncio.run(twice()).text == "B"


@pytest.mark.parametrize(
    ("name", "args", "why"),
    [
        ("tolb", {}, "lmms-eval's tolb: KeyError: 'tolb'"),
        ("simple", {}, "simple has no chat form in lmms-eval 0.7.3"),
        ("told", {"pretraned": "x"}, "arguments pretraned; told takes pretrained, batch_size"),
    ],
)
def test_a_wrong_model_is_refused_before_the_first_sample(
    name: str, args: dict[str, Any], why: str
) -> None:
    with pytest.raises(ConfigError, match=why):
        asked(model(name, **args), prompt("say: A"))


def test_without_lmms_eval_the_message_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "")
    with pytest.raises(UsageError, match=r"has no lmms-eval: .*pip install lmms-eval==0\.7\.3"):
        model()
    with pytest.raises(UsageError, match="cannot run /nowhere/python"):
        model(python="/nowhere/python")


def test_keys_and_seeds_are_refused() -> None:
    with pytest.raises(UsageError, match="api_key: a key is never given"):
        model(api_key="x")
    seeded = model(forced=Decoding(seed=1))
    with pytest.raises(UsageError, match="take no seed"):
        seeded.check_prompt(prompt("?"))
    asyncio.run(seeded.close())


def test_identity_holds_the_version_and_not_the_machine() -> None:
    made = model(pretrained="x", device="cpu", batch_size=8, requests=2)
    assert made.identity()["lmms_eval"] == "0.7.3"
    assert made.identity()["args"] == {"pretrained": "x"}
    asyncio.run(made.close())

"""What lmms-eval is offered, read as it reads it; tests/external/lmms_eval.py has lmms-eval itself.

Its loader resolves `!function utils.name` to an attribute of `utils.py` beside the YAML file.
"""

from __future__ import annotations

import copy
import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import PIL.Image
import pytest
import yaml

import er_bench
from er_bench.core.errors import UsageError
from er_bench.core.registry import Registry
from er_bench.lmms_eval.folder import write_folder
from er_bench.lmms_eval.offered import OWN
from er_bench.lmms_eval.open_task import Settings
from er_bench.scoring import score_responses

TASKS = ["erqa", "vsibench", "where2place", "paco_lavis", "trajectory", "sat", "egoplan2"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(Settings(), tmp_path_factory.mktemp("offered") / "tasks of er-bench")


def config_of(folder: Path, name: str) -> dict[str, Any]:
    class Loader(yaml.SafeLoader):
        pass

    def function(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> Callable[..., Any]:
        module, _, attribute = loader.construct_scalar(node).partition(".")
        spec = importlib.util.spec_from_file_location(module, folder / f"{module}.py")
        assert spec is not None and spec.loader is not None
        made = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(made)
        found: Callable[..., Any] = getattr(made, attribute)
        return found

    Loader.add_constructor("!function", function)
    text = (folder / f"{name}.yaml").read_text()
    config: dict[str, Any] = yaml.load(text, Loader)
    return copy.deepcopy(config)  # as lmms-eval does to write it down


def documents(config: dict[str, Any]) -> list[dict[str, Any]]:
    line = json.loads(Path(config["dataset_kwargs"]["data_files"]["test"]).read_text())
    return list(config["process_docs"](datasets.Dataset.from_list([line])))


def texts_of(task: str, tmp_path: Path) -> dict[str, str]:
    """Right and wrong answers by turns, some in the mouth of a talkative model."""
    found = {}
    for kind in ("oracle", "chance"):
        run = er_bench.evaluate(f"reference/{kind}", [task], split="mini", out=tmp_path / kind)
        found[kind] = {r.id: r.rollout.completion.text for r in run.iter_records()}
    shapes = ["{}", "I think it is {}.", "<think>Look.</think>{}", "", "**{}**"]
    return {
        sample_id: shapes[n % 5].format((found["oracle"] if n % 3 else found["chance"])[sample_id])
        for n, sample_id in enumerate(found["oracle"])
    }


@pytest.mark.parametrize("task", TASKS)
def test_the_same_answers_score_the_same(task: str, folder: Path, tmp_path: Path) -> None:
    texts = texts_of(task, tmp_path)
    file = tmp_path / "answers.jsonl"
    file.write_text("".join(json.dumps({"id": i, "response": t}) + "\n" for i, t in texts.items()))
    plain = score_responses(task, file, tmp_path / "plain", split="mini").results.tasks[task]

    config = config_of(folder, f"er_bench_{task}_mini")
    docs = documents(config)
    assert [doc["id"] for doc in docs] == list(dict.fromkeys(s.id for s in mini(task)))
    items = [config["process_results"](doc, [texts[doc["id"]].strip()]) for doc in docs]
    metrics = {m["metric"]: m["aggregation"] for m in config["metric_list"]}
    made = {name: made([item[name] for item in items]) for name, made in metrics.items()}
    assert made.pop("failed") == 0.0
    assert made == {name: reading.score for name, reading in plain.readings.items()}
    assert json.loads(json.dumps(items)) == items


def mini(task: str) -> list[Any]:
    return list(Registry().open_mini(task).samples())


def test_the_messages_are_the_prompt(folder: Path) -> None:
    config = config_of(folder, "er_bench_pointarena_mini")
    doc = documents(config)[0]
    system, asked = config["doc_to_messages"](doc)
    assert [system["role"], asked["role"]] == ["system", "user"]
    kinds = [content["type"] for content in asked["content"]]
    assert sorted(kinds) == ["image", "text"]
    picture = asked["content"][kinds.index("image")]["url"]
    assert isinstance(picture, PIL.Image.Image)
    assert asked[OWN].generation == config["generation_kwargs"]
    assert config["doc_to_visual"](doc)[0].size == picture.size
    assert config["doc_to_text"](doc) == asked[OWN].prompt.text()


def test_a_video_goes_as_its_path_and_a_span_as_frames(folder: Path) -> None:
    whole = config_of(folder, "er_bench_vsibench_mini")
    (messages,) = whole["doc_to_messages"](documents(whole)[0])
    assert Path(messages["content"][0]["url"]).suffix == ".mp4"
    span = config_of(folder, "er_bench_egoplan2_mini")
    (messages,) = span["doc_to_messages"](documents(span)[0])
    assert [c["type"] for c in messages["content"][:2]] == ["image", "image"]


@pytest.mark.parametrize("text", ["[LMMS_EVAL_REQUEST_FAILED after 5 retries] no connection"])
def test_a_request_that_failed_is_in_no_reading(folder: Path, text: str) -> None:
    config = config_of(folder, "er_bench_erqa_mini")
    docs = documents(config)[:4]
    answers = ["A", "B", "C", text]
    items = [config["process_results"](d, [a]) for d, a in zip(docs, answers, strict=True)]
    assert list(items[3]) == ["failed"]
    share = config["metric_list"][-1]
    assert share["metric"] == "failed"
    assert share["aggregation"]([item["failed"] for item in items]) == 0.25


def test_answers_are_not_cut_and_every_reading_says_which_way_is_better(folder: Path) -> None:
    found = {name.stem: config_of(folder, name.stem) for name in folder.glob("er_bench_vabench*")}
    for config in found.values():
        assert config["generation_kwargs"]["until"] == []
        assert config["generation_kwargs"]["max_new_tokens"] == 1024
        better = {m["metric"]: m["higher_is_better"] for m in config["metric_list"]}
        assert better["robust"] is not better["failed"] or not better["robust"]
    visual = found["er_bench_vabench_visual_mini"]["metric_list"]
    assert not next(m for m in visual if m["metric"] == "dfd")["higher_is_better"]


def test_every_static_task_is_there_twice_and_no_episode(folder: Path) -> None:
    names = {path.stem for path in folder.glob("*.yaml")}
    assert {"er_bench_erqa", "er_bench_erqa_mini", "er_bench_vsibench_debiased_mini"} <= names
    assert not [name for name in names if name.startswith(("er_bench_home", "er_bench_meta"))]
    tags = {name: config_of(folder, name)["tag"] for name in names}
    assert all(tag == "er_bench_mini" for name, tag in tags.items() if name.endswith("_mini"))
    assert len([tag for tag in tags.values() if tag == "er_bench"]) == len(names) / 2


def test_the_command_prints_the_folder_alone(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "er_bench.cli.main", "lmms-eval-path"]
    told = [*command, "--dialect", "internvl_1000", "--out", str(tmp_path / "o")]
    printed = subprocess.run(told, capture_output=True, text=True, check=True)
    assert printed.stdout == f"{tmp_path / 'o'}\n"
    config = config_of(tmp_path / "o", "er_bench_where2place_mini")
    assert "<point>" in config["doc_to_text"](documents(config)[0])


def test_a_dialect_of_resized_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="count pixels of the picture as resized"):
        write_folder(Settings(dialect="qwen2_5_vl"), tmp_path)

"""What a newcomer types first, and one line for what is not right yet."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from er_bench.core.dialect import BENCHMARK
from er_bench.core.errors import UsageError
from er_bench.core.registry import Registry
from er_bench.run.open_model import open_model
from tests.chat import ChatServer
from tests.conftest import Command


def test_a_folder_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model").mkdir()
    monkeypatch.chdir(tmp_path)
    whole = tmp_path / "model"
    for name in ("./model", str(whole)):
        model = open_model(Registry(), name)
        assert model.name == f"transformers/{whole}"
        assert model.identity()["checkpoint"] == str(whole)
    with pytest.raises(UsageError, match="there is no folder"):
        open_model(Registry(), "./none")


def test_an_id_of_the_hub_is_understood_and_a_misspelt_backend_is_told() -> None:
    model = open_model(Registry(), "Qwen/Qwen2-VL")
    assert (model.name, model.identity()["backend"]) == (
        "transformers/Qwen/Qwen2-VL",
        "transformers",
    )
    with pytest.raises(UsageError, match="did you mean transformers/x"):
        open_model(Registry(), "transformer/x")


def test_lm_evals_spelling_of_a_checkpoint_is_understood() -> None:
    args = {"pretrained": "Qwen/Qwen2-VL", "batch_size": 2}
    model = open_model(Registry(), "hf", model_args=args)
    assert model.identity()["checkpoint"] == "Qwen/Qwen2-VL"
    assert args["pretrained"], "the caller's arguments stay as they are"
    with pytest.raises(UsageError, match="pretrained=FOLDER_OR_HUB_ID"):
        open_model(Registry(), "hf")


def test_an_unknown_setting_of_decoding_is_told_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean temperature"):
        open_model(Registry(), "reference/chance", gen_args={"temprature": 0.0})


def test_lists_and_maps_of_a_config_file_are_what_the_options_take(
    er_bench: Command, toy_path: Path, tmp_path: Path, chat_server: ChatServer
) -> None:
    (tmp_path / "run.yaml").write_text(
        f"model: openai/stand-in\ntasks: [toy]\ninclude_path: [{toy_path}]\nout: r\n"
        f"model-args:\n  base_url: {chat_server.url}\n  extra_body: {{note: 'a, b'}}\n"
    )
    done = er_bench("run", "--config", "run.yaml")
    assert done.returncode == 0, done.stderr
    assert chat_server.bodies[0]["note"] == "a, b"
    (tmp_path / "run.yaml").write_text("modle: x\n")
    wrong = er_bench("run", "--config", "run.yaml")
    assert wrong.returncode == 2 and "did you mean model" in wrong.stderr


def test_a_group_means_its_tasks_that_can_run_here(er_bench: Command, tmp_path: Path) -> None:
    # EB-ALFRED's simulator is told nowhere, so it cannot run.
    chance = ("run", "--model", "reference/chance", "--split", "mini", "--tasks")
    whole = er_bench(*chance, "all", "--limit", "1", "--out", "a")
    assert whole.returncode == 0, whole.stderr
    assert "cannot run here: eb_alfred, eb_habitat" in whole.stdout.replace("\n", " ")
    for named in ("erqa,eb_alfred", "all,eb_alfred"):
        out = named.replace(",", "-")
        assert er_bench(*chance, named, "--limit", "1", "--out", out).returncode == 3


def test_an_id_with_a_backend_beside_it_is_whole() -> None:
    args = {"base_url": "http://localhost:9/v1"}
    model = open_model(Registry(), "Qwen/Qwen2.5-VL", backend="openai", model_args=args)
    assert model.identity()["checkpoint"] == "Qwen/Qwen2.5-VL"
    assert model.dialect is BENCHMARK


@pytest.mark.parametrize(
    ("file", "content", "told"),
    [
        ("toy/task.py", None, "task.py; it defines TASK"),
        ("toy/task.py", "x = 1\n", "sets no TASK"),
        ("toy/task.py", "x = 1\nimport no_such_thing\n", "line 2 does not import: ModuleNotFound"),
        ("toy/task.py", "x = (\n", "does not import: SyntaxError"),
        ("toy/reference.py", "x = 1\n", "sets no REFERENCE"),
        ("plugin.py", "1 / 0\n", "plugin.py, line 1 does not import: ZeroDivisionError"),
        ("plugin.py", "BACKENDS = 3\n", "BACKENDS is no dictionary"),
    ],
)
def test_code_of_ones_own_that_is_not_right_yet_gets_a_line(
    file: str, content: str | None, told: str, er_bench: Command, toy_path: Path, tmp_path: Path
) -> None:
    own = Path(shutil.copytree(toy_path, tmp_path / "own"))
    (own / file).unlink() if content is None else (own / file).write_text(content)
    done = er_bench("run", "--model", "reference/oracle", "--tasks", "toy", "--include-path", "own")
    assert done.returncode == 2 and told in done.stderr, done.stderr
    assert "Traceback" not in done.stderr and len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("content", [b"a: 1\n", b"[", b"\xff\xfe", b"[1, 2]", b""])
def test_a_stray_file_beside_cards_is_a_warning(
    content: bytes, er_bench: Command, tmp_path: Path
) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "compose.yaml").write_bytes(content)
    done = er_bench("models", "--include-path", "own")
    assert done.returncode == 0 and "vlaser-8b" in done.stdout
    assert len(done.stderr.splitlines()) == 1 and "compose.yaml" in done.stderr
    one = er_bench("describe", "vlaser-8b", "--include-path", "own")
    assert one.returncode == 0, one.stderr

"""What a newcomer types first, and one line for what is not right yet."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from er_bench.core.dialect import BENCHMARK
from er_bench.core.errors import UsageError
from er_bench.core.registry import Registry
from er_bench.run.open_model import open_model
from tests.conftest import Command


def test_a_folder_is_answered_with_the_command(er_bench: Command, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    for name in ("./model", str(tmp_path / "model")):
        done = er_bench("run", "--model", name, "--tasks", "erqa", "--split", "mini")
        assert done.returncode == 2
        assert f"--model transformers/{tmp_path / 'model'}" in done.stderr, done.stderr
    gone = er_bench("run", "--model", "./none", "--tasks", "erqa", "--split", "mini")
    assert gone.returncode == 2 and "there is no folder" in gone.stderr


def test_an_id_of_the_hub_is_answered_with_the_command() -> None:
    with pytest.raises(UsageError, match="transformers/Qwen/Qwen2-VL;"):
        open_model(Registry(), "Qwen/Qwen2-VL")
    with pytest.raises(UsageError, match="did you mean transformers/x"):
        open_model(Registry(), "transformer/x")


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

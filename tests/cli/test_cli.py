"""Start-up, listing and help, as a newcomer meets them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

import er_bench as package
from er_bench.cli.main import app, needed
from er_bench.core import record
from er_bench.core.errors import UsageError
from er_bench.core.key_values import typed_key_values
from er_bench.core.manifest import Manifest
from er_bench.core.registry import Registry
from er_bench.report import results
from er_bench.run import machine
from tests.conftest import Command

HEAVY = ("torch", "transformers", "datasets", "av", "mujoco", "scipy", "pyarrow")
ROOT = Path(package.__file__).parent.parent


@pytest.mark.parametrize(
    "args", [["--help"], ["tasks"], ["models"], ["describe", "toy"], ["run", "--help"]]
)
def test_nothing_heavy_is_imported_before_it_is_needed(args: list[str], toy_path: Path) -> None:
    if args[0] in ("tasks", "models", "describe"):
        args = [*args, "--include-path", str(toy_path)]
    code = (
        "import sys\nfrom er_bench.cli.main import main\n"
        f"sys.argv = ['er-bench', *{args!r}]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        f"loaded = [m for m in {HEAVY!r} if m in sys.modules]\n"
        "assert not loaded, loaded\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_help_reads_no_runs_and_no_numbers() -> None:
    """Each of these costs as much as all the rest of `--help`, whose limit is 0.2 s of CPU."""
    code = (
        "import sys\nfrom er_bench.cli.main import app\n"
        "loaded = [m for m in ('numpy', 'pydantic', 'asyncio') if m in sys.modules]\n"
        "assert not loaded, loaded\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("words", [[], ["--help"], ["data", "--help"], ["run", "-h"], ["rnu"]])
def test_what_words_need_shows_what_the_whole_command_line_shows(words: list[str]) -> None:
    part, whole = (CliRunner().invoke(made, words) for made in (needed(words), app))
    assert (part.exit_code, part.output) == (whole.exit_code, whole.output)


def test_every_command_has_help(er_bench: Command) -> None:
    told = er_bench("--help").stdout
    for name in ("run", "score", "tasks", "models", "describe", "leaderboard", "doctor"):
        assert name in told
        shown = er_bench(name, "--help")
        assert shown.returncode == 0 and "Usage" in shown.stdout


def test_tasks_says_what_each_asks_and_whether_it_runs_here(
    er_bench: Command, toy_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = er_bench("tasks", "--include-path", toy_path).stdout
    assert max(map(len, told.splitlines())) <= 80
    monkeypatch.setenv("COLUMNS", "200")
    told = er_bench("tasks", "--include-path", toy_path).stdout
    assert "Choose the letter that the question names." in told


def test_unknown_names_are_answered_with_the_known(er_bench: Command) -> None:
    for args, known in (
        (("run", "--model", "gpt-5o", "--tasks", "all"), "gpt-4o"),
        (("run", "--model", "reference/oracle", "--tasks", "erq"), "erqa"),
        (("run", "--model", "reference/orakel", "--tasks", "erqa"), "oracle"),
        (("run", "--model", "vlm/x", "--tasks", "erqa"), "did you mean vllm/x"),
        (("describe", "nothing"), "internvl_1000"),
        (("run", "--model", "reference/oracle", "--tasks", "erqa", "--dialect", "x"), "benchmark"),
        (("run", "--model", "reference/oracle", "--tasks", "erqa", "--split", "big"), "mini"),
    ):
        done = er_bench(*args)
        assert done.returncode == 2 and known in done.stderr, done.stderr
        assert "Traceback" not in done.stderr


def test_doctor_runs(er_bench: Command) -> None:
    done = er_bench("doctor")
    assert done.returncode == 0 and "extra [hf]" in done.stdout


def test_doctor_knows_what_each_family_of_models_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"torch", "transformers", "safetensors"}
    monkeypatch.setattr(machine, "broken_torchvision", lambda: None)
    monkeypatch.setattr(
        machine.importlib.util, "find_spec", lambda name: name if name in found else None
    )
    told = {finding.what: finding for finding in machine.examine(Registry())}
    assert told["models of family internvl"].state == "can run here"
    assert told["models of family qwen2_5_vl"].state == "can run here"
    others = told["models of family auto"]
    assert (others.state, others.next_step) == (
        "lacks torchvision", "pip install torchvision (the build for this torch)",
    )  # fmt: skip
    found.clear()
    told = {finding.what: finding for finding in machine.examine(Registry())}
    assert told["models of family internvl"].next_step == "pip install 'er-bench[hf]'"


def test_key_values() -> None:
    assert typed_key_values("a=1,b=x,c=[1,2],d=true,e=http://h:1/v1", "--x") == {
        "a": 1, "b": "x", "c": [1, 2], "d": True, "e": "http://h:1/v1",
    }  # fmt: skip
    assert typed_key_values('a="x,y",b={k: 1, l: 2}', "--x") == {"a": "x,y", "b": {"k": 1, "l": 2}}
    assert typed_key_values(None, "--x") == {}
    with pytest.raises(UsageError, match="--x takes"):
        typed_key_values("novalue", "--x")


@pytest.mark.parametrize(
    ("file", "made"),
    [
        ("manifest.schema.json", Manifest.model_json_schema),
        ("records.schema.json", record.json_schema),
        ("results.schema.json", results.json_schema),
    ],
)
def test_the_committed_schemas_are_those_of_the_code(
    file: str, made: Callable[[], dict[str, object]]
) -> None:
    committed = json.loads((ROOT / "docs" / file).read_text())
    assert committed == made(), "write it again: python docs/schemas.py"

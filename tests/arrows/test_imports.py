"""The rooms and the direction of the arrows between them, read from the imports of every file."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOP = ("tasks", "scorers", "models")
"""Real folders at the root that are packages of `er_bench` by a link."""

MAY_IMPORT: Mapping[str, frozenset[str]] = {
    room: frozenset([room, *others.split()])
    for room, others in {
        "core": "",
        "reading": "core",
        "scorers": "core",
        "data": "core",
        "report": "core data",
        "run": "core data",
        "sim": "core data",
        "worlds": "core scorers sim",
        "scenes": "core data reading",
        "vla": "core data",
        "models": "core data reading vla",
        "tasks": "core reading scorers data",
        "train": "core data",
        "api": "core data run report",
        "lmms_eval": "core data run",
        "cli": "api core data run report sim train vla lmms_eval",
    }.items()
}
"""What a room may import. `api` is the files of `er_bench/` itself."""

ALSO: Mapping[str, str] = {
    # What a benchmark or a family brings beside its judgement.
    "tasks/*/mini.py": "scenes worlds",
    "tasks/*/build.py": "scenes",
    "tasks/base/control.py": "sim",
    "tasks/base/episodes.py": "sim",
    "tasks/base/embodiedbench.py": "sim",
    "tasks/base/home*.py": "sim worlds",
    "tasks/home_*/*.py": "worlds",
    "tasks/eb_*/task.py": "sim",
    "models/*/training.py": "train",
    "models/*/embedded/*.py": "scenes train",
    # The mini splits' generators and tasks teach as they ask.
    "models/*/embedded/forms.py": "api",
    "er_bench/worlds/*/episode_proof.py": "",
    "er_bench/scenes/*.py": "",
    "er_bench/train/evaluation.py": "api",
    # Its last stage is a run, its outcome a table.
    "er_bench/train/ablation/*.py": "api report",
    # Tasks teach through their judge, and what was answered is kept as a run.
    "er_bench/train/methods/grpo/*.py": "api run",
    "er_bench/cli/convert.py": "models",
    "er_bench/cli/vla.py": "models",
    "er_bench/__main__.py": "cli",
}


def files() -> list[Path]:
    """Every Python file of the package, each once, relative to the root."""
    found = [p for p in ROOT.glob("er_bench/**/*.py")]
    found += [p for top in TOP for p in ROOT.glob(f"{top}/**/*.py")]
    return sorted(p.relative_to(ROOT) for p in found)


def room(path: Path) -> str:
    """The room that a file stands in."""
    if path.parts[0] in TOP:
        return path.parts[0]
    if len(path.parts) == 2:
        return "api"
    return path.parts[1]


def module(path: Path) -> str:
    """The name that a file is imported by."""
    parts = [*path.with_suffix("").parts]
    if parts[0] in TOP:
        parts.insert(0, "er_bench")
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module(path): path for path in files()}


def imports(path: Path, *, at_top: bool = False) -> Iterator[Path]:
    """The files of the package that a file imports; `at_top`: only what importing it imports."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    for node in _top(tree) if at_top else ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        known = [MODULES[name] for name in names if name in MODULES]
        yield from known[-1:] if len(names) == 2 and len(known) == 2 else known


def _top(tree: ast.Module) -> Iterator[ast.AST]:
    """Statements that run at import, `if TYPE_CHECKING` left out."""
    for node in tree.body:
        if not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)):
            yield node


def allowed(path: Path) -> frozenset[str]:
    """The rooms that a file may import from."""
    more = {word for at, also in ALSO.items() if path.match(at) for word in also.split()}
    return MAY_IMPORT[room(path)] | more


@pytest.mark.parametrize("path", files(), ids=str)
def test_every_import_follows_an_arrow(path: Path):
    wrong = sorted({f"{room(p)} ({p})" for p in imports(path) if room(p) not in allowed(path)})
    assert not wrong, f"{path} stands in {room(path)} and may not import {', '.join(wrong)}"


def test_no_circle():
    graph = {path: set(imports(path)) - {path} for path in files()}
    while ends := {path for path, to in graph.items() if not to & graph.keys()}:
        graph = {path: to - ends for path, to in graph.items() if path not in ends}
    assert not graph, f"these import each other: {', '.join(map(str, sorted(graph)))}"


def test_the_test_sees_a_wrong_arrow(tmp_path: Path):
    assert room(Path("er_bench/core/sample.py")) == "core"
    assert "run" not in allowed(Path("er_bench/core/sample.py"))
    assert Path("er_bench/core/geometry.py") in set(imports(Path("er_bench/core/answer.py")))


def test_every_folder_with_code_is_a_package():
    folders = {ROOT / path.parent for path in files()}
    bare = sorted(str(f.relative_to(ROOT)) for f in folders if not (f / "__init__.py").is_file())
    assert not bare, f"a wheel would leave the code of {', '.join(bare)} out: add __init__.py"

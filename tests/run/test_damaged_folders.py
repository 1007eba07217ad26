"""Run folders that something has damaged: one line that says so, a repair, nothing counted in."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import er_bench as api
from er_bench.core.errors import ErBenchError, StoreError
from er_bench.data.run_folder import read_records
from er_bench.run.repair import repair
from tests.conftest import Command
from tests.run.hostile_folders import damage, readers, writers


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory, toy_path: Path) -> Path:
    out = tmp_path_factory.mktemp("sound") / "r"
    api.evaluate("reference/oracle", "toy", include=[toy_path], limit=4, out=out)
    return out


@pytest.fixture
def run(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "r"))


def change(run: Path, edit: Callable[[list[str]], list[str]]) -> None:
    path = run / "records.jsonl"
    path.write_text("\n".join(edit(path.read_text().splitlines())) + "\n")


def told(line: str, **values: object) -> str:
    return json.dumps({**json.loads(line), **values})


DAMAGES: dict[str, Callable[[list[str]], list[str]]] = {
    "half a line": lambda lines: [lines[0][:40], *lines[1:]],
    "a missing field": lambda lines: [told(lines[0], id=None), *lines[1:]],
    "an odd field": lambda lines: [told(lines[0], judgement=7), *lines[1:]],
    "an unknown field": lambda lines: [told(lines[0], what=1), *lines[1:]],
    "a list": lambda lines: ["[1]", *lines[1:]],
    "nested": lambda lines: ["[" * 100_000 + "]" * 100_000, *lines[1:]],
    "nested, old": lambda lines: ['{"completions":' + "[" * 100_000, *lines[1:]],
    "an old one of no shape": lambda lines: [
        '{"completions": 1, "task":"toy", "id":"q0", "repeat":0, "cluster":"c", "category":"k",'
        '"status":"scored","steps":{"a":1}}', *lines[1:]],
    "time that is none": lambda lines: [told(lines[0], seconds=-1), *lines[1:]],
    "another task": lambda lines: [*lines, told(lines[0], task="erqa")],
    "another sample": lambda lines: [*lines, told(lines[0], id="zz")],
    "a sample after the last": lambda lines: [*lines, told(lines[0], id="q9")],
    "another repeat": lambda lines: [*lines, told(lines[0], repeat=3)],
    "a second record": lambda lines: [*lines, lines[0]],
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_damage_is_told_in_a_line_and_repaired(
    damage: Callable[[list[str]], list[str]], run: Path, toy_path: Path
) -> None:
    change(run, damage)
    with pytest.raises(StoreError, match="doctor --repair") as error:
        api.score(run, include=[toy_path])
    assert "\n" not in str(error.value)
    assert repair(run, {"toy": {"q0", "q1", "q2", "q3"}}) == {run / "records.damaged.jsonl": 1}
    assert len((run / "records.damaged.jsonl").read_text().splitlines()) == 1
    resumed = api.evaluate("reference/oracle", "toy", include=[toy_path], limit=4, out=run,
                           resume=True)  # fmt: skip
    assert [r.id for r in sorted(resumed.records, key=lambda r: r.id)] == ["q0", "q1", "q2", "q3"]
    assert resumed.results.summary.complete and repair(run) == {}


@pytest.mark.parametrize("name", ["another task", "another sample", "another repeat", "nested"])
def test_what_has_no_place_in_the_run_is_not_resumed(name: str, run: Path, toy_path: Path) -> None:
    change(run, DAMAGES[name])
    with pytest.raises(StoreError, match="doctor --repair"):
        api.evaluate("reference/oracle", "toy", include=[toy_path], limit=4, out=run, resume=True)


def test_the_command_of_the_message_repairs(er_bench: Command, run: Path, toy_path: Path) -> None:
    change(run, lambda lines: [lines[0], "{broken", told(lines[1], id="zz"), *lines[1:]])
    common = ("--include-path", toy_path)
    again = ("run", "--model", "reference/oracle", "--tasks", "toy", "--limit", "4", *common,
             "--out", "r", "--resume")  # fmt: skip
    refused = er_bench(*again)
    assert refused.returncode == 2 and "er-bench doctor --repair r" in refused.stderr
    assert "Traceback" not in refused.stderr
    done = er_bench("doctor", "--repair", "r", *common)
    assert done.returncode == 0 and "moved 2 damaged lines" in done.stdout, done.stderr
    assert er_bench(*again).returncode == 0


@pytest.mark.parametrize("limit", [-1, 0, 10**30])
def test_a_limit_that_there_cannot_be(limit: int, run: Path, toy_path: Path) -> None:
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["options"]["limit"] = limit
    (run / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(StoreError, match="that there cannot be"):
        api.score(run, include=[toy_path])


def test_records_that_are_a_folder_or_lack_a_manifest(run: Path, toy_path: Path) -> None:
    records, manifest = run / "records.jsonl", run / "manifest.json"
    manifest.rename(run / "elsewhere.json")
    with pytest.raises(StoreError, match="nobody knows"):
        api.evaluate("reference/chance", "toy", include=[toy_path], limit=4, out=run)
    (run / "elsewhere.json").rename(manifest)
    records.unlink()
    records.mkdir()
    for call in (lambda: list(read_records(run)), lambda: repair(run)):
        with pytest.raises(StoreError, match="cannot be read as lines"):
            call()


def test_a_lock_that_is_a_link_leaves_its_target_alone(tmp_path: Path, toy_path: Path) -> None:
    (tmp_path / "r").mkdir()
    (tmp_path / "precious").write_text("kept")
    (tmp_path / "r" / ".lock").symlink_to(tmp_path / "precious")
    with pytest.raises(StoreError, match="cannot be a run folder"):
        api.evaluate("reference/oracle", "toy", include=[toy_path], limit=1, out=tmp_path / "r")
    assert (tmp_path / "precious").read_text() == "kept"


@pytest.mark.parametrize("out", ["file", "file/below", "a\0b", "x" * 300, "/proc/nothing"])
def test_a_folder_that_cannot_be_made_is_told(out: str, tmp_path: Path, toy_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be a run folder"):
        api.evaluate("reference/oracle", "toy", include=[toy_path], limit=1, out=tmp_path / out)


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_damaged_the_error_is_one_of_er_bench(
    seed: int, sound: Path, tmp_path: Path, toy_path: Path
) -> None:
    """`perf/endurance/run_folders.py` does the same 20,000 times."""
    rng = random.Random(seed)
    for number in range(40):
        run = Path(shutil.copytree(sound, tmp_path / str(number)))
        damage(run, rng)
        for use in (*readers(run), *writers(run, toy_path)):
            try:
                use()
            except ErBenchError as error:
                assert "\n" not in str(error) or "cannot be resumed:" in str(error)

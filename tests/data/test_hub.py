"""Fetching a data set through the real hub client, from a stand-in hub on this machine."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from er_bench.report.results import read_results
from tests.conftest import Command
from tests.hub import SHA, Hub, png, rows


def archive(name: str, content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as opened:
        opened.writestr(name, content)
    return out.getvalue()


IMPATIENT = "import time\nsleep = time.sleep\ntime.sleep = lambda s: sleep(min(s, 0.01))\n"


def impatient(folder: Path) -> dict[str, str]:
    """The environment of an interpreter that hardly waits: the client tries for half a minute."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(IMPATIENT)
    return {"PYTHONPATH": str(folder)}


def run(er_bench: Command, include: Path, hub: dict[str, str], *more: str) -> tuple[int, str]:
    done = er_bench("run", "--model", "reference/oracle", "--tasks", "toy", "--include-path",
                    include, "--out", "r", *more, **hub)  # fmt: skip
    return done.returncode, done.stderr


def test_a_snapshot_is_fetched_unpacked_and_checked(
    er_bench: Command, task_on_the_hub: Path, hub: dict[str, str], tmp_path: Path
) -> None:
    pictures = io.BytesIO()
    with zipfile.ZipFile(pictures, "w") as opened:
        for k in range(2):
            opened.writestr(f"pictures/{k}.png", png())
            opened.writestr(f"__MACOSX/pictures/._{k}.png", b"litter")
    Hub.files = {"rows.jsonl": rows(2), "pictures.zip": pictures.getvalue(), "README.md": b"x"}
    code, told = run(er_bench, task_on_the_hub, hub)
    assert code == 0, told
    assert not list(tmp_path.rglob("__MACOSX"))
    result = read_results(tmp_path / "r").tasks["toy"]
    assert (result.split, result.score, result.dataset.revision) == ("official", 1.0, SHA)


def test_another_mirror_is_refused_with_what_was_expected(
    er_bench: Command, task_on_the_hub: Path, hub: dict[str, str], tmp_path: Path
) -> None:
    Hub.files = {"rows.jsonl": rows(3).replace(b'"image"', b'"photo"')}
    code, told = run(er_bench, task_on_the_hub, hub)
    assert code == 2 and "rows: expected 2, found 3" in told and "--accept-data" in told
    code, told = run(er_bench, task_on_the_hub, hub, "--accept-data")
    assert code == 0, told
    result = read_results(tmp_path / "r").tasks["toy"]
    assert (result.split, result.dataset.accepted) == ("custom", ["rows: expected 2, found 3"])


def test_an_archive_that_leaves_its_folder_is_refused(
    er_bench: Command, task_on_the_hub: Path, hub: dict[str, str], tmp_path: Path
) -> None:
    Hub.files = {"rows.jsonl": rows(2), "evil.zip": archive("../../evil.txt", b"x")}
    code, told = run(er_bench, task_on_the_hub, hub)
    assert code == 2 and "path outside it" in told
    assert not list(tmp_path.rglob("evil.txt"))


def test_an_archive_that_grows_out_of_proportion_is_refused(
    er_bench: Command, task_on_the_hub: Path, hub: dict[str, str], tmp_path: Path
) -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("a.bin", bytes(200_000))
    Hub.files = {"rows.jsonl": rows(2), "a.zip": bomb.getvalue()}
    name = "ER_BENCH_MAX_UNPACKED_BYTES"
    code, told = run(er_bench, task_on_the_hub, {**hub, name: "1000"})
    assert code == 2 and f"the limit is 1000; if you trust the file, set {name}=200000" in told
    assert not list(tmp_path.rglob("a.bin"))


def test_without_the_hub_the_way_out_is_named(
    er_bench: Command, task_on_the_hub: Path, hub: dict[str, str], tmp_path: Path
) -> None:
    away = {**hub, "HF_ENDPOINT": "http://127.0.0.1:9", **impatient(tmp_path / "impatient")}
    code, told = run(er_bench, task_on_the_hub, away)
    assert code == 3 and "--data DIR" in told and "--split mini" in told
    result = read_results(tmp_path / "r").tasks["toy"]
    assert (result.status, result.score, result.n_total) == ("unavailable", None, 0)

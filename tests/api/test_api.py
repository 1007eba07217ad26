"""The Python API: real runs of mini splits, and what comes back of them."""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import PIL.Image
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import er_bench
from er_bench.core.errors import DataError, StoreError, UsageError
from er_bench.core.manifest import Manifest
from er_bench.core.record import Record, RecordStatus
from er_bench.core.registry import Registry
from er_bench.core.sample import Blob, Image, MediaRef, Sample
from er_bench.data.archives import ZipBlob
from er_bench.data.referenced import referenced
from er_bench.data.rows import image_blobs, one_image, read_rows
from er_bench.report.results import Results, read_results
from er_bench.run.store import RunStore
from tests.conftest import Command, write_toy_rows
from tests.judging import open_task

HEAVY = ("torch", "transformers", "pyarrow", "pandas", "numpy", "PIL", "pydantic", "aiohttp")
COLUMNS = {
    "task", "id", "repeat", "cluster", "category", "status", "question", "text", "error",
    "reading", "score", "answer", "answer_status", "why",
}  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> er_bench.Run:
    """The truth on tasks whose pictures are rows of parquet, files, and a mask beside them."""
    out = tmp_path_factory.mktemp("api") / "r"
    return er_bench.evaluate(
        "reference/oracle", ["erqa", "refspatial"], split="mini", limit=4, out=out
    )


def numbers(run: er_bench.Run) -> dict[str, object]:
    """The tasks of a run's results, without what differs from run to run."""
    return {n: t.model_dump(exclude={"seconds"}) for n, t in run.results.tasks.items()}


def png(colour: str) -> bytes:
    out = io.BytesIO()
    PIL.Image.new("RGB", (4, 3), colour).save(out, "PNG")
    return out.getvalue()


# A run and what it holds.


def test_a_run_has_typed_results_records_and_manifest(run: er_bench.Run) -> None:
    assert isinstance(run.results, Results) and isinstance(run.manifest, Manifest)
    assert run.results == read_results(run.folder)
    assert run.results.tasks["erqa"].score == run.results.tasks["refspatial"].score == 1.0
    records = run.records
    assert len(records) == run.manifest.tasks["erqa"].n_total * 2 == 8
    assert all(isinstance(record, Record) for record in records)
    assert {record.task for record in records} == {"erqa", "refspatial"}


def test_every_picture_of_a_record_is_the_picture_of_its_sample(run: er_bench.Run) -> None:
    samples: dict[tuple[str, str], Sample[object]] = {}
    for name in ("erqa", "refspatial"):
        task = open_task(name, Registry().mini_root(name))
        samples |= {(name, sample.id): sample for sample in task.samples()}
    kinds = set()
    for record in run.records:
        parts = samples[record.task, record.id].parts
        blobs = [part.blob for part in parts if isinstance(part, Image)]
        assert blobs and len(record.media) == len(blobs)
        assert record.rollout.turns[0].media == record.media
        for ref, blob in zip(record.media, blobs, strict=True):
            found = run.medium(record, ref)
            assert found.read() == blob.read()
            kinds.add((ref.row is None, bool(ref.field)))
    assert kinds == {(True, False), (False, True)}, "files and rows of parquet"


def test_the_mask_of_the_truth_is_found_as_well(run: er_bench.Run) -> None:
    record = next(r for r in run.records if r.task == "refspatial")
    assert record.truth.mask is not None
    with PIL.Image.open(io.BytesIO(run.medium(record, record.truth.mask).read())) as mask:
        assert mask.getextrema() != (0, 0)


def test_a_run_on_data_of_ones_own_is_read_from_another_folder(
    toy_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    write_toy_rows(data, 2, image="seen.png")
    (data / "seen.png").write_bytes(png("red"))
    monkeypatch.chdir(tmp_path)
    run = er_bench.evaluate(
        "reference/oracle", "toy", include=[toy_path], data="data", out=tmp_path / "r"
    )
    monkeypatch.chdir("/")
    again = er_bench.load_run(tmp_path / "r")
    for record in again.records:
        assert again.medium(record, record.media[0]).read() == png("red")
    assert run.results == again.results


# Media by reference.


def parquet(file: Path) -> None:
    """Rows with one picture, several, one as the hub stores it, and one beside the file."""
    table = pa.table(
        {
            "picture": [png("red"), png("lime")],
            "pictures": [[png("blue")], [png("black"), png("white")]],
            "hub": [{"bytes": png("navy"), "path": "a"}, {"bytes": png("teal"), "path": "b"}],
            "beside": ["a.png", "b.png"],
        }
    )
    pq.write_table(table, file)


def test_a_row_reference_gives_the_bytes_that_its_row_had(tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    parquet(file)
    (tmp_path / "b.png").write_bytes(png("pink"))
    blobs: list[Blob] = []
    for row in list(read_rows(file))[1:]:
        blobs += [one_image(row, name, "x", tmp_path) for name in ("picture", "hub")]
        blobs += image_blobs(row, "pictures", "x", tmp_path)
        blobs.append(one_image(row, "beside", "x", tmp_path))
    found = []
    for blob in blobs:
        assert blob.ref is not None
        found.append(referenced(blob.ref, data=tmp_path, run=Path("nowhere")).read())
    assert found == [png(c) for c in ("lime", "teal", "black", "white", "pink")]


def test_a_relative_reference_starts_at_the_data_or_at_the_run(tmp_path: Path) -> None:
    data, run = tmp_path / "data", tmp_path / "run"
    for folder, colour in ((data, "red"), (run, "blue")):
        (folder / "frames").mkdir(parents=True)
        (folder / "frames" / "0.png").write_bytes(png(colour))
    refs = (MediaRef("frames/0.png", "data"), MediaRef("frames/0.png", "run"))
    seen = [referenced(ref, data=data, run=run).read() for ref in refs]
    assert seen == [png("red"), png("blue")]


def test_a_member_reference_gives_the_bytes_inside_the_archive(tmp_path: Path) -> None:
    archive = tmp_path / "pictures.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("a/one.png", png("red"))
        opened.writestr("a/two.png", png("blue"))
    ref = ZipBlob(archive, "a/two.png").ref
    assert referenced(ref, data=Path("x"), run=Path("y")).read() == png("blue")
    inside = MediaRef("pictures.zip", member="a/one.png")
    assert referenced(inside, data=tmp_path, run=Path("y")).read() == png("red")


@pytest.mark.parametrize(
    ("ref", "words"),
    [
        (MediaRef("rows.parquet", row=9, field="picture"), "no such row.*row 9"),
        (MediaRef("gone.png"), "cannot read it.*gone.png"),
        (MediaRef("rows.parquet", member="x"), "cannot read it.*rows.parquet/x"),
        (MediaRef("", "run"), "--frames small"),
    ],
)
def test_a_medium_that_is_not_there_is_named(ref: MediaRef, words: str, tmp_path: Path) -> None:
    parquet(tmp_path / "rows.parquet")
    with pytest.raises(DataError, match=words):
        referenced(ref, data=tmp_path, run=tmp_path).read()


# Tables.


def test_a_table_has_a_line_a_record_and_reading(run: er_bench.Run) -> None:
    table = run.to_pandas()
    assert set(table.columns) == COLUMNS
    counts = table.groupby(["task", "reading"]).size().to_dict()
    tasks = run.results.tasks.items()
    assert counts == {(task, name): 4 for task, made in tasks for name in made.readings}
    assert {("erqa", "easi"), ("refspatial", "any_hit")} < counts.keys()
    assert len(table) == sum(len(record.judgement) for record in run.records)
    erqa = table[(table.task == "erqa") & (table.reading == "official")]
    assert list(erqa.answer) == [r.truth.text for r in run.records if r.task == "erqa"]
    assert (erqa.score == 1.0).all() and (erqa.answer_status == "ok").all()


def test_a_table_of_failures_has_the_same_columns(run: er_bench.Run, tmp_path: Path) -> None:
    failed = Record(task="erqa", id="x", cluster="c", category="k",
                    status=RecordStatus.MODEL_ERROR, error="no answer")  # fmt: skip
    with RunStore(tmp_path, run.manifest, resume=False) as store:
        store.append(failed)
    table = er_bench.Run(tmp_path, run.results).to_pandas()
    assert set(table.columns) == COLUMNS
    (row,) = table.to_dict("records")
    assert (row["status"], row["error"], row["score"]) == ("model_error", "no answer", None)


def test_without_pandas_a_table_says_what_to_install(
    run: er_bench.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UsageError, match="pip install pandas"):
        run.to_pandas()


# Loops.


def test_it_runs_where_a_loop_runs_already_as_in_a_notebook(toy_path: Path, tmp_path: Path) -> None:
    async def cell() -> er_bench.Run:
        return er_bench.evaluate("reference/oracle", "toy", include=[toy_path], out=tmp_path / "r")

    assert asyncio.run(cell()).results.tasks["toy"].score == 1.0


def test_an_error_inside_a_running_loop_is_the_caller_s(toy_path: Path, tmp_path: Path) -> None:
    async def cell() -> None:
        er_bench.evaluate("reference/oracle", "tyo", include=[toy_path], out=tmp_path / "r")

    with pytest.raises(UsageError, match="did you mean toy"):
        asyncio.run(cell())


def test_two_runs_go_at_once_in_one_loop(toy_path: Path, tmp_path: Path) -> None:
    async def both() -> list[er_bench.Run]:
        return await asyncio.gather(
            *(
                er_bench.evaluate_async(name, "toy", include=[toy_path], out=tmp_path / name)
                for name in ("reference/oracle", "reference/blind")
            )
        )

    oracle, blind = asyncio.run(both())
    assert oracle.results.tasks["toy"].score == 1.0
    assert blind.results.tasks["toy"].score == 0.25


# Beginning, going on, judging again.


def test_resuming_asks_only_for_what_is_missing(toy_path: Path, tmp_path: Path) -> None:
    out = tmp_path / "r"

    def go(resume: bool) -> er_bench.Run:
        return er_bench.evaluate(
            "reference/chance", "toy", include=[toy_path], out=out, resume=resume
        )

    whole = go(False)
    file = out / "records.jsonl"
    kept = file.read_text().splitlines(keepends=True)[:10]
    file.write_text("".join(kept))
    with pytest.raises(StoreError, match="holds a run already"):
        go(False)
    again = go(True)
    assert file.read_text().startswith("".join(kept))
    assert len({record.key for record in again.records}) == len(again.records) == 24
    assert numbers(again) == numbers(whole)


def test_runs_that_nobody_named_do_not_meet(
    toy_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    runs = [er_bench.evaluate("reference/oracle", "toy", include=[toy_path]) for _ in range(3)]
    assert len({run.folder for run in runs}) == 3
    assert all(run.folder.parent == Path("runs") and run.folder.is_dir() for run in runs)


def test_a_loaded_run_is_the_run_that_was_made(run: er_bench.Run) -> None:
    again = er_bench.load_run(str(run.folder))
    assert again == run and again.records == run.records
    with pytest.raises(StoreError, match="nowhere"):
        er_bench.load_run(run.folder / "nowhere")


def test_judging_again_gives_the_same_run_beside_the_old_one(
    run: er_bench.Run, tmp_path: Path
) -> None:
    again = er_bench.score(run.folder, out=tmp_path / "again")
    assert numbers(again) == numbers(run)
    assert [r.untimed() for r in again.records] == [r.untimed() for r in run.records]
    record = again.records[0]
    assert again.medium(record, record.media[0]).read()


def test_judging_again_goes_beside_the_run_also_when_it_is_the_folder_one_is_in(
    toy_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    er_bench.evaluate("reference/oracle", "toy", include=[toy_path], out=tmp_path / "r")
    monkeypatch.chdir(tmp_path / "r")
    again = er_bench.score(".", include=[toy_path])
    assert again.folder.resolve() == tmp_path.resolve() / "r-rescored"


def test_judging_again_on_moved_data_leaves_a_run_that_knows_where_they_are(
    toy_path: Path, tmp_path: Path
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    write_toy_rows(old, 2, image="seen.png")
    (old / "seen.png").write_bytes(png("red"))
    er_bench.evaluate("reference/oracle", "toy", include=[toy_path], data=old, out=tmp_path / "r")
    old.rename(new)
    with pytest.raises(DataError, match="old"):
        er_bench.score(tmp_path / "r", include=[toy_path])
    again = er_bench.score(tmp_path / "r", include=[toy_path], data=new)
    record = again.records[0]
    assert again.medium(record, record.media[0]).read() == png("red")
    third = er_bench.score(again.folder, include=[toy_path])
    assert numbers(third) == numbers(again)


def test_answers_made_elsewhere_are_judged(toy_path: Path, tmp_path: Path) -> None:
    file = tmp_path / "answers.jsonl"
    lines = [json.dumps({"id": f"q{k}", "response": "ABCD"[k % 4]}) for k in range(12)]
    file.write_text("\n".join(lines))
    run = er_bench.score_responses("toy", file, tmp_path / "s", include=[toy_path])
    toy = run.results.tasks["toy"]
    assert (toy.score, toy.n_scored, toy.n_model_error) == (1.0, 12, 12)
    assert {r.rollout.completion.text for r in run.records if r.judgement} == set("ABCD")
    file.write_text('{"id": "q99", "response": "A"}\n')
    with pytest.raises(DataError, match="samples that toy does not have: q99"):
        er_bench.score_responses("toy", file, tmp_path / "t", include=[toy_path])


# Names.


@pytest.mark.parametrize(
    ("model", "tasks", "more", "words"),
    [
        ("vlaser-tny", "erqa", {}, "did you mean vlaser-tiny"),
        ("referenc/oracle", "erqa", {}, "did you mean reference"),
        ("reference/oracel", "erqa", {}, "did you mean oracle"),
        ("reference/oracle", "erq", {}, "did you mean erqa"),
        ("reference/oracle", ["erqa", "pointarna"], {}, "did you mean pointarena"),
        ("reference/oracle", "erqa@offical", {}, "did you mean official"),
        ("reference/oracle", "erqa", {"dialect": "qwen25_vl"}, "did you mean qwen2_5_vl"),
        ("reference/oracle", [], {}, "no task was named"),
        ("reference/oracle", "erqa", {"split": "minni"}, "did you mean mini"),
        ("reference/oracle", "erqa", {"frames": "smal"}, "did you mean small"),
        ("reference/oracle", "erqa", {"lmit": 3}, "did you mean limit"),
    ],
)
def test_a_wrong_name_is_answered_with_the_nearest(
    model: str, tasks: str | list[str], more: dict[str, object], words: str, tmp_path: Path
) -> None:
    settings = {"split": "mini", **more}
    with pytest.raises(UsageError, match=words):
        er_bench.evaluate(model, tasks, out=tmp_path / "r", **settings)  # type: ignore[arg-type]
    assert not (tmp_path / "r").exists()


def test_an_unknown_reading_is_answered_with_the_known(run: er_bench.Run, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no reading 'all_hits'.*any_hit"):
        er_bench.score(run.folder, out=tmp_path / "x", readings=["all_hits"])
    assert not (tmp_path / "x").exists()


# What `er_bench` itself shows.


@pytest.mark.parametrize("name", er_bench.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    found = getattr(er_bench, name)
    assert found.__doc__ and found.__doc__.strip()
    assert name in dir(er_bench)


def test_what_is_no_public_name_is_no_attribute() -> None:
    assert er_bench.__all__ == sorted(er_bench.__all__)
    with pytest.raises(AttributeError, match="evalute"):
        er_bench.evalute  # noqa: B018


def test_a_star_import_brings_the_public_names_and_importing_is_light() -> None:
    code = (
        "import sys\nimport er_bench\n"
        f"heavy = [m for m in {HEAVY!r} if m in sys.modules]\nassert not heavy, heavy\n"
        "dir(er_bench)\n"
        f"assert not [m for m in {HEAVY!r} if m in sys.modules]\n"
        "from er_bench import *\n"
        "missing = set(er_bench.__all__) - set(globals())\nassert not missing, missing\n"
        "late = [m for m in ('torch', 'transformers', 'pyarrow', 'pandas') if m in sys.modules]\n"
        "assert not late, late\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_command_line_and_the_api_make_the_same_run(
    er_bench_command: Command, run: er_bench.Run, tmp_path: Path
) -> None:
    done = er_bench_command("run", "--model", "reference/oracle", "--tasks", "erqa,refspatial",
                            "--split", "mini", "--limit", "4", "--out", "r")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert numbers(er_bench.load_run(tmp_path / "r")) == numbers(run)


@pytest.fixture
def er_bench_command(request: pytest.FixtureRequest) -> Command:
    """The fixture `er_bench`, whose name the package has here."""
    command: Command = request.getfixturevalue("er_bench")
    return command

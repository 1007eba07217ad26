from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from er_bench.core.errors import StoreError
from er_bench.core.outcome import Outcome, OutcomeStatus
from er_bench.run.store import RunStore, read_records

MANIFEST: dict[str, Any] = {"identity": {"model": {"name": "m"}, "tasks": {"t": {"rows": 3}}}}


def outcome(sample_id: str, status: OutcomeStatus = OutcomeStatus.SCORED) -> Outcome:
    return Outcome("t", sample_id, "c", "k", status)


def ids(folder: Path) -> list[str]:
    return [r["id"] for r in read_records(folder)]


def test_a_torn_last_line_is_cut_off_and_its_sample_runs_again(tmp_path: Path) -> None:
    with RunStore(tmp_path, MANIFEST, resume=False) as store:
        store.append(outcome("a"))
        store.append(outcome("b"))
    path = tmp_path / "records.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    with RunStore(tmp_path, MANIFEST, resume=True) as store:
        assert store.done == {("t", "a", 0)}
        store.append(outcome("b"))
    assert ids(tmp_path) == ["a", "b"]


def test_failed_requests_run_again_and_leave_no_second_record(tmp_path: Path) -> None:
    with RunStore(tmp_path, MANIFEST, resume=False) as store:
        for name, status in zip("abcd", OutcomeStatus, strict=True):
            store.append(outcome(name, status))
    with RunStore(tmp_path, MANIFEST, resume=True) as store:
        assert {key[1] for key in store.done} == {"a", "b"}
    assert ids(tmp_path) == ["a", "b"]


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    with (
        RunStore(tmp_path, MANIFEST, resume=False),
        pytest.raises(StoreError, match="another process is writing"),
    ):
        RunStore(tmp_path, MANIFEST, resume=True)
    RunStore(tmp_path, MANIFEST, resume=True).close()


def test_a_run_is_not_overwritten(tmp_path: Path) -> None:
    RunStore(tmp_path, MANIFEST, resume=False).close()
    with pytest.raises(StoreError, match="--resume"):
        RunStore(tmp_path, MANIFEST, resume=False)


def test_another_run_is_refused_by_name_of_what_differs(tmp_path: Path) -> None:
    RunStore(tmp_path, MANIFEST, resume=False).close()
    other = {"identity": {"model": {"name": "n"}, "tasks": {"t": {"rows": 3}, "u": {}}}}
    with pytest.raises(StoreError) as error:
        RunStore(tmp_path, other, resume=True)
    assert 'model.name: it was "m", now it is "n"' in str(error.value)
    assert "tasks.u" not in str(error.value) or "null" in str(error.value)
    assert "rows" not in str(error.value)


def test_damage_in_the_middle_is_an_error_with_its_line(tmp_path: Path) -> None:
    with RunStore(tmp_path, MANIFEST, resume=False) as store:
        store.append(outcome("a"))
    path = tmp_path / "records.jsonl"
    path.write_text("{broken\n" + path.read_text())
    with pytest.raises(StoreError, match="line 1 is damaged"):
        list(read_records(tmp_path))


def test_the_record_keeps_text_as_it_was(tmp_path: Path) -> None:
    with RunStore(tmp_path, MANIFEST, resume=False) as store:
        store.append(outcome("ä\u2028\n"))
    assert ids(tmp_path) == ["ä\u2028\n"]
    assert json.loads((tmp_path / "manifest.json").read_text()) == MANIFEST

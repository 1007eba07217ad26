from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from er_bench.core.errors import StoreError
from er_bench.core.manifest import Identity, Manifest, ModelInfo, Rows, TaskIdentity
from er_bench.core.message import user
from er_bench.core.prompt import Expect, Prompt
from er_bench.core.record import SCHEMA_VERSION, Record, RecordStatus
from er_bench.core.sample import Text
from er_bench.data.run_folder import read_prompts, read_records
from er_bench.run.machine_facts import run_info
from er_bench.run.store import RunStore, text_blocks


def manifest(model: str = "m", *tasks: str) -> Manifest:
    row = TaskIdentity(split="mini", protocol="p", rows=3, data_fingerprint="", prompt_sha256="")
    return Manifest(
        schema_version=SCHEMA_VERSION,
        info=run_info(()),
        model=ModelInfo(
            name=model, card_sha256=None, checkpoint="c", revision=None, backend="b",
            dialect="benchmark", decoding={},
        ),
        identity=Identity(
            model={"name": model}, tasks=dict.fromkeys(("t", *tasks), row), repeats=1, seed=0
        ),
        options=Rows(split="mini", data=None, limit=None),
        tasks={},
    )  # fmt: skip


MANIFEST = manifest()


def record(sample_id: str, status: RecordStatus = RecordStatus.SCORED) -> Record:
    return Record(task="t", id=sample_id, cluster="c", category="k", status=status)


def ids(folder: Path) -> list[str]:
    return [r.id for r in read_records(folder)]


def test_a_torn_last_line_is_cut_off_and_its_sample_runs_again(tmp_path: Path) -> None:
    with RunStore(tmp_path, MANIFEST, resume=False) as store:
        store.append(record("a"))
        store.append(record("b"))
    path = tmp_path / "records.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    with RunStore(tmp_path, MANIFEST, resume=True) as store:
        assert store.done == {("t", "a", 0)}
        store.append(record("b"))
    assert ids(tmp_path) == ["a", "b"]


def test_failed_requests_run_again_and_leave_no_second_record(tmp_path: Path) -> None:
    with RunStore(tmp_path, MANIFEST, resume=False) as store:
        for name, status in zip("abcd", RecordStatus, strict=True):
            store.append(record(name, status))
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
    with pytest.raises(StoreError) as error:
        RunStore(tmp_path, manifest("n", "u"), resume=True)
    assert 'model.name: it was "m", now it is "n"' in str(error.value)
    assert "tasks.u: it was null" in str(error.value)
    assert "tasks.t" not in str(error.value)


def test_damage_in_the_middle_is_an_error_with_its_line(tmp_path: Path) -> None:
    with RunStore(tmp_path, MANIFEST, resume=False) as store:
        store.append(record("a"))
    path = tmp_path / "records.jsonl"
    path.write_text("{broken\n" + path.read_text())
    with pytest.raises(StoreError, match="line 1 is damaged"):
        list(read_records(tmp_path))


def test_a_full_disk_is_said_and_nothing_is_called_damaged(tmp_path: Path) -> None:
    store = RunStore(tmp_path, MANIFEST, resume=False)
    store._records.close()
    store._records = open("/dev/full", "a")
    with pytest.raises(StoreError, match=r"cannot write .*No space left on device; make room"):
        store.append(record("a"))
    with pytest.raises(StoreError, match="cannot write"):
        store.close()
    with RunStore(tmp_path, MANIFEST, resume=True) as store:
        store.append(record("a"))
    assert ids(tmp_path) == ["a"]


def test_the_record_keeps_text_as_it_was(tmp_path: Path) -> None:
    with RunStore(tmp_path, MANIFEST, resume=False) as store:
        store.append(record("ä\u2028\n"))
    assert ids(tmp_path) == ["ä\u2028\n"]
    assert json.loads((tmp_path / "manifest.json").read_text()) == MANIFEST.model_dump(mode="json")


def test_a_text_that_prompts_share_is_kept_once(tmp_path: Path) -> None:
    shared = "".join(f"rule {k}: do as the rule before.\n" for k in range(200))
    asked = [Prompt((user(Text(shared + end)),), Expect.PLAN) for end in ("one", "two", "two")]
    with RunStore(tmp_path, MANIFEST, resume=False) as store:
        for prompt, name in zip(asked, "abc", strict=True):
            store.append(record(name), {prompt.sha256(): prompt})
    kept = {prompt.sha256: prompt for prompt in read_prompts(tmp_path)}
    assert list(kept) == [asked[0].sha256(), asked[1].sha256()]
    for prompt in asked:
        assert kept[prompt.sha256()].messages[0].parts[0].text == prompt.messages[0].parts[0].text
    texts = (tmp_path / "texts.jsonl").read_text()
    assert texts.count("rule 7:") == 1 and len(texts) < 1.5 * len(shared)


@given(st.text(alphabet=st.sampled_from("a\n\r\u2028é"), max_size=5000))
def test_the_blocks_of_a_text_are_the_text(text: str) -> None:
    assert "".join(text_blocks(text)) == text

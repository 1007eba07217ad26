"""Training records of a run's good answers."""

import json

import pytest
from typer.testing import CliRunner

import er_bench
from er_bench.cli.main import app
from er_bench.core.sample import Video
from er_bench.data.video import span, span_s, video_header
from er_bench.train.data.records import read_meta


def make(*words):
    return CliRunner().invoke(app, ["data", "make", "answers", *map(str, words)])


@pytest.fixture(scope="module")
def oracle(tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "oracle"
    er_bench.evaluate(
        "reference/oracle", ["affordance", "mmsibench"], split="mini", out=out,
        dialect="internvl_1000", limit=5,
    )  # fmt: skip
    return out


def test_good_answers_become_records_that_sft_reads(oracle, tmp_path):
    done = make(oracle, "--out", tmp_path, "--at-least", 0.8)
    assert done.exit_code == 0, done.output
    assert "10 records, 0 answers refused" in done.output
    (source,) = read_meta(tmp_path / "meta.json")
    records = [source.record(k) for k in range(len(source.offsets))]
    assert [len(r.messages) for r in records] == [2] * 10
    lines = sorted((tmp_path / "records.jsonl").read_text().splitlines())
    line = json.loads(lines[0])
    asked, answered = (turn["value"] for turn in line["conversations"])
    assert asked.startswith("<image>\nDraw a box around the part of the object")
    assert answered.startswith("<box>[[")
    assert line["provenance"]["model"] == "reference/oracle"
    assert line["provenance"]["score"] > 0.8
    assert (tmp_path / "images" / line["image"]).is_file()
    several = json.loads(lines[-1])
    assert len(several["image"]) == several["conversations"][0]["value"].count("<image>\n") > 1


def test_bad_answers_are_kept_apart_with_the_reason(tmp_path):
    run = tmp_path / "chance"
    er_bench.evaluate("reference/chance", ["trajectory"], split="mini", out=run, limit=6)
    done = make(run, "--out", tmp_path / "made", "--at-least", 0.99)
    assert "no answer of" in str(done.exception)
    lines = (tmp_path / "made" / "rejected.jsonl").read_text().splitlines()
    refused = [json.loads(line) for line in lines]
    assert len(refused) == 6
    assert all("is less than 0.99: on average" in row["why"] for row in refused)
    assert not (tmp_path / "made" / "meta.json").exists()
    done = make(run, "--out", tmp_path / "more", "--at-least", 0.4)
    assert done.exit_code == 0, done.output
    worths = [json.loads(x)["provenance"]["score"]
              for x in (tmp_path / "more" / "records.jsonl").read_text().splitlines()]  # fmt: skip
    assert worths and all(1 - score >= 0.4 for score in worths)


def test_a_video_stays_a_video_with_the_frames_that_were_asked_about(tmp_path):
    run = tmp_path / "run"
    er_bench.evaluate("reference/oracle", ["vsibench"], split="mini", out=run, limit=2)
    assert make(run, "--out", tmp_path / "made").exit_code == 0
    (source,) = read_meta(tmp_path / "made" / "meta.json")
    (question, _) = source.record(0).messages
    (video,) = (part for part in question.parts if isinstance(part, Video))
    assert video.path.suffix == ".mp4" and video.clip_s is None
    total, fps, _ = video_header(video.path)
    cut = Video(video.path, start_frame=3, stop_frame=total - 3)
    assert span(Video(video.path, clip_s=span_s(cut)), total, fps) == range(3, total - 2)


def test_episodes_are_refused(tmp_path):
    run = tmp_path / "run"
    er_bench.evaluate("reference/oracle", ["home_alfred"], split="mini", out=run, limit=1)
    done = make(run, "--out", tmp_path / "made", "--at-least", 0)
    assert "made of episodes" in str(done.exception)

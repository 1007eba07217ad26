"""The part of an answer that a reading rests on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import er_bench as api
from er_bench.core.answer import Answer
from er_bench.core.registry import Registry
from er_bench.data.run_folder import read_manifest, read_records
from er_bench.reading.letter import read_first_word, read_letter
from er_bench.reading.number import read_number
from er_bench.run.part_read import MOST_CHARACTERS, part_read, parts_read
from er_bench.run.score_again import opened_for_run


def letter(text: str) -> Answer:
    return read_letter(text, "ABCD", {})


def first_letter(text: str) -> Answer:
    found = re.search("[A-D]", text)
    return Answer(found[0]) if found else Answer.unparsed()


@pytest.mark.parametrize(
    ("read", "text", "part"),
    [
        (letter, "I see A cup. The answer is (B).", "B"),
        (letter, "A. No wait, C", "C"),
        (letter, "<think>Is it D? D it is.</think> Not A, so C is right; B is not.", "C"),
        (first_letter, "Take B, not C; I say B.", "B"),
        (read_first_word, "C because D and then C", "C"),
        (read_number, "There are 12 chairs and 3 tables, so 15 in total", "15"),
        (read_number, "-2.5 m", "-2.5"),
    ],
)
def test_the_part_is_found_whatever_the_rule(read, text: str, part: str) -> None:
    begin, end = part_read(read, text) or (0, 0)
    assert text[begin:end] == part
    assert read(text[begin:end]).value == read(text).value


def test_of_two_the_one_is_marked_that_was_read() -> None:
    assert part_read(first_letter, "B, not C") == (0, 1)
    assert part_read(letter, "It is B. Yes, B") == (14, 15)


@pytest.mark.parametrize("text", ["", "none of these", "A or B", "A " * MOST_CHARACTERS])
def test_nothing_is_marked_where_nothing_was_read(text: str) -> None:
    assert part_read(letter, text) is None


def test_the_parts_of_a_run_are_read_as_its_answers(tmp_path: Path) -> None:
    tasks = "erqa,where2place,pointarena,vsibench,vlabench,home_alfred"
    run = api.evaluate("reference/oracle", tasks, split="mini", limit=4, out=tmp_path / "r")
    manifest = read_manifest(run.folder)
    opened = opened_for_run(Registry(), manifest, None)
    records = {record.key: record for record in read_records(run.folder)}
    found = dict(parts_read(run.folder, manifest, records.values(), opened, ["official", "robust"]))
    assert set(found) == {key for key in records if key[0] != "home_alfred"}
    for key, spans in found.items():
        assert set(spans) == {"official", "robust"}
        text = records[key].rollout.completion.text
        assert all(text[first:stop].strip() for first, stop in spans.values())
        if key[0] == "erqa":
            assert {text[slice(*span)] for span in spans.values()} == {records[key].truth.text}

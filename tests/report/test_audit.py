"""What is wrong with published numbers, found by arithmetic."""

from __future__ import annotations

import pytest

from er_bench.core.errors import UsageError
from er_bench.report.audit import Finding, audit, possible
from er_bench.report.reported import (
    Reported,
    read_columns,
    read_reported,
    reported_sources,
    same_model,
)
from tests.conftest import Command


@pytest.fixture(scope="module")
def found() -> list[Finding]:
    return audit([read_reported(name) for name in reported_sources()], read_columns())


def told(found: list[Finding], kind: str, *words: str) -> list[Finding]:
    return [f for f in found if f.kind == kind and all(w in f"{f.place}: {f.told}" for w in words)]


def test_which_percentages_can_be() -> None:
    assert possible("30.25", 400) and possible("44.3", 400) and possible("41.26", 1321)
    assert not possible("30.31", 400) and not possible("44.9", 400)


@pytest.mark.parametrize("column", ["egoplan2.daily", "egoplan2.hobbies", "egoplan2.recreation",
                                    "egoplan2.work", "egoplan2"])  # fmt: skip
def test_none_of_vebrains_five_numbers_on_egoplan2_can_be(
    column: str, found: list[Finding]
) -> None:
    assert told(found, "impossible share", "robobrain2.0: VeBrain-8B", f"{column}:")


def test_totals_that_their_parts_contradict(found: list[Finding]) -> None:
    assert told(found, "total", "VeBrain-8B, egoplan2", "27.30 is printed", "give 33.30")
    assert told(found, "total", "Claude-Sonnet-4", "41.26", "38.87")
    assert told(found, "impossible share", "Claude-Sonnet-4", "egoplan2.work: 38.87")
    assert told(found, "total", "InternVL2_5-38B, eb_alfred", "23.3 is printed", "give 27.33")
    assert len([f for f in found if f.kind == "total"]) == 3


def test_a_column_of_another_benchmark(found: list[Finding]) -> None:
    (copied,) = [f for f in found if f.kind == "copied column"]
    assert copied.place == "mimo-embodied, cv_bench and robobrain2.0, blink_spatial"
    assert all(number in copied.told for number in ("78.12", "68.57", "79.68", "65.88"))


@pytest.mark.parametrize(
    ("model", "score"),
    [("GPT-4o", "32.48"), ("Gemini", "51.02"), ("Qwen-VL-Max", "40.91"), ("Cosmos", "39.09"),
     ("VeBrain", "37.29"), ("Magma", "25.73"), ("RoboBrain1.0", "36.52"),
     ("RoboBrain2.0", "30.31")],
)  # fmt: skip
def test_mimos_erqa_is_no_share_of_400(model: str, score: str, found: list[Finding]) -> None:
    assert told(found, "impossible share", "mimo-embodied", model, f"erqa: {score}")


def test_boards_and_single_cells(found: list[Finding]) -> None:
    assert told(found, "equal rows", "Qwen2.5-VL-32B-Instruct", "Qwen2.5-VL-72B-Instruct")
    assert told(found, "impossible share", "ER-1.5, pointarena.counting: 68.47")
    assert told(found, "impossible share", "vesta", "erqa: 44.9")
    assert not [f for f in found if f.kind == "impossible share" and "vlaser-table1" in f.place]


def test_one_model_with_several_values(found: list[Finding]) -> None:
    assert told(found, "several values", "MiMo-Embodied", "refspatial", "48.00 (mimo-embodied)")


def test_models_are_known_by_their_names() -> None:
    assert same_model("GPT-4o-2024-11-20") == same_model("GPT-4o-20241120") == same_model("gpt-4o")
    assert same_model("Qwen2.5-VL-7B-Ins") == same_model("Qwen2.5-VL-7B-Instruct")
    assert same_model("Qwen2.5-VL-7B") != same_model("Qwen2.5-VL-72B")


def test_what_is_doubtful_is_marked_on_the_board(er_bench: Command) -> None:
    done = er_bench("leaderboard", "--reported", "embodiedbench")
    assert "23.3?" in done.stdout
    assert "? InternVL2_5-38B, eb_alfred: the six subsets average to 27.3" in done.stdout


def test_the_command(er_bench: Command) -> None:
    assert "robobrain2.0" in er_bench("reported").stdout
    audited = er_bench("reported", "--audit")
    assert audited.returncode == 0 and "total: 3" in audited.stdout
    one = er_bench("reported", "--model", "vebrain-8b").stdout
    assert "27.30" in one and "mimo-embodied" in one


def test_a_source_that_does_not_fit_is_refused() -> None:
    source = read_reported("vesta").model_dump()
    with pytest.raises(ValueError, match="1 scores for 11 columns"):
        Reported.model_validate({**source, "rows": {"m": [1.0]}})
    with pytest.raises(UsageError, match=r"did you mean vesta|there are"):
        read_reported("vestaa")


def test_one_model_with_three_values_on_one_benchmark(found: list[Finding]) -> None:
    (several,) = told(found, "several values", "MiMo-Embodied-7B, refspatial")
    assert all(number in several.told for number in ("48.0 ", "40.0 ", "2.2 (qwen-drive-1.0)"))


def test_numbers_seen_in_a_copy_are_marked(er_bench: Command) -> None:
    done = er_bench("reported", "--format", "csv")
    rows = {line.split(",")[0]: line for line in done.stdout.splitlines()}
    assert "Second-hand. " in rows["loho-manip"] and "Second-hand" not in rows["molmo2"]
    fractions = read_reported("loho-manip")  # printed as shares of 1
    assert fractions.cells("LoHo-Manip-4B") == {"egoplan2": 56.7, "eb_alfred": 38, "eb_habitat": 38}

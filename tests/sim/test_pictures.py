"""A frame that is no picture is the simulator's failure, never the data's."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from er_bench.core.environment import Started, Stepped
from er_bench.core.errors import EnvError
from er_bench.core.picture import PNG_SIGNATURE, rgb_hwc
from er_bench.sim.pool import Pool
from tests.sim.counting_world import png
from tests.sim.test_run_faults import Bench
from tests.sim.test_wire import SHORT, faulty, play

WHOLE = png((9, 9, 9), 8)
HUGE = WHOLE[:16] + (9000).to_bytes(4, "big") * 2 + WHOLE[24:]
BROKEN = {
    "nothing": "there is no picture obs.head_rgb",
    "empty": "obs.head_rgb is no picture: 0 bytes that are no PNG",
    "text": "obs.head_rgb is no picture: 10 bytes that are no PNG",
    "no_height": "obs.head_rgb is no picture: it is 8 x 0 pixels",
    "cut": "obs.head_rgb is no picture",
    "huge": "obs.head_rgb is no picture: it is 9000 x 9000 pixels",
}


@pytest.mark.parametrize(
    "content", [b"", b"text", PNG_SIGNATURE, WHOLE[:50], HUGE, b"GIF89a", WHOLE[:40] + b"x" * 40]
)
def test_what_is_no_whole_png_is_an_os_error(content: bytes) -> None:
    assert rgb_hwc(WHOLE).shape == (8, 8, 3)
    with pytest.raises(OSError):
        rgb_hwc(content)


def run(folder: Path, **options: object) -> list[Stepped]:
    async def play_once() -> list[Stepped]:
        pool = Pool([faulty(**options, pids=folder / "pids")], SHORT)
        try:
            return await play(pool)
        finally:
            await pool.close()

    return asyncio.run(play_once())


@pytest.mark.parametrize("picture", BROKEN)
@pytest.mark.parametrize("method", ["reset", "step"])
def test_one_frame_that_is_none_costs_a_process_and_nothing_else(
    picture: str, method: str, tmp_path: Path
) -> None:
    steps = run(tmp_path, picture=picture, method=method, once=tmp_path / "once")
    assert steps[-1].feedback == "The count is 4."
    assert len((tmp_path / "pids").read_text().split()) == 2


@pytest.mark.parametrize(("picture", "words"), BROKEN.items())
def test_a_second_one_is_an_env_error_that_names_the_simulator(
    picture: str, words: str, tmp_path: Path
) -> None:
    with pytest.raises(EnvError, match=r"^faulty: .*tried twice") as caught:
        run(tmp_path, picture=picture, method="reset")
    assert words in str(caught.value)


def test_a_run_whose_frames_are_none_is_resumed_when_the_simulator_is_mended(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    assert bench.run(picture="no_height", method="reset") == 3
    assert {(r.status, r.error[:10]) for r in bench.records()} == {("env_error", "counting: ")}
    assert not any("row " in r.error for r in bench.records())
    assert bench.run("--resume") == 0
    assert {r.status for r in bench.records()} == {"scored"}


@pytest.mark.parametrize(
    "fields",
    [
        {"progress": 1.5},
        {"progress": -0.1},
        {"progress": float("nan")},
        {"goal_conditions": [3, 2]},
        {"goal_conditions": [-1, 2]},
        {"goal_conditions": [0, 10**40]},
        {"sim_seconds": -1.0},
        {"success": "yes"},
        {"done": 1},
        {"odd": 1},
    ],
)
def test_a_step_holds_no_number_that_cannot_be(fields: dict[str, object]) -> None:
    right = {"valid": True, "feedback": "", "done": False}
    assert Stepped.model_validate({**right, "progress": 1.0, "goal_conditions": [2, 2]})
    with pytest.raises(ValueError, match=next(iter(fields))):
        Stepped.model_validate({**right, **fields})


def test_a_start_without_the_key_of_actions_is_none() -> None:
    with pytest.raises(ValueError, match="neither actions nor"):
        Started.model_validate({"instruction": "Count."})

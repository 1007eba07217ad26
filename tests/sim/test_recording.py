from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from er_bench.core.environment import Environments, Episode, Skill, Started, Stepped
from er_bench.core.errors import EnvError, UnavailableError, UsageError
from er_bench.sim.in_process import InProcessEnvironments
from er_bench.sim.recording import LINES, Recorded, Recording, episode_folder
from er_bench.sim.simulators import (
    SIMULATORS,
    Known,
    environments,
    launches,
    simulator,
    why_unavailable,
)
from tests.sim.counting_world import ACTIONS, CountingWorld

HERE = Path(__file__).parent
EPISODE = Episode(id="count-2", scene="numbers", resolution=16)
ADD, WAIT, FAIL = ACTIONS
COUNTING = Known("counting", HERE / "counting_world.py", "nothing to install")


def play(source: Environments, *names: str) -> tuple[Started, list[Stepped]]:
    async def run() -> tuple[Started, list[Stepped]]:
        try:
            async with source.acquire(EPISODE) as environment:
                start = await environment.reset(EPISODE)
                return start, [await environment.step(Skill(n)) for n in names]
        finally:
            await source.close()

    return asyncio.run(run())


def record(root: Path) -> tuple[Started, list[Stepped]]:
    inner = InProcessEnvironments(lambda: CountingWorld({}), "counting")
    return play(Recording(inner, root), ADD, FAIL, ADD)


def test_a_recorded_episode_plays_again_with_its_pictures(tmp_path: Path) -> None:
    lived = record(tmp_path)
    again = play(Recorded(tmp_path), ADD, FAIL, ADD)
    assert again == lived
    assert again[0].head_png and again[0].head_png.startswith(b"\x89PNG")
    folder = episode_folder(tmp_path, EPISODE)
    assert len(list(folder.glob("*.png"))) == 4
    assert json.loads((folder / LINES).read_text().splitlines()[0])["episode_id"] == "count-2"


def test_another_action_than_the_recorded_one_is_an_env_error(tmp_path: Path) -> None:
    record(tmp_path)
    with pytest.raises(EnvError, match="took action 'add one'"):
        play(Recorded(tmp_path), WAIT)
    with pytest.raises(EnvError, match="took action None"):
        play(Recorded(tmp_path), ADD, FAIL, ADD, ADD)


def test_what_is_not_recorded_or_damaged_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError):
        Recorded(tmp_path / "nowhere")
    with pytest.raises(EnvError, match="not recorded"):
        play(Recorded(tmp_path))
    record(tmp_path)
    folder = episode_folder(tmp_path, EPISODE)
    next(iter(sorted(folder.glob("*.png")))).write_bytes(b"else")
    with pytest.raises(EnvError, match=r"not the one recorded.*row 0"):
        play(Recorded(tmp_path))


def test_a_frame_outside_the_folder_is_refused(tmp_path: Path) -> None:
    record(tmp_path)
    lines = episode_folder(tmp_path, EPISODE) / LINES
    lines.write_text(lines.read_text().replace("000_0_head_rgb.png", "../secret.png"))
    with pytest.raises(EnvError, match="leaves the episode's folder"):
        play(Recorded(tmp_path))


def test_an_episode_that_breaks_off_is_not_recorded(tmp_path: Path) -> None:
    inner = InProcessEnvironments(lambda: CountingWorld({}), "counting")
    with pytest.raises(EnvError):
        play(Recording(inner, tmp_path), ADD, "stop counting")
    with pytest.raises(EnvError, match="not recorded"):
        play(Recorded(tmp_path), ADD)


def test_ids_that_look_alike_have_folders_of_their_own(tmp_path: Path) -> None:
    ids = ["a/b", "a_b", "a b", "../a", "é" * 300]
    folders = [episode_folder(tmp_path, Episode(id=i, scene="")) for i in ids]
    assert len(set(folders)) == len(ids)
    assert all(f.parent == tmp_path for f in folders)


def test_the_variables_say_where_a_simulator_is(tmp_path: Path) -> None:
    record(tmp_path)
    played = environments(COUNTING, environ={COUNTING.variable: f"replay:{tmp_path}"})
    assert len(play(played, ADD)[1]) == 1
    assert len(launches(COUNTING, {"ER_BENCH_SIM_PROCESSES": "3"})) == 3
    told = {COUNTING.variable: "tcp://127.0.0.1:7001,tcp://localhost:7002"}
    assert [launch.port for launch in launches(COUNTING, told)] == [7001, 7002]  # type: ignore[attr-defined]
    again = tmp_path / "again"
    recorded = environments(COUNTING, environ={"ER_BENCH_SIM_RECORD": str(again)})
    assert play(recorded, ADD, ADD) == play(Recorded(again), ADD, ADD)


@pytest.mark.parametrize(
    "environ",
    [
        {"ER_BENCH_SIM_COUNTING": "tcp://example.org:7001"},
        {"ER_BENCH_SIM_COUNTING": "replay:somewhere"},
        {"ER_BENCH_SIM_COUNTING": "tcp://127.0.0.1"},
        {"ER_BENCH_SIM_COUNTING": "tcp://127.0.0.1:99999"},
        {"ER_BENCH_SIM_PROCESSES": "0"},
        {"ER_BENCH_SIM_PROCESSES": "10000000"},
        {"ER_BENCH_SIM_PROCESSES": "many"},
    ],
)
def test_a_wrong_address_is_refused(environ: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        launches(COUNTING, environ)


def test_why_a_simulator_cannot_run() -> None:
    assert why_unavailable(COUNTING, {}) is None
    absent = Known("counting", COUNTING.file, "pip install it", {"missing": "no numbers here"})
    assert why_unavailable(absent, {}) == (
        "simulator counting is not installed: no numbers here; pip install it"
    )
    nowhere = why_unavailable(COUNTING, {COUNTING.variable: "/nowhere/python"})
    assert nowhere and "/nowhere/python" in nowhere
    silent = why_unavailable(COUNTING, {COUNTING.variable: "tcp://127.0.0.1:1"})
    assert silent and "er-bench sim serve counting --port 1" in silent


def test_every_known_simulator_has_its_file() -> None:
    assert all(known.file.is_file() for known in SIMULATORS.values())


def test_options_come_from_the_simulator_the_caller_and_the_environment() -> None:
    told = {"ER_BENCH_SIM_THOR_2_1_OPTIONS": "x_display=0,executable=/opt/thor"}
    known = simulator("thor_2_1", {"x_display": "1", "other": "2"}, told)
    assert known.options == {
        "variant": "2.1", "x_display": "0", "other": "2", "executable": "/opt/thor",
    }  # fmt: skip
    with pytest.raises(UsageError, match="k=v"):
        simulator("thor_2_1", None, {"ER_BENCH_SIM_THOR_2_1_OPTIONS": "fast"})
    with pytest.raises(UsageError, match="thor_2_1"):
        simulator("unity")


class Talking(CountingWorld):
    """Feedback with every sign that some reader of lines takes for the end of one."""

    def step(self, action: str) -> dict[str, Any]:
        odd = "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg\x1dh\x1ei\r\nj\rk"
        return {**super().step(action), "feedback": odd}


def test_feedback_with_line_ends_of_any_kind_plays_again(tmp_path: Path) -> None:
    inner = InProcessEnvironments(lambda: Talking({}), "counting")
    lived = play(Recording(inner, tmp_path), ADD, ADD)
    assert "\u2028" in lived[1][0].feedback
    assert play(Recorded(tmp_path), ADD, ADD) == lived


@pytest.mark.parametrize(
    "line",
    [
        "", "null", "[]", "3", "{}", "{", '{"obs": {}}', '{"obs": [], "state": null}', "\x00",
        '{"obs": {"a": {"file": "000_0_head_rgb.png"}}, "state": null}',
        '{"obs": {"a": {"file": 3}}, "state": null}',
        '{"obs": {"a": {"file": ".", "sha256": "", "format": "npy"}}, "state": null}',
        '{"obs": {}, "state": "north"}', '{"obs": {}, "state": [1e999]}',
        '{"obs": {}, "state": null, "feedback": "\\ud800"}', "[" * 100_000,
        '{"obs": {}, "state": null, "looked": ' + "[" * 500 + "]" * 500 + "}",
    ],
)  # fmt: skip
def test_an_odd_line_of_a_recording_is_one_error_that_names_it(line: str, tmp_path: Path) -> None:
    record(tmp_path)
    file = episode_folder(tmp_path, EPISODE) / LINES
    lines = file.read_text().split("\n")
    file.write_text("\n".join([lines[0], line, *lines[2:]]))
    with pytest.raises(EnvError, match=r"record the episode again \(file .*, row 1\)$") as caught:
        play(Recorded(tmp_path), ADD)
    assert str(caught.value).isprintable()


def test_a_recording_that_is_no_text_or_no_array_is_an_error(tmp_path: Path) -> None:
    record(tmp_path)
    file = episode_folder(tmp_path, EPISODE) / LINES
    file.write_bytes(b"\xff\xfe" + file.read_bytes())
    with pytest.raises(EnvError, match="row 0"):
        play(Recorded(tmp_path))
    for content in (b"", b"\x93NUMPY\x01\x00\x10\x00(((((((((((((((((", b"PK\x03\x04", b"x" * 99):
        (file.parent / "a.npy").write_bytes(content)
        sha256 = hashlib.sha256(content).hexdigest()
        kept = {"file": "a.npy", "sha256": sha256, "format": "npy"}
        file.write_text(json.dumps({"obs": {"a": kept}, "state": None}))
        with pytest.raises(EnvError, match="row 0"):
            play(Recorded(tmp_path))


def test_a_folder_that_cannot_be_recorded_into_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot record episodes into"):
        record(tmp_path / "file")

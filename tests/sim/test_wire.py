from __future__ import annotations

import ast
import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from er_bench.core.environment import Action, ActionError, Episode, Skill, Stepped
from er_bench.core.errors import EnvError
from er_bench.sim import server
from er_bench.sim.client import Client, Connect, Deadlines, Spawn
from er_bench.sim.conformance import check
from er_bench.sim.pool import Pool
from tests.sim.counting_world import ACTIONS
from tests.sim.processes import left_behind, written

HERE = Path(__file__).parent
FAULTS = {
    "exit": "connection ended",
    "hang": "no answer to step within 1 s",
    "truncated": "connection ended inside a reply",
    "wrong_length": "not a reply",
    "huge_length": "a frame of 4294967295 bytes",
    "garbage": "not a reply",
    "deep": "not a reply",
    "bad_picture": "SHA-256",
    "wrong_id": "a reply to request",
    "no_feedback": "field feedback",
}
SHORT = Deadlines(hello=20, reset=10, step=1, close=2)


def good(**options: object) -> Spawn:
    command = [sys.executable, server.__file__, f"--simulator={HERE / 'counting_world.py'}"]
    command += [f"--option={key}={value}" for key, value in options.items()]
    return Spawn("counting", command)


def faulty(**options: object) -> Spawn:
    command = [sys.executable, str(HERE / "faulty_server.py")]
    return Spawn("faulty", [*command, *(f"{key}={value}" for key, value in options.items())])


def wait_until(condition: Callable[[], bool], limit_s: float = 15.0) -> None:
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


async def play(pool: Pool, goal: int = 4) -> list[Stepped]:
    episode = Episode(id=f"count-{goal}", scene="numbers", resolution=32)
    async with pool.acquire(episode) as environment:
        start = await environment.reset(episode)
        assert start.instruction == f"Count to {goal}."
        add, wait, fail = map(Skill, ACTIONS)
        actions = [add, fail, wait, *[add] * (goal - 1)]
        return [await environment.step(action) for action in actions]


def test_the_server_file_is_python_3_8_and_needs_only_the_standard_library() -> None:
    tree = ast.parse(Path(server.__file__).read_text(), feature_version=(3, 8))
    lazy = {name for node in tree.body if is_definition(node) for name in imports(node)}
    assert lazy == {"numpy"}
    at_once = {name for node in tree.body if not is_definition(node) for name in imports(node)}
    assert at_once <= sys.stdlib_module_names


def is_definition(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef | ast.ClassDef)


def imports(tree: ast.AST) -> set[str]:
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").split(".")[0])
    return imported


def test_a_good_server_keeps_every_rule() -> None:
    findings = asyncio.run(check(good(), SHORT))
    assert [f.rule for f in findings if not f.kept] == []
    assert len(findings) == 14


def test_skills_are_served_by_a_python_that_has_no_numpy() -> None:
    python, *rest = good().command
    bare = Spawn("counting", [python, "-I", "-S", *rest])
    findings = asyncio.run(check(bare, SHORT))
    assert [f.rule for f in findings if not f.kept] == []
    refused = next(f for f in findings if "another kind" in f.rule)
    assert "needs numpy" in refused.detail


def test_the_suite_finds_a_server_that_breaks_a_rule() -> None:
    findings = asyncio.run(check(faulty(fault="no_feedback", at=3), SHORT))
    assert next(f.detail for f in findings if not f.kept).endswith("Field required")


def test_prints_do_not_reach_the_protocol_and_pictures_arrive_whole() -> None:
    async def run() -> list[Stepped]:
        pool = Pool([good()], SHORT)
        try:
            return await play(pool)
        finally:
            await pool.close()

    steps = asyncio.run(run())
    assert [s.valid for s in steps] == [True, False, True, True, True, True]
    assert [s.success for s in steps] == [False] * 5 + [True]
    assert all(s.head_png and s.head_png.startswith(b"\x89PNG") for s in steps)


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (Skill("count backwards"), "there is no action 'count backwards'"),
        (np.zeros(2), r"actions are names of skills here, not float64 \(2,\)"),
        (0, "actions are names of skills here, not the int 0"),
    ],
)
def test_an_action_of_another_kind_is_refused_before_it_is_sent(
    action: Action, words: str, tmp_path: Path
) -> None:
    async def run() -> Stepped:
        pool = Pool([good(pids=tmp_path / "pids")], SHORT)
        episode = Episode(id="count-2", scene="numbers", resolution=16)
        try:
            async with pool.acquire(episode) as environment:
                with pytest.raises(ActionError, match="reset first"):
                    await environment.step(Skill(ACTIONS[0]))
                await environment.reset(episode)
                with pytest.raises(ActionError, match=f"counting: step: bad_request: {words}"):
                    await environment.step(action)
                return await environment.step(Skill(ACTIONS[0]))
        finally:
            await pool.close()

    assert asyncio.run(run()).feedback == "The count is 1."
    assert len(written(tmp_path / "pids")) == 1


def test_processes_are_reused_and_the_scene_decides_which(tmp_path: Path) -> None:
    async def run() -> None:
        pool = Pool([good(pids=tmp_path / "pids") for _ in range(3)], SHORT)
        for _ in range(3):
            await play(pool)
        assert len(written(tmp_path / "pids")) == 1
        await asyncio.gather(*(play(pool) for _ in range(6)))
        assert len(written(tmp_path / "pids")) <= 3
        await pool.close()

    asyncio.run(run())
    assert left_behind(tmp_path / "pids") == []


@pytest.mark.parametrize("fault", FAULTS)
def test_one_fault_costs_a_process_and_nothing_else(fault: str, tmp_path: Path) -> None:
    async def run() -> list[Stepped]:
        written = tmp_path / "pids"
        pool = Pool([faulty(fault=fault, at=3, once=tmp_path / "once", pids=written)], SHORT)
        try:
            return await play(pool)
        finally:
            await pool.close()

    steps = asyncio.run(run())
    assert [s.feedback for s in steps][-1] == "The count is 4."
    assert (tmp_path / "once").exists()
    assert left_behind(tmp_path / "pids") == []


@pytest.mark.parametrize(("fault", "words"), FAULTS.items())
def test_a_second_fault_is_an_env_error_that_names_it(
    fault: str, words: str, tmp_path: Path
) -> None:
    async def run() -> None:
        pool = Pool([faulty(fault=fault, at=2, pids=tmp_path / "pids")], SHORT)
        try:
            await play(pool)
        finally:
            await pool.close()

    with pytest.raises(EnvError, match="tried twice") as caught:
        asyncio.run(run())
    assert words in str(caught.value)
    assert left_behind(tmp_path / "pids") == []
    assert len(written(tmp_path / "pids")) >= 2


def test_a_simulator_that_tells_another_story_the_second_time_is_an_env_error(
    tmp_path: Path,
) -> None:
    async def run() -> None:
        episode = Episode(id="count-4", scene="numbers")
        pool = Pool([faulty(fault="exit", at=3, once=tmp_path / "once")], SHORT)
        try:
            async with pool.acquire(episode) as environment:
                await environment.reset(episode)
                add = Skill(ACTIONS[0])
                first = await environment.step(add)
                environment._taken[0] = (add, first.model_copy(update={"feedback": "Else."}))  # type: ignore[attr-defined]
                await environment.step(add)
                await environment.step(add)
        finally:
            await pool.close()

    with pytest.raises(EnvError, match="went another way"):
        asyncio.run(run())


def test_cancelling_an_episode_ends_its_process(tmp_path: Path) -> None:
    async def run() -> None:
        pool = Pool([good(pids=tmp_path / "pids", delay=30)], Deadlines())
        task = asyncio.create_task(play(pool))
        while not written(tmp_path / "pids"):
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert left_behind(tmp_path / "pids") == []
        await pool.close()

    asyncio.run(run())


def test_a_program_that_cannot_start_is_an_env_error() -> None:
    async def run() -> None:
        await Client(Spawn("none", ["/nowhere/python"])).start()

    with pytest.raises(EnvError, match="cannot start"):
        asyncio.run(run())


def test_what_a_dying_simulator_printed_is_in_the_message() -> None:
    async def run() -> None:
        await Client(
            Spawn("crash", [sys.executable, "-c", "raise SystemExit('no display')"])
        ).start()

    with pytest.raises(EnvError, match="no display"):
        asyncio.run(run())


def test_kill_9_of_the_harness_leaves_no_process(tmp_path: Path) -> None:
    script = f"""
import asyncio, sys
sys.path.insert(0, {str(HERE.parent.parent)!r})
from tests.sim.test_wire import faulty, play
from er_bench.sim.client import Deadlines
from er_bench.sim.pool import Pool
asyncio.run(play(Pool([faulty(fault="hang", at=2, pids={str(tmp_path / "pids")!r})], Deadlines())))
"""
    harness = subprocess.Popen([sys.executable, "-c", script])
    try:
        wait_until(lambda: len(written(tmp_path / "pids")) == 2)
    finally:
        os.kill(harness.pid, signal.SIGKILL)
        harness.wait()
    assert left_behind(tmp_path / "pids") == []


def test_tcp_needs_the_token_and_serves_one_client_after_another() -> None:
    command = [*good().command, "--listen=0"]
    environ = {**os.environ, server.TOKEN_VARIABLE: "secret"}
    listening = subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True)
    try:
        assert listening.stderr
        port = int(listening.stderr.readline().rsplit(":", 1)[1])
        with pytest.raises(EnvError, match="connection ended"):
            asyncio.run(Client(Connect("counting", port, "guess"), SHORT).start())
        for _ in range(2):
            findings = asyncio.run(check(Connect("counting", port, "secret"), SHORT))
            assert [f.rule for f in findings if not f.kept] == []
        assert listening.poll() is None
    finally:
        listening.kill()
        listening.wait()
        assert listening.stderr
        listening.stderr.close()


def test_the_last_words_are_told_and_not_the_first() -> None:
    code = "import sys; print(*range(2000), sep='\\r', file=sys.stderr); sys.exit('no display')"
    with pytest.raises(EnvError, match=r"no display$") as caught:
        asyncio.run(Client(Spawn("crash", [sys.executable, "-c", code])).start())
    assert len(str(caught.value)) < 700

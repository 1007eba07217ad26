"""er-bench's policies, served by vla-eval's protocol: a real websocket, a client of the tests'."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from er_bench.core.environment import Episode, Started
from er_bench.core.errors import ConfigError, ModelError, UsageError
from er_bench.core.policy import Actions, Observation, Policy
from er_bench.models.reference_policies import ReferencePolicy
from er_bench.vla.robot import Robot, read_robot
from er_bench.vla.serve import serve
from er_bench.vla.session import Offer
from tests.conftest import Command
from tests.policy_server import array, message, plain

LIBERO = Path(__file__).parents[2] / "examples" / "vla" / "libero.yaml"
SMALL = Robot.model_validate(
    {
        "frame": "the table",
        "actions": {"move": {"dims": 2, "unit": "m", "range": (-0.1, 0.1)}},
        "state": {"at": {"dims": 2, "unit": "m"}},
        "cameras": ("top",),
        "observation_params": {"seed": 3},
    }
)
PICTURE = np.arange(4 * 6 * 3).reshape(4, 6, 3)


def png(rgb: Any) -> dict[str, Any]:
    import io

    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(np.asarray(rgb, np.uint8)).save(out, "PNG")
    return {"__image__": True, "format": "png", "data": out.getvalue(), "shape": [4, 6, 3]}


def seen(**more: Any) -> dict[str, Any]:
    told = {"images": {"top": png(PICTURE)}, "task_description": "Push.",
            "states": array([0.5, -0.5])}  # fmt: skip
    return {**told, **more}


class Pusher:
    """Says chunks of three actions, and keeps what it was shown and told."""

    looks_every, knows_expert = 1, False

    def __init__(self, units: str = "m", value: float = 0.01) -> None:
        self.units, self.value, self.shown = units, value, list[Observation]()
        self.began: list[tuple[Episode, Started]] = []
        self.ended: list[bool | None] = []

    def for_episode(self, episode: Episode, start: Started) -> Policy:
        self.began.append((episode, start))
        return self

    async def act(self, observation: Observation) -> Actions:
        self.shown.append(observation)
        chunk_td = self.value * np.arange(6.0).reshape(3, 2)
        return Actions(chunk_td, (self.units,) * 2, "the table")

    async def end(self, success: bool | None) -> None:
        self.ended.append(success)


class Client:
    def __init__(self, end: ClientConnection) -> None:
        self.end, self.seq = end, 0

    async def say(self, kind: str, payload: Any) -> None:
        self.seq += 1
        await self.end.send(message(kind, payload, self.seq))

    async def heard(self) -> tuple[str, Any]:
        said = plain(msgpack.unpackb(await asyncio.wait_for(self.end.recv(), 10)))
        assert said.keys() == {"type", "payload", "seq", "timestamp"}
        assert said["seq"] == self.seq
        return said["type"], said["payload"]

    async def ask(self, kind: str, payload: Any) -> tuple[str, Any]:
        await self.say(kind, payload)
        return await self.heard()


def visited(policy: Policy, visit: Callable[[Client], Awaitable[None]], **more: Any) -> list[str]:
    """Serve a policy to one client; the lines that were said."""
    said: list[str] = []
    offer = Offer("pusher", lambda name: policy, more.pop("robot", SMALL), said.append)

    async def main() -> None:
        ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        serving = asyncio.create_task(serve(offer, port=0, ready=ready.set_result))
        port = await ready
        async with connect(f"ws://127.0.0.1:{port}", proxy=None, **more) as end:
            await visit(Client(end))
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)

    asyncio.run(main())
    return said


def test_an_episode_as_vla_evals_harness_plays_it() -> None:
    policy = Pusher()

    async def visit(client: Client) -> None:
        kind, hello = await client.ask("hello", {"harness_version": "0.8.0", "protocol_version": 1})
        assert kind == "hello" and hello["protocol_version"] == 1
        assert hello["model_server"] == "pusher" and hello["harness_version"].startswith("er-bench")
        assert hello["action_spec"] == {
            "move": {"name": "move", "dims": 2, "format": "raw", "range": [-0.1, 0.1]}
        }
        assert hello["observation_spec"]["state"]["dims"] == 2
        assert hello["observation_spec"].keys() == {"language", "top", "state"}
        assert hello["observation_params"] == {"send_state": True, "seed": 3}
        task = {"name": "Push", "suite": "s", "episode_idx": 4}
        await client.say("episode_start", {"task": task, "recording": {"db_path": "/x"}})
        for step in range(4):
            kind, said = await client.ask("observation", seen(step=step, depth=array([[1.0]])))
            assert kind == "action", said
            row = step % 3
            assert said["actions"].tolist() == pytest.approx([0.02 * row, 0.02 * row + 0.01])
            assert said["actions"].dtype == np.float64
        await client.say("episode_end", {"metrics": {"success": True}})
        kind, said = await client.ask("observation", seen())
        assert kind == "error" and "say EPISODE_START first" in said["error"]

    said = visited(policy, visit)
    assert [line for line in said if "step" in line] == ["no policy is shown step"]
    assert len(policy.shown) == 2, "asked at the first step and after the chunk of three"
    (episode, start), shown = policy.began[0], policy.shown[0]
    assert episode.id == "s/Push/4" and start.instruction == shown.instruction == "Push."
    assert start.action_space and start.action_space.names == ("move_0", "move_1")
    assert start.action_space.low == (-0.1, -0.1) and start.action_space.units == ("m", "m")
    assert shown.rgb_hwc("top").tolist() == PICTURE.tolist()
    assert shown.state_d is not None and shown.state_d.tolist() == [0.5, -0.5]
    assert shown.arrays.keys() == {"depth"}
    assert policy.ended == [True]


def test_an_episode_that_breaks_off_is_ended() -> None:
    policy = Pusher()

    async def visit(client: Client) -> None:
        await client.say("episode_start", {"task": {}})
        assert (await client.ask("observation", seen()))[0] == "action"
        await client.say("episode_start", {})
        assert (await client.ask("observation", seen()))[0] == "action"

    visited(policy, visit)
    assert policy.ended == [None, None]
    assert [episode.id for episode, _ in policy.began] == ["episode 1", "episode 2"]


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        ({**seen(), "images": [1]}, "field images is list, no map of cameras"),
        (seen(images={"top": array([[1.0]])}), r"images\.top is float32 \(1, 1\), not uint8"),
        (seen(images={"top": {**png(PICTURE), "shape": [9, 6, 3]}}), r"shape \(9, 6, 3\) that is"),
        (seen(images={"top": {**png(PICTURE), "data": b"GIF89a"}}), "not a readable image"),
        (seen(images={"top": {**png(PICTURE), "format": "exe"}}), "neither raw, png nor jpeg"),
        (seen(task_description=3), "field task_description is int, no text"),
        ({"images": {}}, "field task_description is NoneType"),
        (seen(states=[0.5, 0.5]), "field state is list, no array of numbers"),
        (seen(states=array([1.0])), r"state has shape \(1,\), its space \(2,\)"),
        (seen(states=array([1.0, np.nan])), "component 1 is nan"),
        (seen(states={**array([1.0, 2.0]), "dtype": "|O8"}), "neither truth values, integers"),
    ],
)
def test_what_a_simulator_must_not_show_is_refused_and_the_next_is_served(
    payload: Any, why: str
) -> None:
    async def visit(client: Client) -> None:
        await client.say("episode_start", {})
        kind, said = await client.ask("observation", payload)
        assert kind == "error"
        with pytest.raises(ValueError, match=why):
            raise ValueError(said["error"])
        assert (await client.ask("observation", seen()))[0] == "action"

    visited(Pusher(), visit)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"\xc1", "ValueError"),
        (b"", "incomplete input"),
        ("hello", "a text: hello"),
        (msgpack.packb([1]), "field message"),
        (message("hello", {"protocol_version": 2}, 0), "speaks version 1"),
        (message("action", {}, 0), "an ACTION from a client"),
        (b"\x91" * 5000 + b"\xc0", "ValueError"),
        (msgpack.packb([[]] * 20_000), "more than 10000 lists and maps"),
        (msgpack.packb([0] * 70_000), "exceeds"),
    ],
)  # fmt: skip
def test_no_message_ends_the_server(content: Any, why: str) -> None:
    async def visit(client: Client) -> None:
        await client.end.send(content)
        kind, said = await client.heard()
        assert kind == "error" and why in said["error"], said
        assert said["error"].isprintable()
        assert (await client.ask("hello", {"protocol_version": 1}))[0] == "hello"

    assert visited(Pusher(), visit)


def test_a_policy_that_fails_or_is_of_another_robot_is_told() -> None:
    async def visit(client: Client) -> None:
        await client.say("episode_start", {})
        kind, said = await client.ask("observation", seen())
        assert kind == "error" and "acts in cm, cm" in said["error"]

    visited(Pusher("cm"), visit)

    async def oracle(client: Client) -> None:
        await client.say("episode_start", {})
        kind, said = await client.ask("observation", seen())
        assert kind == "error" and "no scripted expert" in said["error"]

    visited(ReferencePolicy("oracle", "a"), oracle)


def test_pages_of_browsers_are_refused() -> None:
    async def visit(client: Client) -> None:
        raise AssertionError("it is served")

    with pytest.raises(InvalidStatus, match="403"):
        visited(Pusher(), visit, origin="http://somewhere.example")


def test_a_port_that_is_taken_is_told() -> None:
    async def main() -> None:
        ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        offer = Offer("pusher", lambda name: Pusher(), SMALL)
        serving = asyncio.create_task(serve(offer, port=0, ready=ready.set_result))
        port = await ready
        with pytest.raises(UsageError, match="give another --host or --port"):
            await serve(offer, port=port)
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)

    asyncio.run(main())


@pytest.fixture
def served() -> Iterator[str]:
    """`er-bench vla serve` in a process of its own; its address."""
    command = [sys.executable, "-m", "er_bench.cli.main", "vla", "serve", "--model",
               "reference/chance", "--robot", str(LIBERO), "--port", "0"]  # fmt: skip
    environ = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    line = process.stdout.readline()
    yield line.split()[2]
    process.send_signal(signal.SIGTERM)
    process.wait(10)
    process.stdout.close()


def test_the_command_serves_a_reference_policy(served: str) -> None:
    assert urllib.request.urlopen(f"{served.replace('ws', 'http')}/health").read() == b"ok\n"

    async def first_action(name: str) -> list[float]:
        async with connect(served, proxy=None) as end:
            client = Client(end)
            _, hello = await client.ask("hello", {"protocol_version": 1})
            assert list(hello["action_spec"]) == ["position", "rotation", "gripper"]
            assert "agentview" not in hello["observation_spec"], "chance looks at nothing"
            await client.say("episode_start", {"task": {"name": name, "episode_idx": 0}})
            payload = {"images": {}, "task_description": name, "states": array(np.zeros(8))}
            _, said = await client.ask("observation", payload)
            actions: list[float] = said["actions"].tolist()
            return actions

    one, again, other = (asyncio.run(first_action(name)) for name in ("lift", "lift", "push"))
    assert one == again != other and len(one) == 7 and all(-1 <= number <= 1 for number in one)


@pytest.mark.parametrize(
    ("model", "robot", "why"),
    [
        ("reference/random-object", str(LIBERO), "answers prompts; only a policy can be served"),
        ("reference/chance", "none.yaml", "there is no robot's file none.yaml"),
        ("reference/chanc", str(LIBERO), "did you mean chance"),
    ],
)
def test_the_command_refuses(er_bench: Command, model: str, robot: str, why: str) -> None:
    done = er_bench("vla", "serve", "--model", model, "--robot", robot)
    assert done.returncode == 2 and why in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("frame: a", "actions: Field required"),
        ("{frame: a, actions: {}}", "actions"),
        ("{frame: a, actions: {x: {dims: 1}}}", "actions.x.unit: Field required"),
        ("{frame: a, actions: {x: {dims: 0, unit: m}}}", "actions.x.dims"),
        ("{frame: a, actions: {x: {dims: 2, unit: m, range: [1, -1]}}}", "low is above its high"),
        ("{frame: a, actions: {x: {dims: 2, unit: m, format: delta_xyz}}}", "has 3 components"),
        ("{frame: a, actions: {x: {dims: 3, unit: s, format: axis_angle}}}", "is in 1, deg, rad"),
        ("{frame: a, actions: {x: {dims: 1, unit: m}}, camera: [a]}", "camera: Extra inputs"),
        ("{frame: a, actions: {x_0: {dims: 1, unit: m}, x: {dims: 2, unit: m}}}", "are the same"),
    ],
)
def test_a_robots_file_is_checked(text: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / "robot.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as error:
        read_robot(path)
    assert why in str(error.value) and str(path) in str(error.value)


def test_a_robots_file_without_a_range_has_no_bounds(tmp_path: Path) -> None:
    path = tmp_path / "robot.yaml"
    path.write_text("{frame: a, actions: {x: {dims: 2, unit: m, range: [0, 1]}, "
                    "y: {dims: 1, unit: rad}}}")  # fmt: skip
    space = read_robot(path).action_space
    assert space.names == ("x_0", "x_1", "y") and space.units == ("m", "m", "rad")
    assert space.low is None and space.high is None and read_robot(path).state_space is None
    with pytest.raises(ModelError, match="no bounds"):
        start = Started.model_validate({"instruction": "", "action_space": space})
        policy = ReferencePolicy("chance", "a").for_episode(Episode(id="a", scene=""), start)
        asyncio.run(policy.act(Observation({}, "")))

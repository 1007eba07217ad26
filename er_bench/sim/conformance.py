"""The conformance suite: whether a server keeps to the protocol, one finding for each rule."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from er_bench.core.array import DTYPES, Array, described, same
from er_bench.core.environment import HEAD_RGB, Action, Episode, Skill, Started, Stepped
from er_bench.core.errors import EnvError, UnavailableError
from er_bench.core.picture import PNG_SIGNATURE, Rgb, rgb_hwc
from er_bench.core.space import Space
from er_bench.sim.checked import one_line
from er_bench.sim.client import Client, Deadlines, Launch
from er_bench.sim.protocol import PROTOCOL

CHECK_SPLIT = "check"
"""Every server lists at least one episode under this split that it can start by its name."""
RESOLUTION = 300
"""The smallest picture that ai2thor 2.1.0 makes."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule and whether it is kept."""

    rule: str
    kept: bool
    detail: str = ""


class Broken(Exception):
    """Happens when a rule is not kept."""


async def check(launch: Launch, deadlines: Deadlines | None = None) -> list[Finding]:
    """Every rule, tried in order on one server. Raises UnavailableError when it cannot start."""
    suite = _Suite(Client(launch, deadlines))
    rules: list[tuple[str, Callable[[], Awaitable[str]]]] = [
        ("answers hello with its name, version and protocol", suite.hello),
        ("refuses a client of another protocol and names both", suite.other_protocol),
        ("refuses an unknown method as bad_request and lives on", suite.unknown_method),
        ("refuses wrong parameters as bad_request and lives on", suite.wrong_parameters),
        ("refuses a step before any reset as bad_request", suite.early_step),
        (f"lists an episode under split {CHECK_SPLIT!r}", suite.episodes),
        ("refuses an unknown episode as bad_request", suite.unknown_episode),
        ("starts an episode that can be seen, with instruction and actions", suite.reset),
        ("starts the same episode again the same way", suite.reset_again),
        ("answers a step with what is seen and a judgement or a world", suite.step),
        ("refuses actions of another kind as bad_request and lives on", suite.wrong_actions),
        ("takes and gives arrays bit for bit, where actions are arrays", suite.echo),
        ("tells its state as an object", suite.state),
        ("closes when asked and leaves no process", suite.close),
    ]
    findings: list[Finding] = []
    try:
        for rule, test in rules:
            try:
                findings.append(Finding(rule, True, one_line(await test())))
            except (Broken, EnvError) as error:
                findings.append(Finding(rule, False, one_line(str(error))))
                if not suite.client.alive:
                    break
    finally:
        await suite.client.kill()
    return findings


def _expect(condition: bool, problem: str) -> None:
    if not condition:
        raise Broken(problem)


class _Suite:
    def __init__(self, client: Client) -> None:
        self.client = client
        self._episode = Episode(id="", scene="", resolution=RESOLUTION)
        self._start: Started | None = None

    async def _refused(self, method: str, params: dict[str, object]) -> str:
        try:
            await self.client.request(method, params)
        except UnavailableError as error:
            raise Broken(f"refused otherwise: {error}") from None
        except EnvError as error:
            _expect("bad_request" in str(error), f"refused otherwise: {error}")
            _expect(self.client.alive, "it ended")
            return str(error).rsplit("bad_request: ", 1)[-1]
        raise Broken("it was accepted")

    async def hello(self) -> str:
        hello = await self.client.start()
        _expect(bool(hello.env and hello.env_version), "env or env_version is empty")
        return f"{hello.env} {hello.env_version}"

    async def other_protocol(self) -> str:
        said = await self._refused("hello", {"protocol": PROTOCOL - 1})
        both = str(PROTOCOL) in said and str(PROTOCOL - 1) in said
        _expect(both, f"it names not both versions: {said}")
        return said

    async def unknown_method(self) -> str:
        return await self._refused("no_such_method", {})

    async def wrong_parameters(self) -> str:
        return await self._refused("step", {"action_id": 0})

    async def early_step(self) -> str:
        return await self._refused("step", {"action": "anything"})

    async def episodes(self) -> str:
        found = (await self.client.request("list_episodes", {"split": CHECK_SPLIT})).get("episodes")
        _expect(isinstance(found, list) and bool(found), f"found {found!r}")
        assert isinstance(found, list)
        _expect(all(isinstance(name, str) for name in found), "an id is no text")
        self._episode = Episode(id=found[0], scene=found[0], resolution=RESOLUTION)
        return str(found[0])

    async def unknown_episode(self) -> str:
        params = {"episode_id": "no such episode", "seed": 0, "resolution": 64, "episode": None}
        return await self._refused("reset", dict(params))

    async def reset(self) -> str:
        self._start = await self.client.reset(self._episode)
        _expect(bool(self._start.instruction), "the instruction is empty")
        space = self._start.action_space
        _expect(bool(self._start.actions) or space is not None, "there are no actions")
        _seen(self._start, space)
        return (
            f"{len(self._start.actions)} skills" if space is None else f"{space.dimension} numbers"
        )

    def _started(self) -> Started:
        if self._start is None:
            raise Broken("no episode was started")
        return self._start

    async def reset_again(self) -> str:
        first = self._started()
        again = await self.client.reset(self._episode)
        _expect(again.instruction == first.instruction, "another instruction")
        _expect(again.actions == first.actions, "other actions")
        _expect(again.action_space == first.action_space, "another action space")
        _expect(again.episode_fingerprint == first.episode_fingerprint, "another fingerprint")
        return "to the last bit" if again == first else "what is seen differs"

    async def step(self) -> str:
        start = self._started()
        step = await self.client.step(_some_action(start))
        _expect(bool(step.feedback) or not start.actions, "the feedback is empty")
        _seen(step, start.action_space)
        _expect(step.success is not None or step.world is not None, "no judgement and no world")
        _expect(step.progress is None or 0 <= step.progress <= 1, "progress is not in [0, 1]")
        return step.feedback

    async def wrong_actions(self) -> str:
        said = ""
        for action in _wrong_actions(self._started().action_space):
            said = await self._refused("step", {"action": action})
        return said

    async def echo(self) -> str:
        if self._started().action_space is None:
            return "actions are skills"
        for sent in _arrays():
            back = (await self.client.request("echo", {"value": sent})).get("value")
            _expect(
                isinstance(back, np.ndarray) and same(back, np.ascontiguousarray(sent)),
                f"{described(sent)} came back as {described(back)}",
            )
        return ", ".join(DTYPES)

    async def state(self) -> str:
        return f"{len(await self.client.request('state', {}))} fields"

    async def close(self) -> str:
        await self.client.close()
        _expect(not self.client.alive, "still there")
        return ""


def _some_action(start: Started) -> Action:
    space = start.action_space
    if space is None:
        _expect(bool(start.actions), "there are no actions")
        return Skill(start.actions[0])
    none = (0.0,) * space.dimension
    middle_d: NDArray[np.float64] = np.mean([space.low or none, space.high or none], axis=0)
    return middle_d


def _wrong_actions(space: Space | None) -> list[object]:
    """Actions that an episode does not take: of the other kind, unknown, misshapen, not finite."""
    if space is None:
        return [0, -1, None, "no such skill", ["no such skill"], np.zeros(1)]
    right = np.zeros(space.dimension)
    nan, infinite = right.copy(), right.copy()
    nan[-1], infinite[0] = np.nan, np.inf
    shapes = [np.zeros(space.dimension + 1), right[None], right[:0]]
    return ["a skill", right.tolist(), right.astype(np.float32), *shapes, nan, infinite]


def _arrays() -> list[Array]:
    """Arrays of every kind that may travel, with what is easily lost."""
    bits = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    odd = np.array([-0.0, 5e-324, np.nan, -np.inf, 0.1])
    kinds: list[Array] = [bits.astype(name) for name in DTYPES]
    return [*kinds, odd, odd.astype(np.float32), bits[:, ::-1].transpose(1, 0, 2), bits[:0]]


def _seen(seen: Started | Stepped, space: Space | None) -> None:
    """See that pictures are pictures: a planner gets one of the size, a policy sees something."""
    for camera, picture in seen.obs.items():
        if isinstance(picture, bytes):
            _pixels(camera, picture)
    if space is not None:
        return _expect(bool(seen.obs) or seen.state is not None, "nothing is to be seen")
    _expect(seen.head_png is not None, f"there is no {HEAD_RGB} picture")
    size = _pixels(HEAD_RGB, seen.head_png or b"").shape[:2]
    _expect(size == (RESOLUTION, RESOLUTION), f"{HEAD_RGB} is {size}, not {RESOLUTION} square")


def _pixels(camera: str, picture: bytes) -> Rgb:
    _expect(picture.startswith(PNG_SIGNATURE), f"{camera} is no PNG")
    try:
        return rgb_hwc(picture)
    except OSError as error:
        raise Broken(f"{camera} is no picture: {error}") from None

"""The conformance suite: whether a server keeps to the protocol, one finding for each rule."""

from __future__ import annotations

import io
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import PIL.Image

from er_bench.core.errors import EnvError, UnavailableError
from er_bench.sim.client import Client, Deadlines, Launch
from er_bench.sim.environment import Episode, Started, Stepped

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
        ("refuses an unknown method as bad_request and lives on", suite.unknown_method),
        ("refuses wrong parameters as bad_request and lives on", suite.wrong_parameters),
        ("refuses a step before any reset as bad_request", suite.early_step),
        (f"lists an episode under split {CHECK_SPLIT!r}", suite.episodes),
        ("refuses an unknown episode as bad_request", suite.unknown_episode),
        ("starts an episode with instruction, actions and a picture of the size", suite.reset),
        ("starts the same episode again the same way", suite.reset_again),
        ("answers a step with feedback, picture and a judgement or a world", suite.step),
        ("refuses action ids out of range as bad_request and lives on", suite.bad_action),
        ("tells its state as an object", suite.state),
        ("closes when asked and leaves no process", suite.close),
    ]
    findings: list[Finding] = []
    try:
        for rule, test in rules:
            try:
                findings.append(Finding(rule, True, await test()))
            except (Broken, EnvError) as error:
                findings.append(Finding(rule, False, str(error)))
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

    async def unknown_method(self) -> str:
        return await self._refused("no_such_method", {})

    async def wrong_parameters(self) -> str:
        return await self._refused("step", {"action": 0})

    async def early_step(self) -> str:
        return await self._refused("step", {"action_id": 0})

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
        _expect(bool(self._start.actions), "there are no actions")
        _picture(self._start)
        return f"{len(self._start.actions)} actions"

    def _started(self) -> Started:
        if self._start is None:
            raise Broken("no episode was started")
        return self._start

    async def reset_again(self) -> str:
        first = self._started()
        again = await self.client.reset(self._episode)
        _expect(again.instruction == first.instruction, "another instruction")
        _expect(again.actions == first.actions, "other actions")
        _expect(again.episode_fingerprint == first.episode_fingerprint, "another fingerprint")
        return "same picture" if again.obs == first.obs else "pictures differ"

    async def step(self) -> str:
        step = await self.client.step(0)
        _expect(bool(step.feedback), "the feedback is empty")
        _picture(step)
        _expect(step.success is not None or step.world is not None, "no judgement and no world")
        _expect(step.progress is None or 0 <= step.progress <= 1, "progress is not in [0, 1]")
        return step.feedback

    async def bad_action(self) -> str:
        n_actions = len(self._started().actions)
        await self._refused("step", {"action_id": -1})
        return await self._refused("step", {"action_id": n_actions})

    async def state(self) -> str:
        return f"{len(await self.client.request('state', {}))} fields"

    async def close(self) -> str:
        await self.client.close()
        _expect(not self.client.alive, "still there")
        return ""


def _picture(seen: Started | Stepped) -> None:
    _expect(seen.head_png is not None, "there is no head_rgb picture")
    try:
        with PIL.Image.open(io.BytesIO(seen.head_png or b"")) as picture:
            kind, size = picture.format, picture.size
    except OSError as error:
        raise Broken(f"head_rgb is no picture: {error}") from None
    _expect(kind == "PNG", f"head_rgb is {kind}, not PNG")
    _expect(size == (RESOLUTION, RESOLUTION), f"head_rgb is {size}, not {RESOLUTION} square")

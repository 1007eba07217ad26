"""What a simulator is, seen from the episode loop and seen from inside.

`Simulator` is the inside: a plain blocking object that speaks JSON values and PNG bytes. The same
object is served over the wire (`er_bench/sim/server.py`) or run in this process (`InProcess`).
`Environment` is what the episode loop drives, `Environments` is where it gets one for an episode.

A simulator only simulates. Step limits, invalid-action limits and replanning belong to
`er_bench.tasks.base.episodes`, so that every simulator is judged by one loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol, TypeVar, runtime_checkable

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    StrictBool,
    StrictInt,
    StrictStr,
    ValidationError,
)

from er_bench.core.errors import EnvError, ErBenchError, UnavailableError
from er_bench.sim.server import as_png

HEAD_RGB = "head_rgb"
"""Name of the agent's own camera among the observations."""


class _Reply(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Hello(_Reply):
    """Who the simulator is."""

    protocol: StrictInt = Field(description="Version of the wire protocol")
    env: StrictStr = Field(description="Name of the simulator, with its variant")
    env_version: StrictStr
    versions: dict[str, str] = Field(default={}, description="Versions of the packages under it")
    capabilities: dict[str, Any] = Field(default={}, description="What it can do beyond the basics")
    data_fingerprint: StrictStr = Field(
        default="", description="SHA-256 over its episodes; empty if none"
    )


class _Observed(_Reply):
    obs: dict[str, bytes] = Field(
        default={},
        exclude=True,
        repr=False,
        description="PNG bytes by camera; `head_rgb` is the agent's",
    )

    @property
    def head_png(self) -> bytes | None:
        """The agent's view; None when it was not kept."""
        return self.obs.get(HEAD_RGB)


class Started(_Observed):
    """The state right after a reset."""

    instruction: StrictStr
    actions: tuple[StrictStr, ...] = Field(description="Names of the actions, by action id")
    limits: dict[str, int] = Field(
        default={}, description="The simulator's own limits, for the record"
    )
    episode_fingerprint: StrictStr = Field(
        default="", description="SHA-256 over the episode's start"
    )
    simulator: StrictStr = Field(default="", description="What simulates and draws, for the record")


class Stepped(_Observed):
    """The state right after an action.

    A simulator that judges nothing leaves `success` and `goal_conditions` None and sends `world`,
    the facts that the task judges by; see `EpisodeTask.judged`.
    """

    valid: StrictBool = Field(description="Whether the action could be done")
    feedback: StrictStr = Field(description="What the agent is told")
    reward: FiniteFloat | None = Field(
        default=None, description="The simulator's own, if it has one"
    )
    done: StrictBool = Field(description="Whether the simulator itself ended the episode")
    success: StrictBool | None = None
    progress: FiniteFloat | None = Field(default=None, description="In [0, 1]")
    goal_conditions: tuple[int, int] | None = Field(default=None, description="(met, total)")
    sim_seconds: FiniteFloat = 0.0
    world: dict[str, Any] | None = None


class Simulator(Protocol):
    """The inside of a simulator. Blocking; called from one thread; one episode at a time.

    Results are the wire's JSON values; `obs` holds pictures by camera, each PNG bytes or a uint8
    array (H, W, 3). ValueError means a bad request,
    FileNotFoundError or ImportError that something must be installed first; anything else is a
    fault of the simulator.
    """

    def hello(self) -> dict[str, Any]:
        """The fields of `Hello`, `protocol` left out."""

    def list_episodes(self, split: str) -> list[str]:
        """Ids of the episodes it has of its own; empty when episodes come with each reset."""

    def reset(
        self, episode_id: str, seed: int, resolution: int, episode: dict[str, Any] | None
    ) -> dict[str, Any]:
        """Start an episode, named or given in full; the fields of `Started`."""

    def step(self, action_id: int) -> dict[str, Any]:
        """Do one action; the fields of `Stepped`."""

    def state(self) -> dict[str, Any]:
        """The symbolic state, for debugging."""

    def close(self) -> None:
        """Let go of everything."""


class Episode(BaseModel):
    """What a simulator is asked to start."""

    model_config = ConfigDict(frozen=True)

    id: str
    scene: str = Field(description="Episodes of one scene prefer a process that holds it already")
    seed: int = 0
    resolution: int = 500
    spec: dict[str, Any] | None = Field(
        default=None, description="The episode itself, where it travels"
    )


class Environment(Protocol):
    """A simulator as the episode loop sees it. Raises EnvError."""

    async def reset(self, episode: Episode) -> Started:
        """Start an episode."""

    async def step(self, action_id: int) -> Stepped:
        """Do one action."""


@runtime_checkable
class OnDemand(Protocol):
    """An environment that may draw only when it is looked at: most steps of a plan are not seen."""

    async def look(self) -> bytes | None:
        """The agent's view now, as PNG; None when there is none beyond what steps brought."""


class Environments(Protocol):
    """Where environments come from."""

    def acquire(self, episode: Episode) -> AbstractAsyncContextManager[Environment]:
        """An environment for one episode, not yet reset; waits until one is free.

        Raises EnvError, and UnavailableError when there can be none here.
        """

    async def close(self) -> None:
        """End every process."""


R = TypeVar("R", bound=BaseModel)


def checked(reply_type: type[R], fields: object, who: str) -> R:
    """A reply, checked field by field. Raises EnvError that names the simulator and the field."""
    try:
        return reply_type.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(p) for p in first["loc"]) or "reply"
        raise EnvError(f"{who}: bad {reply_type.__name__}, field {place}: {first['msg']}") from None


class InProcess:
    """A simulator run in this process, in one thread of its own (graphics contexts need that)."""

    def __init__(self, make: Callable[[], Simulator], name: str) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._make, self._name = make, name
        self._simulator: Simulator | None = None

    async def _call(self, method: str, *arguments: object) -> object:
        def work() -> object:
            if self._simulator is None:
                self._simulator = self._make()
            answer = getattr(self._simulator, method)(*arguments)
            if isinstance(answer, dict) and "obs" in answer:
                pictures = {name: as_png(p) for name, p in answer["obs"].items()}
                return {**answer, "obs": pictures}
            return answer

        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except ErBenchError:
            raise
        except (ImportError, FileNotFoundError) as error:
            raise UnavailableError(f"{self._name}: {error}") from error
        except Exception as error:
            raise EnvError(f"{self._name}: {method} failed: {error!r}") from error

    async def reset(self, episode: Episode) -> Started:
        """Start an episode."""
        fields = await self._call(
            "reset", episode.id, episode.seed, episode.resolution, episode.spec
        )
        return checked(Started, fields, self._name)

    async def step(self, action_id: int) -> Stepped:
        """Do one action."""
        return checked(Stepped, await self._call("step", action_id), self._name)

    async def look(self) -> bytes | None:
        """The view of a simulator that has a `look` of its own; None of others."""
        if not hasattr(self._simulator, "look"):
            return None
        picture = await self._call("look")
        return picture if isinstance(picture, bytes) else None

    async def close(self) -> None:
        """Close the simulator and end its thread."""
        if self._simulator is not None:
            await self._call("close")
        self._thread.shutdown(wait=False)


class InProcessEnvironments:
    """Simulators in this process, made when needed and reused between episodes."""

    def __init__(self, make: Callable[[], Simulator], name: str, limit: int = 64) -> None:
        self._make, self._name = make, name
        self._free: list[InProcess] = []
        self._slots = asyncio.Semaphore(limit)

    @asynccontextmanager
    async def _lend(self) -> AsyncIterator[Environment]:
        async with self._slots:
            environment = self._free.pop() if self._free else InProcess(self._make, self._name)
            try:
                yield environment
            except BaseException:
                await environment.close()
                raise
            self._free.append(environment)

    def acquire(self, episode: Episode) -> AbstractAsyncContextManager[Environment]:
        """An environment for one episode; a fresh one after a failure."""
        del episode
        return self._lend()

    async def close(self) -> None:
        """Close every simulator."""
        while self._free:
            await self._free.pop().close()


class Replay:
    """An episode's stored steps, served again: scores a run without a simulator.

    `steps` are the environment's side of a record: `Started`, then each `Stepped` with its
    `action_id`. Raises EnvError when another action is asked for than was taken.
    """

    def __init__(self, steps: tuple[Mapping[str, Any], ...]) -> None:
        self._steps, self._next = steps, 0

    def _take(self, kind: str) -> dict[str, Any]:
        if self._next >= len(self._steps) or self._steps[self._next].get("event") != kind:
            raise EnvError(f"the stored episode has no {kind} at entry {self._next}")
        self._next += 1
        entry = self._steps[self._next - 1]
        return {k: v for k, v in entry.items() if k not in _LOG_ONLY}

    async def reset(self, episode: Episode) -> Started:
        """The stored start."""
        del episode
        self._next = 0
        return checked(Started, self._take("reset"), "stored episode")

    async def step(self, action_id: int) -> Stepped:
        """The stored result of this action."""
        taken = self._steps[self._next].get("action_id") if self._next < len(self._steps) else None
        if taken != action_id:
            raise EnvError(
                f"the stored episode took action {taken} at entry {self._next}, the plan as read "
                f"now asks for {action_id}; run the episode again"
            )
        return checked(Stepped, self._take("step"), "stored episode")


_LOG_ONLY = {"event", "call", "action_id", "action"}


class ReplayEnvironments:
    """One stored episode as a source of environments."""

    def __init__(self, steps: tuple[Mapping[str, Any], ...]) -> None:
        self._steps = steps

    @asynccontextmanager
    async def _lend(self) -> AsyncIterator[Environment]:
        yield Replay(self._steps)

    def acquire(self, episode: Episode) -> AbstractAsyncContextManager[Environment]:
        """The stored episode."""
        del episode
        return self._lend()

    async def close(self) -> None:
        """Nothing to close."""

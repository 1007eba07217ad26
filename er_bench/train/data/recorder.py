"""A policy whose episodes are recorded while a run plays them: no loop of its own.

What it saw and did is kept in a folder, a file an episode, from which a data set is made
afterwards; an interrupted run goes on where it was.
"""

from __future__ import annotations

import asyncio
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from er_bench.core.array import Array
from er_bench.core.completion import Completion
from er_bench.core.environment import Episode, Started
from er_bench.core.errors import DataError, ErBenchError, StoreError, UsageError
from er_bench.core.model import Model, Subject
from er_bench.core.picture import png, rgb_hwc
from er_bench.core.policy import (
    EXPERT,
    TRUTH_PLACE,
    Actions,
    Ends,
    Observation,
    Policy,
)
from er_bench.core.prompt import Prompt
from er_bench.core.reference import AnyReference
from er_bench.core.space import Space
from er_bench.data.files import safe_name, write_bytes
from er_bench.data.robot_episodes.episode import Numbers

ARRAY, PICTURES, LENGTHS = "array/", "pictures/", "lengths/"
"""How the names of what is kept begin, with the name of the array or the camera after them."""


@dataclass(frozen=True, slots=True)
class Recording:
    """How episodes are recorded."""

    folder: Path
    pictures: bool
    noise_sd: float = 0.0
    """Standard deviation of what is added to every action that is carried out, in the units of the
    action space, clipped to it; recorded is the action without it."""
    seed: int = 0


class RecordingModel(Model):
    """A model that acts, its episodes recorded."""

    acts, asks = True, False

    def __init__(self, inner: Model, how: Recording) -> None:
        if not inner.acts:
            raise UsageError(f"{inner.name} is no policy, so that it cannot act in an episode")
        self._inner, self._how = inner, how
        self.name, self.dialect, self.concurrency = inner.name, inner.dialect, inner.concurrency
        self.request_timeout_s = inner.request_timeout_s
        self.failed: list[ErBenchError] = []
        """What could not be kept."""

    async def ask(self, prompt: Prompt) -> Completion:
        """Refuse: it acts."""
        raise UsageError(f"{self.name} acts; it answers no prompts")

    def identity(self) -> dict[str, JsonValue]:
        """The inner model's, and how it is recorded."""
        how = self._how
        told: dict[str, JsonValue] = {"pictures": how.pictures, "noise_sd": how.noise_sd}
        return {**self._inner.identity(), "recorded": told}

    async def check(self) -> None:
        """As the inner model."""
        await self._inner.check()

    def unable(self, reference: AnyReference | None) -> str | None:
        """As the inner model."""
        return self._inner.unable(reference)

    def policy(self, subject: Subject) -> Policy:
        """The inner model's, recorded."""
        kind = _SeeingRecorder if self._how.pictures else _Recorder
        return kind(self._inner.policy(subject), self._how, subject.sample.id, self.failed)

    async def close(self) -> None:
        """As the inner model."""
        await self._inner.close()


@dataclass(slots=True)
class _Recorder:
    """Acts as the inner policy does, one action at a time, and keeps what it saw and did."""

    inner: Policy
    how: Recording
    id: str
    failed: list[ErBenchError]
    start: Started | None = None
    rng: np.random.Generator = field(default_factory=np.random.default_rng)
    actions: list[Numbers] = field(default_factory=list)
    states: list[Numbers] = field(default_factory=list)
    arrays: dict[str, list[Array]] = field(default_factory=dict)
    pictures: dict[str, list[bytes]] = field(default_factory=dict)

    looks_every: ClassVar[int] = 0
    knows_expert: ClassVar[bool] = True

    def for_episode(self, episode: Episode, start: Started) -> Policy:
        """The recorder of a new episode."""
        if start.action_space is None:
            raise UsageError("the simulator takes skills, no vectors that could be recorded")
        inner = self.inner.for_episode(episode, start)
        rng = np.random.default_rng([self.how.seed, *self.id.encode()])
        return type(self)(inner, self.how, self.id, self.failed, start, rng)

    async def act(self, observation: Observation) -> Actions:
        """What the inner policy does; kept with what was seen."""
        assert self.start is not None and self.start.action_space is not None
        seen = observation if self.inner.knows_expert else observation.without_expert()
        chosen = await self.inner.act(seen)
        action_d = chosen.actions_td[0]
        self._keep(observation, action_d)
        done_d = self._noised(action_d, self.start.action_space)
        return Actions(done_d[None], chosen.units, chosen.frame)

    def _noised(self, action_d: Numbers, space: Space) -> Numbers:
        if not self.how.noise_sd:
            return action_d
        noised = action_d + self.rng.normal(0, self.how.noise_sd, len(action_d))
        return np.clip(noised, space.low, space.high) if space.low and space.high else noised

    def _keep(self, observation: Observation, action_d: Numbers) -> None:
        self.actions.append(action_d)
        if observation.state_d is not None:
            self.states.append(observation.state_d)
        for name, array in observation.arrays.items():
            if array.ndim == 1 and array.size and not name.startswith(EXPERT):
                self.arrays.setdefault(name, []).append(array)
        if self.how.pictures:
            for name, picture in observation.images.items():
                self.pictures.setdefault(name, []).append(png(picture))

    async def end(self, success: bool | None) -> None:
        """Keep the episode, if it was not broken off."""
        if success is not None:
            try:
                await asyncio.to_thread(self._write, success)
            except ErBenchError as error:
                self.failed.append(error)
        if isinstance(self.inner, Ends):
            await self.inner.end(success)

    def _write(self, success: bool) -> None:
        assert self.start is not None and self.start.action_space is not None
        state_space = self.start.state_space
        told: dict[str, Any] = {
            "instruction": self.start.instruction,
            "fingerprint": self.start.episode_fingerprint,
            "simulator": self.start.simulator,
            "success": success,
            "action_td": np.array(self.actions),
            "action_space": self.start.action_space.model_dump_json(),
        }
        if self.states and state_space is not None:
            told |= {
                "state_td": np.array(self.states),
                "state_space": state_space.model_dump_json(),
            }
        for name, arrays in self.arrays.items():
            told[f"{ARRAY}{name}"] = np.array(arrays, np.float64)
        for name, encoded in self.pictures.items():
            told[f"{PICTURES}{name}"] = np.frombuffer(b"".join(encoded), np.uint8)
            told[f"{LENGTHS}{name}"] = np.array([len(content) for content in encoded])
        out = io.BytesIO()
        np.savez(out, **told)
        write_bytes(kept_file(self.how.folder, self.id), out.getvalue())


class _SeeingRecorder(_Recorder):
    """One that looks, so that pictures are drawn at every step."""

    __slots__ = ()
    looks_every: ClassVar[int] = 1


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """An episode as it was kept."""

    id: str
    instruction: str
    fingerprint: str
    simulator: str
    success: bool
    action_td: NDArray[np.float64]
    action_space: Space
    state_td: NDArray[np.float64] | None
    state_space: Space | None
    arrays: dict[str, NDArray[np.float64]]
    """`(T, K)` by name."""
    pictures: dict[str, list[bytes]]
    """PNG, by camera."""

    @property
    def places(self) -> list[str]:
        """What the simulator told the place of."""
        return [name for name in self.arrays if name.startswith(TRUTH_PLACE)]

    def size_wh(self, camera: str) -> tuple[int, int]:
        """Of a camera's pictures, pixels."""
        height, width = rgb_hwc(self.pictures[camera][0]).shape[:2]
        return width, height


def kept_file(folder: Path, id: str) -> Path:
    """Where an episode is kept."""
    return folder / f"{safe_name(id)}.npz"


def read_kept(folder: Path, id: str) -> Kept:
    """An episode that was kept. Raises DataError, StoreError for one that was not."""
    file = kept_file(folder, id)
    if not file.is_file():
        raise StoreError(f"the episode {id!r} was played but not kept in {folder}")
    try:
        with np.load(file, allow_pickle=False) as found:
            has = set(found.files)
            pictures = {}
            for name in sorted(n.removeprefix(PICTURES) for n in has if n.startswith(PICTURES)):
                ends = np.cumsum(found[f"{LENGTHS}{name}"])
                content = found[f"{PICTURES}{name}"].tobytes()
                pictures[name] = [content[a:b] for a, b in zip([0, *ends[:-1]], ends, strict=True)]
            return Kept(
                id=id,
                instruction=str(found["instruction"]),
                fingerprint=str(found["fingerprint"]),
                simulator=str(found["simulator"]),
                success=bool(found["success"]),
                action_td=found["action_td"],
                action_space=Space.model_validate_json(str(found["action_space"])),
                state_td=found["state_td"] if "state_td" in has else None,
                state_space=(
                    Space.model_validate_json(str(found["state_space"]))
                    if "state_space" in has
                    else None
                ),
                arrays={
                    n.removeprefix(ARRAY): found[n] for n in sorted(has) if n.startswith(ARRAY)
                },
                pictures=pictures,
            )
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"not a kept episode: {error}", file=file) from error

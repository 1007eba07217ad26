"""A policy: something that sees a robot's cameras and state, and says what the robot does next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from er_bench.core.array import Array, described, frozen
from er_bench.core.environment import Episode, Started, Stepped
from er_bench.core.errors import ModelError
from er_bench.core.picture import Picture, Rgb, is_rgb, rgb_hwc
from er_bench.core.space import Space

EXPERT = "expert_"
"""How the names of arrays begin that say what a scripted expert would do."""
EXPERT_ACTION = f"{EXPERT}action_d"
"""The expert's next action, `(D,)` float64 in the action space."""
TRUTH = "truth_"
"""How the names of arrays begin that say what a simulator alone knows."""
TRUTH_PLACE = f"{TRUTH}place."
"""Where a thing is, its words after this: `(6,)` float64, x, y, z in the world, metres; x, y in
`head_rgb`, pixels; 1 where it is seen there, else 0."""


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """What a policy sees."""

    images: Mapping[str, Picture]
    """By camera: PNG bytes or uint8 `(H, W, 3)`, as the simulator gave it; see `rgb_hwc`."""
    instruction: str
    state_d: NDArray[np.float64] | None = None
    """`(D,)` float64, the robot's own state; None when it tells none."""
    state_space: Space | None = None
    """What `state_d` holds."""
    arrays: Mapping[str, Array] = field(default_factory=dict)
    """Whatever else the simulator showed (`wrist_depth_m_hw`), by name."""

    def without_expert(self) -> Self:
        """The observation as a policy under test sees it: not what an expert or simulator knows."""
        told = {n: a for n, a in self.arrays.items() if not n.startswith((EXPERT, TRUTH))}
        return replace(self, arrays=told)

    @classmethod
    def of(cls, start: Started, seen: Started | Stepped) -> Self:
        """What there is to see right after a reset or a step of the episode that `start` began."""
        images = {n: p for n, p in seen.obs.items() if isinstance(p, bytes) or is_rgb(p)}
        rest = {n: a for n, a in seen.obs.items() if not isinstance(a, bytes) and not is_rgb(a)}
        told = seen.instruction or start.instruction
        return cls(images, told, seen.state, start.state_space, rest)

    def rgb_hwc(self, camera: str) -> Rgb:
        """One camera's pixels, uint8 `(H, W, 3)`. Raises KeyError, OSError."""
        return rgb_hwc(self.images[camera])


@dataclass(frozen=True, slots=True, eq=False)
class Actions:
    """What a policy does next: a chunk of actions, in order. Raises ModelError when it is none."""

    actions_td: NDArray[np.float64]
    """`(T, D)` float64, T at least 1, every number finite; kept as a copy that cannot change."""
    units: tuple[str, ...]
    """The unit of each of the D components, as in `Space`."""
    frame: str
    """The frame that they are in, as in `Space`."""

    def __post_init__(self) -> None:
        array = self.actions_td
        if not isinstance(array, np.ndarray) or array.dtype != np.float64 or array.ndim != 2:
            raise ModelError(f"actions_td: expected float64 (T, D), not {described(array)}")
        if not len(array) or array.shape[1] != len(self.units):
            raise ModelError(f"actions_td is {array.shape}: units tells {len(self.units)} of them")
        if not np.isfinite(array).all():
            t, d = np.argwhere(~np.isfinite(array))[0]
            raise ModelError(f"actions_td[{t}, {d}] is {array[t, d]}")
        object.__setattr__(self, "actions_td", frozen(array))

    def check(self, space: Space) -> None:
        """See that they are actions of a space. Raises ModelError that names what differs."""
        mine, theirs = (self.units, self.frame), (space.units, space.frame)
        if mine != theirs:
            raise ModelError(
                f"the policy acts in {', '.join(self.units)} ({self.frame}), "
                f"the environment wants {', '.join(space.units)} ({space.frame})"
            )


class Policy(Protocol):
    """Acts in one episode at a time; as many episodes as there are run at once."""

    @property
    def looks_every(self) -> int:
        """Every how many steps it looks at a picture, 0 for never.

        Drawing takes most of a simulator's time; at the other steps nothing is drawn for it.
        """

    knows_expert: ClassVar[bool]
    """Whether it is told what a scripted expert would do: reference policies alone."""

    def for_episode(self, episode: Episode, start: Started) -> Policy:
        """The policy of a new episode, which remembers no other.

        One that remembers nothing returns itself. Raises ModelError when it cannot act there:
        `start` has the instruction and the action space.
        """

    async def act(self, observation: Observation) -> Actions:
        """What to do now. Raises ModelError."""


@runtime_checkable
class Ends(Protocol):
    """A policy that is to be told when its episode is over, as one behind a server is."""

    async def end(self, success: bool | None) -> None:
        """Let go of the episode; `success` is None where it broke off.

        Raises nothing: the episode has been played.
        """

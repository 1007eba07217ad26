"""Recorded episodes as samples: every step, with what was seen and the actions that followed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from er_bench.core.errors import ConfigError, DataError
from er_bench.core.picture import Rgb
from er_bench.core.space import Space
from er_bench.data.robot_episodes.episode import Numbers, RobotData, RobotEpisode
from er_bench.data.robot_episodes.lerobot_layout import UNTOLD
from er_bench.data.robot_episodes.statistics import RobotStatistics, VectorStatistics

STATE = "state"
"""Names the robot's own state among the vectors that may be a policy's."""


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One sample."""

    instruction: str
    state_s: Numbers
    """`(S,)`, in its units."""
    actions_hd: Numbers
    """`(H, D)`, in their units, from this step on; the episode's last one is repeated."""
    rgb: Rgb | None


@dataclass(frozen=True, eq=False)
class RobotSteps:
    """All steps of a folder's episodes: vectors in memory, pictures read when they are wanted."""

    data: RobotData
    camera: str | None
    chunk: int
    instructions: tuple[str, ...]
    """Of each episode."""
    episodes: tuple[int, ...]
    """Their numbers in the folder."""
    starts: NDArray[np.int64]
    """`(episodes + 1,)`: number of the first step of each."""
    actions_nd: Numbers
    states_ns: Numbers
    action_space: Space
    state_space: Space
    n_unlabelled: int
    """Episodes that were left out because they have no instruction."""

    def __len__(self) -> int:
        return len(self.actions_nd)

    def episode_of(self, number: int) -> int:
        """Place of a step's episode among `episodes`."""
        return int(np.searchsorted(self.starts, number, "right")) - 1

    def step(self, number: int) -> Step:
        """One sample. Raises DataError that names the file of a picture that cannot be read."""
        place = self.episode_of(number)
        first, end = int(self.starts[place]), int(self.starts[place + 1])
        rows = np.minimum(np.arange(number, number + self.chunk), end - 1)
        rgb = None
        if self.camera is not None:
            episode = _episode(self, place)
            (rgb,) = episode.cameras[self.camera].frames([number - first])
        return Step(self.instructions[place], self.states_ns[number], self.actions_nd[rows], rgb)

    def statistics(self) -> RobotStatistics:
        """Of these actions and states."""
        return RobotStatistics(
            VectorStatistics.of(self.actions_nd),
            VectorStatistics.of(self.states_ns),
            len(self),
            len(self.episodes),
            self.action_space,
            self.state_space,
        )

    def fingerprint(self) -> str:
        """A digest of instructions, actions and states; pictures are not read."""
        digest = hashlib.sha256("\n".join(self.instructions).encode())
        for array in (self.starts, self.actions_nd, self.states_ns):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def read_steps(
    data: RobotData,
    *,
    chunk: int,
    camera: str | None,
    state_source: str,
    skip_unlabelled: bool = False,
    advance: Callable[[int], None] = lambda n: None,
) -> RobotSteps:
    """Read every episode but its pictures.

    Raises DataError for a bad episode, one without an instruction (unless those are skipped), and
    ConfigError for episodes without the camera or the state that a policy needs.
    """
    instructions, numbers, lengths = [], [], []
    actions: list[Numbers] = []
    states: list[Numbers] = []
    first: RobotEpisode | None = None
    state_space: Space | None = None
    n_unlabelled = 0
    for number in range(len(data)):
        episode = data.episode(number)
        advance(1)
        if not episode.instruction.strip():
            if not skip_unlabelled:
                raise episode.error("no instruction; skip_unlabelled leaves it out", "instruction")
            n_unlabelled += 1
            continue
        first = first or episode
        state, space = _state(episode, state_source)
        state_space = state_space or space
        if (episode.action_space, space) != (first.action_space, state_space):
            raise episode.error(f"other spaces than episode {first.index}'s", "action")
        if camera is not None and camera not in episode.cameras:
            shown = ", ".join(episode.cameras) or "none"
            raise ConfigError(f"the policy sees by camera {camera!r}; {data.root} has {shown}")
        instructions.append(episode.instruction)
        numbers.append(number)
        lengths.append(len(episode))
        actions.append(episode.action_td)
        states.append(state)
    if first is None or state_space is None:
        raise DataError("no episode to learn from", file=data.root)
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return RobotSteps(
        data, camera, chunk, tuple(instructions), tuple(numbers), starts,
        np.concatenate(actions), np.concatenate(states), first.action_space, state_space,
        n_unlabelled,
    )  # fmt: skip


def is_told(space: Space) -> bool:
    """Whether a space says what its components are; folders of other tools often do not."""
    return UNTOLD not in space.units


def _state(episode: RobotEpisode, source: str) -> tuple[Numbers, Space]:
    if source == STATE and episode.state_td is not None and episode.state_space is not None:
        return episode.state_td, episode.state_space
    track = episode.tracks.get(source)
    if track is None:
        tracks = ", ".join(episode.tracks) or "none"
        raise episode.error(
            f"the policy's state, {source!r}, is not there; tracks: {tracks}", source
        )
    return track.values_tk, track.space


@lru_cache(maxsize=64)
def _episode(steps: RobotSteps, place: int) -> RobotEpisode:
    """Of one process: neighbouring samples may share an episode."""
    return steps.data.episode(steps.episodes[place])

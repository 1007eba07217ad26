"""An episode's stored steps, served again in place of a simulator."""

from __future__ import annotations

from collections.abc import Mapping

from er_bench.core.environment import Action, Episode, Skill, Started, Stepped
from er_bench.core.errors import EnvError
from er_bench.sim.checked import checked, checked_step, one_line

Entry = Mapping[str, object]
"""`Started` with `event: reset`, or `Stepped` with `event: step` and its `action`."""
_LOG_ONLY = {"event", "episode_id", "call", "action_id", "action"}


def told(action: Action) -> str | list[float]:
    """An action as it is stored: a skill's name, or the numbers of a vector."""
    return action.name if isinstance(action, Skill) else action.tolist()


class Replay:
    """One stored episode.

    `entries` are the environment's side of it, in order. Raises EnvError when another action is
    asked for than was taken.
    """

    def __init__(self, entries: tuple[Entry, ...]) -> None:
        self._entries, self._next = entries, 0
        self._start: Started | None = None

    @property
    def _now(self) -> Entry:
        """The entry that was served last."""
        return self._entries[self._next - 1]

    def _take(self, kind: str) -> dict[str, object]:
        if self._next >= len(self._entries) or self._entries[self._next].get("event") != kind:
            raise EnvError(f"the stored episode has no {kind} at entry {self._next}")
        self._next += 1
        return {k: v for k, v in self._now.items() if k not in _LOG_ONLY}

    async def reset(self, episode: Episode) -> Started:
        """The stored start."""
        del episode
        self._next = 0
        self._start = checked(Started, self._take("reset"), "stored episode")
        return self._start

    async def step(self, action: Action) -> Stepped:
        """The stored result of this action."""
        entries, asked = self._entries[self._next :], told(action)
        taken = entries[0].get("action") if entries else None
        if self._start is None or taken != asked:
            raise EnvError(
                f"the stored episode took action {one_line(repr(taken))} at entry {self._next}, "
                f"now {asked!r} is asked for; run the episode again"
            )
        return checked_step(self._start, self._take("step"), "stored episode")

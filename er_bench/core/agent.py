"""An agent: what a task is given to act with; retries, limits and keeping are behind it."""

from __future__ import annotations

from typing import Protocol

from er_bench.core.prompt import Prompt
from er_bench.core.rollout import Turn


class Agent(Protocol):
    """The model under test, as a task sees it."""

    async def ask(self, prompt: Prompt) -> Turn:
        """Ask once. Raises ModelError when the request failed for good."""

"""Serve the built-in home over the wire; needs er-bench itself, unlike the other server files."""

from __future__ import annotations

from typing import Any

from er_bench.worlds.home.simulator import HomeSimulator


def create(options: dict[str, str]) -> Any:
    """The simulator; it has no options."""
    del options
    return HomeSimulator()

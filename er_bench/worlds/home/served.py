"""Serve the built-in home over the wire; needs er-bench itself, unlike the other server files."""

from __future__ import annotations

from er_bench.worlds.home.simulator import HomeSimulator


def create(options: dict[str, str]) -> HomeSimulator:
    """The simulator; it has no options."""
    del options
    return HomeSimulator()


def create_in_process(options: dict[str, str]) -> HomeSimulator:
    """The simulator that draws only what is looked at."""
    del options
    return HomeSimulator(on_demand=True)

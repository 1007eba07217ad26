"""Frames that nobody should send, both ways: one error of the tree, in one line, and no more."""

from __future__ import annotations

import asyncio

import pytest

from tests.sim.hostile import answered, served

N = 600


def test_a_client_bears_whatever_a_server_answers() -> None:
    async def run() -> list[str]:
        return [wrong for seed in range(N) if (wrong := await answered(seed))]

    assert asyncio.run(run()) == []


def test_a_server_bears_whatever_a_client_asks(capfd: pytest.CaptureFixture[str]) -> None:
    assert [wrong for seed in range(N) if (wrong := served(seed))] == []

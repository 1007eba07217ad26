"""A simulator for tests: reach the number of the episode by adding ones.

Options: `fault` (see `faulty_server.py`), `at` (which step it hits), `once` (a file: only the first
process that creates it misbehaves), `pids` (a file every process adds its id to).
"""

from __future__ import annotations

import hashlib
import os
import struct
import sys
import time
import zlib
from typing import Any

ACTIONS = ["add one", "do nothing", "try what cannot be done"]


def png(colour: tuple[int, int, int], size: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack("!I", len(body)) + kind + body + struct.pack("!I", zlib.crc32(kind + body))
        )

    rows = (b"\0" + bytes(colour) * size) * size
    header = struct.pack("!IIBBBBB", size, size, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


class CountingWorld:
    def __init__(self, options: dict[str, str]) -> None:
        self.options, self.goal, self.count, self.steps, self.size = options, 0, 0, 0, 64
        self.delay_s = float(options.get("delay", "0"))
        if "pids" in options:
            with open(options["pids"], "a") as file:
                file.write(f"{os.getpid()}\n")

    def hello(self) -> dict[str, Any]:
        print("a simulator that prints to stdout", flush=True)
        return {"env": "counting", "env_version": "1", "versions": {"python": sys.version}}

    def list_episodes(self, split: str) -> list[str]:
        return ["count-3"] if split == "check" else []

    def reset(
        self, episode_id: str, seed: int, resolution: int, episode: dict[str, Any] | None
    ) -> dict[str, Any]:
        name, _, goal = episode_id.partition("-")
        if name != "count" or not goal.isdecimal():
            raise ValueError(f"there is no episode {episode_id!r}")
        self.goal, self.count, self.steps, self.size = int(goal), 0, 0, resolution
        return {
            "instruction": f"Count to {self.goal}.",
            "actions": ACTIONS,
            "episode_fingerprint": hashlib.sha256(episode_id.encode()).hexdigest(),
            "obs": {"head_rgb": png((self.count, 0, seed % 256), resolution)},
        }

    def step(self, action: str) -> dict[str, Any]:
        if not self.goal:
            raise ValueError("reset first")
        adds, valid = action == ACTIONS[0], action != ACTIONS[2]
        print("noise on stdout", flush=True)
        time.sleep(self.delay_s)
        self.steps += 1
        self.count += adds
        return {
            "valid": valid,
            "feedback": f"The count is {self.count}." if valid else "That cannot be done.",
            "reward": 1.0 if adds else 0.0,
            "done": self.count >= self.goal,
            "success": self.count >= self.goal,
            "progress": min(1.0, self.count / self.goal),
            "goal_conditions": [min(self.count, self.goal), self.goal],
            "obs": {"head_rgb": png((self.count, 0, 0), self.size)},
        }

    def state(self) -> dict[str, Any]:
        return {"count": self.count}

    def close(self) -> None:
        pass


def create(options: dict[str, str]) -> CountingWorld:
    return CountingWorld(options)


def missing(options: dict[str, str]) -> str:
    return options.get("missing", "")

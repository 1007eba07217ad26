"""Episodes on disk: `episode.jsonl` beside one PNG a frame, recorded once, played again offline.

The lines are the environment's side of a record (see `er_bench.sim.environment.Replay`), with
`images` naming the file and SHA-256 of each frame.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

from er_bench.core.errors import DataError, EnvError, UnavailableError
from er_bench.sim.environment import Environment, Environments, Episode, Replay, Started, Stepped

LINES = "episode.jsonl"


def episode_folder(root: Path, episode_id: str) -> Path:
    """Where an episode is kept: its id in safe characters, with a hash that keeps ids apart."""
    readable = re.sub(r"[^A-Za-z0-9.-]+", "_", episode_id).strip("._")[-80:]
    return root / f"{readable}-{hashlib.sha256(episode_id.encode()).hexdigest()[:8]}"


class Recording:
    """`Environments` that keep what they pass on."""

    def __init__(self, inner: Environments, root: Path) -> None:
        self._inner, self._root = inner, root

    @asynccontextmanager
    async def _lend(self, episode: Episode) -> AsyncIterator[Environment]:
        async with self._inner.acquire(episode) as environment:
            writer = _Writer(environment, episode_folder(self._root, episode.id))
            yield writer
            writer.save()

    def acquire(self, episode: Episode) -> AbstractAsyncContextManager[Environment]:
        """An environment whose episode is written when it ends well."""
        return self._lend(episode)

    async def close(self) -> None:
        """Close the simulators."""
        await self._inner.close()


class _Writer:
    def __init__(self, inner: Environment, folder: Path) -> None:
        self._inner, self._folder = inner, folder
        self._lines: list[dict[str, Any]] = []

    async def reset(self, episode: Episode) -> Started:
        start = await self._inner.reset(episode)
        self._lines = []
        self._keep({"event": "reset", "episode_id": episode.id}, start)
        return start

    async def step(self, action_id: int) -> Stepped:
        step = await self._inner.step(action_id)
        self._keep({"event": "step", "action_id": action_id}, step)
        return step

    def _keep(self, entry: dict[str, Any], seen: Started | Stepped) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        images: dict[str, dict[str, str]] = {}
        for camera, png in seen.obs.items():
            name = f"{len(self._lines):03d}_{re.sub(r'[^A-Za-z0-9]', '_', camera)}.png"
            (self._folder / name).write_bytes(png)
            images[camera] = {"file": name, "sha256": hashlib.sha256(png).hexdigest()}
        self._lines.append({**entry, **seen.model_dump(mode="json"), "images": images})

    def save(self) -> None:
        """Write the lines; an episode without them is not there."""
        partial = self._folder / (LINES + ".part")
        with partial.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in self._lines)
        partial.replace(self._folder / LINES)


class Recorded:
    """`Environments` that play recorded episodes."""

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise UnavailableError(f"there are no recorded episodes in {root}")
        self._root = root

    @asynccontextmanager
    async def _lend(self, episode: Episode) -> AsyncIterator[Environment]:
        yield Replay(tuple(_read(episode_folder(self._root, episode.id), episode.id)))

    def acquire(self, episode: Episode) -> AbstractAsyncContextManager[Environment]:
        """The recorded episode. Raises EnvError when there is none."""
        return self._lend(episode)

    async def close(self) -> None:
        """Nothing to close."""


def _read(folder: Path, episode_id: str) -> list[dict[str, Any]]:
    """An episode's lines with their frames under `obs`. Raises EnvError, DataError."""
    path = folder / LINES
    if not path.is_file():
        raise EnvError(f"episode {episode_id!r} is not recorded ({folder} has no {LINES})")
    lines = []
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines()):
        try:
            line = json.loads(text)
            images = line.pop("images")
            line.pop("episode_id", None)
            line["obs"] = {camera: _frame(folder, image) for camera, image in images.items()}
        except (ValueError, LookupError, TypeError, AttributeError, OSError) as error:
            raise DataError(f"not a recorded step: {error}", file=path, row=number) from error
        lines.append(line)
    return lines


def _frame(folder: Path, image: dict[str, str]) -> bytes:
    path = folder / image["file"]
    if path.parent.resolve() != folder.resolve():
        raise ValueError(f"the frame {image['file']!r} leaves the episode's folder")
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != image["sha256"]:
        raise ValueError(f"frame {image['file']} is not the one recorded")
    return content

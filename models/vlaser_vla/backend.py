"""The backend `vlaser_vla`: a policy's folder, acted with in this process."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from er_bench.core.completion import Completion
from er_bench.core.errors import UsageError
from er_bench.core.model import Model, ModelSettings, Subject
from er_bench.core.policy import Observation
from er_bench.core.prompt import Decoding, Prompt
from er_bench.models.batching import Batcher
from er_bench.models.checkpoint import check_packages, snapshot
from er_bench.models.settings import DeviceArgs, check_names, pick_args, placement
from er_bench.models.vlaser_vla.engine import Numbers, Request, VlaEngine
from er_bench.models.vlaser_vla.folder import VlaPolicyFolder, load_policy
from er_bench.models.vlaser_vla.policy import VlaPolicy
from er_bench.models.vlaser_vla.settings import VlaSettings, build_settings, read_settings

TOLD = ("act_steps", "flow_steps", "time_max_period")
"""Settings of the folder that a run may change."""


class VlaArgs(BaseModel):
    """Settings (`--model-args`)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    batch_size: int = Field(8, ge=1, description="Most episodes in one batch")
    device: str = Field("auto", description="`auto` (cuda, mps, cpu), or a torch device")
    dtype: Literal["float32", "bfloat16", "float16"] = Field(
        "float32", description="Precision; released policies are evaluated in float32"
    )
    act_steps: int | None = Field(None, ge=1, description="Actions of a chunk that are carried out")
    flow_steps: int | None = Field(None, ge=1, description="Euler steps")
    time_max_period: float | None = Field(
        None, gt=1, description="Longest period of the time embedding"
    )


def build(settings: ModelSettings) -> VlaserVlaModel:
    """A policy that is loaded when it is first asked. Raises UsageError, ConfigError."""
    check_names(settings.args, VlaArgs)
    decoding = settings.forced_decoding.to_dict()
    if told := sorted(name for name, value in decoding.items() if value is not None):
        raise UsageError(f"a policy takes no --gen-args; leave out {', '.join(told)}")
    check_packages()
    return VlaserVlaModel(settings)


class VlaserVlaModel(Model):
    """A policy in this process; it acts, and answers no prompts."""

    asks = False
    acts = True

    def __init__(self, settings: ModelSettings, loaded: VlaPolicyFolder | None = None) -> None:
        """Take the settings; `loaded` is a policy that is in memory, such as one in training."""
        self.name, self.dialect = settings.name, settings.dialect
        self._settings, self._args = settings, pick_args(settings.args, VlaArgs)
        self._loaded = loaded
        if loaded is None:
            self._folder = snapshot(settings.checkpoint, settings.revision)
            self._vla = _told(read_settings(self._folder), self._args)
        else:
            self._vla = loaded.settings
        self.concurrency = self._args.batch_size
        self._readers = ThreadPoolExecutor(min(8, os.cpu_count() or 1), "media")
        self._opening = asyncio.Lock()
        self._opened: tuple[VlaEngine, Batcher[Request, Numbers]] | None = None

    def identity(self) -> dict[str, JsonValue]:
        """Checkpoint, precision, seed, and the policy's settings."""
        vla = self._vla.model_dump(mode="json")
        return self._settings.identity(
            "vlaser_vla", dtype=self._args.dtype, seed=self._settings.seed, settings=vla
        )

    async def check(self) -> None:
        """Load the policy. Raises ConfigError, DataError."""
        await self._open()

    async def ask(self, prompt: Prompt) -> Completion:
        """Refuse: a policy acts."""
        raise UsageError(f"{self.name} is a policy; it answers no prompts")

    def policy(self, subject: Subject) -> VlaPolicy:
        """The policy of a sample's episodes; its noise is the sample's and the seed's."""
        name = f"{subject.sample.id}/{subject.repeat}"
        return VlaPolicy(self._act, self._vla, self._settings.seed, name)

    async def close(self) -> None:
        """Stop the threads."""
        if self._opened is not None:
            await self._opened[1].close()
        self._readers.shutdown(wait=False, cancel_futures=True)

    async def _act(
        self, observation: Observation, state_s: Numbers, noise_hd: NDArray[np.float32]
    ) -> Numbers:
        engine, batcher = await self._open()
        loop = asyncio.get_running_loop()
        request = await loop.run_in_executor(
            self._readers, engine.prepare, observation, state_s, noise_hd
        )
        return await batcher.submit(request, len(request.ids), Decoding())

    async def _open(self) -> tuple[VlaEngine, Batcher[Request, Numbers]]:
        async with self._opening:
            if self._opened is None:
                loaded = self._loaded
                if loaded is None:
                    loaded = await asyncio.to_thread(self._load)
                engine = VlaEngine(loaded)
                self._opened = engine, Batcher(engine.run, self._args.batch_size)
            return self._opened

    def _load(self) -> VlaPolicyFolder:
        device, dtype = placement(DeviceArgs(device=self._args.device, dtype=self._args.dtype))
        return load_policy(self._folder, device=device, dtype=dtype, settings=self._vla)


def _told(own: VlaSettings, args: VlaArgs) -> VlaSettings:
    """The folder's settings with those of the command line over them. Raises ConfigError."""
    told = {name: value for name in TOLD if (value := getattr(args, name)) is not None}
    return build_settings({**own.model_dump(), **told}, "--model-args") if told else own

"""The doors of the InternVL family: InternVL2.5, InternVL3, Vlaser, in either layout."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from er_bench.core.family import Engine, Family
from er_bench.models.internvl.config import is_native, is_original
from er_bench.models.internvl.engine import InternVLEngine
from er_bench.models.internvl.load import load, read_checked
from er_bench.models.internvl.pictures import InternVLArgs
from er_bench.models.internvl.served import InternVLServed
from er_bench.models.internvl.token_writer import open_token_writer

if TYPE_CHECKING:
    import torch


def _engine(
    folder: Path, args: InternVLArgs, device: str, dtype: torch.dtype, attention: str
) -> Engine:
    loaded = load(folder, device=device, dtype=dtype, attention=attention)
    return InternVLEngine(loaded, args.of_checkpoint(read_checked(folder)))


def _training() -> object:
    from er_bench.models.internvl.training import TRAINING

    return TRAINING


FAMILY = Family(
    name="internvl",
    args=InternVLArgs,
    owns=lambda config: is_original(config) or is_native(config),
    engine=_engine,
    token_writer=open_token_writer,
    served=InternVLServed,
    training=_training,
)

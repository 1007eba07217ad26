"""Backend settings: `args` of a card and `--model-args`, checked; device and precision."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from er_bench.core.errors import UsageError

if TYPE_CHECKING:
    import torch

First = TypeVar("First", bound=BaseModel)
Second = TypeVar("Second", bound=BaseModel)


class DeviceArgs(BaseModel):
    """Settings of this backend whatever the family."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    batch_size: int = Field(8, ge=1, description="Most prompts in one batch")
    device: str = Field("auto", description="`auto` (cuda, mps, cpu), or a torch device")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="`auto` is bfloat16 on a GPU and float32 on a CPU"
    )
    attention: Literal["sdpa", "eager", "flash_attention_2"] = "sdpa"


def placement(args: DeviceArgs) -> tuple[str, torch.dtype]:
    """The device and precision in force. Raises UsageError for an unknown device."""
    import torch

    device = args.device
    if device == "auto":
        device = (
            "cuda"
            if torch.cuda.is_available()
            else "mps"
            if torch.backends.mps.is_available()
            else "cpu"
        )
    try:
        kind = torch.device(device).type
    except RuntimeError as error:
        raise UsageError(f"there is no device {device!r}") from error
    auto = "float32" if kind == "cpu" else "bfloat16"
    dtype: torch.dtype = getattr(torch, auto if args.dtype == "auto" else args.dtype)
    return device, dtype


def check_names(args: Mapping[str, object], *groups: type[BaseModel]) -> None:
    """Raise UsageError that lists the known settings when some name is unknown."""
    known = list(dict.fromkeys(name for group in groups for name in group.model_fields))
    if unknown := sorted(set(args) - set(known)):
        near = [name for word in unknown for name in get_close_matches(word, known, 1)]
        hint = f"did you mean {', '.join(near)}? " if near else ""
        raise UsageError(
            f"unknown model arguments {', '.join(unknown)}; {hint}known: {', '.join(known)}"
        )


def parse_args(
    args: Mapping[str, object], first: type[First], second: type[Second]
) -> tuple[First, Second]:
    """Share settings out between two groups of them.

    Raises UsageError that lists the known settings, or says which value is wrong.
    """
    check_names(args, first, second)
    return pick_args(args, first), pick_args(args, second)


def pick_args(args: Mapping[str, object], group: type[First]) -> First:
    """The settings of one group, the others left alone.

    Raises UsageError that says which value is wrong.
    """
    try:
        return group.model_validate({k: v for k, v in args.items() if k in group.model_fields})
    except ValidationError as error:
        wrong = "; ".join(f"{e['loc'][0]}: {e['msg']}" for e in error.errors())
        raise UsageError(f"wrong model arguments: {wrong}") from error

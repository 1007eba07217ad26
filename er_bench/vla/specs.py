"""What vla-eval calls a DimSpec: how one part of a vector is meant; held against a `Space`.

vla-eval 0.8.0 (`specs.py`) tells a part's size, range and a word for its convention. The words that
are known here say which units the part may have; `raw` and unknown ones say nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, StrictInt, StrictStr

from er_bench.core.completion import one_line
from er_bench.core.space import Space

_LENGTHS, _ANGLES, _RATIO = {"m", "cm", "mm"}, {"rad", "deg"}, {"1"}
IMAGE, LANGUAGE, RAW = "rgb_hwc_uint8", "language", "raw"
STATE = ("state", "states")
"""The names under which servers of vla-eval look for a robot's state."""
SENTENCE = ("language", "task_description")


@dataclass(frozen=True, slots=True)
class Convention:
    """What a format's word says."""

    dims: int
    units: Collection[str]
    """Which its components may all have."""
    whole_range: bool = False
    """Whether the range's ends mean something, as an open and a closed gripper."""


CONVENTIONS: Mapping[str, Convention] = {
    "delta_xyz": Convention(3, _LENGTHS | _RATIO),
    "absolute_xyz": Convention(3, _LENGTHS),
    "euler_xyz": Convention(3, _ANGLES | _RATIO),
    "axis_angle": Convention(3, _ANGLES | _RATIO),
    "quaternion_xyzw": Convention(4, _RATIO),
    "rot6d_interleaved": Convention(6, _RATIO),
    "binary_close_positive": Convention(1, _RATIO, whole_range=True),
    "binary_close_negative": Convention(1, _RATIO, whole_range=True),
    "continuous_01": Convention(1, _RATIO, whole_range=True),
    "binary_close_01": Convention(1, _RATIO, whole_range=True),
}
"""By vla-eval's words; a ratio (`1`) is what a controller scales itself."""


class DimSpec(BaseModel):
    """How one part of a vector is meant; `dims` is 0 where its size is not told."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: StrictStr
    dims: StrictInt = Field(ge=0, le=65_536)
    format: StrictStr
    range: Annotated[tuple[FiniteFloat, FiniteFloat], Field(strict=False)] | None = None
    accepts: tuple[StrictStr, ...] | None = None
    description: StrictStr = ""

    def told(self) -> dict[str, object]:
        """The spec as it crosses the wire, what is not told left out."""
        return self.model_dump(mode="json", exclude_defaults=True) | {"dims": self.dims}


@dataclass(frozen=True, slots=True)
class Shown:
    """What an environment shows a policy."""

    n_cameras: int
    state_dims: int | None
    """The size of the robot's state; None where it tells none."""
    arrays: Collection[str] = ()
    """Whatever else is sent, by name."""


def action_misfit(specs: Mapping[str, DimSpec], space: Space) -> str:
    """Why vectors of these parts, in this order, are no actions of a space; empty when they are.

    Parts without a size lie nowhere: then nothing can be said.
    """
    if not specs or any(spec.dims == 0 for spec in specs.values()):
        return ""
    n_told = sum(spec.dims for spec in specs.values())
    if n_told != space.dimension:
        parts = ", ".join(f"{one_line(name, 40)} {spec.dims}" for name, spec in specs.items())
        return (
            f"the server acts by {n_told} components ({parts}), the environment by "
            f"{space.dimension} ({', '.join(space.names)})"
        )
    start, problems = 0, []
    for name, spec in specs.items():
        problems.append(_part_misfit(name, spec, space, slice(start, start + spec.dims)))
        start += spec.dims
    return "; ".join(filter(None, problems))


def _part_misfit(name: str, spec: DimSpec, space: Space, at: slice) -> str:
    """Why one part of a server's vector is not the part of a space at its place."""
    told = CONVENTIONS.get(spec.format)
    if told is None:
        return ""
    what, here = f"{one_line(name, 40)} is {spec.format}", ", ".join(space.names[at])
    if told.dims != spec.dims:
        return f"{what}, which has {told.dims} components, and the server tells {spec.dims}"
    found = set(space.units[at])
    if len(found) > 1 or not found <= set(told.units):
        units = ", ".join(space.units[at])
        return f"{what}, and {here} of the environment is in {units}"
    if told.whole_range and spec.range and space.low is not None and space.high is not None:
        ((low, high),) = zip(space.low[at], space.high[at], strict=True)
        if (low, high) != spec.range:
            return (
                f"{what} from {spec.range[0]:g} to {spec.range[1]:g}, and {here} of the "
                f"environment goes from {low:g} to {high:g}"
            )
    return ""


def observation_misfit(specs: Mapping[str, DimSpec], shown: Shown) -> str:
    """What a server wants to be shown and the environment does not show; empty when it is all."""
    n_pictures = sum(spec.format == IMAGE for spec in specs.values())
    if n_pictures > shown.n_cameras:
        return f"the server wants {n_pictures} pictures, {shown.n_cameras} are sent"
    for name, spec in specs.items():
        if spec.format == IMAGE or name in SENTENCE or name in shown.arrays:
            continue
        if name not in STATE:
            return f"the server wants {one_line(name, 40)} ({one_line(spec.format, 40)})"
        if shown.state_dims is None:
            return "the server wants the robot's state, the environment tells none"
        if spec.dims and spec.dims != shown.state_dims:
            return (
                f"the server wants a state of {spec.dims} components "
                f"({one_line(spec.format, 60)}), the environment's has {shown.state_dims}"
            )
    return ""

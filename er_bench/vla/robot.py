"""A robot, as a YAML file tells it: what its actions are, and the state that it shows.

    frame: the robot's base, x forward
    actions:                      # the parts of the vector, in order
      position: {dims: 3, format: delta_xyz, unit: "1", range: [-1, 1]}
      gripper: {dims: 1, format: binary_close_positive, unit: "1", range: [-1, 1]}
    state:                        # left out where it shows none
      joints: {dims: 7, format: joint_positions, unit: rad}
    state_format: joint_positions            # vla-eval's word for it as a whole
    cameras: [agentview]
    observation_params: {send_state: true}   # what simulators of vla-eval are to switch on

The harness of vla-eval does not tell a server what its simulator takes; whoever serves must know.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    StrictInt,
    StrictStr,
    ValidationError,
    model_validator,
)

from er_bench.core.errors import ConfigError
from er_bench.core.space import Space
from er_bench.core.yaml_files import read_yaml
from er_bench.vla.specs import CONVENTIONS, RAW, DimSpec


class Part(BaseModel):
    """One part of a vector."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dims: StrictInt = Field(ge=1, le=1024, description="How many components it has")
    format: StrictStr = Field("raw", description="vla-eval's word for the convention")
    unit: StrictStr = Field(description="The unit of its components, `1` for a plain ratio")
    range: tuple[FiniteFloat, FiniteFloat] | None = None

    @model_validator(mode="after")
    def _is_as_its_format_says(self) -> Self:
        told = CONVENTIONS.get(self.format)
        if told is not None and told.dims != self.dims:
            raise ValueError(f"{self.format} has {told.dims} components, not {self.dims}")
        if told is not None and self.unit not in told.units:
            raise ValueError(f"{self.format} is in {', '.join(sorted(told.units))}")
        return self

    def spec(self, name: str) -> DimSpec:
        """The part as vla-eval tells it."""
        return DimSpec(name=name, dims=self.dims, format=self.format, range=self.range)


Parts = Annotated[dict[StrictStr, Part], Field(min_length=1)]


class Robot(BaseModel):
    """What a simulator's robot takes and shows."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    frame: StrictStr
    actions: Parts
    state: Parts | None = None
    state_format: StrictStr = Field(RAW, description="vla-eval's word for the whole state")
    cameras: tuple[StrictStr, ...] = Field(("image",), description="What its pictures are called")
    observation_params: dict[StrictStr, Any] = {}

    @property
    def action_space(self) -> Space:
        """What its actions are. Raises ValueError."""
        return _space(self.actions, self.frame)

    @property
    def state_space(self) -> Space | None:
        """What its state holds."""
        return None if self.state is None else _space(self.state, self.frame)


def _space(parts: Parts, frame: str) -> Space:
    names = [
        name if part.dims == 1 else f"{name}_{place}"
        for name, part in parts.items()
        for place in range(part.dims)
    ]
    ends = [part.range for part in parts.values() for _ in range(part.dims)]
    bounds = None if None in ends else list(zip(*(end for end in ends if end), strict=True))
    return Space(
        names=tuple(names),
        units=tuple(part.unit for part in parts.values() for _ in range(part.dims)),
        frame=frame,
        low=bounds and bounds[0],
        high=bounds and bounds[1],
    )


def read_robot(path: Path) -> Robot:
    """A robot's file. Raises ConfigError that names the field."""
    try:
        robot = Robot.model_validate(read_yaml(path, "robot's file"))
        assert robot.action_space.dimension and (robot.state is None or robot.state_space)
        return robot
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ConfigError(f"{path}: {wrong}") from error

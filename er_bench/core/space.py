"""What the components of a vector are: an action's, or a robot's state."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, Strict, StrictStr, model_validator

Number = Annotated[FiniteFloat, Strict()]
"""A finite number, and nothing that merely looks like one."""


class Space(BaseModel):
    """What each component of a vector is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    names: tuple[StrictStr, ...] = Field(min_length=1, description="Each component's name, once")
    units: tuple[StrictStr, ...] = Field(
        description="Each component's unit: `m`, `rad`, .., `1` for a plain ratio"
    )
    frame: StrictStr = Field(description="The frame that the components are in, in words")
    low: tuple[Number, ...] | None = Field(
        default=None, description="Least values; simulators clip to them. None: no bound is told"
    )
    high: tuple[Number, ...] | None = Field(default=None, description="Greatest values")

    @property
    def dimension(self) -> int:
        """How many components there are."""
        return len(self.names)

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if len(set(self.names)) < len(self.names):
            raise ValueError("two names are the same")
        for field in ("units", "low", "high"):
            told = getattr(self, field)
            if told is not None and len(told) != self.dimension:
                raise ValueError(f"{field} has {len(told)} values for {self.dimension} names")
        if any(low > high for low, high in zip(self.low or (), self.high or (), strict=False)):
            raise ValueError("a component's low is above its high")
        return self

"""Kinds: everything that can stand in a home, what it can do and how it is built."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from er_bench.worlds.home.parts import Part
from er_bench.worlds.home.solids import Vec


@dataclass(frozen=True, slots=True)
class Look:
    """The state of a thing as far as one can see it."""

    is_open: bool = False
    is_on: bool = False
    is_sliced: bool = False


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of thing. `size_m` is width, depth and height of what it takes up."""

    name: str
    size_m: Vec
    build: Callable[[Look], list[Part]]
    colours: tuple[str, ...]
    """The first is the usual one."""
    spots: tuple[Vec, ...] = ()
    """Where things stand on or in it, in its own frame; none makes it no receptacle."""
    max_bulk: int = 3
    """The largest bulk that fits: 1 a pen, 2 an apple, 3 a pot."""
    bulk: int = 0
    """0 is furniture; anything else can be picked up."""
    openable: bool = False
    toggleable: bool = False
    sliceable: bool = False
    slides_m: float = 0.0
    """How far a drawer comes out."""
    only: tuple[str, ...] = ()
    """Kinds it takes; empty takes all that fit."""
    pickupable: bool = field(init=False)
    """Whether it fits in a hand."""
    receptacle: bool = field(init=False)
    """Whether things can be put on or in it."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "pickupable", self.bulk > 0)
        object.__setattr__(self, "receptacle", bool(self.spots))


def grid(xs: tuple[float, ...], ys: tuple[float, ...], z: float) -> tuple[Vec, ...]:
    """Spots of a surface, front row first, from its middle outwards."""
    order = sorted(xs, key=abs)
    return tuple((x, y, z) for y in sorted(ys, reverse=True) for x in order)

"""Solids in space and the camera that looks at them. Metres; x right, y into the room, z up."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Vec: TypeAlias = tuple[float, float, float]
Matrix: TypeAlias = NDArray[np.float64]
RGB: TypeAlias = tuple[float, float, float]
Shape: TypeAlias = Literal["box", "ball", "cylinder"]

ROOM = -1
"""Owner of walls and floor."""


@dataclass(frozen=True, slots=True)
class Pose:
    """A rigid frame: `world = rotation @ local + position_m`."""

    position_m: Matrix
    rotation: Matrix

    @classmethod
    def at(cls, x: float, y: float, z: float = 0.0, yaw_rad: float = 0.0) -> Pose:
        """A frame turned about the vertical."""
        return cls(np.array([x, y, z]), turn_z(yaw_rad))

    def __matmul__(self, inner: Pose) -> Pose:
        return Pose(self.point(inner.position_m), self.rotation @ inner.rotation)

    def point(self, local: Matrix | Vec) -> Matrix:
        """A local point in the outer frame."""
        out: Matrix = self.rotation @ np.asarray(local, float) + self.position_m
        return out


def turn_z(angle_rad: float) -> Matrix:
    """Rotation about the vertical."""
    c, s = math.cos(angle_rad), math.sin(angle_rad)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def turn_x(angle_rad: float) -> Matrix:
    """Rotation about the x axis."""
    c, s = math.cos(angle_rad), math.sin(angle_rad)
    return np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])


@dataclass(frozen=True, slots=True)
class Solid:
    """One convex solid.

    `half_m`: half extents of a box, semi-axes of a ball, radii and half height of a cylinder whose
    axis is local z.
    """

    shape: Shape
    half_m: Vec
    pose: Pose
    rgb: RGB
    owner: int
    glow: float = 0.0
    """0 is lit by the room, 1 shines by itself."""


@dataclass(frozen=True, slots=True)
class Camera:
    """A pinhole camera with a square picture; pitch is up."""

    eye_m: Vec
    yaw_rad: float
    pitch_rad: float
    fov_deg: float

    def axes(self) -> tuple[Matrix, Matrix, Matrix]:
        """Unit vectors forward, right and up. Yaw 0 looks along +y."""
        cp, sp = math.cos(self.pitch_rad), math.sin(self.pitch_rad)
        cy, sy = math.cos(self.yaw_rad), math.sin(self.yaw_rad)
        forward = np.array([-sy * cp, cy * cp, sp])
        right = np.array([cy, sy, 0.0])
        return forward, right, np.cross(right, forward)

    @property
    def tan_half(self) -> float:
        """Half the picture's side at distance 1."""
        return math.tan(math.radians(self.fov_deg) / 2)

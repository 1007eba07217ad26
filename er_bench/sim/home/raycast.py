"""The numpy renderer: each solid is met by the rays of its part of the picture, nearest wins.

It also judges what is visible, at low resolution, whatever draws the pictures, so that an episode
ends the same way with every renderer.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from er_bench.sim.home.solids import Camera, Matrix, Solid

NEAR_M = 0.05
_CORNERS = np.array(list(product((-1.0, 1.0), repeat=3)))
_LIGHTS = ((np.array([0.35, -0.45, 0.82]), 0.42), (np.array([-0.6, 0.5, 0.62]), 0.18))
_AMBIENT = 0.55


def rays(camera: Camera, n_px: int) -> Matrix:
    """Directions (n, n, 3) of the pixels' rays, depth 1 along the camera's axis."""
    forward, right, up = camera.axes()
    grid = (np.arange(n_px) + 0.5) / n_px * 2 - 1
    u, v = np.meshgrid(grid * camera.tan_half, -grid * camera.tan_half)
    out: Matrix = forward + u[..., None] * right + v[..., None] * up
    return out


def trace(solids: Sequence[Solid], camera: Camera, n_px: int) -> NDArray[np.int32]:
    """Index of the nearest solid for each pixel, (n, n) int32, -1 where there is none."""
    directions = rays(camera, n_px)
    depth = np.full((n_px, n_px), np.inf)
    index = np.full((n_px, n_px), -1, np.int32)
    for number, solid in enumerate(solids):
        window = _window(solid, camera, n_px)
        if window is None:
            continue
        t = _meet(solid, camera, directions[window])
        nearer = t < depth[window]
        depth[window][nearer] = t[nearer]
        index[window][nearer] = number
    return index


def render(solids: Sequence[Solid], camera: Camera, n_px: int) -> NDArray[np.uint8]:
    """The picture, (n, n, 3) uint8."""
    index = trace(solids, camera, n_px)
    directions = rays(camera, n_px)
    picture = np.zeros((n_px, n_px, 3))
    for number in np.unique(index[index >= 0]):
        solid = solids[number]
        where = index == number
        normals = _normals(solid, camera, directions[where])
        light = _AMBIENT + sum(k * np.clip(normals @ way, 0, None) for way, k in _LIGHTS)
        light = np.maximum(light, solid.glow)
        picture[where] = np.asarray(solid.rgb) * light[:, None]
    return (np.clip(picture, 0, 1) * 255).astype(np.uint8)


def _window(solid: Solid, camera: Camera, n_px: int) -> tuple[slice, slice] | None:
    """The part of the picture that the solid's bounding box covers; None when out of sight."""
    forward, right, up = camera.axes()
    local = _CORNERS * np.asarray(solid.half_m)
    offset = local @ solid.pose.rotation.T + solid.pose.position_m - np.asarray(camera.eye_m)
    depth = offset @ forward
    if (depth <= NEAR_M).all():
        return None
    if (depth <= NEAR_M).any():
        return slice(0, n_px), slice(0, n_px)
    scale = n_px / 2 / camera.tan_half
    x = n_px / 2 + offset @ right / depth * scale
    y = n_px / 2 - offset @ up / depth * scale
    x0, x1 = max(0, int(x.min())), min(n_px, int(x.max()) + 1)
    y0, y1 = max(0, int(y.min())), min(n_px, int(y.max()) + 1)
    if x0 >= x1 or y0 >= y1:
        return None
    return slice(y0, y1), slice(x0, x1)


def _local(solid: Solid, camera: Camera, directions: Matrix) -> tuple[Matrix, Matrix]:
    """Eye and rays in the frame where the solid has half extents of 1."""
    half = np.asarray(solid.half_m)
    eye = (np.asarray(camera.eye_m) - solid.pose.position_m) @ solid.pose.rotation / half
    return eye, directions @ solid.pose.rotation / half


def _meet(solid: Solid, camera: Camera, directions: Matrix) -> Matrix:
    """Depth at which each ray enters the solid, inf where it does not."""
    eye, d = _local(solid, camera, directions)
    with np.errstate(divide="ignore", invalid="ignore"):
        if solid.shape == "box":
            t = _slabs(eye, d, 3)
        elif solid.shape == "ball":
            t = _quadric(eye, d, 3)[0]
        else:
            enter, leave = _quadric(eye, d, 2)
            low, high = _slab(eye[2], d[..., 2])
            enter, leave = np.fmax(enter, low), np.fmin(leave, high)
            t = np.where(enter < leave, enter, np.inf)
    return np.where(t > NEAR_M, t, np.inf)


def _slab(eye: float, d: Matrix) -> tuple[Matrix, Matrix]:
    a, b = (-1 - eye) / d, (1 - eye) / d
    return np.fmin(a, b), np.fmax(a, b)


def _slabs(eye: Matrix, d: Matrix, n: int) -> Matrix:
    enter, leave = _slab(eye[0], d[..., 0])
    for axis in range(1, n):
        low, high = _slab(eye[axis], d[..., axis])
        enter, leave = np.fmax(enter, low), np.fmin(leave, high)
    return np.where(enter < leave, enter, np.inf)


def _quadric(eye: Matrix, d: Matrix, n: int) -> tuple[Matrix, Matrix]:
    """Entry and exit of the unit ball (n=3) or of the endless unit cylinder (n=2)."""
    a = (d[..., :n] ** 2).sum(-1)
    b = d[..., :n] @ eye[:n]
    c = float(eye[:n] @ eye[:n]) - 1
    root = np.sqrt(b * b - a * c)
    return np.nan_to_num((-b - root) / a, nan=np.inf), np.nan_to_num((-b + root) / a, nan=-np.inf)


def _normals(solid: Solid, camera: Camera, directions: Matrix) -> Matrix:
    """Outward unit normals (k, 3) where these rays meet the solid."""
    eye, d = _local(solid, camera, directions)
    local = eye + _meet(solid, camera, directions)[:, None] * d
    if solid.shape == "box":
        local = local * (np.abs(local) >= np.abs(local).max(-1, keepdims=True))
    elif solid.shape == "cylinder":
        cap = np.abs(local[:, 2]) > np.hypot(local[:, 0], local[:, 1])
        local = np.where(cap[:, None], local * [0, 0, 1], local * [1, 1, 0])
    world = (local / np.asarray(solid.half_m)) @ solid.pose.rotation.T
    out: Matrix = world / np.linalg.norm(world, axis=-1, keepdims=True)
    return out

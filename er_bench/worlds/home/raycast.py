"""The numpy renderer: each solid is met by the rays of its part of the picture, nearest wins.

It also judges what is visible, at low resolution, whatever draws the pictures, so that an episode
ends the same way with every renderer.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from er_bench.worlds.home.solids import Camera, Matrix, Solid

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


def trace(
    solids: Sequence[Solid],
    camera: Camera,
    n_px: int,
    crop: tuple[int, int, int, int] | None = None,
) -> NDArray[np.int32]:
    """Index of the nearest solid for each pixel, int32, -1 where there is none.

    `crop` (x0, y0, x1, y1) traces only that part of the (n, n) picture.
    """
    cx0, cy0, cx1, cy1 = crop or (0, 0, n_px, n_px)
    directions = rays(camera, n_px)[cy0:cy1, cx0:cx1]
    depth = np.full(directions.shape[:2], np.inf)
    index = np.full(directions.shape[:2], -1, np.int32)
    low, high = [cx0, cy0, cx0, cy0], [cx1, cy1, cx1, cy1]
    spans = np.clip(windows(solids, camera, n_px), low, high) - low
    for number, (x0, y0, x1, y1) in enumerate(spans):
        if x0 < x1 and y0 < y1:
            window = slice(y0, y1), slice(x0, x1)
            t = _meet(solids[number], camera, directions[window])
            nearer = t < depth[window]
            depth[window][nearer] = t[nearer]
            index[window][nearer] = number
    return index


def count_px(solids: Sequence[Solid], camera: Camera, n_px: int, owner: int) -> int:
    """How many pixels of the (n, n) picture belong to one owner."""
    own = [s for s in solids if s.owner == owner]
    spans = windows(own, camera, n_px)
    spans = spans[(spans[:, 0] < spans[:, 2]) & (spans[:, 1] < spans[:, 3])]
    if not len(spans):
        return 0
    (x0, y0), (x1, y1) = spans[:, :2].min(0), spans[:, 2:].max(0)
    index = trace(solids, camera, n_px, (int(x0), int(y0), int(x1), int(y1)))
    owners = np.array([s.owner for s in solids])
    return int((owners[index[index >= 0]] == owner).sum())


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


def windows(solids: Sequence[Solid], camera: Camera, n_px: int) -> NDArray[np.int64]:
    """The part of the picture that each solid's bounding box covers, (N, 4) x0 y0 x1 y1.

    Empty (x0 >= x1 or y0 >= y1) when out of sight; the whole picture when the eye is within.
    """
    forward, right, up = camera.axes()
    half = np.array([s.half_m for s in solids]).reshape(-1, 1, 3)
    turn = np.array([s.pose.rotation for s in solids]).reshape(-1, 3, 3)
    centre = np.array([s.pose.position_m for s in solids]).reshape(-1, 1, 3)
    offset = (_CORNERS * half) @ turn.transpose(0, 2, 1) + centre - np.asarray(camera.eye_m)
    depth = offset @ forward
    behind = depth <= NEAR_M
    safe = np.where(behind, 1.0, depth)
    scale = n_px / 2 / camera.tan_half
    x = n_px / 2 + offset @ right / safe * scale
    y = n_px / 2 - offset @ up / safe * scale
    spans: NDArray[Any] = np.stack([x.min(1), y.min(1), x.max(1) + 1, y.max(1) + 1], 1)
    spans = np.clip(spans, 0, n_px).astype(np.int64)  # (N, 4)
    spans[behind.any(1)] = 0, 0, n_px, n_px
    spans[behind.all(1)] = 0
    return spans


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

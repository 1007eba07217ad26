"""An observation's pictures, under the names that a server knows its cameras by."""

from __future__ import annotations

from collections.abc import Mapping

from er_bench.core.errors import ModelError
from er_bench.core.picture import Rgb
from er_bench.core.policy import Observation


def pictures(seen: Observation, cameras: Mapping[str, str] | None) -> dict[str, Rgb]:
    """uint8 `(H, W, 3)` by the server's names, in the order of `cameras`; None: all as they are.

    Raises ModelError for a camera that is not there, or a picture that cannot be read.
    """
    wanted = {name: name for name in seen.images} if cameras is None else cameras
    return {there: picture(seen, here) for there, here in wanted.items()}


def picture(seen: Observation, camera: str) -> Rgb:
    """One camera's picture. Raises ModelError."""
    if camera not in seen.images:
        there = ", ".join(seen.images) or "none"
        raise ModelError(f"the environment has no camera {camera}; it has: {there}")
    try:
        return seen.rgb_hwc(camera)
    except OSError as error:
        raise ModelError(f"the picture of {camera} cannot be read: {error}") from error

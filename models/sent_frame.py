"""The frame that the answers of a served model are counted in, where it counts pixels."""

from __future__ import annotations

from dataclasses import replace

from er_bench.core.dialect import AnyDialect, Benchmark
from er_bench.core.errors import DataError, UsageError
from er_bench.core.geometry import PixelGrid, Unit
from er_bench.core.prompt import Expect, Prompt
from er_bench.models.picture_sending import Sent

PLACES = (Expect.POINTS, Expect.BOXES)


def server_grid(
    dialect: AnyDialect, min_pixels: int | None, max_pixels: int | None
) -> PixelGrid | None:
    """The server's own resize, where a model counts the pixels that it leaves.

    A client does not see that resize, so it is done before sending, and the server has nothing
    left to do. None where nothing is counted in its pixels, or `max_pixels` is not told. Raises
    UsageError for bounds that nothing is counted in.
    """
    told = {"min_pixels": min_pixels, "max_pixels": max_pixels}
    given = {name: value for name, value in told.items() if value is not None}
    if isinstance(dialect, Benchmark) or dialect.unit is not Unit.PIXEL_SENT:
        if given:
            raise UsageError(
                f"{', '.join(given)}: models of dialect {dialect.name} do not count pixels of the "
                "picture as a server resized it; leave it out"
            )
        return None
    if dialect.grid is None or max_pixels is None:
        if given:
            raise UsageError(
                f"{', '.join(given)}: it takes max_pixels, and a dialect whose resize is known"
            )
        return None
    try:
        return replace(dialect.grid, **given)
    except ValueError as error:
        raise UsageError(str(error)) from error


def check_places(prompt: Prompt, dialect: AnyDialect, grid: PixelGrid | None) -> None:
    """Raise UsageError where places are asked for in pixels that only the server knows."""
    if isinstance(dialect, Benchmark) or dialect.unit is not Unit.PIXEL_SENT or grid is not None:
        return
    if prompt.expects not in PLACES:
        return
    if dialect.grid is None:
        raise UsageError(
            f"models of dialect {dialect.name} count pixels of the picture as resized, and how a "
            "server resizes it is not known; run the model here: --backend transformers"
        )
    raise UsageError(
        f"models of dialect {dialect.name} count pixels of the picture as the server's processor "
        "resized it, so er-bench must resize as it does; say its bound: --model-args "
        f"max_pixels={dialect.grid.max_pixels}, or what the server was started with"
    )


def check_frame(sent: Sent, expect: Expect, dialect: AnyDialect, name: str) -> None:
    """Raise DataError for a picture that was shrunk, where pixels of the whole one are counted.

    A benchmark's own words may count them.
    """
    counts = isinstance(dialect, Benchmark) or dialect.unit is Unit.PIXEL
    if sent.size_wh == sent.given_wh or not counts or expect not in PLACES:
        return
    (w, h), (sent_w, sent_h) = sent.given_wh, sent.size_wh
    raise DataError(
        f"the limits of --model-args shrink it from {w}x{h} to {sent_w}x{sent_h}, and the answer "
        "may count pixels of the whole picture; raise max_image_side and max_image_bytes",
        file=name,
    )

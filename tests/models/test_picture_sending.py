"""What an endpoint gets of a picture."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from aiohttp import web

from er_bench.core.errors import DataError, ModelError
from er_bench.core.message import user
from er_bench.core.prompt import Expect, Prompt
from er_bench.core.sample import Image
from er_bench.data import media
from er_bench.data.rows import FileBlob
from er_bench.models.picture_sending import PictureLimits, to_send
from er_bench.tasks.base.masks import check_size
from tests.chat import ChatServer
from tests.models.test_openai import ask, client

NONE = PictureLimits()


def scene(width: int = 64, height: int = 48) -> PIL.Image.Image:
    """Grey, with a red corner at the top left."""
    pixels = np.full((height, width, 3), 90, np.uint8)
    pixels[: height // 3, : width // 3] = (220, 10, 10)
    return PIL.Image.fromarray(pixels)


def noise(width: int, height: int) -> PIL.Image.Image:
    """A picture that no format makes small."""
    drawn = np.random.default_rng(4).integers(0, 256, (height, width, 3))
    return PIL.Image.fromarray(drawn.astype(np.uint8))


def saved(picture: PIL.Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def oriented(tag: int) -> bytes:
    """A JPEG whose stored pixels a viewer turns so that `scene` is seen."""
    undo = {
        1: None,
        3: PIL.Image.Transpose.ROTATE_180,
        6: PIL.Image.Transpose.ROTATE_90,
        8: PIL.Image.Transpose.ROTATE_270,
    }[tag]
    stored = scene() if undo is None else scene().transpose(undo)
    exif = PIL.Image.Exif()
    exif[media.ORIENTATION] = tag
    return saved(stored, "JPEG", quality=95, exif=exif)


def is_upright(picture: PIL.Image.Image) -> bool:
    reds = np.asarray(picture.convert("RGB"))[..., 0] > 150
    ys, xs = np.nonzero(reds)
    return picture.size == (64, 48) and xs.mean() < 12 and ys.mean() < 10


@pytest.mark.parametrize("tag", [1, 3, 6, 8])
def test_a_photo_is_upright_for_every_backend(tag: int, tmp_path: Path) -> None:
    photo, content = tmp_path / "photo.jpg", oriented(tag)
    photo.write_bytes(content)
    assert media.image_size(photo) == (64, 48)
    assert is_upright(media.image(FileBlob(photo)))
    sent = to_send(content, "photo.jpg", NONE)
    with PIL.Image.open(io.BytesIO(sent.content)) as shown:
        assert is_upright(shown) and not media.turned(shown)
    assert sent.size_wh == (64, 48)
    assert (sent.content == content) == (tag == 1)


def test_a_mask_of_the_stored_pixels_is_named(tmp_path: Path) -> None:
    photo, fits, other = (tmp_path / name for name in ("photo.jpg", "fits.png", "other.png"))
    photo.write_bytes(oriented(6))
    PIL.Image.new("L", (64, 48)).save(fits)
    PIL.Image.new("L", (48, 64)).save(other)
    check_size(fits, FileBlob(photo), "row 1")
    with pytest.raises(DataError, match="mask is 48x64, its image 64x48"):
        check_size(other, FileBlob(photo), "row 1")


def test_a_multi_picture_file_goes_out_as_the_jpeg_that_it_is() -> None:
    content = saved(noise(400, 300), "MPO", save_all=True, append_images=[scene()])
    with PIL.Image.open(io.BytesIO(content)) as found:
        assert found.format == "MPO"
    sent = to_send(content, "phone.jpg", NONE)
    assert (sent.content, sent.mime, sent.size_wh) == (content, "image/jpeg", (400, 300))


def test_a_large_jpeg_goes_out_as_it_is_unless_the_endpoint_takes_less() -> None:
    content = saved(noise(900, 700), "JPEG", quality=98)
    assert to_send(content, "noise.jpg", NONE).content == content
    fewer = to_send(content, "noise.jpg", PictureLimits(most_bytes=100_000))
    assert fewer.mime == "image/jpeg" and len(fewer.content) <= 100_000
    shorter = to_send(content, "noise.jpg", PictureLimits(longest_side=450))
    assert shorter.size_wh == (450, 350) and len(shorter.content) < len(content)


def test_a_small_picture_in_another_format_becomes_a_png() -> None:
    sent = to_send(saved(scene(20, 20), "BMP"), "x.bmp", PictureLimits(most_bytes=2000))
    assert (sent.mime, sent.size_wh) == ("image/png", (20, 20))
    with pytest.raises(DataError, match="max_image_bytes=100"):
        to_send(saved(noise(90, 90), "BMP"), "x.bmp", PictureLimits(most_bytes=100))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF"])
def test_a_damaged_picture_is_a_data_error_everywhere(kind: str, tmp_path: Path) -> None:
    whole, rng = saved(scene(), kind), np.random.default_rng(7)
    with pytest.raises(DataError, match="not a readable image"):
        to_send(whole[: len(whole) // 2], "cut", NONE)
    file = tmp_path / "damaged"
    for _ in range(60):
        damaged = bytearray(whole)
        for at in rng.integers(0, len(whole), 3):
            damaged[at] = rng.integers(0, 256)
        file.write_bytes(damaged)
        for look in (
            lambda: to_send(bytes(damaged), "damaged", NONE),  # noqa: B023
            lambda: media.image(FileBlob(file)),
            lambda: media.image_size(file),
            lambda: media.mask_values(file),
        ):
            try:
                look()
            except DataError as error:
                assert "\n" not in str(error)


def test_a_format_that_starts_other_programs_is_no_picture() -> None:
    with pytest.raises(DataError, match="not a readable image"):
        to_send(saved(scene(), "EPS"), "photo.jpg", NONE)


def test_what_was_sent_is_recorded_and_a_413_names_the_settings(
    chat_server: ChatServer, tmp_path: Path
) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(saved(noise(300, 200), "JPEG"))
    look = Prompt((user(Image(FileBlob(photo)), "say B"),), Expect.TEXT)
    (said,) = ask(client(chat_server, max_image_side=150), look)
    assert said.image_sizes == ((150, 100),)
    (part,) = (
        p for p in chat_server.bodies[0]["messages"][0]["content"] if p["type"] == "image_url"
    )
    content = base64.b64decode(part["image_url"]["url"].partition(",")[2])
    with PIL.Image.open(io.BytesIO(content)) as arrived:
        assert arrived.size == (150, 100)

    async def too_large(body: dict[str, Any], call: int) -> web.StreamResponse:
        return web.Response(status=413)

    chat_server.behave = too_large
    with pytest.raises(ModelError, match="max_image_side, max_image_bytes"):
        ask(client(chat_server), look)

"""The wire as the client reads it: frames checked against their limits, typed errors.

The other side is `er_bench/sim/server.py`, which also says what a frame is.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from er_bench.core.errors import EnvError
from er_bench.sim.server import MAX_BLOB_BYTES, MAX_HEADER_BYTES, PROTOCOL, encode_frame

__all__ = ["PROTOCOL", "Reply", "encode_frame", "read_reply"]


class WireError(EnvError):
    """Happens when the other side does not keep to the protocol: its process is not to be used."""


class Blob(BaseModel):
    """One blob that follows a header."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: str
    format: str
    bytes: int = Field(ge=0, le=MAX_BLOB_BYTES)
    sha256: str


class Failure(BaseModel):
    """Why a request was refused."""

    model_config = ConfigDict(extra="forbid", strict=True)

    type: str
    message: str


class Header(BaseModel):
    """The JSON part of a reply."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: int | None
    result: dict[str, Any] | None = None
    error: Failure | None = None
    blobs: list[Blob] = Field(default=[], max_length=16)


class Reply(BaseModel):
    """A whole reply: header and blobs."""

    header: Header
    blobs: dict[str, bytes]


async def read_reply(stream: asyncio.StreamReader) -> Reply:
    """The next reply, checked. Raises WireError that says what is wrong with it."""
    length = int.from_bytes(await _exactly(stream, 4, "length"), "big")
    if length > MAX_HEADER_BYTES:
        raise WireError(f"a frame of {length} bytes; at most {MAX_HEADER_BYTES} are allowed")
    text = await _exactly(stream, length, "header")
    try:
        header = Header.model_validate(json.loads(text))
    except (ValueError, ValidationError, RecursionError) as error:
        raise WireError(f"not a reply: {str(error).splitlines()[0]}") from None
    if sum(blob.bytes for blob in header.blobs) > MAX_BLOB_BYTES:
        raise WireError(f"more than {MAX_BLOB_BYTES} bytes of images in one frame")
    blobs: dict[str, bytes] = {}
    for blob in header.blobs:
        content = await _exactly(stream, blob.bytes, f"blob {blob.name}")
        if hashlib.sha256(content).hexdigest() != blob.sha256:
            raise WireError(f"blob {blob.name} does not have the SHA-256 it announces")
        blobs[blob.name] = content
    return Reply(header=header, blobs=blobs)


async def _exactly(stream: asyncio.StreamReader, n: int, what: str) -> bytes:
    try:
        return await stream.readexactly(n)
    except asyncio.IncompleteReadError as error:
        raise WireError(
            f"the connection ended inside a reply ({what}: {len(error.partial)} of {n} bytes)"
        ) from None
    except OSError as error:
        raise WireError(f"the connection broke: {error}") from None

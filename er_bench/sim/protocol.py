"""The wire as the client reads it: frames checked against their limits, typed errors.

The other side is `er_bench/sim/server.py`, which also says what a frame is.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from er_bench.core.errors import EnvError
from er_bench.sim.checked import first_problem, one_line
from er_bench.sim.server import (
    MAX_BLOB_BYTES,
    MAX_BLOBS,
    MAX_HEADER_BYTES,
    PROTOCOL,
    BadRequest,
    encode_frame,
    joined,
    read_json,
)

__all__ = ["PROTOCOL", "Reply", "WireError", "encode_frame", "read_reply"]


class WireError(EnvError):
    """Happens when the other side does not keep to the protocol: its process is not to be used."""


class Blob(BaseModel):
    """One blob that follows a header."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: str
    format: Literal["png", "array"]
    bytes: int = Field(ge=0, le=MAX_BLOB_BYTES)
    sha256: str
    dtype: str | None = None
    shape: list[int] | None = None


class Failure(BaseModel):
    """Why a request was refused."""

    model_config = ConfigDict(extra="forbid", strict=True)

    type: str
    message: str


class Header(BaseModel):
    """The JSON part of a reply."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: int | None
    result: dict[str, object] | None = None
    error: Failure | None = None
    blobs: list[Blob] = Field(default=[], max_length=MAX_BLOBS)


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole reply; pictures and arrays are in their places in `result`."""

    id: int | None
    result: dict[str, object] | None
    error: Failure | None


async def read_reply(stream: asyncio.StreamReader) -> Reply:
    """The next reply, checked. Raises WireError that says what is wrong with it."""
    length = int.from_bytes(await _exactly(stream, 4, "length"), "big")
    if length > MAX_HEADER_BYTES:
        raise WireError(f"a frame of {length} bytes; at most {MAX_HEADER_BYTES} are allowed")
    text = await _exactly(stream, length, "header")
    try:
        header = Header.model_validate(read_json(text))
    except BadRequest as error:
        raise WireError(one_line(f"not a reply: {error}")) from None
    except ValidationError as error:
        raise WireError(f"not a reply: {first_problem(error)}") from None
    if sum(blob.bytes for blob in header.blobs) > MAX_BLOB_BYTES:
        raise WireError(f"more than {MAX_BLOB_BYTES} bytes of blobs in one frame")
    contents = [await _exactly(stream, blob.bytes, f"blob {blob.name}") for blob in header.blobs]
    result = header.result
    if contents:
        try:
            entries = [blob.model_dump() for blob in header.blobs]
            result = joined(result or {}, entries, contents)
        except BadRequest as error:
            raise WireError(str(error)) from None
    return Reply(header.id, result, header.error)


async def _exactly(stream: asyncio.StreamReader, n: int, what: str) -> bytes:
    try:
        return await stream.readexactly(n)
    except asyncio.IncompleteReadError as error:
        raise WireError(
            f"the connection ended inside a reply ({what}: {len(error.partial)} of {n} bytes)"
        ) from None
    except OSError as error:
        raise WireError(f"the connection broke: {error}") from None

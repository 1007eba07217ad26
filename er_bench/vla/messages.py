"""Messages of vla-eval's websocket protocol, version 1 (vla-eval 0.8.0, `protocol/messages.py`).

A message is a msgpack map of `type`, `payload`, `seq` and `timestamp`. The client says HELLO, and
the server says what it is; EPISODE_START and EPISODE_END get no answer; an OBSERVATION is answered
by an ACTION, or by an ERROR, of the same `seq`.
"""

from __future__ import annotations

import time
from enum import StrEnum
from typing import Annotated, Any, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    StrictInt,
    StrictStr,
    ValidationError,
)

from er_bench.core.completion import one_line
from er_bench.vla.specs import DimSpec
from er_bench.vla.values import VLA_EVAL, packed, plain, with_arrays

PROTOCOL = 1
M = TypeVar("M", bound=BaseModel)


class Kind(StrEnum):
    """What a message is."""

    HELLO = "hello"
    OBSERVATION = "observation"
    ACTION = "action"
    EPISODE_START = "episode_start"
    EPISODE_END = "episode_end"
    ERROR = "error"


class Message(BaseModel):
    """One message."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Kind
    payload: dict[StrictStr, Any]
    seq: StrictInt = Field(ge=0, description="The client's count; an answer has its question's")
    timestamp: FiniteFloat = Field(default_factory=time.time, description="Unix time, seconds")

    def packed(self) -> bytes:
        """The message as it crosses the wire. Raises TypeError for what has no form there."""
        return packed({**dict(self), "type": str(self.type)}, VLA_EVAL)

    def with_arrays(self) -> dict[str, Any]:
        """The payload of a message that was read, its arrays made. Raises ValueError."""
        made: dict[str, Any] = with_arrays(self.payload, VLA_EVAL)
        if not isinstance(made, dict):
            raise ValueError("field payload is an array")
        return made


Specs = Annotated[dict[StrictStr, DimSpec], Field(max_length=64)]


class ServerHello(BaseModel):
    """What a server says of itself. What else it tells asks nothing of a client."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    protocol_version: StrictInt
    harness_version: StrictStr = ""
    model_server: StrictStr = ""
    action_spec: Specs = {}
    observation_spec: Specs = {}
    observation_params: dict[StrictStr, Any] = {}


def read_message(content: bytes | str) -> Message:
    """A message, checked; arrays in its payload are still as they came.

    Raises ValueError that says what is wrong.
    """
    if isinstance(content, str):
        raise ValueError(f"a text: {one_line(content)}")
    return checked(Message, plain(content))


def checked(kind: type[M], value: object) -> M:
    """A value as a model. Raises ValueError that names the first field that is wrong."""
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "message"
        raise ValueError(f"field {one_line(place, 60)}: {first['msg']}") from error

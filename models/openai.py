"""Any OpenAI-compatible endpoint: chat completions with image parts, one POST a prompt.

Image bytes go out as they are stored when their format and size allow, video frames as JPEG; a
family whose pixels must not change on the way gets PNG. What else a family needs of its server, it
says itself (`core.family.Served`). The key comes from the environment and is written nowhere.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import aiohttp
import PIL.Image
from pydantic import BaseModel, ConfigDict, Field, Json

from er_bench.core.completion import Completion
from er_bench.core.errors import ConfigError, DataError, ModelError, UsageError
from er_bench.core.geometry import Size
from er_bench.core.model import Model, ModelSettings
from er_bench.core.prompt import Prompt
from er_bench.core.sample import Image, Text, Video
from er_bench.data import media
from er_bench.models.chat_reply import BUSY, RETRYABLE, one_line, read_reply
from er_bench.models.families import every, served_family
from er_bench.models.retry_after import http_date, retry_after_s
from er_bench.models.settings import check_names, parse_args

PASSED_THROUGH = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
MAX_IMAGE_BYTES = 20 * 2**20
Encoded = tuple[bytes, str, Size]
"""An image file, its type, and width and height."""


class OpenAIArgs(BaseModel):
    """Settings of the client (`--model-args`)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: str | None = Field(
        None, description="The endpoint up to /v1; else OPENAI_BASE_URL, else OpenAI's own"
    )
    api_key_env: str = Field("OPENAI_API_KEY", description="The variable that holds the key")
    detail: Literal["low", "high", "auto"] | None = Field(None, description="Image detail")
    frames: int = Field(16, ge=1, description="Frames taken from a video")
    frame_sampling: Literal["linspace", "centres"] = "linspace"
    frame_prefix: Literal["Frame", "Frame-"] | None = Field(
        None, description="A text part `Frame1: ` or `Frame-1: ` before each video frame"
    )
    extra_body: Json[dict[str, object]] | dict[str, object] = Field(
        default_factory=dict, description="More fields of the request, as a JSON object"
    )
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"


def build(settings: ModelSettings) -> Model:
    """A client for the model that the checkpoint names. Raises UsageError."""
    if any("key" in name and name != "api_key_env" for name in settings.args):
        raise UsageError(
            "a key is never given on the command line: put it into OPENAI_API_KEY, "
            "or name another variable with --model-args api_key_env=NAME"
        )
    return OpenAI(settings)


class OpenAI(Model):
    """A client of one endpoint and one model name."""

    concurrency = 64
    request_timeout_s = 600.0

    def __init__(self, settings: ModelSettings) -> None:
        check_names(
            settings.args, OpenAIArgs, *(family.served for family in every(settings.registry))
        )
        family = served_family(settings.registry, settings.family, settings.args)
        args, self._served = parse_args(settings.args, OpenAIArgs, family.served)
        self.name, self.dialect, self._settings = settings.name, settings.dialect, settings
        self._args = args
        base = args.base_url or os.environ.get("OPENAI_BASE_URL")
        self._url = f"{(base or 'https://api.openai.com/v1').rstrip('/')}/chat/completions"
        self._key = os.environ.get(args.api_key_env)
        if base is None and not self._key:
            raise ConfigError(f"{self._url} needs a key: set {args.api_key_env}")
        self._session: aiohttp.ClientSession | None = None
        self._frames = media.FrameCache()

    def identity(self) -> dict[str, Any]:
        """Endpoint, model name and settings; no key."""
        args = {k: v for k, v in sorted(self._settings.args.items()) if k != "base_url"}
        return self._settings.identity("openai", endpoint=self._url, args=args)

    async def ask(self, prompt: Prompt) -> Completion:
        """One POST. Raises ModelError, or DataError for media that cannot be read."""
        body, sizes = await asyncio.to_thread(self._body, prompt)
        start = time.monotonic()
        try:
            async with self._open_session().post(self._url, data=body) as response:
                content = await response.read()
                if response.status != 200:
                    raise self._refused(response, content)
        except (aiohttp.ClientError, OSError) as error:
            raise ModelError(
                f"{self._url}: {type(error).__name__}: {error}", retryable=True
            ) from error
        return self._read(content, sizes, prompt, time.monotonic() - start)

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            headers = {"Content-Type": "application/json"}
            if self._key:
                headers["Authorization"] = f"Bearer {self._key}"
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                timeout=aiohttp.ClientTimeout(total=None),
                headers=headers,
            )
        return self._session

    def _refused(self, response: aiohttp.ClientResponse, content: bytes) -> ModelError:
        text = one_line(content.decode(errors="replace"), 500).replace(self._key or "\0", "***")
        return ModelError(
            f"{self._url} answered {response.status}: {text}",
            retryable=response.status in RETRYABLE and "insufficient_quota" not in text,
            busy=response.status in BUSY,
            retry_after_s=retry_after_s(
                response.headers.get("Retry-After"), http_date(response.headers.get("Date"))
            ),
        )

    def _read(
        self, content: bytes, sizes: tuple[Size, ...], prompt: Prompt, latency_s: float
    ) -> Completion:
        try:
            reply = read_reply(content)
        except ModelError as error:
            raise ModelError(
                f"{self._url}: {error}", retryable=error.retryable, busy=error.busy
            ) from error
        text = self._served.answer(reply.text)
        return replace(
            reply,
            text=text,
            latency_s=latency_s,
            image_sizes=sizes,
            constrained=prompt.json_schema is not None and keeps_to(prompt.json_schema, text),
        )

    def _body(self, prompt: Prompt) -> tuple[bytes, tuple[Size, ...]]:
        """The request, ready to send, and the size of each image in it. Runs in a thread."""
        sizes: list[Size] = []
        messages = [
            {"role": m.role, "content": [c for p in m.parts for c in self._content(p, sizes)]}
            for m in prompt.messages
        ]
        limits = self._settings.decoding(prompt)
        body: dict[str, object] = {"model": self._settings.checkpoint, "messages": messages}
        for name, value in (
            (self._args.max_tokens_field, limits.max_new_tokens),
            ("temperature", limits.temperature),
            ("top_p", limits.top_p),
            ("seed", limits.seed),
        ):
            if value is not None:
                body[name] = value
        if prompt.json_schema is not None:
            schema = {"name": "answer", "schema": dict(prompt.json_schema), "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        body |= self._served.request_fields(prompt)
        return json.dumps(body | self._args.extra_body).encode(), tuple(sizes)

    def _content(self, part: Text | Image | Video, sizes: list[Size]) -> list[dict[str, object]]:
        match part:
            case Text(text):
                self._served.check_text(text)
                return [{"type": "text", "text": text}]
            case Image(blob) if self._served.exact_pixels:
                return [self._image(*_png(media.image(blob)), sizes)]
            case Image(blob):
                return [self._image(*_image_bytes(blob.read(), blob.name), sizes)]
        frames = self._frames.frames(part, self._args.frames, self._args.frame_sampling)
        encoded = _png if self._served.exact_pixels else _jpeg
        content: list[dict[str, object]] = []
        for number, frame in enumerate(frames, start=1):
            if (prefix := self._args.frame_prefix) and part.label == "frame":
                content.append({"type": "text", "text": f"{prefix}{number}: "})
            content.append(self._image(*encoded(frame), sizes))
        return content

    def _image(self, content: bytes, mime: str, size: Size, sizes: list[Size]) -> dict[str, object]:
        sizes.append(size)
        url = {"url": f"data:{mime};base64,{base64.b64encode(content).decode()}"}
        if detail := self._args.detail:
            url["detail"] = detail
        return {"type": "image_url", "image_url": url}

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None


def _image_bytes(content: bytes, name: str) -> Encoded:
    """Image bytes that every endpoint takes. Raises DataError."""
    try:
        with PIL.Image.open(io.BytesIO(content)) as opened:
            mime = PASSED_THROUGH.get(opened.format or "")
            if mime and len(content) <= MAX_IMAGE_BYTES:
                return content, mime, opened.size
            return _png(opened.convert("RGB"))
    except (OSError, ValueError, SyntaxError, PIL.Image.DecompressionBombError) as error:
        raise DataError(f"not a readable image: {error}", file=name) from error


def _png(image: PIL.Image.Image) -> Encoded:
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=1)
    return out.getvalue(), "image/png", image.size


def _jpeg(image: PIL.Image.Image) -> Encoded:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=95)
    return out.getvalue(), "image/jpeg", image.size


def keeps_to(schema: Mapping[str, object], text: str) -> bool:
    """Whether an answer is JSON of a schema: some servers take a schema and do not keep to it."""
    from jsonschema import SchemaError, ValidationError, validate

    try:
        validate(json.loads(text), schema)
    except (ValueError, ValidationError, SchemaError, RecursionError):
        return False
    return True

"""The limits that SECURITY.md names are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import PIL.Image

from er_bench.core import limits
from er_bench.models.openai import OpenAI, OpenAIArgs
from er_bench.models.policy_servers.backends import VlaEvalArgs
from er_bench.run.evaluate import MAX_CONCURRENCY
from er_bench.sim import server
from er_bench.vla import serve, values

SETTABLE = [found for found in vars(limits).values() if isinstance(found, limits.Limit)]
PAGE = Path(__file__).parent.parent / "SECURITY.md"
MI = 2**20
DEFAULTS = {
    "a server's reply, unpacked": f"{OpenAIArgs().max_reply_bytes // MI} MiB",
    "time of a request to a server": f"{OpenAI.request_timeout_s:g} s",
    "a policy server's message": f"{VlaEvalArgs().max_reply_bytes // MI} MiB",
    "a message to `er-bench vla serve`; its clients": (
        f"{serve.MAX_MESSAGE_BYTES // MI} MiB; {serve.MAX_CLIENTS}"
    ),
    "lists and maps in a policy's message; entries of one": (
        f"{values.MAX_CONTAINERS:,}; {values.MAX_ENTRIES:,}"
    ),
    "pixels of a picture": f"{2 * (PIL.Image.MAX_IMAGE_PIXELS or 0) / 1e6:.0f} million (Pillow's)",
    "samples in flight": f"{MAX_CONCURRENCY:,}",
    f"a simulator's frame: header, one of {server.MAX_BLOBS} blobs, depth": (
        f"{server.MAX_HEADER_BYTES // MI} MiB, {server.MAX_BLOB_BYTES // MI} MiB, "
        f"{server.MAX_DEPTH}"
    ),
    "a simulator's client before its token: bytes, time": (
        f"{server.MAX_FIRST_BYTES // 1024} KiB, {server.HANDSHAKE_S:g} s"
    ),
}


def shown(limit: limits.Limit) -> str:
    """A default as people read it."""
    if "bytes" in limit.what and limit.default % MI == 0:
        return f"{limit.default // MI:,} MiB"
    return f"{limit.default:,}"


def test_the_limits_of_the_page_are_those_of_the_code() -> None:
    table = PAGE.read_text().partition("## Limits")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([^|]+?) \| ([^|]+?) \| ([^|]+?) \|$", table, re.MULTILINE)
    told = {what: default for what, default, _ in rows if what != "limit"}
    assert told == DEFAULTS | {limit.what: shown(limit) for limit in SETTABLE}
    settings = {what: setting for what, _, setting in rows}
    assert all(settings[limit.what] == f"`{limit.variable}`" for limit in SETTABLE)

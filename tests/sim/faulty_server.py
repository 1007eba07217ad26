"""Serve the counting world, and break the protocol at one step in the way the options say."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from counting_world import CountingWorld, png

from er_bench.sim.server import Server, guard, own_streams, read_request


def broken(reply: bytes, fault: str) -> bytes:
    """What is sent in place of a good reply."""
    if fault == "truncated":
        return reply[: len(reply) // 2]
    if fault == "wrong_length":
        return (int.from_bytes(reply[:4], "big") - 7).to_bytes(4, "big") + reply[4:]
    if fault == "huge_length":
        return b"\xff\xff\xff\xff" + reply[4:]
    if fault == "garbage":
        return (12).to_bytes(4, "big") + b"{not json..}"
    if fault == "deep":
        return (400_000).to_bytes(4, "big") + b"[" * 400_000
    if fault == "bad_picture":
        return reply[:-1] + bytes([reply[-1] ^ 1])
    if fault == "wrong_id":
        return reply.replace(b'{"id": ', b'{"id":9', 1)
    if fault == "no_feedback":
        body = reply[4:].replace(b'"feedback"', b'"feedbacx"', 1)
        return reply[:4] + body
    raise ValueError(fault)


PICTURES = {
    "nothing": None,
    "empty": b"",
    "text": b"no picture",
    "no_height": png((0, 0, 0), 8)[:20] + bytes(4) + png((0, 0, 0), 8)[24:],
    "cut": png((0, 0, 0), 8)[:50],
    "huge": png((0, 0, 0), 8)[:16] + (9000).to_bytes(4, "big") * 2 + png((0, 0, 0), 8)[24:],
}


class BrokenCamera(CountingWorld):
    """The counting world with one odd picture at each reset or step."""

    def _seen(self, method: str, told: dict[str, Any]) -> dict[str, Any]:
        once = self.options.get("once")
        if method == self.options.get("method") and not (once and os.path.exists(once)):
            if once:
                Path(once).touch()
            picture = PICTURES[self.options["picture"]]
            told["obs"] = {} if picture is None else {"head_rgb": picture}
        return told

    def reset(self, *told: Any, **also: Any) -> dict[str, Any]:
        return self._seen("reset", super().reset(*told, **also))

    def step(self, action: str) -> dict[str, Any]:
        return self._seen("step", super().step(action))


def main() -> None:
    options = dict(argument.split("=", 1) for argument in sys.argv[1:])
    requests, replies = own_streams()
    guard(requests)
    server, fault, steps = Server(BrokenCamera(options)), options.get("fault", ""), 0
    while (read := read_request(requests)) is not None:
        request, contents = read
        steps += request["method"] == "step"
        reply = server.reply(request, contents)
        if fault and request["method"] == "step" and steps == int(options.get("at", "2")):
            if "once" not in options or not os.path.exists(options["once"]):
                if "once" in options:
                    Path(options["once"]).touch()
                if fault == "exit":
                    sys.exit(7)
                if fault == "hang":
                    child = subprocess.Popen(["sleep", "600"])
                    with open(options["pids"], "a") as file:
                        file.write(f"{child.pid}\n")
                    time.sleep(600)
                reply = broken(reply, fault)
                if fault in ("truncated", "wrong_length"):
                    replies.write(reply)
                    replies.flush()
                    return
        replies.write(reply)
        replies.flush()


if __name__ == "__main__":
    main()

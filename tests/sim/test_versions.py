"""Peers of another protocol are refused in words, by the client and by the server."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from er_bench.core.errors import EnvError
from er_bench.sim import server
from er_bench.sim.client import Client, Deadlines, Spawn

WORLD = Path(__file__).with_name("counting_world.py")
OLD_SERVER = """
import json, struct, sys
def read():
    length = struct.unpack("!I", sys.stdin.buffer.read(4))[0]
    return json.loads(sys.stdin.buffer.read(length))
hello = {"protocol": VERSION, "env": "counting", "env_version": "1", "versions": {}, "new": 1}
text = json.dumps({"id": read()["id"], "result": hello, "blobs": []}).encode()
sys.stdout.buffer.write(struct.pack("!I", len(text)) + text)
sys.stdout.buffer.flush()
sys.stdin.buffer.read()
"""


@pytest.mark.parametrize("version", [1, 3])
def test_a_server_of_another_protocol_is_named_with_what_to_do(version: int) -> None:
    code = OLD_SERVER.replace("VERSION", str(version))
    client = Client(Spawn("counting", [sys.executable, "-c", code]), Deadlines(hello=20, close=2))
    told = f"counting speaks protocol {version}, er-bench speaks 2; .*server.py"
    with pytest.raises(EnvError, match=told):
        asyncio.run(client.start())
    assert not client.alive


def test_a_client_of_the_first_protocol_is_refused_with_both_versions() -> None:
    hello = {"id": 1, "method": "hello", "params": {"protocol": 1}, "blobs": []}
    step = {"id": 2, "method": "step", "params": {"action_id": 0}, "blobs": []}
    frames = b"".join(
        len(text).to_bytes(4, "big") + text
        for text in (json.dumps(request).encode() for request in (hello, step))
    )
    command = [sys.executable, server.__file__, f"--simulator={WORLD}"]
    said = subprocess.run(command, input=frames, capture_output=True, timeout=60).stdout
    length = int.from_bytes(said[:4], "big")
    first, second = json.loads(said[4 : 4 + length]), json.loads(said[8 + length :])
    assert first["error"] == {
        "type": "bad_request",
        "message": "this server speaks protocol 2, the client 1; "
        "serve with the server.py of the er-bench that asks",
    }
    assert second["error"] == {"type": "bad_request", "message": "step takes action"}

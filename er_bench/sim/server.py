"""Serve one simulator over the wire. Standard library only, Python 3.8: copy it anywhere.

    PYTHON server.py --simulator FILE [--option KEY=VALUE]...           on stdin and stdout
    PYTHON server.py --simulator FILE --listen PORT                     on 127.0.0.1, with a token
    PYTHON server.py --simulator FILE --probe                           exit 0 if it could run

FILE holds `create(options)`, which returns a simulator (see `er_bench/sim/environment.py`), and may
hold `missing(options)`, which returns what must be installed first, or "".

A frame is four bytes of length (big-endian), that many bytes of a JSON object, then the blobs that
its `blobs` lists with name, format, size and SHA-256. A request is `{id, method, params}`; a reply
carries its id and either `result` or `error {type, message}`. One request at a time.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import hmac
import importlib.util
import json
import os
import select
import signal
import socket
import struct
import sys
import time
import traceback
import zlib
from typing import Any, BinaryIO

PROTOCOL = 1
MAX_HEADER_BYTES = 16 * 2**20
MAX_BLOB_BYTES = 64 * 2**20
TOKEN_VARIABLE = "ER_BENCH_SIM_TOKEN"
METHODS = {
    "list_episodes": ("split",),
    "reset": ("episode_id", "seed", "resolution", "episode"),
    "step": ("action_id",),
    "state": (),
}


class BadRequest(Exception):
    """Happens when a request cannot be meant: unknown method, wrong parameters."""


def encode_frame(header: dict[str, Any], blobs: dict[str, bytes]) -> bytes:
    """One frame. `blobs` are PNG bytes by name."""
    listed = [
        {
            "name": name,
            "format": "png",
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
        for name, content in blobs.items()
    ]
    text = json.dumps({**header, "blobs": listed}, default=_plain, allow_nan=False).encode("utf-8")
    if len(text) > MAX_HEADER_BYTES:
        raise ValueError("the reply is larger than a frame may be")
    return b"".join([struct.pack("!I", len(text)), text, *blobs.values()])


def as_png(picture: Any) -> bytes:
    """A picture as PNG bytes: it is that already, or a uint8 array (H, W, 3 or more)."""
    if isinstance(picture, bytes):
        return picture
    height, width = picture.shape[:2]
    rgb = picture[:, :, :3].astype("uint8").tobytes()
    rows = b"".join(b"\0" + rgb[y * width * 3 : (y + 1) * width * 3] for y in range(height))
    chunks = [
        (b"IHDR", struct.pack("!IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows, 1)),
        (b"IEND", b""),
    ]
    packed = [
        struct.pack("!I", len(body)) + kind + body + struct.pack("!I", zlib.crc32(kind + body))
        for kind, body in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def _plain(value: Any) -> Any:
    """Numpy scalars and arrays as JSON values."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is no JSON value")


def read_request(stream: BinaryIO) -> dict[str, Any] | None:
    """The next request; None at the end of the stream. Requests carry no blobs."""
    prefix = stream.read(4)
    if not prefix:
        return None
    length = struct.unpack("!I", prefix)[0] if len(prefix) == 4 else MAX_HEADER_BYTES + 1
    if length > MAX_HEADER_BYTES:
        raise BadRequest("not a frame")
    text = stream.read(length)
    if len(text) < length:
        return None
    try:
        request = json.loads(text.decode("utf-8"))
    except ValueError as error:
        raise BadRequest(f"not JSON: {error}") from error
    if not isinstance(request, dict):
        raise BadRequest("a request is a JSON object")
    return request


class Server:
    """Answers requests for one simulator, one at a time."""

    def __init__(self, simulator: Any, token: str = "") -> None:
        self._simulator, self._token, self._started = simulator, token, False

    def serve(self, requests: BinaryIO, replies: BinaryIO) -> None:
        """Answer until the stream ends or `close` is asked for."""
        trusted, self._started = not self._token, False
        while True:
            try:
                request = read_request(requests)
            except BadRequest as error:
                replies.write(encode_frame(_error(None, "bad_request", str(error)), {}))
                replies.flush()
                return
            if request is None:
                return
            if not trusted:
                given = str(request.get("token", ""))
                trusted = hmac.compare_digest(given.encode(), self._token.encode())
                if not trusted:
                    return
            replies.write(self.reply(request))
            replies.flush()
            if request.get("method") == "close":
                return

    def reply(self, request: dict[str, Any]) -> bytes:
        """The frame that answers a request."""
        number = request.get("id")
        try:
            result = dict(self._call(request.get("method"), request.get("params") or {}))
            blobs = {name: as_png(p) for name, p in result.pop("obs", {}).items()}
            return encode_frame({"id": number, "result": result}, blobs)
        except (BadRequest, ValueError) as error:
            kind, message = "bad_request", str(error)
        except (ImportError, FileNotFoundError) as error:
            kind, message = "asset_missing", str(error)
        except Exception as error:
            traceback.print_exc()
            kind, message = "env_error", f"{type(error).__name__}: {error}"
        return encode_frame(_error(number, kind, message), {})

    def _call(self, method: Any, params: dict[str, Any]) -> dict[str, Any]:
        if method == "hello":
            return {"protocol": PROTOCOL, **self._simulator.hello()}
        if method == "close":
            return {}
        names = METHODS.get(method)
        if names is None:
            raise BadRequest(f"there is no method {method!r}")
        if set(params) != set(names):
            raise BadRequest(method + " takes " + (", ".join(names) or "nothing"))
        if method in ("step", "state") and not self._started:
            raise BadRequest("reset first")
        answer = getattr(self._simulator, method)(*[params[name] for name in names])
        self._started = self._started or method == "reset"
        return {"episodes": answer} if method == "list_episodes" else answer


def _error(number: Any, kind: str, message: str) -> dict[str, Any]:
    return {"id": number, "error": {"type": kind, "message": message}}


def load(path: str) -> Any:
    """The simulator's file as a module, with its own folder importable and this one not."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [p for p in sys.path if os.path.abspath(p or ".") != here]
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    spec = importlib.util.spec_from_file_location("er_bench_simulator", path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def own_streams() -> tuple[BinaryIO, BinaryIO]:
    """The real stdin and stdout, kept for the protocol; whatever prints goes to stderr."""
    requests, replies = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)
    os.close(null)
    return os.fdopen(requests, "rb"), os.fdopen(replies, "wb")


def guard(stream: BinaryIO) -> None:
    """Leave a process behind that ends this process group once the other side is gone.

    It sees the pipe hang up even while the simulator is stuck, and takes the simulator's own
    children along.
    """
    server = os.getpid()
    if os.getpgrp() != server or os.fork():
        return
    for held in range(3, 64):
        if held != stream.fileno():
            with contextlib.suppress(OSError):
                os.close(held)
    os.dup2(0, 1)
    os.dup2(0, 2)
    poll = select.poll()
    poll.register(stream.fileno(), 0)
    while os.getppid() == server:
        if poll.poll(500):
            time.sleep(2.0)
            os.killpg(server, signal.SIGKILL)
    os._exit(0)


def listen(server: Server, port: int) -> None:
    """Serve one client after another on 127.0.0.1."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind(("127.0.0.1", port))
        door.listen(1)
        print(f"listening on 127.0.0.1:{door.getsockname()[1]}", file=sys.stderr, flush=True)
        while True:
            client, _ = door.accept()
            with client, client.makefile("rb") as requests, client.makefile("wb") as replies:
                try:
                    server.serve(requests, replies)
                except OSError as error:
                    print(f"client left: {error}", file=sys.stderr, flush=True)


def main() -> int:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(description="Serve one simulator to er-bench.")
    parser.add_argument("--simulator", required=True, metavar="FILE")
    parser.add_argument("--option", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--listen", type=int, metavar="PORT")
    parser.add_argument("--probe", action="store_true")
    arguments = parser.parse_args()
    options = dict(option.split("=", 1) for option in arguments.option)
    stdio = arguments.listen is None and not arguments.probe
    streams = own_streams() if stdio else None
    if streams:
        guard(streams[0])
    module = load(arguments.simulator)
    if arguments.probe:
        why = module.missing(options) if hasattr(module, "missing") else ""
        print(why)
        return 1 if why else 0
    simulator = module.create(options)
    try:
        if streams:
            Server(simulator).serve(*streams)
        else:
            token = os.environ.get(TOKEN_VARIABLE, "")
            if not token:
                parser.error(f"set {TOKEN_VARIABLE}; clients must know it")
            listen(Server(simulator, token), arguments.listen)
    finally:
        simulator.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())

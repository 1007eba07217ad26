"""Serve one simulator over the wire. Standard library only, Python 3.8: copy it anywhere.

    PYTHON server.py --simulator FILE [--option KEY=VALUE]...           on stdin and stdout
    PYTHON server.py --simulator FILE --listen PORT [--idle SECONDS]    on 127.0.0.1, with a token
    PYTHON server.py --simulator FILE --probe                           exit 0 if it could run

FILE holds `create(options)`, which returns a simulator (see `er_bench/sim/simulator.py`), and may
hold `missing(options)`, which returns what must be installed first, or "".

A frame is four bytes of length (big-endian), that many bytes of a JSON object, then the blobs that
its `blobs` lists. A request is `{id, method, params}`; a reply carries its id and either `result`
or `error {type, message}`. One request at a time; the first is `hello {protocol}`. `echo {value}`
gives back what it got.

A blob is a value of `params` or `result` that JSON has no form for; its name is its place there:
`action`, `state`, `obs.head_rgb`. Listed with it are bytes, sha256 and format: `png`, or `array`
with dtype and shape, its content little-endian in C order. Arrays are numpy's; a simulator that
neither takes nor sends one needs no numpy.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import hmac
import importlib.util
import json
import math
import os
import queue
import select
import signal
import socket
import struct
import sys
import threading
import time
import traceback
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import ModuleType

    Json = dict[str, Any]

PROTOCOL = 2
MAX_HEADER_BYTES = 16 * 2**20
MAX_BLOB_BYTES = 64 * 2**20
MAX_BLOBS = 16
MAX_DEPTH = 100
"""How deep the JSON of a frame may be nested."""
MAX_FIRST_BYTES = 2**16
"""The first request of a client that has not shown its token yet; it carries no blobs."""
MAX_MESSAGE_CHARS = 2000
MAX_RESOLUTION = 4096
MAX_CLIENTS = 100
HANDSHAKE_S, IDLE_S = 10.0, 3600.0
"""How long a client may take to show its token, and be silent once it has."""
DTYPES = ("bool", "uint8", "int32", "int64", "float32", "float64")
TOKEN_VARIABLE = "ER_BENCH_SIM_TOKEN"
MARK_VARIABLE = "ER_BENCH_SIM_MARK"
"""Set for a simulator's process, and so for all that it starts: what they are known by."""
KINDS = {
    "episode_id": (str,),
    "seed": (int,),
    "resolution": (int,),
    "episode": (dict, type(None)),
    "split": (str,),
}


class BadRequest(ValueError):
    """Happens when a request cannot be meant: unknown method, wrong parameters."""


def refusal(action: object, skills: Sequence[str], dimension: int | None) -> str:
    """Why an action is not one that an episode takes; empty when it is.

    `dimension` is that of the episode's action space, None where actions are skills.
    """
    if dimension is None:
        if not isinstance(action, str):
            return f"actions are names of skills here, not {_kind(action)}"
        return "" if action in skills else f"there is no action {action!r}"
    if not hasattr(action, "tolist") or _kind(action) != f"float64 ({dimension},)":
        return f"actions are float64 ({dimension},) here, not {_kind(action)}"
    for place, number in enumerate(action.tolist()):
        if not math.isfinite(number):
            return f"component {place} of the action is {number}"
    return ""


def _kind(value: object) -> str:
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return f"{value.dtype} {value.shape}"
    return f"the {type(value).__name__} {value!r:.60}"


def encode_frame(header: Mapping[str, Any]) -> bytes:
    """One frame; `params` or `result` may hold blobs. TypeError, ValueError: it cannot be sent."""
    plain: Json = dict(header)
    blobs: dict[str, object] = {}
    for body in [name for name in ("params", "result") if name in plain]:
        plain[body], blobs = _parted(plain[body])
    entries, contents = [], []
    for name, value in blobs.items():
        entry, content = _encoded(name, value)
        digest = hashlib.sha256(content).hexdigest()
        entries.append({"name": name, "bytes": len(content), "sha256": digest, **entry})
        contents.append(content)
    _check_sizes([len(content) for content in contents])
    text = json.dumps({**plain, "blobs": entries}, default=_plain, allow_nan=False).encode("utf-8")
    if len(text) > MAX_HEADER_BYTES:
        raise ValueError(f"{len(text)} bytes of JSON; a frame holds {MAX_HEADER_BYTES}")
    return b"".join([struct.pack("!I", len(text)), text, *contents])


def _parted(fields: Json) -> tuple[Json, dict[str, object]]:
    """What JSON can hold, and the blobs by name."""
    blobs = {f"obs.{name}": value for name, value in fields.get("obs", {}).items()}
    rest = {name: value for name, value in fields.items() if name != "obs"}
    blobs.update({name: value for name, value in rest.items() if _is_blob(value)})
    return {name: value for name, value in rest.items() if name not in blobs}, blobs


def _is_blob(value: object) -> bool:
    return isinstance(value, bytes) or (
        hasattr(value, "dtype") and getattr(value, "shape", ()) != ()
    )


def _encoded(name: str, value: object) -> tuple[Json, bytes]:
    if isinstance(value, bytes):
        return {"format": "png"}, value
    if not (hasattr(value, "dtype") and hasattr(value, "shape") and hasattr(value, "astype")):
        raise TypeError(f"{name} is {_kind(value)}, neither PNG bytes nor an array")
    if value.dtype.name not in DTYPES:
        raise TypeError(f"{name} is {_kind(value)}; an array is one of {', '.join(DTYPES)}")
    content = value.astype(value.dtype.newbyteorder("<"), copy=False).tobytes()
    return {"format": "array", "dtype": value.dtype.name, "shape": list(value.shape)}, content


def _plain(value: object) -> object:
    """Numpy scalars and arrays as JSON values."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is no JSON value")


def _check_sizes(sizes: Sequence[Any]) -> None:
    if len(sizes) > MAX_BLOBS or not _whole(sizes) or sum(sizes) > MAX_BLOB_BYTES:
        raise BadRequest(f"a frame holds {MAX_BLOBS} blobs of {MAX_BLOB_BYTES} bytes in all")


def _whole(sizes: Sequence[object]) -> bool:
    return all(type(size) is int and 0 <= size <= MAX_BLOB_BYTES for size in sizes)


def joined(fields: Json, entries: Sequence[Json], contents: Sequence[bytes]) -> Json:
    """The fields with the blobs of their frame in place. Raises BadRequest that names the blob.

    Arrays are copies that may be changed.
    """
    for entry, content in zip(entries, contents):  # noqa: B905
        name = str(entry.get("name"))
        outer, dot, inner = name.partition(".")
        place, key = (fields.setdefault(outer, {}), inner) if dot else (fields, name)
        if not isinstance(place, dict) or key in place:
            raise BadRequest(f"blob {name} has no place of its own")
        if hashlib.sha256(content).hexdigest() != entry.get("sha256"):
            raise BadRequest(f"blob {name} does not have the SHA-256 it announces")
        try:
            place[key] = content if entry.get("format") == "png" else _array(entry, content)
        except ValueError as error:
            raise BadRequest(f"blob {name}: {error}") from error
    return fields


def _array(entry: Json, content: bytes) -> object:
    dtype, shape = entry.get("dtype"), entry.get("shape")
    if entry.get("format") != "array" or dtype not in DTYPES:
        raise ValueError(f"neither png nor an array of {', '.join(DTYPES)}")
    if not isinstance(shape, list) or len(shape) > 8 or not _whole(shape):
        raise ValueError(f"{shape!r} is no shape")
    try:
        import numpy
    except ImportError:
        raise ValueError("an array, for which this server's Python needs numpy") from None
    stored = numpy.dtype(dtype).newbyteorder("<")
    if math.prod(shape) * stored.itemsize != len(content):
        raise ValueError(f"{len(content)} bytes are no {dtype} {tuple(shape)}")
    if dtype == "bool" and content.translate(None, b"\0\1"):
        raise ValueError("a bool is 0 or 1")
    return numpy.ndarray(tuple(shape), stored, content).astype(dtype)


def read_json(text: bytes) -> Json:
    """The JSON object of a frame. Raises BadRequest."""
    try:
        header = json.loads(text.decode("utf-8"), parse_constant=_no_number, parse_float=_finite)
        if b"\\ud" in text or b"\\uD" in text:  # refuse half a surrogate pair
            json.dumps(header, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"not JSON: {error}") from error
    if not isinstance(header, dict):
        raise BadRequest("not a JSON object")
    _check_depth(header)
    return header


def _no_number(word: str) -> object:
    raise ValueError(f"{word} is no number")


def _finite(word: str) -> float:
    number = float(word)
    if not math.isfinite(number):
        raise ValueError(f"{word:.60} is no finite number")
    return number


def _check_depth(value: object) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        tables = [one for one in level if isinstance(one, dict)]
        lists = [one for one in level if isinstance(one, list)]
        level = [inner for one in tables for inner in one.values()]
        level += [inner for one in lists for inner in one]
    if level:
        raise BadRequest(f"JSON nested more than {MAX_DEPTH} deep")


def read_request(stream: BinaryIO, first: bool = False) -> tuple[Json, list[bytes]] | None:
    """The next request and the bytes of its blobs; None at the end of the stream.

    `first`: of a client that is not trusted yet. Raises BadRequest for what is no frame; nothing
    after it can be read.
    """
    most = MAX_FIRST_BYTES if first else MAX_HEADER_BYTES
    prefix = stream.read(4)
    if not prefix:
        return None
    length = struct.unpack("!I", prefix)[0] if len(prefix) == 4 else most + 1
    if length > most:
        raise BadRequest("not a frame")
    text = stream.read(length)
    if len(text) < length:
        return None
    request = read_json(text)
    entries = request.setdefault("blobs", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise BadRequest("`blobs` is no list of objects")
    if first and entries:
        raise BadRequest("the first request carries no blobs")
    sizes = [entry.get("bytes") for entry in entries]
    _check_sizes(sizes)
    contents = [stream.read(size) for size in sizes]
    return (request, contents) if [len(content) for content in contents] == sizes else None


class Server:
    """Answers requests for one simulator, one at a time."""

    def __init__(self, simulator: Any) -> None:
        self._simulator, self._started = simulator, False
        self._skills: Sequence[str] = ()
        self._dimension: int | None = None
        self._methods: dict[str, tuple[Callable[..., Mapping[str, object]], tuple[str, ...]]] = {
            "hello": (self._hello, ("protocol",)),
            "list_episodes": (self._episodes, ("split",)),
            "reset": (self._reset, ("episode_id", "seed", "resolution", "episode")),
            "step": (self._step, ("action",)),
            "state": (simulator.state, ()),
            "echo": (dict, ("value",)),
            "close": (dict, ()),
        }

    def serve(
        self,
        requests: BinaryIO,
        replies: BinaryIO,
        first: tuple[Json, list[bytes]] | None = None,
    ) -> None:
        """Answer `first`, then what is read, until the stream ends or `close` is asked for."""
        self._started = False
        while True:
            try:
                read = first or read_request(requests)
            except BadRequest as error:
                replies.write(_error(None, "bad_request", str(error)))
                replies.flush()
                return
            if read is None:
                return
            (request, contents), first = read, None
            replies.write(self.reply(request, contents))
            replies.flush()
            if request.get("method") == "close":
                return

    def reply(self, request: Json, contents: Sequence[bytes] = ()) -> bytes:
        """The frame that answers a request."""
        number = request.get("id")
        if type(number) is not int:
            return _error(None, "bad_request", "`id` is no whole number")
        try:
            result = self._call(request, contents)
        except ValueError as error:
            return _error(number, "bad_request", str(error))
        except (ImportError, FileNotFoundError) as error:
            return _error(number, "asset_missing", str(error))
        except Exception as error:
            traceback.print_exc()
            return _error(number, "env_error", f"{type(error).__name__}: {error}")
        try:
            return encode_frame({"id": number, "result": result})
        except Exception as error:
            return _error(number, "env_error", f"the answer cannot be sent: {error}")

    def _call(self, request: Json, contents: Sequence[bytes]) -> Mapping[str, object]:
        method, params = request.get("method"), request.get("params") or {}
        if not isinstance(method, str) or method not in self._methods:
            raise BadRequest(f"there is no method {method!r:.60}")
        call, names = self._methods[method]
        if not isinstance(params, dict):
            raise BadRequest("`params` is no object")
        params = joined(params, request.get("blobs", ()), contents)
        if set(params) != set(names):
            raise BadRequest(method + " takes " + (", ".join(names) or "nothing"))
        for name in set(names).intersection(KINDS):
            if type(params[name]) not in KINDS[name]:
                raise BadRequest(f"{name} is {_kind(params[name])}")
        if method in ("step", "state") and not self._started:
            raise BadRequest("reset first")
        return call(**params)

    def _hello(self, protocol: object) -> Mapping[str, object]:
        if protocol != PROTOCOL:
            raise BadRequest(
                f"this server speaks protocol {PROTOCOL}, the client {protocol!r:.60}; "
                "serve with the server.py of the er-bench that asks"
            )
        return {"protocol": PROTOCOL, **self._simulator.hello()}

    def _episodes(self, split: str) -> Mapping[str, object]:
        return {"episodes": self._simulator.list_episodes(split)}

    def _reset(
        self, episode_id: str, seed: int, resolution: int, episode: Json | None
    ) -> Mapping[str, object]:
        if not 1 <= resolution <= MAX_RESOLUTION:
            raise BadRequest(f"resolution is from 1 to {MAX_RESOLUTION}, not {resolution!r:.60}")
        self._started = False
        start: Json = self._simulator.reset(episode_id, seed, resolution, episode)
        space = start.get("action_space")
        self._skills, self._dimension = start.get("actions", ()), space and len(space["names"])
        self._started = True
        return start

    def _step(self, action: object) -> Mapping[str, object]:
        if why := refusal(action, self._skills, self._dimension):
            raise BadRequest(why)
        step: Json = self._simulator.step(action)
        return step


def _error(number: int | None, kind: str, message: str) -> bytes:
    message = message[:MAX_MESSAGE_CHARS].encode("utf-8", "replace").decode("utf-8")
    return encode_frame({"id": number, "error": {"type": kind, "message": message}})


def load(path: str) -> ModuleType:
    """The simulator's file as a module, with its own folder importable and this one not."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [p for p in sys.path if os.path.abspath(p or ".") != here]
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    return module_of(path)


def module_of(path: str) -> ModuleType:
    """A Python file as a module. Raises FileNotFoundError."""
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
    """Leave a process behind that ends this process and its family once the other side is gone.

    It sees the pipe hang up even while the simulator is stuck.
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
            end_family(server, os.environ.get(MARK_VARIABLE, ""))
    os._exit(0)


def end_family(leader: int, mark: str) -> None:
    """Kill a process group and, on Linux, whoever has left it for a session of its own.

    Out of reach: a process of another user, and one that has lost its parents and cleared its
    environment.
    """
    for _ in range(10):
        found = _family(mark) - {os.getpid()}
        for process in found:
            with contextlib.suppress(OSError):
                os.kill(process, signal.SIGKILL)
        if not found:
            break
    with contextlib.suppress(OSError):
        os.killpg(leader, signal.SIGKILL)


def _family(mark: str) -> set[int]:
    """Processes that have `mark` in their environment, and all that descend from them."""
    if not mark or not os.path.isdir("/proc/self"):
        return set()
    parents: dict[int, int] = {}
    found: set[int] = set()
    told = f"{MARK_VARIABLE}={mark}".encode()
    for name in filter(str.isdecimal, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            with open(f"/proc/{name}/stat", "rb") as file:
                state, parent = file.read().rpartition(b")")[2].split()[:2]
            if state in (b"Z", b"X"):
                continue
            parents[int(name)] = int(parent)
            with open(f"/proc/{name}/environ", "rb") as file:
                if told in file.read().split(b"\0"):
                    found.add(int(name))
    known = 0
    while known < len(found):
        known = len(found)
        found.update(child for child, parent in parents.items() if parent in found)
    return found


def listen(simulator: Any, token: str, port: int, idle_s: float) -> None:
    """Serve one client after another on 127.0.0.1; those without the token wait beside them."""
    admitted: queue.Queue[Any] = queue.Queue()
    server = Server(simulator)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind(("127.0.0.1", port))
        door.listen(MAX_CLIENTS)
        print(f"listening on 127.0.0.1:{door.getsockname()[1]}", file=sys.stderr, flush=True)
        threading.Thread(target=_accept, args=(door, token, admitted), daemon=True).start()
        while True:
            client, requests, first = admitted.get()
            _attend(server, client, requests, first, idle_s)


def _accept(door: socket.socket, token: str, admitted: queue.Queue[Any]) -> None:
    while True:
        try:
            client, _ = door.accept()
        except OSError:
            time.sleep(0.1)
            continue
        if threading.active_count() > 2 * MAX_CLIENTS:
            client.close()
        else:
            threading.Thread(target=_admit, args=(client, token, admitted), daemon=True).start()


def _admit(client: socket.socket, token: str, admitted: queue.Queue[Any]) -> None:
    """Let a client in whose first request carries the token, in HANDSHAKE_S at most."""
    requests, first = client.makefile("rb"), None
    late = threading.Timer(HANDSHAKE_S, _hang_up, [client])
    late.start()
    with contextlib.suppress(BadRequest, OSError):
        first = read_request(requests, first=True)
    late.cancel()
    given = first[0].get("token") if first else None
    expected = token.encode("utf-8", "surrogateescape")
    if isinstance(given, str) and hmac.compare_digest(given.encode("utf-8"), expected):
        admitted.put((client, requests, first))
    else:
        _hang_up(client, requests)


def _attend(
    server: Server, client: socket.socket, requests: BinaryIO, first: Any, idle_s: float
) -> None:
    """Serve one client to its end, whichever way it ends."""
    replies = client.makefile("wb")
    try:
        client.settimeout(idle_s)
        server.serve(requests, replies, first)
    except OSError as error:
        print(f"client left: {error}", file=sys.stderr, flush=True)
    _hang_up(client, requests, replies)


def _hang_up(client: socket.socket, *files: BinaryIO) -> None:
    """End a connection; what could not be sent by now is not waited for."""
    with contextlib.suppress(OSError):
        client.shutdown(socket.SHUT_RDWR)
    for file in files:
        with contextlib.suppress(OSError):
            file.close()
    if files:
        client.close()


def main() -> int:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(description="Serve one simulator to er-bench.")
    parser.add_argument("--simulator", required=True, metavar="FILE")
    parser.add_argument("--option", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--listen", type=int, metavar="PORT")
    parser.add_argument("--idle", type=float, default=IDLE_S, metavar="SECONDS")
    parser.add_argument("--probe", action="store_true")
    arguments = parser.parse_args()
    token = os.environ.get(TOKEN_VARIABLE, "")
    if not os.path.isfile(arguments.simulator):
        parser.error(f"there is no file {arguments.simulator}")
    if not all("=" in option for option in arguments.option):
        parser.error("an --option is KEY=VALUE")
    if arguments.listen is not None and not 0 <= arguments.listen < 2**16:
        parser.error("a port is from 0 to 65535")
    if arguments.listen is not None and not token:
        parser.error(f"set {TOKEN_VARIABLE}; clients must know it")
    options = dict(option.split("=", 1) for option in arguments.option)
    streams = own_streams() if arguments.listen is None and not arguments.probe else None
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
            listen(simulator, token, arguments.listen, arguments.idle)
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        print(f"the server ends: {error}", file=sys.stderr, flush=True)
        return 3
    finally:
        simulator.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Hostile frames both ways, many: a client meets odd replies, a server odd requests.

    python perf/endurance/simulators.py [N]        N of each kind, 20,000 by default

The client talks over a socket to a server that answers oddly; the server is met in this process,
and by N / 20 clients as `er-bench sim serve` runs it, half of them without its token. Whatever is
sent must end in an error of the tree or a refusal, in one line and in time, and the served process
must serve a good client at the end. Exit 1 on anything else.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import random
import socket
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from er_bench.core.errors import ErBenchError
from er_bench.sim import server
from er_bench.sim.client import Client, Connect, Deadlines
from tests.sim import counting_world
from tests.sim.hostile import REQUESTS, answered, framed, odd_request, served

TOKEN = "secret"
LIMIT_S = 20.0


async def odd_replies(n: int) -> list[str]:
    """What went wrong with a client that met `n` odd replies."""
    wrong: list[str] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: wrong.append(str(context)))
    return wrong + [said for seed in range(n) if (said := await answered(seed))]


def odd_requests(n: int) -> list[str]:
    """What went wrong with a server that met `n` odd requests."""
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        return [said for seed in range(n) if (said := served(seed))]


def odd_clients(n: int) -> list[str]:
    """What went wrong with a served simulator that `n` odd clients have met."""
    command = [sys.executable, server.__file__, f"--simulator={counting_world.__file__}"]
    environ = {**os.environ, server.TOKEN_VARIABLE: TOKEN}
    listening = subprocess.Popen([*command, "--listen=0", "--idle=5"], env=environ,
                                 stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)  # fmt: skip
    assert listening.stderr
    port = int(listening.stderr.readline().rsplit(b":", 1)[1])
    said = subprocess.Popen(["cat"], stdin=listening.stderr, stdout=subprocess.DEVNULL)
    try:
        for seed in range(n):
            meet(random.Random(seed), port)
        asyncio.run(good_client(port))
        gone = listening.poll()
        return [] if gone is None else [f"the server ended with {gone}"]
    except (OSError, ErBenchError) as error:
        return [f"after {n} odd clients, a good one: {error}"]
    finally:
        listening.kill()
        listening.wait()
        said.kill()
        said.wait()
        listening.stderr.close()


def meet(rng: random.Random, port: int) -> None:
    """Connect, with the token or without, send odd requests, and leave in one way or another."""
    with socket.create_connection(("127.0.0.1", port), LIMIT_S) as end:
        if rng.random() < 0.5:
            end.sendall(framed(json.dumps({**REQUESTS[0], "token": TOKEN}).encode()))
        with contextlib.suppress(OSError):
            end.sendall(odd_request(rng))
            if rng.random() < 0.3:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes([1, *[0] * 7]))
            elif rng.random() < 0.3:
                end.shutdown(socket.SHUT_WR)
                end.settimeout(LIMIT_S)
                while end.recv(2**16):
                    pass


async def good_client(port: int) -> None:
    """What a server must still do."""
    client = Client(Connect("counting", port, TOKEN), Deadlines(*[LIMIT_S] * 6))
    await client.start()
    await client.close()


def main() -> None:
    """Meet them all; exit 1 when something went wrong."""
    n, began = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000, time.monotonic()
    wrong = asyncio.run(odd_replies(n)) + odd_requests(n) + odd_clients(n // 20)
    print(*wrong[:20], sep="\n", end="\n" if wrong else "")
    print(
        f"{n} odd replies, {n} odd requests, {n // 20} odd clients of a served simulator in "
        f"{time.monotonic() - began:.0f} s: {len(wrong)} outside of the error tree"
    )
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()

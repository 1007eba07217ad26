"""Kill `er-bench run` at random moments, resume, compare with an undisturbed run; many times.

    python perf/kills.py [N]        N kills, 200 by default

Each round kills one run (SIGKILL) after a random number of requests, resumes it, and requires
that records and scores equal those of a run that was never disturbed. The model is a local chat
server that answers after 20 ms.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from er_bench.core.record import Record
from er_bench.data.run_folder import read_records
from er_bench.report.results import read_results

TASK = "erqa"


class Chat(BaseHTTPRequestHandler):
    """Answers every question with a letter that depends on the question only."""

    protocol_version = "HTTP/1.1"
    requests = 0

    def do_POST(self) -> None:
        """One completion."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        Chat.requests += 1
        time.sleep(0.02)
        choice = {"message": {"content": "ABCD"[sum(body) % 4]}, "finish_reason": "stop"}
        reply = json.dumps({"choices": [choice], "usage": {"completion_tokens": 1}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """A server that does not mind clients that die."""

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing."""


def command(url: str, out: Path, *more: str) -> list[str]:
    """One `er-bench run` on the mini split."""
    return [
        sys.executable, "-m", "er_bench.cli.main", "run", "--model", "openai/stand-in",
        "--model-args", f"base_url={url}", "--tasks", TASK, "--split", "mini",
        "--concurrency", "2", "--out", str(out), *more,
    ]  # fmt: skip


def records(folder: Path) -> list[Record]:
    """The records, ordered, without their times."""
    found = sorted(read_records(folder), key=lambda record: record.key)
    return [record.untimed() for record in found]


def main() -> None:
    """Run the rounds; exit 1 at the first difference."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    server = Server(("127.0.0.1", 0), Chat)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url, rng = f"http://127.0.0.1:{server.server_port}/v1", random.Random(0)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with tempfile.TemporaryDirectory() as name:
        whole = Path(name) / "whole"
        subprocess.run(command(url, whole), check=True, **quiet)
        n, torn = len(records(whole)), 0
        for k in range(rounds):
            cut = Path(name) / f"cut{k}"
            child = subprocess.Popen(command(url, cut), **quiet)
            enough = Chat.requests + rng.randint(0, n - 2)
            while Chat.requests < enough and child.poll() is None:
                time.sleep(0.001)
            time.sleep(rng.random() * 0.03)
            child.send_signal(signal.SIGKILL)
            child.wait()
            lines = cut / "records.jsonl"
            torn += lines.exists() and not lines.read_bytes().endswith(b"\n")
            resume = ["--resume"] if (cut / "manifest.json").exists() else []
            subprocess.run(command(url, cut, *resume), check=True, **quiet)
            same = records(cut) == records(whole)
            scores = [read_results(f).tasks[TASK].score for f in (cut, whole)]
            if not same or scores[0] != scores[1]:
                sys.exit(f"round {k}: the resumed run differs from the undisturbed one")
            if (k + 1) % 20 == 0:
                print(f"{k + 1} kills, all equal", flush=True)
    print(f"{rounds} kills and resumes: records and scores equal ({torn} torn last lines)")


if __name__ == "__main__":
    main()

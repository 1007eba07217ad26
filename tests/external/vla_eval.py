"""Both directions with the real packages: vla-eval 0.8.0, openpi-client 0.1.2.

python tests/external/vla_eval.py [DIR]

DIR (else er-bench's cache folder) gets an environment of its own with both packages, once. Then:

1. a model server of vla-eval's (`PredictModelServer`, chunks of three, specs) is evaluated by
   `er-bench run --model vla-eval/..` on a small task of the tests' own, and must succeed;
2. `er-bench vla serve` offers that task's policies to vla-eval's own orchestrator
   (`vla_eval.run`), which plays a `StepBenchmark` of the same world, and must see each action;
3. a server that speaks by openpi-client's own code is evaluated by `--model openpi/..`.

Exit 1 where a number or a word differs from what is expected.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from er_bench.core.cache import cache_root
from tests.sim.push_task import write_push

ROOT = Path(__file__).parents[2]
FILES = Path(__file__).parent / "vla_eval_files"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=cache_root() / "vla-eval")
    python = environment(parser.parse_args().folder)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        shutil.copytree(FILES, work, dirs_exist_ok=True)
        write_push(work / "include")
        parts = (their_server, their_simulator, openpi)
        faults = [fault for part in parts for fault in part(python, work)]
    print("\n".join(faults) or "both directions and openpi: as expected")
    sys.exit(bool(faults))


def environment(folder: Path) -> Path:
    """The interpreter of an environment with the packages; made once."""
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        pip = [python, "-m", "pip", "install", "--quiet"]
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([*pip, "vla-eval==0.8.0"], check=True)
        # It asks for numpy below 2 and for dm-tree; its msgpack code runs without either.
        subprocess.run([*pip, "--no-deps", "openpi-client==0.1.2"], check=True)
        (folder / "complete").touch()
    return python


@contextmanager
def serving(python: Path, work: Path, *args: str) -> Iterator[str]:
    """A server in a process of its own; its address, once it listens."""
    port = free_port()
    log = (work / "server.log").open("w")
    process = subprocess.Popen([python, *(a.format(port=port) for a in args)], cwd=work,
                               stdout=log, stderr=log, env=with_root())  # fmt: skip
    try:
        wait(port, process)
        yield f"ws://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)
        log.close()


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def wait(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        if process.poll() is not None:
            sys.exit(f"the server ended with {process.returncode}")
        try:
            return socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
    sys.exit("the server did not listen within 60 s")


def with_root() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def er_bench(work: Path, *args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "er_bench.cli.main", *args]
    return subprocess.run(command, cwd=work, env=with_root(), capture_output=True, text=True)


def evaluated(work: Path, model: str, out: str, **args: object) -> tuple[int, dict[str, object]]:
    """The exit code and the result of `push` by a policy server."""
    told = ",".join(f"{name}={json.dumps(value)}" for name, value in args.items())
    done = er_bench(work, "run", "--model", model, "--model-args", told, "--tasks", "push",
                    "--split", "mini", "--include-path", "include", "--out", out)  # fmt: skip
    if done.returncode not in (0, 3):
        sys.exit(done.stdout + done.stderr)
    task: dict[str, object] = json.loads((work / out / "results.json").read_text())["tasks"]["push"]
    return done.returncode, task


def their_server(python: Path, work: Path) -> Iterator[str]:
    """What goes wrong with a model server of vla-eval's, asked by er-bench."""
    with serving(python, work, "server.py", "{port}", "1") as url:
        code, task = evaluated(work, "vla-eval/pusher", "run1", url=url)
    print("vla-eval's server, asked by er-bench:", code, task["score"])
    if code or task["score"] != 1.0:
        yield f"their server: exit {code}, score {task['score']}"
    with serving(python, work, "server.py", "{port}", "6") as url:
        code, task = evaluated(work, "vla-eval/pusher", "run2", url=url)
    errors = {json.loads(line)["error"] for line in (work / "run2/records.jsonl").open()}
    print("the same, for another robot:", code, *errors)
    if code != 3 or not all("acts by 7 components (x 1, y 6)" in error for error in errors):
        yield f"their server of another robot: exit {code}, {errors}"


def their_simulator(python: Path, work: Path) -> Iterator[str]:
    """What goes wrong with a policy of er-bench's, asked by vla-eval's orchestrator."""
    ours = ("-m", "er_bench.cli.main", "vla", "serve", "--robot", "robot.yaml", "--port", "{port}",
            "--include-path", "include", "--model")  # fmt: skip
    for model, want in (("pusher/p", 1.0), ("reference/blind", 0.0), ("reference/oracle", 0.0)):
        with serving(Path(sys.executable), work, *ours, model) as url:
            done = subprocess.run([python, "bench.py", url, f"out-{model[:5]}"], cwd=work,
                                  capture_output=True, text=True)  # fmt: skip
        told = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
        if done.returncode or not told:
            yield f"their simulator with {model}: {done.returncode} {done.stderr[-2000:]}"
            continue
        result = json.loads(told[0].removeprefix("RESULT "))
        (task,) = result["tasks"]
        n_errors = task.get("num_errors", 0)
        print(f"{model}, asked by vla-eval:", task["mean_success"], "errors", n_errors)
        if task["mean_success"] != want or bool(n_errors) != (model == "reference/oracle"):
            yield f"their simulator with {model}: {task}"
        if model == "pusher/p" and "Spec mismatch" in done.stderr:
            yield f"their simulator finds our specs wrong: {done.stderr[-2000:]}"


def openpi(python: Path, work: Path) -> Iterator[str]:
    """What goes wrong with a server that speaks by openpi-client's own code."""
    inputs = {"image": "image:top", "nested": {"state": "state"}, "prompt": "instruction"}
    with serving(python, work, "openpi_server.py", "{port}") as url:
        code, task = evaluated(work, "openpi/pusher", "run3", url=url, inputs=inputs)
    print("openpi's messages, asked by er-bench:", code, task["score"])
    if code or task["score"] != 1.0:
        yield f"openpi: exit {code}, score {task['score']}"


if __name__ == "__main__":
    main()

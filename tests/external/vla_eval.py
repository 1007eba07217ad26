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
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from er_bench.core.cache import cache_root
from tests.sim.push_task import write_push

OPENPI_CLIENT = "openpi-client==0.1.2"
WORLD = """
import re

import numpy as np

GOAL, MOST_M, NEAR_M = np.array([0.35, -0.25]), 0.1, 0.01


def towards(sentence, at_m):
    goal = [float(word) for word in re.findall(r"-?\\d\\S*", sentence)]
    return np.clip(np.array(goal) - np.asarray(at_m), -MOST_M, MOST_M)
"""
SERVER = """
import sys

import numpy as np
from vla_eval.model_servers.predict import PredictModelServer
from vla_eval.model_servers.serve import serve
from vla_eval.specs import IMAGE_RGB, LANGUAGE, DimSpec

from world import towards


class Pusher(PredictModelServer):
    def get_action_spec(self):
        return {"x": DimSpec("x", 1, "raw", (-0.1, 0.1)), "y": DimSpec("y", int(sys.argv[2]), "raw")}

    def get_observation_spec(self):
        state = DimSpec("state", 2, "point_xy")
        return {"image": IMAGE_RGB, "state": state, "language": LANGUAGE}

    def get_observation_params(self):
        return {"send_state": True, "seed": 0}

    def predict(self, obs, ctx):
        (image,) = obs["images"].values()
        assert image.shape == (48, 48, 3) and image.dtype == np.uint8 and image.max() == 255
        move = towards(obs["task_description"], obs["state"])
        return {"actions": np.stack([move, 0 * move, 0 * move])}


serve(Pusher(chunk_size=3), "127.0.0.1", int(sys.argv[1]))
"""
BENCHMARK = """
import json
import sys

import numpy as np
import vla_eval
from vla_eval.benchmarks.base import StepBenchmark, StepResult
from vla_eval.specs import IMAGE_RGB, LANGUAGE, DimSpec

sys.modules["bench"] = sys.modules["__main__"]
from world import GOAL, NEAR_M


class Table(StepBenchmark):
    def __init__(self, send_state=False):
        super().__init__()
        assert send_state, "the server asks for it in HELLO"
        self.told = []

    def get_tasks(self):
        return [{"name": f"Push the point to {GOAL[0]} {GOAL[1]}", "suite": "table"}]

    def reset(self, task):
        self.at_m = np.zeros(2)
        return None

    def step(self, action):
        move = action["actions"]
        assert move.shape == (2,) and np.isfinite(move).all() and (abs(move) <= 0.1).all(), move
        self.told.append(move.tolist())
        self.at_m = self.at_m + move
        success = bool(np.linalg.norm(GOAL - self.at_m) < NEAR_M)
        return StepResult(obs=None, reward=0.0, done=success, info={"success": success})

    def make_obs(self, raw, task):
        rgb = np.zeros((48, 48, 3), np.uint8)
        rgb[3, 5] = 255, 128, 0
        return {"images": {"top": rgb}, "task_description": task["name"], "states": self.at_m}

    def get_step_result(self, result):
        return {"success": bool(result.info and result.info.get("success"))}

    def get_metadata(self):
        return {"max_steps": 12}

    def get_action_spec(self):
        return {"move": DimSpec("move", 2, "raw", (-0.1, 0.1))}

    def get_observation_spec(self):
        return {"top": IMAGE_RGB, "language": LANGUAGE, "state": DimSpec("state", 2, "point_xy")}


if __name__ == "__main__":
    import logging

    logging.basicConfig(level=logging.WARNING)
    config = {"benchmarks": [{"benchmark": "bench:Table", "episodes_per_task": 3}]}
    (result,) = vla_eval.run(config, server_url=sys.argv[1], output_dir=sys.argv[2], docker=False)
    print("RESULT", json.dumps(result, default=str))
"""
OPENPI_SERVER = """
import sys

from openpi_client import msgpack_numpy
from websockets.sync.server import serve

from world import towards


def meet(end):
    packer = msgpack_numpy.Packer()
    end.send(packer.pack({"policy": "pusher"}))
    for content in end:
        seen = msgpack_numpy.unpackb(content)
        assert seen["image"].shape == (48, 48, 3) and seen["image"].max() == 255
        move = towards(seen["prompt"], seen["nested"]["state"])
        answer = {"actions": move[None].astype("float32"), "server_timing": {"infer_ms": 0.1}}
        end.send(packer.pack(answer))


serve(meet, "127.0.0.1", int(sys.argv[1]), compression=None, max_size=None).serve_forever()
"""
POLICY = '''
import re

import numpy as np

from er_bench.core.errors import ModelError
from er_bench.core.model import Model
from er_bench.core.policy import Actions


class Pusher(Model):
    """Chunks of two: towards the goal, then nothing."""

    asks, acts, sees, knows_expert = False, True, True, False

    def __init__(self, settings):
        self.name, self.dialect, self._settings = settings.name, settings.dialect, settings

    def identity(self):
        return self._settings.identity("pusher")

    async def ask(self, prompt):
        raise ModelError("it acts")

    def policy(self, subject):
        return self

    def for_episode(self, episode, start):
        return self

    async def act(self, seen):
        rgb = seen.rgb_hwc("top")
        assert rgb[3, 5].tolist() == [255, 128, 0] and rgb.sum() == 383
        goal = [float(word) for word in re.findall(r"-?\\d\\S*", seen.instruction)]
        move = np.clip(np.array(goal) - seen.state_d, -0.1, 0.1)
        return Actions(np.stack([move, 0 * move]), ("m", "m"), "the table")


BACKENDS = {"pusher": Pusher}
'''
ROBOT = """
frame: the table
actions: {move: {dims: 2, unit: m, range: [-0.1, 0.1]}}
state: {at: {dims: 2, unit: m}}
state_format: point_xy
cameras: [top]
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=cache_root() / "vla-eval")
    python = environment(parser.parse_args().folder)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        files = {"world.py": WORLD, "server.py": SERVER, "bench.py": BENCHMARK,
                 "openpi_server.py": OPENPI_SERVER, "plugin.py": POLICY, "robot.yaml": ROBOT}  # fmt: skip
        for file, text in files.items():
            (work / file).write_text(text.lstrip())
        (work / "include").mkdir()
        write_push(work / "include")
        (work / "plugin.py").rename(work / "include" / "plugin.py")
        faults = [
            *their_server(python, work),
            *their_simulator(python, work),
            *openpi(python, work),
        ]
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
        subprocess.run([*pip, "--no-deps", OPENPI_CLIENT], check=True)
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
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def wait(port: int, process: subprocess.Popen[bytes]) -> None:
    import socket
    import time

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

"""Flow matching of a tiny policy: whole runs, ranks, restarts, what learns, what is refused."""

from __future__ import annotations

import io
import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file

import er_bench
from er_bench.core.errors import ConfigError, DataError
from er_bench.data.robot_episodes.lerobot_write import write_lerobot
from er_bench.models.internvl.tiny import make_tiny
from er_bench.models.vlaser_vla.folder import load_policy
from er_bench.train.methods.flow.plan import show_plan
from er_bench.train.methods.flow.recipe import FlowRecipe
from er_bench.train.methods.flow.run import build_trainer, prepare, train
from er_bench.train.methods.flow.samples import Times
from er_bench.train.methods.flow.schedule import restarting
from er_bench.train.recipe import build, load

from .touch_world import expert_episodes, write_episodes, write_touch

STEPS = 6
RECIPES = Path(__file__).parents[2] / "recipes"


@pytest.fixture(scope="module")
def vlm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny(tmp_path_factory.mktemp("vlm"), tile_px=56)


@pytest.fixture(scope="module")
def episodes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_episodes(tmp_path_factory.mktemp("data") / "lerobot", 12, pictures=True)


@pytest.fixture
def settings(vlm: Path, episodes: Path, tmp_path: Path) -> dict[str, Any]:
    return {
        "family": "vlaser_vla",
        "model": str(vlm),
        "data": str(episodes),
        "output": str(tmp_path / "out"),
        "policy": {
            "expert_hidden_size": 32,
            "expert_intermediate_size": 48,
            "camera": "top",
            "flow_steps": 4,
        },
        "epochs": None,
        "max_steps": STEPS,
        "global_batch_size": 8,
        "micro_batch_size": 2,
        "learning_rate": 3e-3,
        "vlm_learning_rate": 1e-3,
        "ema": 0.8,
        "precision": "fp32",
        "workers": 0,
        "log_every": 1,
        "save_every": 2,
        "keep_checkpoints": 9,
    }


def recipe(settings: dict[str, Any], **more: Any) -> FlowRecipe:
    return build(FlowRecipe, {**settings, **more}, "test")


def run(settings: dict[str, Any], resume: bool = False, **more: Any) -> Path:
    return train(recipe(settings, **more), resume=resume, console=Console(quiet=True))


def start(settings: dict[str, Any], tmp_path: Path, *, ranks: int = 1) -> subprocess.Popen[str]:
    """`er-bench vla train` in processes of its own; two ranks over gloo."""
    file = tmp_path / f"{len(list(tmp_path.iterdir()))}.yaml"
    file.write_text(json.dumps(settings))
    launch = ["-m", "torch.distributed.run", f"--nproc_per_node={ranks}", "--standalone"]
    command = ["-m", "er_bench.cli.main", "vla", "train", "--recipe", str(file)]
    return subprocess.Popen(
        [sys.executable, *(launch if ranks > 1 else []), *command],
        env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def losses(output: Path) -> list[float]:
    state = json.loads((output / f"checkpoint-{STEPS}" / "trainer_state.json").read_text())
    return [entry["loss"] for entry in state["log_history"] if "loss" in entry]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_policy(folder).model.state_dict()


def test_two_ranks_are_one_process(settings: dict[str, Any], tmp_path: Path) -> None:
    other = tmp_path / "two"
    process = start({**settings, "output": str(other)}, tmp_path, ranks=2)
    run(settings)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    one, two = losses(tmp_path / "out"), losses(other)
    assert len(one) == STEPS and two == pytest.approx(one, abs=1e-5)
    assert output.count(f"step {STEPS}/{STEPS}") == 1, "one rank reports"
    theirs = weights(other / "final")
    for name, weight in weights(tmp_path / "out" / "final").items():
        torch.testing.assert_close(theirs[name], weight, atol=1e-4, rtol=1e-3)


def test_a_policy_that_is_not_written_whole_is_not_there(
    settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(self: object, model: object, state: object, codec: object, out: Path) -> None:
        (out / "vla.json").write_text("{")
        raise RuntimeError("stopped")

    with monkeypatch.context() as patched:
        patched.setattr("er_bench.models.vlaser_vla.training.VlaTraining.save", half)
        with pytest.raises(RuntimeError, match="stopped"):
            run(settings, max_steps=2)
    assert not (tmp_path / "out" / "final").exists()
    run(settings, max_steps=2, resume=True)
    assert (tmp_path / "out" / "final" / "vla.json").stat().st_size > 1


def test_a_killed_run_goes_on_as_if_nothing_had_happened(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    other = tmp_path / "killed"
    process = start({**settings, "output": str(other)}, tmp_path)
    run(settings)
    deadline = time.monotonic() + 60
    while not (other / "checkpoint-2" / "trainer_state.json").is_file():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (other / "final").exists()
    run(settings, resume=True, output=str(other))
    assert losses(other) == losses(tmp_path / "out")
    theirs = weights(other / "final")
    assert all(torch.equal(theirs[n], w) for n, w in weights(tmp_path / "out" / "final").items())
    last = f"checkpoint-{STEPS}"
    averages = [load_file(out / last / "average.safetensors") for out in (tmp_path / "out", other)]
    assert all(torch.equal(averages[1][n], t) for n, t in averages[0].items())
    states = [
        torch.load(out / last / "optimizer.pt", weights_only=True)["state"]
        for out in (tmp_path / "out", other)
    ]
    for key, state in states[0].items():
        assert all(torch.equal(torch.as_tensor(v), states[1][key][k]) for k, v in state.items())


def test_steps_do_not_depend_on_micro_batch_and_readers(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    short = {**settings, "max_steps": 2}
    folders = [
        run({**short, "output": str(tmp_path / name)}, **more)
        for name, more in (
            ("a", {"micro_batch_size": 8, "gradient_checkpointing": False}),
            ("b", {"micro_batch_size": 1, "workers": 1}),
        )
    ]
    mine, theirs = map(weights, folders)
    for name, weight in mine.items():
        torch.testing.assert_close(theirs[name], weight, atol=1e-4, rtol=1e-3)


def test_expert_and_vlm_learn_at_rates_of_their_own(settings: dict[str, Any]) -> None:
    trainer = build_trainer(prepare(recipe(settings), Console(quiet=True)), Console(quiet=True))
    trainer.create_optimizer_and_scheduler(STEPS)
    groups = trainer.optimizer.param_groups
    assert [group["initial_lr"] for group in groups] == [3e-3, 3e-3, 1e-3, 1e-3]
    named = {id(p): n for n, p in trainer.model.named_parameters()}
    first = [named[id(p)] for group in groups[:2] for p in group["params"]]
    assert first and all(".vlm." not in name and not name.startswith("vlm.") for name in first)
    rest = [named[id(p)] for group in groups[2:] for p in group["params"]]
    assert any("vision_tower" in name for name in rest)
    assert "layers.0.vlm.self_attn.q_proj.weight" in rest
    assert "layers.1.vlm.self_attn.k_proj.weight" in rest
    for unread in ("layers.1.vlm.mlp.up_proj.weight", "vlm.lm_head.weight"):
        assert unread not in first + rest, "no action depends on it"


def test_the_expert_alone_learns_beside_a_frozen_vlm(settings: dict[str, Any], vlm: Path) -> None:
    frozen = {f"train_{part}": False for part in ("vision", "projector", "language")}
    alone = {**settings, **frozen, "ema": None}
    del alone["vlm_learning_rate"]
    found = load_policy(run(alone, max_steps=2)).model
    begun = build_trainer(prepare(recipe(alone), Console(quiet=True)), Console(quiet=True)).model
    for name, weight in begun.state_dict().items():
        of_vlm = name.startswith("vlm.") or ".vlm." in name
        same = torch.equal(found.state_dict()[name], weight)
        assert same or not of_vlm, name
    assert not torch.equal(found.action_decoder.weight, begun.action_decoder.weight)


def test_the_average_is_what_is_saved(settings: dict[str, Any], tmp_path: Path) -> None:
    with_average = weights(run(settings, max_steps=2))
    plain = weights(run({**settings, "ema": None}, max_steps=2, output=str(tmp_path / "b")))
    begun = build_trainer(prepare(recipe(settings), Console(quiet=True)), Console(quiet=True))
    name = "action_decoder.weight"
    assert not torch.equal(with_average[name], plain[name])
    start_weight = begun.model.state_dict()[name]
    apart = (plain[name] - start_weight).norm()
    assert 0 < (with_average[name] - start_weight).norm() < apart


def test_a_run_goes_on_from_a_policy(settings: dict[str, Any], tmp_path: Path) -> None:
    first = run(settings, max_steps=1)
    again = {**settings, "model": str(first), "policy": None, "output": str(tmp_path / "again")}
    trainer = build_trainer(prepare(recipe(again), Console(quiet=True)), Console(quiet=True))
    begun = weights(first)
    assert all(torch.equal(begun[n], w) for n, w in trainer.model.state_dict().items())
    assert load_policy(run(again, max_steps=1)).settings == load_policy(first).settings


def test_bfloat16_computes_and_keeps_float32(settings: dict[str, Any]) -> None:
    final = run(settings, precision="bf16", max_steps=2, micro_batch_size=8)
    found = weights(final)
    assert all(w.dtype == torch.float32 and w.isfinite().all() for w in found.values())


def test_the_released_schedule() -> None:
    peak, least, warmup, cycle = 5e-5, 1e-8, 3, 8
    rates, place = [least], -1
    for _ in range(20):
        place = place + 1 if place + 1 < cycle else 0
        if place < warmup:
            rates.append((peak - least) * place / warmup + least)
        else:
            turned = math.pi * (place - warmup) / (cycle - warmup)
            rates.append(least + (peak - least) * (1 + math.cos(turned)) / 2)
    found = [
        peak * restarting(k, peak=peak, least=least, warmup=warmup, cycle=cycle)
        for k in range(len(rates))
    ]
    assert found == pytest.approx(rates)
    assert max(found) == pytest.approx(peak) and found[9] == pytest.approx(least)


def test_restarts_are_followed(settings: dict[str, Any]) -> None:
    told = {"schedule": "cosine_restarts", "warmup_steps": 1, "cycle_steps": 3}
    out = run(settings, **told, max_steps=5, ema=None).parent
    state = json.loads((out / "checkpoint-5" / "trainer_state.json").read_text())
    rates = [entry["learning_rate"] for entry in state["log_history"] if "loss" in entry]
    assert rates == pytest.approx([1e-8, 1e-8, 3e-3, 1.5e-3, 1e-8], abs=1e-8)


def test_times_are_drawn_as_released() -> None:
    times = Times("beta", 1.5, 1.0, 0.001)
    drawn = np.array([times.draw(np.random.default_rng(k)) for k in range(20_000)])
    assert 0 < drawn.min() and drawn.max() <= 0.999
    assert drawn.mean() == pytest.approx(0.999 * (1 - 0.6), abs=0.005)
    assert (drawn < 0.2).mean() == pytest.approx(1 - (1 - 0.2 / 0.999) ** 1.5, abs=0.01)
    even = np.array([Times("uniform", 1, 1, 0).draw(np.random.default_rng(k)) for k in range(5000)])
    assert even.mean() == pytest.approx(0.5, abs=0.01)


def test_the_chunk_ends_with_the_episode(settings: dict[str, Any]) -> None:
    made = prepare(recipe(settings), Console(quiet=True))
    steps, end = made.steps, int(made.steps.starts[1])
    last, before = steps.step(end - 1), steps.step(end - 3)
    assert np.array_equal(last.actions_hd, np.repeat(steps.actions_nd[end - 1 : end], 4, axis=0))
    assert np.array_equal(before.actions_hd[:3], steps.actions_nd[end - 3 : end])
    assert np.array_equal(before.actions_hd[3], steps.actions_nd[end - 1])
    assert last.rgb is not None and last.rgb.shape == (48, 48, 3)


def test_the_plan_is_shown(settings: dict[str, Any]) -> None:
    out = io.StringIO()
    console = Console(file=out, width=100)
    show_plan(recipe(settings), console, world_size=2, samples=1)
    told = out.getvalue()
    for word in (
        "12 of",
        "top",
        "4 of dx, dy",
        "2 x 2 micro batches x 2 ranks",
        "expert",
        "sample 0",
    ):
        assert word in told, told
    with pytest.raises(ConfigError, match="x 3 ranks"):
        show_plan(recipe(settings), console, world_size=3, samples=0)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"max_tiles": 3}, "a policy has no max_tiles"),
        ({"vlm_learnin_rate": 1e-3}, "did you mean vlm_learning_rate"),
        ({"schedule": "cosine_restarts"}, "needs cycle_steps"),
        ({"preset": "vlaser-vla"}, "there are vlaser-vla-paper, vlaser-vla-script"),
        ({"family": "internvl"}, "policy"),
        ({"policy": {"expert_hidden_size": 32}}, "expert_intermediate_size"),
        ({"sharding": "fsdp2"}, "ema needs whole weights"),
    ],
)
def test_wrong_recipes_are_refused(
    settings: dict[str, Any], more: dict[str, Any], told: str
) -> None:
    with pytest.raises(ConfigError, match=told):
        prepare(recipe(settings, **more), Console(quiet=True))


def test_data_that_do_not_fit_are_refused(settings: dict[str, Any], tmp_path: Path) -> None:
    def refused(kind: type[Exception], told: str, **more: Any) -> None:
        with pytest.raises(kind, match=told):
            prepare(recipe(settings, **more), Console(quiet=True))

    policy = settings["policy"]
    refused(ConfigError, "camera 'wrist'; .* has top", policy={**policy, "camera": "wrist"})
    refused(
        DataError,
        "'force', is not there; tracks: at_goal_d",
        policy={**policy, "state_source": "force"},
    )
    refused(
        ConfigError,
        "data's dx, dy",
        policy={**policy, "action_space": {"names": ["a"], "units": ["m"], "frame": "x"}},
    )
    plain = write_episodes(tmp_path / "plain", 2, pictures=True)
    (plain / "meta" / "er_bench.json").unlink()
    refused(ConfigError, "does not say the units and the frame of its action", data=str(plain))
    silent = tmp_path / "silent"
    made = list(expert_episodes(3, silent, pictures=True))
    object.__setattr__(made[1], "instruction", " ")
    write_lerobot(silent, made, pictures="image")
    refused(DataError, "episode 1.*instruction|no instruction", data=str(silent))
    left = prepare(recipe(settings, data=str(silent), skip_unlabelled=True), Console(quiet=True))
    assert left.steps.n_unlabelled == 1 and left.steps.episodes == (0, 2)


def test_presets_and_recipes_are_such(vlm: Path, episodes: Path, tmp_path: Path) -> None:
    told = [f"model={vlm}", f"data={episodes}", f"output={tmp_path / 'o'}"]
    for name in ("paper", "script"):
        found = load(
            FlowRecipe, RECIPES / "vlaser-2b-vla.yaml", [*told, f"preset=vlaser-vla-{name}"]
        )
        assert found.global_batch_size == 1024 and found.epochs == 10
        assert (found.optimizer == "adamw8bit") is (name == "script")
    assert load(FlowRecipe, RECIPES / "vlaser-vla-tiny.yaml", told).policy is not None


def test_a_policy_learns_and_is_evaluated_while_it_does(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    """From the state and the goal alone: chance touches hardly a goal, the trained policy most."""
    policy = {
        "expert_hidden_size": 64, "expert_intermediate_size": 128, "camera": None,
        "state_source": "at_goal_d", "flow_steps": 5, "time_max_period": 100.0, "act_steps": 2,
    }  # fmt: skip
    task = write_touch(tmp_path / "tasks")
    told = {
        "policy": policy,
        "data": str(write_episodes(tmp_path / "more", 60)),
        "max_steps": 120,
        "global_batch_size": 32,
        "micro_batch_size": 32,
        "learning_rate": 5e-3,
        "train_language": False,
        "ema": None,
        "vlm_learning_rate": None,
        "train_vision": False,
        "train_projector": False,
        "gradient_checkpointing": False,
        "log_every": 50,
        "save_every": 120,
        "eval_tasks": ["touch"],
        "eval_every": 120,
        "eval_include": [str(task)],
    }
    final = run(settings, **told)
    state = json.loads((final.parent / "checkpoint-120" / "trainer_state.json").read_text())
    (measured,) = [e["eval_touch"] for e in state["log_history"] if "eval_touch" in e]
    again = er_bench.evaluate(
        f"vlaser_vla/{final}", "touch", include=[task], out=tmp_path / "run"
    ).results
    chance = er_bench.evaluate(
        "reference/chance", "touch", include=[task], out=tmp_path / "c"
    ).results
    assert chance.tasks["touch"].score is not None and chance.tasks["touch"].score < 0.35
    assert again.tasks["touch"].score == pytest.approx(measured)
    assert measured >= 0.8

"""`--model vlaser_vla/DIR` as a policy: batched, deterministic, and refusing other robots."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from er_bench.core.environment import Episode, Started
from er_bench.core.errors import ConfigError, ModelError, UsageError
from er_bench.core.model import Model, Subject
from er_bench.core.policy import Actions, Observation
from er_bench.core.registry import Registry
from er_bench.core.sample import Sample
from er_bench.core.space import Space
from er_bench.models.vlaser_vla.tiny import POSE, make_tiny_vla, tiny_settings
from er_bench.run.open_model import open_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    settings = tiny_settings(flow_steps=3, act_steps=2)
    return make_tiny_vla(tmp_path_factory.mktemp("vla") / "policy", settings)


def _opened(folder: Path, **args: object) -> Model:
    return open_model(Registry(), f"vlaser_vla/{folder}", model_args=args, seed=3)  # type: ignore[arg-type]


def _subject(name: str) -> Subject:
    sample: Sample[None] = Sample(name, (), None, name, "", "here")
    return Subject(None, sample)


def _started(space: Space = POSE) -> Started:
    state = np.zeros(7)
    return Started(instruction="go", action_space=space, state=state, state_space=POSE)


def _observation(k: int, instruction: str = "go") -> Observation:
    rng = np.random.default_rng(k)
    rgb = rng.integers(0, 255, (40, 60, 3), dtype=np.uint8)
    return Observation({"head_rgb": rgb}, instruction, rng.normal(size=7), POSE)


async def _act(model: Model, names: list[str]) -> list[Actions]:
    policies = [
        model.policy(_subject(name)).for_episode(Episode(id=name, scene="s"), _started())
        for name in names
    ]
    try:
        return await asyncio.gather(
            *(p.act(_observation(k, "go " * (k + 1))) for k, p in enumerate(policies))
        )
    finally:
        await model.close()


def test_chunks_are_the_same_in_a_batch_and_alone(folder: Path) -> None:
    names = ["a", "b", "c", "d"]
    together = asyncio.run(_act(_opened(folder, batch_size=4), names))
    alone = asyncio.run(_act(_opened(folder, batch_size=1), names))
    for one, other in zip(together, alone, strict=True):
        assert one.actions_td.shape == (2, 7), "act_steps of the chunk"
        assert one.units == POSE.units and one.frame == POSE.frame
        np.testing.assert_allclose(one.actions_td, other.actions_td, atol=1e-5)
    assert np.abs(together[0].actions_td - together[1].actions_td).max() > 1e-3


def test_it_looks_once_a_chunk(folder: Path) -> None:
    policy = _opened(folder).policy(_subject("a"))
    episode = policy.for_episode(Episode(id="a", scene="s"), _started())
    assert policy.looks_every == episode.looks_every == 2, "act_steps"


def test_the_noise_is_the_samples_and_the_calls(folder: Path) -> None:
    async def two() -> list[np.ndarray]:
        model = _opened(folder)
        found = []
        for name in ("a", "a", "b"):
            episode = Episode(id=name, scene="s")
            policy = model.policy(_subject(name)).for_episode(episode, _started())
            found += [(await policy.act(_observation(0))).actions_td for _ in range(2)]
        await model.close()
        return found

    a1, a2, again1, again2, b1, _ = asyncio.run(two())
    assert np.array_equal(a1, again1) and np.array_equal(a2, again2)
    assert not np.array_equal(a1, a2) and not np.array_equal(a1, b1)


def test_another_robot_is_refused(folder: Path) -> None:
    policy = _opened(folder).policy(_subject("a"))
    episode = Episode(id="a", scene="s")
    degrees = POSE.model_copy(update={"units": ("m",) * 3 + ("deg",) * 3 + ("1",)})
    with pytest.raises(ModelError, match=r"action has units 'm, m, m, rad.* 'm, m, m, deg"):
        policy.for_episode(episode, _started(degrees))
    other = POSE.model_copy(update={"frame": "the world"})
    with pytest.raises(ModelError, match=r"frame .* 'the world'"):
        policy.for_episode(episode, _started(other))

    async def blind() -> None:
        seen = Observation({"wrist_rgb": np.zeros((4, 4, 3), np.uint8)}, "go", np.zeros(7), POSE)
        await policy.for_episode(episode, _started()).act(seen)

    with pytest.raises(ModelError, match="camera 'head_rgb'; there: wrist_rgb"):
        asyncio.run(blind())


def test_a_policy_without_a_camera_needs_no_picture(tmp_path: Path) -> None:
    goal = Space(names=("x", "y"), units=("m", "m"), frame="world")
    settings = tiny_settings(
        camera=None, state_space=goal, state_source="goal_xy_d", action_space=POSE
    )
    model = _opened(make_tiny_vla(tmp_path / "policy", settings))
    policy = model.policy(_subject("a")).for_episode(Episode(id="a", scene="s"), _started())
    assert policy.looks_every == model.policy(_subject("a")).looks_every == 0

    async def act(arrays: dict[str, np.ndarray]) -> Actions:
        return await policy.act(Observation({}, "go", np.zeros(7), POSE, arrays))

    found = asyncio.run(act({"goal_xy_d": np.array([0.1, 0.2])}))
    assert found.actions_td.shape == (4, 7)
    with pytest.raises(ModelError, match="'goal_xy_d', which the environment does not tell"):
        asyncio.run(act({}))
    with pytest.raises(ModelError, match=r"goal_xy_d is \(3,\); the policy knows x, y"):
        asyncio.run(act({"goal_xy_d": np.zeros(3)}))


def test_settings_are_checked(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean act_steps"):
        _opened(folder, act_step=2)
    with pytest.raises(ConfigError, match="act_steps 9 is more than the chunk"):
        _opened(folder, act_steps=9)
    assert "act_steps" in str(_opened(folder, act_steps=1).identity())
    with pytest.raises(ConfigError, match=r"vla\.json"):
        _opened(tmp_path)
    model = _opened(folder)
    assert model.acts and not model.asks

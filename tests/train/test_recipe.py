"""Recipes: where a setting comes from, and what is refused."""

from pathlib import Path

import pytest

from er_bench.core.errors import ConfigError, UsageError
from er_bench.train.recipe import Recipe, build_recipe, load_recipe

BASE = {"family": "internvl", "model": "somewhere", "data": "meta.json", "output": "out"}
RECIPES = Path(__file__).parents[2] / "recipes"


def test_later_sources_win(tmp_path):
    file = tmp_path / "r.yaml"
    file.write_text(
        "family: internvl\npreset: vlaser-script\nmodel: m\ndata: d.json\noutput: o\nseed: 7\n"
    )
    recipe = load_recipe(file, ["seed=8", "learning_rate=1e-4", "report_to=[wandb]"])
    assert (recipe.seed, recipe.learning_rate, recipe.report_to) == (8, 1e-4, ("wandb",))
    assert recipe.train_vision is False  # the preset's
    assert recipe.video_frames == (8, 32)  # the default


# model.md 3.1: the released script against the paper's Table 6.
def test_the_two_presets_differ_where_their_sources_do():
    paper, script = (build_recipe({**BASE, "preset": name}, "test").model_dump()
                     for name in ("vlaser-paper", "vlaser-script"))  # fmt: skip
    differ = {k: (paper[k], script[k]) for k in paper if paper[k] != script[k]}
    assert differ == {
        "preset": ("vlaser-paper", "vlaser-script"),
        "train_vision": (True, False),
        "max_steps": (5000, None),
        "sharding": ("none", "zero1"),
    }
    for preset in (paper, script):
        assert preset["sequence_length"] == 16384
        assert preset["max_tiles"] == 12
        assert preset["epochs"] == 1
        assert preset["global_batch_size"] == 128
        assert preset["learning_rate"] == 2e-5
        assert (preset["schedule"], preset["warmup_ratio"]) == ("cosine", 0.03)
        assert preset["weight_decay"] == 0.05
        assert preset["precision"] == "bf16"


@pytest.mark.parametrize("name", ["vlaser-2b.yaml", "vlaser-8b.yaml"])
def test_the_shipped_recipes_can_be_read(name):
    recipe = load_recipe(RECIPES / name)
    assert recipe.preset == "vlaser-paper"
    assert recipe.accumulation(8) * 8 * recipe.micro_batch_size == 128


def test_every_setting_is_documented():
    assert [name for name, field in Recipe.model_fields.items() if not field.description] == []


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"learning_rat": 1}, "'learning_rat'; did you mean learning_rate?"),
        ({"zzz": 1}, "'zzz'; known: family, "),
        ({"learning_rate": -1}, "learning_rate"),
        ({"preset": "vlaser"}, "vlaser-paper"),
        ({"family": "no.such"}, "family"),
        ({"family": "nosuch", "preset": "x"}, "'nosuch'; there are: auto, internvl"),
        ({"family": "auto"}, "cannot be trained"),
        ({"epochs": None}, "epochs"),
        ({"micro_batch_size": 3}, "multiple"),
        ({"video_frames": [9, 3]}, "video_frames"),
        (dict.fromkeys(("train_vision", "train_projector", "train_language"), False), "no part"),
        ({"eval_tasks": ["a"], "sharding": "zero3"}, "zero3"),
    ],
)
def test_a_wrong_setting_is_named(settings, told):
    with pytest.raises(ConfigError, match=told):
        from er_bench.train.family import trainable

        trainable(build_recipe({**BASE, **settings}, "test").family)


def test_ranks_must_divide_the_global_batch():
    recipe = build_recipe({**BASE, "micro_batch_size": 4}, "test")
    assert recipe.accumulation(8) == 4
    with pytest.raises(ConfigError, match="3 ranks"):
        recipe.accumulation(3)


def test_set_wants_key_and_value(tmp_path):
    file = tmp_path / "r.yaml"
    file.write_text("family: internvl\nmodel: m\ndata: d.json\noutput: o\n")
    with pytest.raises(UsageError, match="key=value"):
        load_recipe(file, ["seed"])

"""Cards, recipes, option files and settings as they should not be; and the limits of YAML."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from er_bench.core.errors import ConfigError, ErBenchError
from er_bench.core.limits import YAML_BYTES, YAML_VALUES
from er_bench.core.yaml_files import parse_yaml, read_yaml
from tests.core.hostile_yaml import BOMB, readers, write


@pytest.mark.parametrize("kind", list(readers()))
def test_odd_files_are_errors_of_one_line(kind: str, tmp_path: Path) -> None:
    rng, refused, file = random.Random(5), 0, tmp_path / "file.yaml"
    right, read = readers()[kind]
    for _ in range(120):
        write(rng, right, file)
        try:
            read(file)
        except ErBenchError as error:
            refused += 1
            assert "\n" not in str(error)
            assert len(str(error)) < 2000
    assert refused > 40


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (BOMB, YAML_VALUES.variable),
        ("a: " * 5, "mapping values are not allowed"),
        ("[" * 5000, "nested too deep"),
        ("a: &a [*a]", "stands before its end"),
        ("a: 2024-01-01", "is read as a date; quote it"),
        ("on: 1", "the name True is no text; quote it"),
        ("a: 99999999999999999999", "is no number of 64 bits"),
        ("a: !!python/name:os.system", "could not determine a constructor"),
    ],
)
def test_what_is_no_plain_value_is_told(text: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=problem):
        parse_yaml(text, "here")
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(ConfigError, match=problem) as told:
        read_yaml(tmp_path / "c.yaml", "card")
    assert str(tmp_path / "c.yaml") in str(told.value)


def test_aliases_of_a_fair_size_are_read() -> None:
    assert parse_yaml("a: &a {b: 1}\nc: {<<: *a, d: 2}", "here") == {
        "a": {"b": 1},
        "c": {"b": 1, "d": 2},
    }


def test_a_large_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "c.yaml").write_text("a: " + "x" * 200)
    monkeypatch.setenv(YAML_BYTES.variable, "100")
    with pytest.raises(ConfigError, match=f"{YAML_BYTES.variable}=203"):
        read_yaml(tmp_path / "c.yaml", "card")

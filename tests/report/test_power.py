"""What differences can be shown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import er_bench as api
from er_bench.report.paired import t_test
from er_bench.report.power import Alike, alike, detectable_with, samples_needed
from er_bench.report.statistics import paired_difference
from tests.conftest import Command


def test_by_hand() -> None:
    """2 (1.96 + 0.84)^2 p (1 - p) / d^2, as in every textbook."""
    assert samples_needed(Alike(0.5, 1.0), 0.05) == pytest.approx(1570, abs=1)
    assert samples_needed(Alike(0.5, 2.0), 0.05) == pytest.approx(3140, abs=1)
    assert samples_needed(Alike(0.5, 1.0), 0.05, shared=0.5) == pytest.approx(785, abs=1)
    assert detectable_with(Alike(0.5, 1.0), 1570) == pytest.approx(0.05, abs=1e-4)


def test_the_design_effect_of_a_run() -> None:
    assert alike(0.5, 0.05, 100).design_effect == pytest.approx(1.0)
    assert alike(0.5, 0.1, 100).design_effect == pytest.approx(4.0)
    assert alike(1.0, 0.0, 100).design_effect == 1.0


def test_so_many_samples_find_it_four_times_of_five() -> None:
    n, found, rng = samples_needed(Alike(0.5, 1.0), 0.1), 0, np.random.default_rng(1)
    for _ in range(300):
        a, b = (rng.random(n) < p for p in (0.45, 0.55))
        p = t_test(paired_difference(b.astype(float), a.astype(float), range(n)))
        found += p is not None and p < 0.05
    assert 0.73 < found / 300 < 0.87


def test_the_command_says_what_a_task_can_show(er_bench: Command, tmp_path: Path) -> None:
    done = er_bench("power", "--task", "erqa", "--effect", "0.05")
    assert done.returncode == 0 and "1,570 samples each" in done.stdout
    assert "the 400 rows of the task show a difference of 7.0% paired, 9.9% unpaired" in done.stdout
    api.evaluate("reference/chance", "erqa", split="mini", out=tmp_path / "r")
    told = er_bench("power", "--task", "erqa", "--run", "r").stdout
    assert "design effect 1.03" in told
    assert er_bench("power", "--task", "vsibench", "--run", "r").returncode == 2

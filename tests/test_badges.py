"""The README's badges say what is so."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_badges_are_what_their_script_writes() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "badges.py"))
    shown = re.findall(r"docs/badges/(\w+)\.svg", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert set(shown) == set(made["badges"]())
    for label, value in made["badges"]().items():
        text = (ROOT / "docs" / "badges" / f"{label}.svg").read_text(encoding="utf-8")
        assert text == made["svg"](label, value), "write them again: python docs/badges.py"

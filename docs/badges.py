"""Writes the badges of the README, `docs/badges/*.svg`: `python docs/badges.py`.

What they say is read from the project; `tests/test_badges.py` sees that they still say it.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from er_bench.core.registry import Registry

ROOT = Path(__file__).parent.parent
CHAR_PX, EDGE_PX = 6.6, 6
SVG = """\
<svg xmlns="http://www.w3.org/2000/svg" width="{whole}" height="20" role="img" aria-label="{label}: {value}">
<rect width="{whole}" height="20" rx="3" fill="#3f4a54"/>
<path d="M{left} 0h{right}v20h-{right}z" fill="#1f6f8b"/>
<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">
<text x="6" y="14">{label}</text><text x="{text}" y="14">{value}</text>
</g>
</svg>
"""  # noqa: E501


def badges() -> dict[str, str]:
    """Label and value of each badge."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    table = (ROOT / "docs" / "conformance.md").read_text(encoding="utf-8")
    total = re.search(r"\*\*all\*\* \| \| \| (\d+) \| (\d+)", table)
    assert total is not None, "docs/conformance.md has no last line"
    return {
        "python": project["requires-python"].replace(">=", "") + "+",
        "licence": project["license"],
        "benchmarks": str(len(Registry().task_folders)),
        "conformance": f"{total[1]} cases, {total[2]} disagree",
    }


def svg(label: str, value: str) -> str:
    """A badge as a picture."""
    left, right = (round(len(word) * CHAR_PX + 2 * EDGE_PX) for word in (label, value))
    return SVG.format(
        label=label, value=value, whole=left + right, left=left, right=right, text=left + EDGE_PX
    )


if __name__ == "__main__":
    folder = ROOT / "docs" / "badges"
    folder.mkdir(exist_ok=True)
    for label, value in badges().items():
        (folder / f"{label}.svg").write_text(svg(label, value), encoding="utf-8")

"""What can be said of the containers without Docker: they name what is there."""

import re
from pathlib import Path

import yaml
from typer.main import get_command

from er_bench.cli.main import app

ROOT = Path(__file__).parents[2]


def test_compose_asks_in_er_benchs_words():
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    command = services["bench"]["command"]
    run = get_command(app).commands[command[0]]
    known = {name for option in run.params for name in option.opts}
    assert {word for word in command if word.startswith("--")} <= known
    assert f"http://{next(iter(services))}:8000/v1" in " ".join(command)


def test_the_image_installs_extras_and_a_torch_that_there_are():
    text = (ROOT / "Dockerfile").read_text()
    extras = re.search(r"\.\[([\w,]+)\]", text)[1].split(",")
    pyproject = (ROOT / "pyproject.toml").read_text()
    assert all(re.search(rf"^{extra} = \[", pyproject, re.M) for extra in extras)
    torch = re.search(r'ARG TORCH="(torch==[\d.]+)"', text)[1]
    assert torch in (ROOT / "constraints.txt").read_text().splitlines()


def test_the_citation_names_this_version():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.M)[1]
    assert (cited["version"], cited["license"]) == (version, "MIT")

"""What a package index shows of er-bench: the README, without what leads nowhere from there."""

from __future__ import annotations

import email
import re
import subprocess
import sys
from email.message import Message
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAKE = "import sys, setuptools.build_meta as b; b.prepare_metadata_for_build_wheel(sys.argv[1])"


@pytest.fixture(scope="module")
def metadata(tmp_path_factory: pytest.TempPathFactory) -> Message:
    """The package's metadata as its build makes it."""
    out = tmp_path_factory.mktemp("metadata")
    made = subprocess.run([sys.executable, "-c", MAKE, out], cwd=ROOT, capture_output=True)
    assert made.returncode == 0, made.stderr.decode()
    (file,) = out.glob("*.dist-info/METADATA")
    return email.message_from_string(file.read_text(encoding="utf-8"))


def test_no_link_or_picture_leads_into_the_repository(metadata: Message) -> None:
    page = str(metadata.get_payload())
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert [to for to in re.findall(r"\]\(([^)]*)\)", page) if not to.startswith("http")] == []
    assert "![" not in page


def test_words_and_commands_are_the_readmes(metadata: Message) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    page = str(metadata.get_payload())
    commands = re.findall(r"^    \S.*$", readme, re.MULTILINE)
    assert commands == re.findall(r"^    \S.*$", page, re.MULTILINE)
    assert "docs/architecture.md how it is built" in page
    assert metadata["Name"] == "er-bench"
